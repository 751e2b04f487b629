//! The shapes of heads that came before: which field lines, in which order.
//!
//! A server's responses are alike but for some values. A head of a known shape is read line by line against it, without
//! asking for each name anew what it is; any difference leaves the head to the parser. What comes out is the same. Only
//! names are remembered, no values.

use super::lines::{Lines, Roles};
use super::recognize::is_token;

/// The shapes that came before, for one kind of head.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    known: Vec<Shape>,
    /// The one that was learned or met last: what a new connection likely sends.
    last: ShapeId,
    /// Which one makes room for the next.
    oldest: usize,
}

/// Names a shape; it may have given way to another since.
pub(crate) type ShapeId = u16;

/// More shapes than this are forgotten in turn: a client has some dozens of servers, each with a handful of shapes.
const SHAPES: usize = 128;
/// A head with more octets of names is read by the parser: 128 such shapes take 256 KiB.
const SHAPE_OCTETS: usize = 2048;

/// The field lines of a head.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    lines: Vec<KnownLine>,
}

#[derive(Debug, PartialEq, Eq)]
struct KnownLine {
    /// Name, colon, and the blank behind it where there is one.
    start: Box<[u8]>,
    name: usize,
    roles: Roles,
}

impl Shapes {
    /// Reads the field lines of a head, from behind its first line to behind the empty one, if it is of the shape that
    /// `near` names, or of the one that came last. Puts them into `lines`, which are empty, and gives their length.
    pub(crate) fn read<'a>(&mut self, octets: &'a [u8], near: &mut ShapeId, lines: &mut Lines<'a>) -> Option<usize> {
        let mut read = |id: ShapeId| self.known.get(usize::from(id)).and_then(|shape| shape.read(octets, lines));
        if let Some(length) = read(*near) {
            self.last = *near;
            return Some(length);
        }
        *near = self.last;
        read(self.last)
    }

    /// Remembers the shape of field lines, up to and with the empty one, if they are plain.
    pub(crate) fn learn(&mut self, octets: &[u8], near: &mut ShapeId, roles: impl FnMut(&[u8]) -> Roles) {
        let Some(shape) = Shape::of(octets, roles) else { return };
        let place = match self.known.iter().position(|known| *known == shape) {
            Some(place) => place,
            None if self.known.len() < SHAPES => {
                self.known.push(shape);
                self.known.len().saturating_sub(1)
            }
            None => {
                let place = self.oldest;
                self.oldest = self.oldest.saturating_add(1).checked_rem(SHAPES).unwrap_or(0);
                if let Some(oldest) = self.known.get_mut(place) {
                    *oldest = shape;
                }
                place
            }
        };
        *near = ShapeId::try_from(place).unwrap_or(0);
        self.last = *near;
    }
}

/// Where the line ends: the place of the first LF. Looks at eight octets at a time, which for the few of a value is done
/// before a search that is made for long runs has begun.
fn line_end(octets: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    const LINE_FEEDS: u64 = u64::from_le_bytes([b'\n'; 8]);
    let (words, tail) = octets.as_chunks::<8>();
    let mut at = 0usize;
    for word in words {
        // The lowest high bit that is left marks the first octet that is zero.
        let differs = u64::from_le_bytes(*word) ^ LINE_FEEDS;
        let zeros = differs.wrapping_sub(ONES) & !differs & HIGH;
        if zeros != 0 {
            return at.checked_add(usize::try_from(zeros.trailing_zeros() / 8).ok()?);
        }
        at = at.saturating_add(8);
    }
    tail.iter().position(|octet| *octet == b'\n').and_then(|place| at.checked_add(place))
}

/// What stands behind `start`, where the octets begin with it. Looks at eight octets at a time: a call that compares long
/// runs costs more than the few of a name.
fn behind<'a>(octets: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = octets.split_at_checked(start.len())?;
    let (Some(end), Some(known_end)) = (head.last_chunk::<8>(), start.last_chunk::<8>()) else {
        return head.iter().zip(start).all(|(octet, known)| octet == known).then_some(tail);
    };
    let (mut rest, mut known) = (head, start);
    while let (Some((word, behind)), Some((known_word, known_behind))) =
        (rest.split_first_chunk::<8>(), known.split_first_chunk::<8>())
    {
        if word != known_word {
            return None;
        }
        (rest, known) = (behind, known_behind);
    }
    // The last eight reach over what is left, and over some of what was compared.
    (end == known_end).then_some(tail)
}

impl Shape {
    /// `None` where a line is anything but a token, a colon, a value and CR LF.
    fn of(octets: &[u8], mut roles: impl FnMut(&[u8]) -> Roles) -> Option<Self> {
        let mut lines = Vec::new();
        let mut rest = octets;
        let mut room = SHAPE_OCTETS;
        loop {
            let end = memchr::memchr(b'\n', rest)?;
            let line = rest.get(..end)?.strip_suffix(b"\r")?;
            rest = rest.get(end.saturating_add(1)..)?;
            if line.is_empty() {
                return rest.is_empty().then_some(Self { lines });
            }
            let name = line.iter().position(|octet| !is_token(*octet)).filter(|end| *end > 0)?;
            let (name, behind) = line.split_at_checked(name)?;
            let colon = behind.strip_prefix(b": ").map(|_| 2).or_else(|| behind.strip_prefix(b":").map(|_| 1))?;
            let start = line.get(..name.len().saturating_add(colon))?;
            room = room.checked_sub(start.len())?;
            lines.push(KnownLine { start: start.into(), name: name.len(), roles: roles(name) });
        }
    }

    fn read<'a>(&self, octets: &'a [u8], lines: &mut Lines<'a>) -> Option<usize> {
        lines.clear();
        let mut rest = octets;
        for known in &self.lines {
            let behind = behind(rest, &known.start)?;
            let end = line_end(behind)?;
            let (value, behind) = behind.split_at_checked(end)?;
            if !known.roles.is_empty() {
                lines.push(rest.get(..known.name)?, value.strip_suffix(b"\r")?, known.roles);
            } else if value.last() != Some(&b'\r') {
                return None;
            }
            rest = behind.get(1..)?;
        }
        let behind = rest.strip_prefix(b"\r\n")?;
        Some(octets.len().saturating_sub(behind.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_line_ends_at_its_first_line_feed(octets in proptest::collection::vec(8u8..12, 0..40)) {
            let first = octets.iter().position(|octet| *octet == b'\n');
            proptest::prop_assert_eq!(line_end(&octets), first);
        }

        #[test]
        fn what_stands_behind_a_start_is_what_follows_it(
            octets in proptest::collection::vec(0u8..2, 0..30),
            start in proptest::collection::vec(0u8..2, 0..30),
            own in 0usize..30,
        ) {
            proptest::prop_assert_eq!(behind(&octets, &start), octets.strip_prefix(&*start));
            let own = &octets[..own.min(octets.len())];
            proptest::prop_assert_eq!(behind(&octets, own), octets.strip_prefix(own));
        }
    }
}
