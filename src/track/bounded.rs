//! A table that forgets what was silent the longest.

use std::collections::{BTreeSet, HashMap};

use super::as_is::AsIs;

/// No entry.
const NONE: u32 = u32::MAX;

/// Values found by a hash that the caller computes from borrowed parts, in the order of their last use.
///
/// Finding and touching take constant time, inserting that of a sorted set; a full table replaces its least recently touched
/// value. The order
/// of iteration is that of the slots, which depends on the input alone and never on the hashes.
pub(super) struct Bounded<T> {
    chains: HashMap<u64, u32, AsIs>,
    entries: Vec<Entry<T>>,
    /// Uses so far: names the last one of each value.
    uses: u64,
    /// The values by a use, the last one or, as a use happens often and is asked for rarely, one before.
    by_use: BTreeSet<(u64, u32)>,
    capacity: usize,
    /// Slots whose value was taken out.
    free: Vec<u32>,
    evicted: u64,
}

struct Entry<T> {
    hash: u64,
    next_of_hash: u32,
    last_use: u64,
    /// The use that it is listed by.
    listed_use: u64,
    /// Absent where it was taken out and the slot waits for another.
    value: Option<T>,
}

impl<T> Bounded<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, NONE as usize - 1);
        Self {
            chains: HashMap::default(),
            entries: Vec::new(),
            uses: 0,
            by_use: BTreeSet::new(),
            capacity,
            free: Vec::new(),
            evicted: 0,
        }
    }

    /// The slots whose values have that hash.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> {
        let first = self.chains.get(&hash).copied();
        std::iter::successors(first, |&slot| Some(self.entry(slot)?.next_of_hash)).take_while(|&slot| slot != NONE)
    }

    /// The slot of that hash whose value is the wanted one.
    pub(super) fn find(&self, hash: u64, wanted: impl Fn(&T) -> bool) -> Option<u32> {
        self.candidates(hash).find(|&slot| self.get(slot).is_some_and(&wanted))
    }

    /// The hash that a value was inserted with.
    pub(super) fn hash_of(&self, slot: u32) -> Option<u64> {
        self.entry(slot).filter(|entry| entry.value.is_some()).map(|entry| entry.hash)
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.entry(slot).and_then(|entry| entry.value.as_ref())
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.entries.get_mut(slot as usize).and_then(|entry| entry.value.as_mut())
    }

    /// Adds a value as the most recent one; a full table gives up its oldest value for it.
    pub(super) fn insert(&mut self, hash: u64, value: T) -> (u32, Option<T>) {
        let (slot, replaced) = if let Some(slot) = self.free.pop() {
            let entry = &mut self.entries[slot as usize];
            entry.hash = hash;
            entry.value = Some(value);
            (slot, None)
        } else if self.entries.len() < self.capacity {
            let count = self.entries.len();
            let slot = u32::try_from(count).unwrap_or(NONE);
            if count == self.entries.capacity() {
                // Doubled as ever, but never beyond what the table may hold: a value may have a kilobyte.
                self.entries.reserve_exact(count.max(4).min(self.capacity - count));
            }
            self.entries.push(Entry { hash, next_of_hash: NONE, last_use: 0, listed_use: 0, value: Some(value) });
            (slot, None)
        } else {
            let slot = self.take_oldest();
            self.unchain(slot);
            self.evicted = self.evicted.saturating_add(1);
            let entry = &mut self.entries[slot as usize];
            entry.hash = hash;
            (slot, entry.value.replace(value))
        };
        let next = self.chains.insert(hash, slot).unwrap_or(NONE);
        self.entries[slot as usize].next_of_hash = next;
        self.touch(slot);
        self.list(slot);
        (slot, replaced)
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let entry = self.entries.get_mut(slot as usize)?;
        let value = entry.value.take()?;
        self.by_use.remove(&(entry.listed_use, slot));
        self.unchain(slot);
        self.free.push(slot);
        Some(value)
    }

    /// Makes a value the most recent one, and gives it.
    #[inline]
    pub(super) fn touch(&mut self, slot: u32) -> Option<&mut T> {
        self.uses += 1;
        let entry = self.entries.get_mut(slot as usize)?;
        entry.last_use = self.uses;
        entry.value.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.value.as_ref())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many values were given up.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    #[inline]
    fn entry(&self, slot: u32) -> Option<&Entry<T>> {
        self.entries.get(slot as usize)
    }

    /// Takes the least recently used slot out of the list. What was used since it was listed is listed anew on the way: once for
    /// all its uses.
    fn take_oldest(&mut self) -> u32 {
        while let Some((listed_use, slot)) = self.by_use.pop_first() {
            if self.entries[slot as usize].last_use == listed_use {
                return slot;
            }
            self.list(slot);
        }
        0
    }

    fn list(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        entry.listed_use = entry.last_use;
        self.by_use.insert((entry.last_use, slot));
    }

    fn unchain(&mut self, slot: u32) {
        let (hash, next) = (self.entries[slot as usize].hash, self.entries[slot as usize].next_of_hash);
        let before = self.candidates(hash).find(|&s| self.entry(s).is_some_and(|e| e.next_of_hash == slot));
        match before {
            Some(before) => self.entries[before as usize].next_of_hash = next,
            None if next == NONE => {
                self.chains.remove(&hash);
            }
            None => {
                self.chains.insert(hash, next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_longest_silent_even_where_hashes_collide() {
        let mut table = Bounded::new(3);
        let slots: Vec<u32> = ["a", "b", "c"].into_iter().map(|name| table.insert(7, name).0).collect();
        table.touch(slots[0]);
        assert_eq!(table.insert(7, "d").1, Some("b"));
        assert_eq!(table.insert(8, "e").1, Some("c"));
        assert_eq!(table.find(7, |&v| v == "b"), None);
        assert_eq!(table.find(7, |&v| v == "a"), Some(slots[0]));
        assert_eq!(table.insert(9, "f").1, Some("a"));
        assert_eq!(table.insert(9, "g").1, Some("d"));
        assert_eq!(table.candidates(7).count(), 0);
        assert_eq!(table.candidates(9).count(), 2);
        assert_eq!((table.len(), table.evicted()), (3, 4));
        // What is taken out leaves its slot to the next, and the order of the others as it is.
        assert_eq!(table.remove(slots[0]), Some("f"));
        assert_eq!((table.remove(slots[0]), table.get(slots[0]), table.iter().count()), (None, None, 2));
        assert_eq!(table.candidates(9).count(), 1);
        assert_eq!(table.insert(9, "h"), (slots[0], None));
        assert_eq!(table.insert(9, "i").1, Some("e"));
        assert_eq!(table.evicted(), 5);
    }

    proptest::proptest! {
        #[test]
        fn forgets_as_a_list_would(all in proptest::collection::vec((0u8..4, 0u32..6), 1..200)) {
            let (mut table, mut list) = (Bounded::new(4), Vec::<(u32, u32)>::new());
            for (number, (what, slot)) in (0u32..).zip(all) {
                let known = list.iter().position(|(at, _)| *at == slot);
                match (what, known) {
                    (0, _) => {
                        let (slot, replaced) = table.insert(7, number);
                        let oldest = (list.len() == 4).then(|| list.remove(0));
                        proptest::prop_assert_eq!(replaced, oldest.map(|(_, value)| value));
                        proptest::prop_assert!(oldest.is_none_or(|(at, _)| at == slot));
                        list.push((slot, number));
                    }
                    (1, _) => {
                        let value = known.map(|at| list.remove(at).1);
                        proptest::prop_assert_eq!(table.remove(slot), value);
                    }
                    (_, Some(at)) => {
                        table.touch(slot);
                        let entry = list.remove(at);
                        list.push(entry);
                    }
                    (_, None) => proptest::prop_assert!(table.touch(slot).is_none()),
                }
                proptest::prop_assert!(table.by_use.len() == list.len());
            }
        }
    }
}
