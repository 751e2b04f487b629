//! Time series and alerts that outlive the agent, in sled.
//!
//! Each tick (10 s) a [`Snapshot`] comes in. What changed in it becomes one record of all series, the write-ahead record of
//! the tick; when the hour is over, its ticks become one packed chunk for each series, and those are rolled up into minutes
//! and hours. There is never a key for a single point: sled spends hundreds of octets on a key, a packed point takes two or
//! three.
//!
//! | kept as | step | one chunk spans | kept for |
//! | --- | --- | --- | --- |
//! | [`Resolution::Tick`] | 10 s | 1 h | 48 h |
//! | [`Resolution::Minute`] | 1 min | 6 h | 14 d |
//! | [`Resolution::Hour`] | 1 h | 10 d | 400 d |
//!
//! **What a gap means.** A quota is sampled when an exchange said something of it since the last tick, or when its numbers
//! changed. So no point means: nothing new was heard, whether the integration was silent or the agent was off. It never means
//! zero. Counts belong to the tick that recorded them; a tick that could not be written leaves its counts to the next one.
//!
//! **What is exact.** Amounts come back bit for bit, counts too. A peak that lay between two ticks is kept in parts per
//! million.
//!
//! **Who may call.** sled waits for the disk, so one thread owns the store and makes all calls. One process owns the
//! directory: a second one gets [`StoreError::InUse`].
//!
//! Knows nothing of packets, rules, sockets or screens, and reads no clock: the time of a tick is an argument.

mod checkpoint;
mod chunk;
mod codec;
mod damage;
mod database;
mod envelope;
mod error;
mod generation;
mod hash_key;
pub mod history;
mod keys;
mod loaded;
mod open;
mod open_window;
mod point;
mod retention;
mod row;
mod sampler;
mod series;
mod sled_store;
mod stored_alert;
mod varint;

pub use error::StoreError;
pub use hash_key::hash_key;
pub use open::{Opened, StoreOptions};
pub use point::{Point, Resolution};
pub use series::{Series, SeriesId};
pub use sled_store::SledStore;
pub use stored_alert::StoredAlert;

use crate::model::{Alert, Snapshot, Timestamp};

/// The most series that a store keeps. Each costs about two kilobytes of memory while it is busy, so 40 MB at worst; the
/// tracker bounds hosts and scopes far earlier. Quotas past it are not recorded, and [`Store::trouble`] says so.
pub const MAX_SERIES: usize = 20_000;

/// What keeps time series, alerts and unsent notifications. Every call may wait for the disk.
pub trait Store: Send {
    /// Records what changed since the tick before. A second call within the same ten seconds records nothing: its changes
    /// belong to the next tick.
    ///
    /// # Errors
    /// The tick could not be written. Nothing that was written before is lost, and what this tick would have said is part of
    /// the next one that succeeds.
    fn record(&mut self, at: Timestamp, snapshot: &Snapshot) -> Result<(), StoreError>;

    /// Records what changed since the last tick although the ten seconds are not over: the run ends here.
    ///
    /// # Errors
    /// Those of [`Store::record`].
    fn record_last(&mut self, at: Timestamp, snapshot: &Snapshot) -> Result<(), StoreError>;

    /// Keeps an alert's episode as it is now; a later change of the same episode replaces it.
    ///
    /// # Errors
    /// It could not be written; it is written with the next tick that succeeds.
    fn record_alert(&mut self, alert: &Alert) -> Result<(), StoreError>;

    /// Waits until everything so far is on the disk.
    ///
    /// # Errors
    /// The disk is full or fails.
    fn flush(&mut self) -> Result<(), StoreError>;

    /// Keeps a notification until a receiver acknowledged it, and waits until it is on the disk.
    ///
    /// # Errors
    /// It could not be written; it is kept in memory and written later.
    fn outbox_push(&mut self, alert: &Alert) -> Result<(), StoreError>;

    /// The notifications that nobody acknowledged, oldest first; also those of earlier runs.
    fn outbox(&self) -> Vec<StoredAlert>;

    /// A receiver has the notification. One that is not there is no error: acknowledgements may repeat.
    ///
    /// # Errors
    /// It could not be removed from the disk; it may be sent again after a restart.
    fn outbox_acknowledge(&mut self, id: &str, sequence: u32) -> Result<(), StoreError>;

    /// The series, in the order of their first appearance.
    fn series(&self) -> Vec<Series>;

    /// The points of a series whose steps overlap the time from `from` to before `to`, in order. Damaged chunks are left out and counted.
    ///
    /// # Errors
    /// The disk fails.
    fn points(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        resolution: Resolution,
    ) -> Result<Vec<Point>, StoreError>;

    /// The alert episodes that were on at some time from `from` to `to`, in order of their start.
    ///
    /// # Errors
    /// The disk fails.
    fn alerts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<StoredAlert>, StoreError>;

    /// Octets on the disk.
    fn size_on_disk(&self) -> u64;

    /// Damaged records met since it was opened.
    fn damaged(&self) -> u64;

    /// What is wrong now, in one sentence; `None` while all is well.
    fn trouble(&self) -> Option<String>;

    /// Writes what is left and lets go of the directory.
    ///
    /// # Errors
    /// The disk is full or fails.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}
