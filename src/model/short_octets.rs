//! Octets that are mostly few.

/// Octets that are appended: the first ones stand in the record itself, so that few cost no allocation.
#[derive(Clone)]
pub(super) struct ShortOctets {
    room: [u8; ROOM],
    filled: usize,
    /// All of them, once they have outgrown the room.
    outgrown: Vec<u8>,
}

/// The date, and three or four numbers.
const ROOM: usize = 64;

impl ShortOctets {
    /// Appends octets.
    #[inline]
    pub(super) fn extend(&mut self, octets: &[u8]) {
        let end = self.filled.saturating_add(octets.len());
        match self.room.get_mut(self.filled..end) {
            Some(place) if self.outgrown.is_empty() => {
                place.copy_from_slice(octets);
                self.filled = end;
            }
            _ => {
                if self.outgrown.is_empty() {
                    self.outgrown.extend_from_slice(self.room.get(..self.filled).unwrap_or_default());
                }
                self.outgrown.extend_from_slice(octets);
            }
        }
    }

    /// All of them.
    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        if self.outgrown.is_empty() { self.room.get(..self.filled).unwrap_or_default() } else { &self.outgrown }
    }

    /// The memory that they take beyond their own record.
    pub(super) const fn footprint(&self) -> usize {
        self.outgrown.capacity()
    }
}

impl Default for ShortOctets {
    fn default() -> Self {
        Self { room: [0; ROOM], filled: 0, outgrown: Vec::new() }
    }
}

impl PartialEq for ShortOctets {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for ShortOctets {}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_was_appended_is_there(parts in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..40), 0..6)) {
            let mut octets = ShortOctets::default();
            for part in &parts {
                octets.extend(part);
            }
            proptest::prop_assert_eq!(octets.as_slice(), parts.concat());
            proptest::prop_assert_eq!(octets.footprint() == 0, parts.concat().len() <= ROOM);
        }
    }
}
