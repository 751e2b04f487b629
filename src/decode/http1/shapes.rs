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
    /// `near` names, or of the one that came last. Gives the lines and their length.
    pub(crate) fn read<'a>(&mut self, octets: &'a [u8], near: &mut ShapeId) -> Option<(Lines<'a>, usize)> {
        let read = |id: ShapeId| self.known.get(usize::from(id)).and_then(|shape| shape.read(octets));
        let found = read(*near).or_else(|| {
            let other = (self.last != *near).then(|| read(self.last)).flatten();
            *near = self.last;
            other
        });
        self.last = if found.is_some() { *near } else { self.last };
        found
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

    fn read<'a>(&self, octets: &'a [u8]) -> Option<(Lines<'a>, usize)> {
        let mut lines = Lines::default();
        let mut rest = octets;
        for known in &self.lines {
            let behind = rest.strip_prefix(&*known.start)?;
            let end = memchr::memchr(b'\n', behind)?;
            let value = behind.get(..end)?.strip_suffix(b"\r")?;
            if !known.roles.is_empty() {
                lines.push(rest.get(..known.name)?, value, known.roles);
            }
            rest = behind.get(end.saturating_add(1)..)?;
        }
        let behind = rest.strip_prefix(b"\r\n")?;
        Some((lines, octets.len().saturating_sub(behind.len())))
    }
}
