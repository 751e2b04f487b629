//! An hour that is over becomes chunks.

use super::super::chunk;
use super::super::damage::Damage;
use super::super::database::Changes;
use super::super::error::StoreError;
use super::super::keys;
use super::super::open_window::{absorb_all, replace_all};
use super::super::point::Resolution;
use super::super::row::{Row, roll_up};
use super::super::series::SeriesId;
use super::SledStore;

impl SledStore {
    /// Turns the hours other than `current` into chunks. One batch: a crash leaves either the write-ahead records or the chunks.
    pub(super) fn seal(&mut self, current: Option<u32>) -> Result<(), StoreError> {
        let over: Vec<u32> = self.loaded.windows.keys().copied().filter(|start| Some(*start) != current).collect();
        if !over.is_empty() {
            // Sealing reads before it writes, so a database that failed is opened again here already.
            self.ready()?;
        }
        for start in over {
            let mut changes = self.sealed(start)?;
            let ticks = Resolution::Tick.base(start)..Resolution::Tick.base(start + Resolution::Tick.window_seconds());
            let records = self.ask(|database| database.range(keys::wal_range(&ticks), usize::MAX))?;
            let freed = records.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
            changes.extend(records.into_iter().map(|(key, _)| (key.to_vec(), None)));
            self.write(changes)?;
            for resolution in Resolution::ALL {
                self.loaded.sealed.entry(resolution).or_default().insert(resolution.window_of(start));
            }
            self.loaded.live = self.loaded.live.saturating_sub(freed as u64);
            self.loaded.windows.remove(&start);
            self.settle()?;
        }
        Ok(())
    }

    /// The chunks of an hour that is over, joined with what is stored of it already, and its minutes and hours.
    pub(super) fn sealed(&mut self, start: u32) -> Result<Changes, StoreError> {
        let Some(window) = self.loaded.windows.get(&start) else { return Ok(Changes::new()) };
        let mut changes = Changes::new();
        let mut replaced = 0;
        for id in window.series() {
            let fresh = self.believed(window.rows(id));
            let stored = self.stored(Resolution::Tick, start, id, &mut replaced)?;
            for resolution in Resolution::ALL {
                let wide = resolution.window_of(start);
                let mut rows = match resolution {
                    Resolution::Tick => Vec::new(),
                    _ => self.stored(resolution, wide, id, &mut replaced)?,
                };
                roll_into(&mut rows, stored.clone(), &fresh, resolution);
                let key = keys::chunk(resolution, wide, id);
                changes.push((key.to_vec(), Some(chunk::encode(resolution, wide, &rows))));
            }
        }
        self.loaded.live = self.loaded.live.saturating_sub(replaced);
        Ok(changes)
    }

    /// The rows of a stored chunk; none where there is no chunk or a damaged one. Adds its size to `size`.
    pub(super) fn stored(
        &self,
        resolution: Resolution,
        window: u32,
        id: SeriesId,
        size: &mut u64,
    ) -> Result<Vec<Row>, StoreError> {
        let key = keys::chunk(resolution, window, id);
        let record = self.read(|database| database.get(key))?;
        Ok(record.map_or_else(Vec::new, |record| {
            *size += (key.len() + record.len()) as u64;
            self.believed(chunk::decode(resolution, window, &record))
        }))
    }

    /// The rows, or none where they are damaged, which is counted.
    pub(super) fn believed(&self, rows: Result<Vec<Row>, Damage>) -> Vec<Row> {
        rows.unwrap_or_else(|_| {
            self.damaged.set(self.damaged.get().saturating_add(1));
            Vec::new()
        })
    }
}

/// Puts the ticks of an hour into coarser rows: those that are stored already joined with fresh ones. Where the stored ones are
/// gone (their time was over, then the clock was set back), the coarser rows know more than the ticks do, and are joined with
/// them instead of replaced.
pub(super) fn roll_into(rows: &mut Vec<Row>, stored: Vec<Row>, fresh: &[Row], resolution: Resolution) {
    let is_known = !stored.is_empty();
    let mut ticks = stored;
    absorb_all(&mut ticks, fresh);
    let coarse = roll_up(&ticks, resolution.step_seconds() / Resolution::Tick.step_seconds());
    if is_known { replace_all(rows, &coarse) } else { absorb_all(rows, &coarse) }
}
