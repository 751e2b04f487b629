//! Octets that came before their turn.

use std::collections::VecDeque;

use crate::model::Timestamp;

/// A run of octets that came before its turn, with what its segment said.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The stream offset of the first octet.
    pub(crate) start: u64,
    pub(crate) octets: Vec<u8>,
    /// Octets behind it that the snaplen cut off.
    pub(crate) missing: u64,
    pub(crate) at: Timestamp,
    /// How far its sender had heard the other side: the acknowledgment number as an offset.
    pub(crate) heard: Option<u64>,
}

impl Piece {
    /// The offset behind the last captured octet.
    pub(crate) fn captured_end(&self) -> u64 {
        self.start.saturating_add(self.octets.len() as u64)
    }
}

/// The pieces of one direction in the order of their offsets; they do not overlap.
#[derive(Debug, Default)]
pub(crate) struct OutOfOrder {
    pieces: VecDeque<Piece>,
    octets: usize,
    oldest: Option<Timestamp>,
}

impl OutOfOrder {
    /// Where the first piece starts.
    pub(crate) fn first_start(&self) -> Option<u64> {
        self.pieces.front().map(|piece| piece.start)
    }

    /// What the sender of the first piece had heard.
    pub(crate) fn first_heard(&self) -> Option<u64> {
        self.pieces.front().and_then(|piece| piece.heard)
    }

    /// When the oldest piece was captured.
    pub(crate) const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// How many octets are kept.
    pub(crate) const fn octets(&self) -> usize {
        self.octets
    }

    /// How many pieces are kept.
    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The memory that they take.
    pub(crate) fn footprint(&self) -> usize {
        /// The heap's own account of a piece's octets, and the least that it gives.
        const ALLOCATION: usize = 32;
        let records = self.pieces.capacity().saturating_mul(size_of::<Piece>());
        let allocations = self.pieces.len().saturating_mul(ALLOCATION);
        records.saturating_add(allocations).saturating_add(self.octets)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Takes the first piece out; the last one takes the memory with it.
    pub(crate) fn pop(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
        self.octets = self.octets.saturating_sub(piece.octets.len());
        if self.oldest == Some(piece.at) {
            self.oldest = self.pieces.iter().map(|piece| piece.at).min();
        }
        Some(piece)
    }

    /// Keeps the octets that are not there yet: of an overlap the first octets win. Returns whether the overlap differed.
    pub(crate) fn insert(
        &mut self,
        start: u64,
        octets: &[u8],
        missing: u64,
        at: Timestamp,
        heard: Option<u64>,
    ) -> bool {
        let mut conflict = false;
        let (mut start, mut rest) = (start, octets);
        let mut index = self.pieces.partition_point(|piece| piece.captured_end() <= start);
        while let Some(piece) = self.pieces.get(index) {
            let before = usize::try_from(piece.start.saturating_sub(start)).unwrap_or(usize::MAX);
            if before >= rest.len() {
                break;
            }
            let (free, overlap) = rest.split_at_checked(before).unwrap_or((rest, &[]));
            let inside = usize::try_from(start.saturating_sub(piece.start)).unwrap_or(usize::MAX);
            let known = piece.octets.get(inside..).unwrap_or_default();
            let shared = known.len().min(overlap.len());
            conflict |= known.get(..shared) != overlap.get(..shared);
            let behind = overlap.get(shared..).unwrap_or_default();
            let next_start = piece.captured_end();
            if !free.is_empty() {
                self.place(index, start, free, 0, at, heard);
                index = index.saturating_add(1);
            }
            start = next_start;
            rest = behind;
            index = index.saturating_add(1);
        }
        if !rest.is_empty() {
            self.place(index, start, rest, missing, at, heard);
        }
        conflict
    }

    fn place(&mut self, index: usize, start: u64, octets: &[u8], missing: u64, at: Timestamp, heard: Option<u64>) {
        self.octets = self.octets.saturating_add(octets.len());
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.pieces.insert(index.min(self.pieces.len()), Piece { start, octets: octets.to_vec(), missing, at, heard });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The model: one octet for each offset, the first one wins.
        #[test]
        fn keeps_what_a_map_of_octets_keeps(
            runs in prop::collection::vec((0u64..60, prop::collection::vec(0u8..3, 1..20)), 0..20),
        ) {
            let mut kept = OutOfOrder::default();
            let mut model = BTreeMap::new();
            for (start, octets) in &runs {
                let mut differs = false;
                for (offset, octet) in (*start..).zip(octets) {
                    differs |= model.entry(offset).or_insert(*octet) != octet;
                }
                prop_assert_eq!(kept.insert(*start, octets, 0, Timestamp::default(), None), differs);
            }
            prop_assert_eq!(kept.octets(), model.len());
            let mut seen = BTreeMap::new();
            while let Some(piece) = kept.pop() {
                prop_assert_eq!(kept.oldest().is_some(), !kept.is_empty());
                seen.extend((piece.start..).zip(piece.octets));
            }
            prop_assert_eq!(seen, model);
            prop_assert_eq!(kept.octets(), 0);
        }
    }
}
