//! The store in sled.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::chunk;
use super::codec;
use super::database::{self, Changes, Database, Failure};
use super::envelope;
use super::error::StoreError;
use super::generation;
use super::keys;
use super::loaded::Loaded;
use super::open::{self, Lock, Opened, Ready, StoreOptions};
use super::open_window::{OpenWindow, absorb_all, replace_all};
use super::point::{Point, Resolution};
use super::retention::{self, Clock};
use super::row::{Row, roll_up};
use super::sampler::Sampler;
use super::series::{Series, SeriesId};
use super::stored_alert::StoredAlert;
use super::{MAX_SERIES, Store};
use crate::model::{Alert, Snapshot, Timestamp};

/// How often the size on the disk is looked at: every five minutes.
const TICKS_BETWEEN_SIZES: u32 = 30;
/// The most keys that are dropped in one go, so that the list of them stays small.
const DROPPED_AT_ONCE: usize = 4096;

/// The store in sled: see the module.
#[derive(Debug)]
pub struct SledStore {
    directory: PathBuf,
    options: StoreOptions,
    /// Absent after the database failed, until it is opened again: sled refuses everything after a failed write.
    database: Option<Database>,
    /// The number of the database's directory.
    generation: u32,
    /// What all keys and values may take together, so that the files stay within the size limit.
    budget: u64,
    loaded: Loaded,
    sampler: Sampler,
    clock: Clock,
    last_tick: Option<u32>,
    ticks: u32,
    /// Small changes that could not be written, to be written with the next ones.
    unwritten: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    next_notification: u64,
    damaged: Cell<u64>,
    refused_series: u64,
    lost_notifications: u64,
    failure: Option<String>,
    /// What happened to a database that broke while it was open.
    replaced: Option<String>,
    /// Declared last: the directory is let go when the database is closed.
    _lock: Lock,
}

