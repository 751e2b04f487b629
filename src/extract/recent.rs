//! What was looked up lately, found again without a search.

/// Places: the endpoints and callers of a busy integration have one each, almost always.
const PLACES: usize = 2048;

/// One value for each of a fixed number of places; a new one takes the place of the one before.
///
/// The place says nothing of the value: whoever looks compares. Names that were chosen to meet in one place therefore cost
/// the search that this would have saved, no more, so that the place needs no secret.
#[derive(Debug, Clone)]
pub(super) struct Recent<T>(Vec<Option<T>>);

impl<T: Clone> Recent<T> {
    pub(super) fn new() -> Self {
        Self(vec![None; PLACES])
    }

    /// What was last put in the place of a hash.
    pub(super) fn at(&self, hash: u64) -> Option<&T> {
        self.0.get(place(hash))?.as_ref()
    }

    /// Puts a value in the place of a hash.
    pub(super) fn put(&mut self, hash: u64, value: T) {
        if let Some(slot) = self.0.get_mut(place(hash)) {
            *slot = Some(value);
        }
    }
}

/// The upper bits: multiplication mixes into them.
const fn place(hash: u64) -> usize {
    (hash >> 32) as usize % PLACES
}

/// A hash of some names that takes a multiplication for eight octets.
pub(super) fn mix(names: &[&str]) -> u64 {
    // The fractional part of the golden ratio: an odd number whose bits look like chance.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = FACTOR;
    let mut take = |word: u64| {
        hash = (hash ^ word).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    };
    for name in names {
        let octets = name.as_bytes();
        take(octets.len() as u64);
        for word in octets.as_chunks::<8>().0 {
            take(u64::from_le_bytes(*word));
        }
        // The last word overlaps the one before it.
        match (octets.last_chunk::<8>(), octets.first_chunk::<4>(), octets.last_chunk::<4>()) {
            (Some(last), ..) => take(u64::from_le_bytes(*last)),
            (None, Some(first), Some(last)) => {
                take(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
            }
            _ => take(octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet))),
        }
    }
    hash.wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_until_another_takes_its_place() {
        let mut recent = Recent::new();
        let hash = mix(&["api.example.com", "GET /v1/payment/{id}"]);
        assert_eq!(recent.at(hash), None);
        recent.put(hash, 1);
        recent.put(hash, 2);
        assert_eq!(recent.at(hash), Some(&2));
    }

    #[test]
    fn names_spread_over_the_places() {
        let names: Vec<String> = (0..PLACES).map(|n| format!("k:{n:08x}")).collect();
        let mut places: Vec<usize> = names.iter().map(|name| place(mix(&["api-key", name]))).collect();
        places.sort_unstable();
        places.dedup();
        // Thrown at chance, they fill 63 % of the places.
        assert!(places.len() * 100 > PLACES * 55, "{}", places.len());
        assert_ne!(mix(&["ab", "c"]), mix(&["a", "bc"]));
    }
}
