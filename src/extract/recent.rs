//! What was found lately, found again without a search.

use std::sync::Arc;

/// How many that fall on one place are kept there: with fewer, two that come in turn would often push each other out.
const WAYS: usize = 4;

/// A bounded memory of small values: what came last is kept, and takes the place of something older.
///
/// The place says nothing of the value: whoever looks compares. Names that were chosen to meet in one place therefore cost
/// the search that this would have saved, no more, so that the place needs no secret.
#[derive(Debug, Clone)]
pub(super) struct Recent<V> {
    /// Empty until something is kept.
    slots: Vec<Option<(Hash, V)>>,
    places: usize,
    /// Which of a full place's slots is taken next.
    turn: usize,
}

impl<V> Recent<V> {
    /// Room for four times so many.
    pub(super) const fn new(places: usize) -> Self {
        Self { slots: Vec::new(), places, turn: 0 }
    }

    /// What is kept under a hash and is meant.
    #[inline(always)]
    pub(super) fn known(&self, hash: Hash, is_meant: impl Fn(&V) -> bool) -> Option<&V> {
        let start = self.start(hash);
        for slot in self.slots.get(start..start + WAYS)? {
            if let Some((of, value)) = slot
                && *of == hash
                && is_meant(value)
            {
                return Some(value);
            }
        }
        None
    }

    /// Keeps what is not yet known under a hash.
    pub(super) fn keep(&mut self, hash: Hash, value: V) {
        if self.slots.is_empty() {
            self.slots.resize_with(self.places * WAYS, || None);
        }
        self.turn = (self.turn + 1) % WAYS;
        let start = self.start(hash);
        let at_place = self.slots.get_mut(start..start + WAYS).unwrap_or_default();
        let way = at_place.iter().position(Option::is_none).unwrap_or(self.turn);
        if let Some(slot) = at_place.get_mut(way) {
            *slot = Some((hash, value));
        }
    }

    /// Where the slots of a hash begin: by the upper bits, because multiplication mixes into them.
    const fn start(&self, Hash(hash): Hash) -> usize {
        let upper = hash.wrapping_mul(Hash::FACTOR) >> 32;
        (upper.saturating_mul(self.places as u64) >> 32) as usize * WAYS
    }
}

/// A number that tells lists of texts apart, almost always; it takes a multiplication for eight octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(u64);

impl Hash {
    /// The fractional part of the golden ratio: an odd number whose bits look like chance.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Of texts, whole.
    pub(super) fn of(texts: &[&[u8]]) -> Self {
        let mut hash = Self(Self::FACTOR);
        for text in texts {
            for word in text.as_chunks::<8>().0 {
                hash.take(u64::from_le_bytes(*word));
            }
            hash.take_end(text);
        }
        hash
    }

    /// Of texts, by their lengths and last eight octets: enough for names of which most end with words of their own.
    pub(super) fn of_ends<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hash = Self(Self::FACTOR);
        texts.for_each(|text| hash.take_end(text));
        hash
    }

    /// Of the places that shared values have in memory.
    #[inline]
    pub(super) fn of_places<T: ?Sized>(shared: &[&Arc<T>]) -> Self {
        let mut hash = Self(Self::FACTOR);
        for value in shared {
            hash.take(Arc::as_ptr(value).cast::<u8>().addr() as u64);
        }
        hash
    }

    #[inline]
    fn take_end(&mut self, text: &[u8]) {
        let end = match text.last_chunk::<8>() {
            Some(end) => u64::from_le_bytes(*end),
            None => text.iter().fold(0, |word, octet| word << 8 | u64::from(*octet)),
        };
        self.take(end ^ (text.len() as u64) << 56);
    }

    #[inline]
    const fn take(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(Self::FACTOR);
        // What only the upper bits know would else be lost.
        self.0 ^= self.0 >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_came_last_and_never_more_than_its_room() {
        let mut recent = Recent::new(8);
        for number in 0..1000 {
            let text = format!("text {number}");
            let hash = Hash::of(&[text.as_bytes()]);
            assert_eq!(recent.known(hash, |known| *known == text), None);
            recent.keep(hash, text.clone());
            assert_eq!(recent.known(hash, |known| *known == text), Some(&text));
        }
        assert_eq!(recent.slots.iter().flatten().count(), 8 * WAYS);
    }

    #[test]
    fn one_hash_may_stand_for_two_texts() {
        let mut recent = Recent::new(1);
        recent.keep(Hash(7), "a");
        recent.keep(Hash(7), "b");
        for text in ["a", "b"] {
            assert_eq!(recent.known(Hash(7), |known| *known == text).copied(), Some(text));
        }
    }

    #[test]
    fn names_spread_over_the_places() {
        let recent = Recent::<()>::new(512);
        let mut room = vec![0; 512];
        for number in 0..2048 {
            room[recent.start(Hash::of(&[b"api-key", format!("k:{number:08x}").as_bytes()])) / WAYS] += 1;
        }
        // Thrown at chance, four fifths of so many find room.
        let kept: usize = room.iter().map(|count| *count.min(&WAYS)).sum();
        assert!(kept * 10 > 2048 * 7, "{kept}");
        assert_ne!(Hash::of(&[b"ab", b"c"]), Hash::of(&[b"a", b"bc"]));
    }
}
