//! What an opened store holds in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::codec;
use super::damage::Damage;
use super::database::{Database, Failure};
use super::envelope;
use super::keys;
use super::open_window::OpenWindow;
use super::point::Resolution;
use super::row::Row;
use super::series::{Registry, Series, SeriesId};
use super::stored_alert::StoredAlert;

/// What an opened store holds in memory: the series, the hours that are not over, the outbox, and some figures.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The format, where there is one.
    pub(super) format: Option<u8>,
    pub(super) registry: Registry,
    /// The hours that have write-ahead records, by their start in seconds since the epoch.
    pub(super) windows: BTreeMap<u32, OpenWindow>,
    /// The windows that have chunks, by their start in seconds since the epoch.
    pub(super) sealed: BTreeMap<Resolution, BTreeSet<u32>>,
    /// The unacknowledged notifications by number.
    pub(super) outbox: BTreeMap<u64, StoredAlert>,
    /// The number of the next write-ahead record.
    pub(super) next_record: u32,
    /// The latest moment that has points, in seconds since the epoch.
    pub(super) newest: Option<u32>,
    /// Octets of all keys and values: far fewer than those on the disk.
    pub(super) live: u64,
    /// Alert episodes.
    pub(super) alerts: usize,
    /// Records that could not be believed.
    pub(super) damaged: u64,
}

impl Loaded {
    /// Reads everything once.
    pub(super) fn read(database: &Database) -> Result<Self, Failure> {
        let mut loaded = Self::default();
        database.scan(|key, value| {
            loaded.live = loaded.live.saturating_add((key.len() + value.len()) as u64);
            if loaded.take(key, value).is_err() {
                loaded.damaged += 1;
            }
        })?;
        Ok(loaded)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damage> {
        const NO_KEY: Damage = Damage::Malformed("not a key");
        match key.first() {
            Some(b'm') => self.format = value.first().copied(),
            Some(b's') => {
                let id = SeriesId(keys::single(key).ok_or(NO_KEY)?);
                self.registry.skip(id);
                self.registry.insert(Series::decode(id, value)?);
            }
            Some(b'w') => {
                let (tick, number) = keys::pair(key).ok_or(NO_KEY)?;
                self.next_record = self.next_record.max(number.saturating_add(1));
                self.replay(tick, value)?;
            }
            Some(b'0'..=b'2') => {
                let (window, id) = keys::pair(key).ok_or(NO_KEY)?;
                self.registry.skip(SeriesId(id));
                let resolution = Resolution::ALL.into_iter().find(|resolution| key.first() == Some(&resolution.mark()));
                let resolution = resolution.ok_or(NO_KEY)?;
                self.sealed.entry(resolution).or_default().insert(window);
                if resolution == Resolution::Tick {
                    self.newest = self.newest.max(Some(window.saturating_add(Resolution::Tick.window_seconds() - 1)));
                }
            }
            Some(b'a') => self.alerts += 1,
            Some(b'o') => {
                let number = keys::outbox_number(key).ok_or(NO_KEY)?;
                self.outbox.insert(number, StoredAlert::decode(value)?);
            }
            _ => return Err(NO_KEY),
        }
        Ok(())
    }

    fn replay(&mut self, tick: u32, value: &[u8]) -> Result<(), Damage> {
        let seconds = tick.checked_mul(keys::TICK_SECONDS).ok_or(Damage::Malformed("a tick out of range"))?;
        let rows = codec::unpack(0, &envelope::open(value)?)?;
        self.newest = self.newest.max(Some(seconds));
        let start = Resolution::Tick.window_of(seconds);
        let window = self.windows.entry(start).or_default();
        for row in rows {
            let id = SeriesId(row.index);
            self.registry.skip(id);
            window.add(Resolution::Tick.base(start), id, Row { index: tick, ..row })?;
        }
        Ok(())
    }
}
