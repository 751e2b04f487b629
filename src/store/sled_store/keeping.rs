//! What is dropped: the old, the unused, and the oldest where there is too much.

use std::collections::BTreeSet;
use std::ops::RangeBounds;

use super::super::Store as _;
use super::super::database::{Database, Entries};
use super::super::error::StoreError;
use super::super::generation;
use super::super::keys;
use super::super::open_window::OpenWindow;
use super::super::point::Resolution;
use super::super::retention;
use super::super::series::SeriesId;
use super::SledStore;
use crate::model::Timestamp;

/// The most keys that are dropped in one go, so that the list of them stays small.
const DROPPED_AT_ONCE: usize = 4096;

impl SledStore {
    /// Drops what is too old, and the oldest where the disk holds too much.
    pub(super) fn retain(&mut self, now: u32) -> Result<(), StoreError> {
        for resolution in Resolution::ALL {
            self.drop_range(&retention::expired(resolution, now))?;
            if let Some(windows) = self.loaded.sealed.get_mut(&resolution) {
                *windows = windows.split_off(&retention::oldest_window(resolution, now));
            }
        }
        let oldest = Timestamp::from_secs(i64::from(now.saturating_sub(retention::ALERTS_KEPT_SECONDS)));
        self.drop_range(&(keys::alert(Timestamp::MIN, "")..keys::alert(oldest, "")))?;
        while self.loaded.alerts > retention::MOST_ALERTS {
            let excess = (self.loaded.alerts - retention::MOST_ALERTS).min(DROPPED_AT_ONCE);
            let entries = self.ask(|database| database.range(&b"a"[..]..&b"b"[..], excess))?;
            if entries.is_empty() {
                break;
            }
            self.drop_entries(entries)?;
        }
        Ok(())
    }

    /// Forgets series of which no point is left, so that they do not count against the bound for ever. Their numbers are
    /// not given out again.
    pub(super) fn forget_series(&mut self) -> Result<(), StoreError> {
        let mut used: BTreeSet<SeriesId> = self.loaded.windows.values().flat_map(OpenWindow::series).collect();
        // Hours are kept longest, and each sealed window has some.
        let hours = keys::chunk_range(Resolution::Hour, 0, u32::MAX);
        self.ask(|database| database.scan(hours, |key, _| used.extend(keys::pair(key).map(|(_, id)| SeriesId(id)))))?;
        let unused: Vec<SeriesId> =
            self.loaded.registry.iter().map(|series| series.id).filter(|id| !used.contains(id)).collect();
        self.write(unused.iter().map(|id| (keys::series(*id).to_vec(), None)).collect())?;
        for id in unused {
            self.loaded.registry.remove(id);
        }
        Ok(())
    }

    /// Holds the store to its size: the oldest ticks go first, then the oldest minutes, then the oldest hours. As files
    /// become no smaller by that, a database that is too large for what lies in it is rebuilt.
    pub(super) fn shrink(&mut self) -> Result<(), StoreError> {
        while self.loaded.live > self.budget && self.drop_oldest_window()? {}
        if self.size_on_disk() <= self.options.size_limit {
            return Ok(());
        }
        self.settle()?;
        let Some(old) = self.database.take() else { return Ok(()) };
        let rebuilt = generation::rebuild(&self.directory, self.generation, old, &self.options);
        // The new directory may have got its name even where opening it failed.
        self.generation = generation::newest(&self.directory)?;
        self.database = Some(rebuilt.map_err(|failure| Database::refused(&self.directory, failure))?);
        if self.size_on_disk() > self.options.size_limit {
            self.budget /= 2;
        }
        Ok(())
    }

    /// Drops the oldest window of the finest points there are; `false` where there is none.
    pub(super) fn drop_oldest_window(&mut self) -> Result<bool, StoreError> {
        for resolution in Resolution::ALL {
            let windows = self.loaded.sealed.get(&resolution);
            if let Some(oldest) = windows.and_then(|windows| windows.first().copied()) {
                self.drop_range(&keys::chunk_range(resolution, oldest, oldest.saturating_add(1)))?;
                if let Some(windows) = self.loaded.sealed.get_mut(&resolution) {
                    windows.remove(&oldest);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn drop_range<K: AsRef<[u8]>>(
        &mut self,
        range: &(impl RangeBounds<K> + Clone),
    ) -> Result<(), StoreError> {
        loop {
            let entries = self.ask(|database| database.range(range.clone(), DROPPED_AT_ONCE))?;
            let is_last = entries.len() < DROPPED_AT_ONCE;
            self.drop_entries(entries)?;
            if is_last {
                return Ok(());
            }
        }
    }

    pub(super) fn drop_entries(&mut self, entries: Entries) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let freed = entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let alerts = entries.iter().filter(|(key, _)| key.first() == Some(&b'a')).count();
        self.write(entries.into_iter().map(|(key, _)| (key.to_vec(), None)).collect())?;
        self.loaded.live = self.loaded.live.saturating_sub(freed as u64);
        self.loaded.alerts = self.loaded.alerts.saturating_sub(alerts);
        Ok(())
    }
}
