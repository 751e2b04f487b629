//! Searches for octets, eight at a time, and the like: made for the few octets of a value or a target, before which a search
//! for long runs would only begin.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Where a line ends: the place of the first LF, or behind all octets.
#[inline]
pub(super) fn line_end(octets: &[u8]) -> usize {
    first(octets, |word| equal(word, b'\n'))
}

/// Whether octets are the same, made for few of them.
#[inline]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    /// Whether both ends are the same, which may meet.
    #[inline]
    fn ends<const N: usize>(one: &[u8], other: &[u8]) -> bool {
        one.first_chunk::<N>() == other.first_chunk() && one.last_chunk::<N>() == other.last_chunk()
    }
    one.len() == other.len()
        && match one.len() {
            4..8 => ends::<4>(one, other),
            8..=16 => ends::<8>(one, other),
            17..=32 => ends::<16>(one, other),
            33..=64 => ends::<32>(one, other),
            _ => one == other,
        }
}

/// A value without the blanks around it; few have any.
#[inline]
pub(super) fn trimmed(value: &[u8]) -> &[u8] {
    match value {
        [b'!'..=u8::MAX] | [b'!'..=u8::MAX, .., b'!'..=u8::MAX] => value,
        _ => any_trimmed(value),
    }
}

#[cold]
const fn any_trimmed(value: &[u8]) -> &[u8] {
    value.trim_ascii()
}

/// How many octets at the start are visible characters. Source: `VCHAR` of RFC 5234, appendix B.1.
pub(super) fn visible_end(octets: &[u8]) -> usize {
    let invisible = |word: u64| (word.wrapping_sub(ONES * 0x21) & !word) | word | equal(word, 0x7f);
    first(octets, |word| invisible(word) & HIGH)
}

/// How many octets at the start are characters of an ordinary path: visible ones, neither `?` nor `#`, nor `!` and `"`, which
/// come so seldom that they need not be told from what ends it.
#[inline]
pub(super) fn path_end(octets: &[u8]) -> usize {
    /// What `?` and DEL differ in.
    const EITHER: u64 = u64::from_le_bytes([b'?' ^ 0x7f; 8]);
    let low = |word: u64| word.wrapping_sub(ONES * 0x24) & !word;
    first(octets, |word| (low(word) | word | equal(word | EITHER, 0x7f)) & HIGH)
}

/// The place of the first octet that is marked, or behind all of them: `marks` sets the high bit of such octets. It may do so
/// in vain for octets behind one that is rightly marked.
#[inline]
fn first(octets: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let mut start = 0usize;
    let mut tail = octets;
    while let Some((word, behind)) = tail.split_first_chunk() {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return start.wrapping_add(place(marked));
        }
        (start, tail) = (start.wrapping_add(size_of::<u64>()), behind);
    }
    // What fills the last word up is behind all that is looked for.
    let word = tail.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet));
    start.wrapping_add(place(marks(word)).min(tail.len()))
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
            octets in prop::collection::vec(prop_oneof![Just(b'a'), 0x1eu8..0x24, 0x7du8..0x82, 8u8..12, Just(b'?'), Just(b'#'), any::<u8>()], 0..140),
        ) {
            let place = |wanted: &dyn Fn(u8) -> bool| octets.iter().position(|octet| wanted(*octet));
            prop_assert_eq!(line_end(&octets), place(&|octet| octet == b'\n').unwrap_or(octets.len()));
            let path = place(&|octet| !octet.is_ascii_graphic() || b"?#!\"".contains(&octet));
            prop_assert_eq!(path_end(&octets), path.unwrap_or(octets.len()));
            let visible = place(&|octet| !octet.is_ascii_graphic()).unwrap_or(octets.len());
            prop_assert_eq!(visible_end(&octets), visible);
            prop_assert_eq!(trimmed(&octets), octets.trim_ascii());
            let (one, other) = octets.split_at(octets.len() / 2);
            prop_assert_eq!(same(one, other), one == other);
            let copy = one.to_vec();
            prop_assert!(same(one, &copy));
            let mut changed = copy;
            if let Some(octet) = changed.get_mut(octets.len() / 3) {
                *octet ^= 1;
                prop_assert!(!same(one, &changed));
            }
        }
    }
}
