//! The hours that are not over: their rows, packed as they come.

use std::collections::BTreeMap;

use super::codec::{self, Packer};
use super::damage::Damage;
use super::row::Row;
use super::series::SeriesId;

/// One hour of all series, packed as the ticks come: two or three octets for a row instead of the hundred and sixty that it takes
/// unpacked.
#[derive(Debug, Default)]
pub(super) struct OpenWindow {
    chunks: BTreeMap<SeriesId, OpenChunk>,
}

impl OpenWindow {
    /// Adds a row; one of the same tick is joined with it.
    pub(super) fn add(&mut self, base: u32, id: SeriesId, row: Row) -> Result<(), Damage> {
        self.chunks.entry(id).or_insert_with(|| OpenChunk::new(base)).add(row)
    }

    /// The series that have rows.
    pub(super) fn series(&self) -> impl Iterator<Item = SeriesId> {
        self.chunks.keys().copied()
    }

    /// The rows of a series, in order.
    pub(super) fn rows(&self, id: SeriesId) -> Result<Vec<Row>, Damage> {
        self.chunks.get(&id).map_or_else(|| Ok(Vec::new()), OpenChunk::rows)
    }
}

#[derive(Debug)]
struct OpenChunk {
    base: u32,
    packed: Packer,
    /// The newest row: not packed yet, as the same tick may come again after a restart.
    newest: Option<Row>,
}

impl OpenChunk {
    fn new(base: u32) -> Self {
        Self { base, packed: Packer::new(base), newest: None }
    }

    fn add(&mut self, row: Row) -> Result<(), Damage> {
        match &mut self.newest {
            None => self.newest = Some(row),
            Some(newest) if newest.index == row.index => newest.absorb(&row),
            Some(newest) if newest.index < row.index => {
                let _in_order = self.packed.push(newest);
                *newest = row;
            }
            // The clock was set back within the hour: rare, so unpacking all of it is fine.
            Some(_) => {
                let mut rows = self.rows()?;
                absorb_all(&mut rows, &[row]);
                let mut rebuilt = Self::new(self.base);
                for row in rows {
                    rebuilt.add(row)?;
                }
                *self = rebuilt;
            }
        }
        Ok(())
    }

    fn rows(&self) -> Result<Vec<Row>, Damage> {
        let mut rows = codec::unpack(self.base, &self.packed.finish())?;
        rows.extend(self.newest);
        Ok(rows)
    }
}

/// Joins later rows into ordered ones: where both have a step, the later values win and the counts add up.
pub(super) fn absorb_all(rows: &mut Vec<Row>, later: &[Row]) {
    for row in later {
        match rows.binary_search_by_key(&row.index, |row| row.index) {
            Ok(found) => {
                if let Some(old) = rows.get_mut(found) {
                    old.absorb(row);
                }
            }
            Err(place) => rows.insert(place, *row),
        }
    }
}

/// Puts rows into ordered ones: where both have a step, the new row replaces the old.
pub(super) fn replace_all(rows: &mut Vec<Row>, new: &[Row]) {
    for row in new {
        match rows.binary_search_by_key(&row.index, |row| row.index) {
            Ok(found) => {
                if let Some(old) = rows.get_mut(found) {
                    *old = *row;
                }
            }
            Err(place) => rows.insert(place, *row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(index: u32, requests: u64) -> Row {
        Row { index, requests, samples: 1, ..Row::default() }
    }

    proptest! {
        #[test]
        fn rows_of_any_order_add_up(indexes in prop::collection::vec(0u32..360, 1..100)) {
            let mut window = OpenWindow::default();
            let mut expected = BTreeMap::<u32, u64>::new();
            for (requests, index) in (1u64..).zip(indexes) {
                window.add(0, SeriesId(7), row(index, requests)).unwrap();
                *expected.entry(index).or_default() += requests;
            }
            let rows = window.rows(SeriesId(7)).unwrap();
            prop_assert!(rows.iter().map(|row| (row.index, row.requests)).eq(expected));
        }
    }
}
