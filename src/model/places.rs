//! Where names lie in memory.

use std::sync::Arc;

/// A number below `places` for three names, the same where they come again in the same allocations: what was found for them
/// is found there again without reading a letter.
///
/// It says nothing of the names: whoever looks there compares.
#[inline]
pub(crate) fn place_of(names: [Option<&Arc<str>>; 3], places: usize) -> usize {
    let hash = names.into_iter().fold(0u64, |hash, name| {
        let address = name.map_or(0, |name| Arc::as_ptr(name).cast::<u8>().addr());
        (hash ^ address as u64).wrapping_mul(FACTOR).rotate_left(32)
    });
    hash.checked_rem(places as u64).and_then(|place| usize::try_from(place).ok()).unwrap_or(0)
}

/// The fractional part of the golden ratio: an odd number whose bits look like chance.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_where_they_lay_before() {
        let names: Vec<Arc<str>> = (0..64).map(|number| format!("name {number}").into()).collect();
        let places = |names: &[Arc<str>]| -> Vec<usize> {
            names.iter().map(|name| place_of([names.first(), Some(name), None], 1024)).collect()
        };
        assert_eq!(places(&names), places(&names.clone()));
        let different: std::collections::BTreeSet<usize> = places(&names).into_iter().collect();
        assert!(different.len() > 32 && different.iter().all(|place| *place < 1024), "{different:?}");
        assert_eq!(place_of([None; 3], 0), 0);
    }
}
