//! The store in sled.

mod keeping;
mod sealing;
mod writing;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::checkpoint;
use super::codec;
use super::database::{Changes, Database};
use super::envelope;
use super::error::StoreError;
use super::keys;
use super::loaded::Loaded;
use super::open::{self, Lock, Opened, Ready, StoreOptions};
use super::open_window::OpenWindow;
use super::point::{Point, Resolution};
use super::retention::{self, Clock};
use super::row::Row;
use super::sampler::Sampler;
use super::series::{Series, SeriesId};
use super::stored_alert::StoredAlert;
use super::{MAX_SERIES, Store};
use crate::model::{Alert, Snapshot, Timestamp};
use sealing::roll_into;

/// How often the size on the disk is looked at: every five minutes.
const TICKS_BETWEEN_SIZES: u32 = 30;
/// The most small changes that wait for a disk with room: with the series and the notifications that are written again, at
/// about 500 octets each 25 MB. Alert episodes past it are given up and counted.
const MOST_UNWRITTEN: usize = 50_000;
/// Ticks of a day.
const TICKS_OF_A_DAY: u32 = 86_400 / keys::TICK_SECONDS;

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
    /// The latest moment that is noted to be on the disk.
    checkpoint: Option<u32>,
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
    lost_alerts: u64,
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
        let expected =
            checkpoint::read(directory).filter(|expected| loaded.newest().is_none_or(|newest| newest < *expected));
        let opened = match (opened, expected) {
            (Opened::Clean | Opened::Repaired { .. }, Some(expected)) => {
                Opened::Shortened { until: loaded.newest(), expected }
            }
            (opened, _) => opened,
        };
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
            checkpoint: None,
            loaded,
            sampler: Sampler::default(),
            last_tick: None,
            ticks: 0,
            unwritten: BTreeMap::new(),
            refused_series: 0,
            lost_notifications: 0,
            lost_alerts: 0,
            failure: None,
            replaced: None,
            _lock: lock,
        };
        if expected.is_some() {
            // It was said once; from here on the store is as it is.
            checkpoint::write(directory, None);
        }
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
            self.loaded.newest = self.loaded.newest.max(Some(tick * keys::TICK_SECONDS));
            let window: &mut OpenWindow = self.loaded.windows.entry(start).or_default();
            for (id, row) in rows {
                if window.add(Resolution::Tick.base(start), id, row).is_err() {
                    self.damaged.set(self.damaged.get().saturating_add(1));
                }
            }
        }
        self.sampler.recorded(at, tick, snapshot);
        let is_believed = self.clock.tick(seconds);
        let is_new_day = self.last_tick.is_none_or(|last| last / TICKS_OF_A_DAY != tick / TICKS_OF_A_DAY);
        let is_new_hour =
            self.last_tick.is_none_or(|last| Resolution::Tick.window_of(last * keys::TICK_SECONDS) != start);
        self.last_tick = Some(tick);
        self.ticks = self.ticks.wrapping_add(1);
        if is_believed && is_new_hour {
            self.retain(seconds)?;
            if is_new_day {
                self.forget_series()?;
            }
        }
        if self.ticks.is_multiple_of(TICKS_BETWEEN_SIZES) {
            self.shrink()?;
        }
        Ok(())
    }

    fn record_last(&mut self, at: Timestamp, snapshot: &Snapshot) -> Result<(), StoreError> {
        // As after a restart: a second record of the tick is absorbed by the first one's row.
        self.last_tick = None;
        self.record(at, snapshot)
    }

    fn record_alert(&mut self, alert: &Alert) -> Result<(), StoreError> {
        let stored = StoredAlert::of(alert);
        let key = keys::alert(alert.started_at, &stored.id);
        let waiting = self.unwritten.get(&key).cloned().flatten();
        let before = match waiting {
            Some(waiting) => Some(waiting),
            None => self.ask(|database| database.get(&key)).ok().flatten().map(|record| record.to_vec()),
        };
        let is_late =
            |before: &Vec<u8>| StoredAlert::decode(before).is_ok_and(|before| before.sequence > stored.sequence);
        if before.as_ref().is_some_and(is_late) {
            return Ok(());
        }
        if before.is_none() {
            if self.unwritten.len() >= MOST_UNWRITTEN {
                self.lost_alerts += 1;
                return self.settle();
            }
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
        let hour_before = first.saturating_sub(Resolution::Tick.window_seconds());
        for (start, open) in self.loaded.windows.range(hour_before..last) {
            let fresh = self.believed(open.rows(series));
            if !fresh.is_empty() {
                let stored = self.stored(Resolution::Tick, *start, series, &mut size)?;
                roll_into(&mut rows, stored, &fresh, resolution);
            }
        }
        let is_asked = |point: &Point| point.at.after(resolution.step()) > from && point.at < to;
        let points = rows.iter().map(|row| Point::of(row, resolution));
        Ok(points.filter(is_asked).collect())
    }

    fn alerts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<StoredAlert>, StoreError> {
        let range = keys::alert(Timestamp::MIN, "")..=keys::alert(to, "\u{7f}");
        let entries = self.read(|database| database.range(range, usize::MAX))?;
        let mut alerts = Vec::new();
        for (_, record) in entries {
            match StoredAlert::decode(&record) {
                Ok(alert) if alert.started_at <= to && alert.ended_at.is_none_or(|ended| ended >= from) => {
                    alerts.push(alert);
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
        if self.lost_alerts > 0 {
            return Some(format!("{} alerts were not kept, as the disk was full", self.lost_alerts));
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
