//! Searches for octets, eight at a time: made for the few octets of a value or a target, before which a search for long runs
//! would only begin.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Where a line ends: the place of the first LF.
#[inline]
pub(super) fn line_end(octets: &[u8]) -> Option<usize> {
    first(octets, |word| equal(word, b'\n'))
}

/// How many octets at the start are visible characters. Source: `VCHAR` of RFC 5234, appendix B.1.
pub(super) fn visible_end(octets: &[u8]) -> usize {
    let invisible = |word: u64| (word.wrapping_sub(ONES * 0x21) & !word) | word | equal(word, 0x7f);
    first(octets, |word| invisible(word) & HIGH).unwrap_or(octets.len())
}

/// How many octets at the start are characters of an ordinary path: visible ones, neither `?` nor `#`, nor `!` and `"`, which
/// come so seldom that they need not be told from what ends it.
pub(super) fn path_end(octets: &[u8]) -> usize {
    /// What `?` and DEL differ in.
    const EITHER: u64 = u64::from_le_bytes([b'?' ^ 0x7f; 8]);
    let low = |word: u64| word.wrapping_sub(ONES * 0x24) & !word;
    first(octets, |word| (low(word) | word | equal(word | EITHER, 0x7f)) & HIGH).unwrap_or(octets.len())
}

/// The place of the first octet that is marked: `marks` sets the high bit of such octets. It may do so in vain for octets behind
/// one that is rightly marked.
#[inline]
fn first(octets: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let mut start = 0usize;
    let mut tail = octets;
    while let Some((word, behind)) = tail.split_first_chunk() {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return Some(start.wrapping_add(place(marked)));
        }
        (start, tail) = (start.wrapping_add(size_of::<u64>()), behind);
    }
    // What fills the last word up is behind all that is looked for.
    let word = tail.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet));
    let place = place(marks(word));
    (place < tail.len()).then(|| start.wrapping_add(place))
}

/// The place of the first octet that is marked.
#[inline]
const fn place(marked: u64) -> usize {
    marked.trailing_zeros() as usize / 8
}

/// Marks the octets that are the given one.
#[inline]
const fn equal(word: u64, octet: u8) -> u64 {
    let differs = word ^ u64::from_le_bytes([octet; 8]);
    differs.wrapping_sub(ONES) & !differs & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_look_at_each_octet_finds(
            octets in prop::collection::vec(prop_oneof![Just(b'a'), 0x1eu8..0x24, 0x7du8..0x82, 8u8..12, Just(b'?'), Just(b'#'), any::<u8>()], 0..40),
        ) {
            let place = |wanted: &dyn Fn(u8) -> bool| octets.iter().position(|octet| wanted(*octet));
            prop_assert_eq!(line_end(&octets), place(&|octet| octet == b'\n'));
            let path = place(&|octet| !octet.is_ascii_graphic() || b"?#!\"".contains(&octet));
            prop_assert_eq!(path_end(&octets), path.unwrap_or(octets.len()));
            let visible = place(&|octet| !octet.is_ascii_graphic()).unwrap_or(octets.len());
            prop_assert_eq!(visible_end(&octets), visible);
        }
    }
}