impl SledStore {
    /// Opens the store in a directory, or makes one. A damaged one is repaired or replaced, and [`Opened`] says so.
    ///
    /// # Errors
    /// Another process has it, the disk is full or fails, or a newer program wrote it.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<(Self, Opened), StoreError> {
        open::create_private_directory(directory)?;
        let lock = Lock::take(directory)?;
        let Ready { database, generation, loaded, opened } = open::open_or_repair(directory, &options)?;
        if let Some(found) = loaded.format.filter(|format| *format != keys::FORMAT) {
            return Err(StoreError::Newer { directory: directory.to_path_buf(), found, known: keys::FORMAT });
        }
        let mut store = Self {
            directory: directory.to_path_buf(),
            options,
            clock: Clock::new(loaded.newest),
            next_notification: loaded.outbox.keys().next_back().map_or(0, |last| last.saturating_add(1)),
            damaged: Cell::new(loaded.damaged),
            database: Some(database),
            generation,
            budget: options.size_limit / retention::AMPLIFICATION,
            loaded,
            sampler: Sampler::default(),
            last_tick: None,
            ticks: 0,
            unwritten: BTreeMap::new(),
            refused_series: 0,
            lost_notifications: 0,
            failure: None,
            replaced: None,
            _lock: lock,
        };
        if store.loaded.format.is_none() {
            store.unwritten.insert(keys::META.to_vec(), Some(vec![keys::FORMAT]));
        }
        Ok((store, opened))
    }

    /// Octets of all keys and values in the database: far fewer than those on the disk, which the database spends on pages
    /// that it has not tidied up yet.
    pub const fn live_octets(&self) -> u64 {
        self.loaded.live
    }

    /// Writes changes and the ones that could not be written before; all or nothing.
    fn write(&mut self, changes: Changes) -> Result<(), StoreError> {
        let result = self.try_write(changes);
        match &result {
            Ok(()) => self.failure = None,
            Err(error) => self.failure = Some(error.to_string()),
        }
        result
    }

    fn try_write(&mut self, mut changes: Changes) -> Result<(), StoreError> {
        self.check_room()?;
        self.reopen()?;
        changes.extend(self.unwritten.iter().map(|(key, value)| (key.clone(), value.clone())));
        if changes.is_empty() {
            return Ok(());
        }
        let size =
            changes.iter().map(|(key, value)| value.as_ref().map_or(0, |value| key.len() + value.len())).sum::<usize>();
        self.ask(|database| database.apply(&changes))?;
        self.loaded.live = self.loaded.live.saturating_add(size as u64);
        self.unwritten.clear();
        Ok(())
    }

    /// A write that fails half way leaves the database unusable until it is opened again; better not to begin it.
    fn check_room(&self) -> Result<(), StoreError> {
        match database::free_octets(&self.directory) {
            Some(free) if free < self.options.reserve => Err(database::full(&self.directory, self.options.reserve)),
            _ => Ok(()),
        }
    }

    /// Opens the database again after it failed, and writes anew what it may have lost: the series and the outbox. The open
    /// hours are still in memory.
    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.database.is_some() {
            return Ok(());
        }
        let Ready { database, generation, loaded, opened } = open::open_or_repair(&self.directory, &self.options)?;
        self.database = Some(database);
        self.generation = generation;
        self.loaded.live = loaded.live;
        self.loaded.alerts = loaded.alerts;
        self.loaded.sealed = loaded.sealed;
        if let Opened::Replaced { moved_to, .. } = opened {
            let moved_to = moved_to.display();
            self.replaced = Some(format!(
                "the database was damaged by an error and is now {moved_to}; a new one has what could be saved"
            ));
        }
        for series in self.loaded.registry.iter() {
            let key = keys::series(series.id);
            self.unwritten.entry(key.to_vec()).or_insert_with(|| Some(series.encode()));
        }
        for (number, alert) in &self.loaded.outbox {
            self.unwritten.entry(keys::outbox(*number).to_vec()).or_insert_with(|| Some(alert.encode()));
        }
        self.unwritten.insert(keys::META.to_vec(), Some(vec![keys::FORMAT]));
        Ok(())
    }

    /// Asks the database; one that fails is closed.
    fn ask<T>(&mut self, question: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, StoreError> {
        let result = self.read(question);
        if result.is_err() {
            self.database = None;
        }
        result
    }

    fn read<T>(&self, question: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, StoreError> {
        let database = self.database.as_ref().ok_or_else(|| StoreError::Database {
            directory: self.directory.clone(),
            detail: "it is closed after an error".into(),
        })?;
        question(database).map_err(|failure| Database::refused(&self.directory, failure))
    }

    /// Turns the hours other than `current` into chunks. One batch: a crash leaves either the write-ahead records or the chunks.
    fn seal(&mut self, current: Option<u32>) -> Result<(), StoreError> {
        let over: Vec<u32> = self.loaded.windows.keys().copied().filter(|start| Some(*start) != current).collect();
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
        }
        Ok(())
    }

    /// The chunks of an hour that is over, joined with what is stored of it already, and its minutes and hours.
    fn sealed(&mut self, start: u32) -> Result<Changes, StoreError> {
        let Some(window) = self.loaded.windows.get(&start) else { return Ok(Changes::new()) };
        let mut changes = Changes::new();
        let mut replaced = 0;
        for id in window.series() {
            let mut rows = self.stored(Resolution::Tick, start, id, &mut replaced)?;
            absorb_all(&mut rows, &self.believed(window.rows(id)));
            changes.push((
                keys::chunk(Resolution::Tick, start, id).to_vec(),
                Some(chunk::encode(Resolution::Tick, start, &rows)),
            ));
            for resolution in [Resolution::Minute, Resolution::Hour] {
                let rolled_up = roll_up(&rows, resolution.step_seconds() / Resolution::Tick.step_seconds());
                let wide = resolution.window_of(start);
                let mut rows = self.stored(resolution, wide, id, &mut replaced)?;
                replace_all(&mut rows, &rolled_up);
                changes
                    .push((keys::chunk(resolution, wide, id).to_vec(), Some(chunk::encode(resolution, wide, &rows))));
            }
        }
        self.loaded.live = self.loaded.live.saturating_sub(replaced);
        Ok(changes)
    }

    /// The rows of a stored chunk; none where there is no chunk or a damaged one. Adds its size to `size`.
    fn stored(
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
    fn believed(&self, rows: Result<Vec<Row>, super::damage::Damage>) -> Vec<Row> {
        rows.unwrap_or_else(|_| {
            self.damaged.set(self.damaged.get().saturating_add(1));
            Vec::new()
        })
    }

    /// The rows of a tick by series, and the series that are new.
    fn sample(&mut self, at: Timestamp, tick: u32, snapshot: &Snapshot) -> (BTreeMap<SeriesId, Row>, Vec<Series>) {
        let mut rows = BTreeMap::new();
        let mut new = Vec::new();
        let registry = &mut self.loaded.registry;
        self.refused_series = 0;
        for quota in &snapshot.quotas {
            let Some(row) = self.sampler.sample(at, tick, quota) else { continue };
            let id = match registry.find(quota) {
                Some(id) => id,
                None if registry.len() >= MAX_SERIES => {
                    self.refused_series += 1;
                    continue;
                }
                None => {
                    let series = Series::of(registry.next_id(), quota);
                    let id = series.id;
                    registry.insert(series.clone());
                    new.push(series);
                    id
                }
            };
            rows.insert(id, row);
        }
        (rows, new)
    }

    /// Drops what is too old, and the oldest where the disk holds too much.
    fn retain(&mut self, now: u32) -> Result<(), StoreError> {
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

    /// Holds the store to its size: the oldest ticks go first, then the oldest minutes, then the oldest hours. As files
    /// become no smaller by that, a database that is too large for what lies in it is rebuilt.
    fn shrink(&mut self) -> Result<(), StoreError> {
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
    fn drop_oldest_window(&mut self) -> Result<bool, StoreError> {
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

    fn drop_range<K: AsRef<[u8]>>(
        &mut self,
        range: &(impl std::ops::RangeBounds<K> + Clone),
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

    fn drop_entries(&mut self, entries: database::Entries) -> Result<(), StoreError> {
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

    /// Waits for the disk, then writes what was kept back, if the disk has room again.
    fn settle(&mut self) -> Result<(), StoreError> {
        self.write(Changes::new())?;
        let result = self.ask(Database::flush);
        if let Err(error) = &result {
            self.failure = Some(error.to_string());
        }
        result
    }
}

impl Store for SledStore {
    fn record(&mut self, at: Timestamp, snapshot: &Snapshot) -> Result<(), StoreError> {
        let seconds = u32::try_from(at.as_secs())
            .ok()
            .filter(|_| (keys::EARLIEST..keys::LATEST).contains(&at))
            .ok_or(StoreError::Clock { at });
        let seconds = seconds.inspect_err(|error| self.failure = Some(error.to_string()))?;
        let tick = seconds / keys::TICK_SECONDS;
        if self.last_tick == Some(tick) {
            return Ok(());
        }
        let start = Resolution::Tick.window_of(seconds);
        self.seal(Some(start))?;
        let (rows, new) = self.sample(at, tick, snapshot);
        let mut changes: Changes =
            new.into_iter().map(|series| (keys::series(series.id).to_vec(), Some(series.encode()))).collect();
        if !rows.is_empty() {
            let by_series: Vec<Row> = rows.iter().map(|(id, row)| Row { index: id.0, ..*row }).collect();
            let record = envelope::seal(&codec::pack(0, &by_series));
            changes.push((keys::wal(tick, self.loaded.next_record).to_vec(), Some(record)));
        }
        // Should the write fail, the series keep their numbers and are written with what the database may have lost.
        let pending: Vec<_> = changes.iter().filter(|(key, _)| key.first() == Some(&b's')).cloned().collect();
        if let Err(error) = self.write(changes) {
            self.unwritten.extend(pending);
            return Err(error);
        }
        self.loaded.next_record = self.loaded.next_record.wrapping_add(1);
        if !rows.is_empty() {
            let window: &mut OpenWindow = self.loaded.windows.entry(start).or_default();
            for (id, row) in rows {
                if window.add(Resolution::Tick.base(start), id, row).is_err() {
                    self.damaged.set(self.damaged.get().saturating_add(1));
                }
            }
        }
        self.sampler.recorded(at, tick, snapshot);
        let is_believed = self.clock.tick(seconds);
        let is_new_hour =
            self.last_tick.is_none_or(|last| Resolution::Tick.window_of(last * keys::TICK_SECONDS) != start);
        self.last_tick = Some(tick);
        self.ticks = self.ticks.wrapping_add(1);
        if is_believed && is_new_hour {
            self.retain(seconds)?;
        }
        if self.ticks.is_multiple_of(TICKS_BETWEEN_SIZES) {
            self.shrink()?;
        }
        Ok(())
    }

    fn record_alert(&mut self, alert: &Alert) -> Result<(), StoreError> {
        let stored = StoredAlert::of(alert);
        let key = keys::alert(alert.started_at, &stored.id);
        let before = self.ask(|database| database.get(&key)).ok().flatten();
        if before
            .as_deref()
            .and_then(|before| StoredAlert::decode(before).ok())
            .is_some_and(|b| b.sequence > stored.sequence)
        {
            return Ok(());
        }
        if before.is_none() {
            self.loaded.alerts += 1;
        }
        self.unwritten.insert(key, Some(stored.encode()));
        self.settle()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.settle()
    }

    fn outbox_push(&mut self, alert: &Alert) -> Result<(), StoreError> {
        let stored = StoredAlert::of(alert);
        let is_there = |kept: &StoredAlert| kept.id == stored.id && kept.sequence == stored.sequence;
        if self.loaded.outbox.values().any(is_there) {
            return Ok(());
        }
        while self.loaded.outbox.len() >= retention::MOST_NOTIFICATIONS {
            if let Some((oldest, _)) = self.loaded.outbox.pop_first() {
                self.unwritten.insert(keys::outbox(oldest).to_vec(), None);
                self.lost_notifications += 1;
            }
        }
        let number = self.next_notification;
        self.next_notification = number.saturating_add(1);
        self.unwritten.insert(keys::outbox(number).to_vec(), Some(stored.encode()));
        self.loaded.outbox.insert(number, stored);
        self.settle()
    }

    fn outbox(&self) -> Vec<StoredAlert> {
        self.loaded.outbox.values().cloned().collect()
    }

    fn outbox_acknowledge(&mut self, id: &str, sequence: u32) -> Result<(), StoreError> {
        let found: Vec<u64> = self
            .loaded
            .outbox
            .iter()
            .filter(|(_, alert)| alert.id == id && alert.sequence == sequence)
            .map(|(number, _)| *number)
            .collect();
        if found.is_empty() {
            return Ok(());
        }
        for number in found {
            self.loaded.outbox.remove(&number);
            self.unwritten.insert(keys::outbox(number).to_vec(), None);
        }
        self.settle()
    }

    fn series(&self) -> Vec<Series> {
        self.loaded.registry.iter().cloned().collect()
    }

    fn points(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        resolution: Resolution,
    ) -> Result<Vec<Point>, StoreError> {
        let clamp = |at: Timestamp| u32::try_from(at.clamp(keys::EARLIEST, keys::LATEST).as_secs()).unwrap_or(u32::MAX);
        let (first, last) = (clamp(from), clamp(to));
        let mut rows = Vec::new();
        let mut size = 0;
        // Asked window by window: a range over the window-major keys would pass all other series.
        let windows = self.loaded.sealed.get(&resolution).into_iter();
        for window in windows.flat_map(|windows| windows.range(resolution.window_of(first)..last)) {
            rows.extend(self.stored(resolution, *window, series, &mut size)?);
        }
        for open in self.loaded.windows.range(first.saturating_sub(Resolution::Tick.window_seconds())..last) {
            let (start, open) = open;
            let mut fresh = self.believed(open.rows(series));
            if fresh.is_empty() {
                continue;
            }
            let mut ticks = self.stored(Resolution::Tick, *start, series, &mut size)?;
            absorb_all(&mut ticks, &fresh);
            fresh = roll_up(&ticks, resolution.step_seconds() / Resolution::Tick.step_seconds());
            replace_all(&mut rows, &fresh);
        }
        let points = rows.iter().map(|row| Point::of(row, resolution));
        Ok(points.filter(|point| (from..to).contains(&point.at)).collect())
    }

    fn alerts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<StoredAlert>, StoreError> {
        let range = keys::alert(Timestamp::MIN, "")..=keys::alert(to, "\u{7f}");
        let entries = self.read(|database| database.range(range, usize::MAX))?;
        let mut alerts = Vec::new();
        for (_, record) in entries {
            match StoredAlert::decode(&record) {
                Ok(alert) if alert.started_at <= to && alert.ended_at.is_none_or(|ended| ended >= from) => {
                    alerts.push(alert)
                }
                Ok(_) => {}
                Err(_) => self.damaged.set(self.damaged.get().saturating_add(1)),
            }
        }
        Ok(alerts)
    }

    fn size_on_disk(&self) -> u64 {
        self.database.as_ref().map_or(0, Database::size_on_disk)
    }

    fn damaged(&self) -> u64 {
        self.damaged.get()
    }

    fn trouble(&self) -> Option<String> {
        if let Some(failure) = &self.failure {
            return Some(failure.clone());
        }
        if self.refused_series > 0 {
            let refused = self.refused_series;
            return Some(format!("the store is full of series ({MAX_SERIES}): {refused} quotas are not recorded"));
        }
        let lost = self.lost_notifications;
        if lost == 0 {
            return self.replaced.clone();
        }
        Some(format!("{lost} notifications were given up, as no receiver took them"))
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.settle()
    }
}
