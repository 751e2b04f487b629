//! The keys of the database: one octet for the kind, then numbers in big endian, so that they sort as they count.
//!
//! | key | value |
//! | --- | --- |
//! | `m` | format of the store, one octet |
//! | `s` series | what the series is |
//! | `w` tick, number | the write-ahead record of one tick: a row for each series that changed |
//! | `0`, `1`, `2` window, series | a chunk of ticks, minutes, hours |
//! | `a` start, id | an alert's episode |
//! | `o` number | a notification that nobody acknowledged |
//!
//! Chunks sort by their window first: what retention drops is one run of keys, and what is written together lies together.

use std::ops::Range;

use super::point::Resolution;
use super::series::SeriesId;
use crate::model::Timestamp;

/// The format of the store.
pub(super) const FORMAT: u8 = 1;
/// Where the format is kept.
pub(super) const META: &[u8] = b"m";

/// The first moment that can be recorded, 2010-01-01: a machine without a clock battery starts in 1970 or 2000, and what it
/// records then would be lost to retention as soon as the clock is set.
pub(super) const EARLIEST: Timestamp = Timestamp::from_secs(1_262_304_000);
/// The end of what can be recorded, 2100-01-01: a window's start takes 32 bits of seconds, which end in 2106.
pub(super) const LATEST: Timestamp = Timestamp::from_secs(4_102_444_800);

/// Seconds of one tick.
pub(super) const TICK_SECONDS: u32 = 10;

pub(super) fn series(id: SeriesId) -> [u8; 5] {
    join(b's', [id.0])
}

pub(super) fn wal(tick: u32, number: u32) -> [u8; 9] {
    join(b'w', [tick, number])
}

/// All write-ahead records of ticks from `from` to before `to`.
pub(super) fn wal_range(ticks: &Range<u32>) -> Range<[u8; 9]> {
    wal(ticks.start, 0)..wal(ticks.end, 0)
}

pub(super) fn chunk(resolution: Resolution, window: u32, id: SeriesId) -> [u8; 9] {
    join(resolution.mark(), [window, id.0])
}

/// All chunks of a resolution whose window starts from `from` to before `to`.
pub(super) fn chunk_range(resolution: Resolution, from: u32, to: u32) -> Range<[u8; 9]> {
    chunk(resolution, from, SeriesId(0))..chunk(resolution, to, SeriesId(0))
}

pub(super) fn alert(started_at: Timestamp, id: &str) -> Vec<u8> {
    // Flipping the sign bit makes times before 1970 sort before later ones.
    let start = started_at.as_nanos().cast_unsigned() ^ (1 << 63);
    let mut key = vec![b'a'];
    key.extend(start.to_be_bytes());
    key.extend(id.as_bytes());
    key
}

pub(super) fn outbox(number: u64) -> [u8; 9] {
    let mut key = [b'o'; 9];
    if let Some(tail) = key.last_chunk_mut() {
        *tail = number.to_be_bytes();
    }
    key
}

/// The numbers after the kind, of a key that [`wal`] or [`chunk`] made.
pub(super) fn pair(key: &[u8]) -> Option<(u32, u32)> {
    let (first, rest) = key.get(1..)?.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*first), u32::from_be_bytes(rest.try_into().ok()?)))
}

/// The number after the kind, of a key that [`series`] made.
pub(super) fn single(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

/// The number after the kind, of a key that [`outbox`] made.
pub(super) fn outbox_number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

fn join<const NUMBERS: usize, const OCTETS: usize>(kind: u8, numbers: [u32; NUMBERS]) -> [u8; OCTETS] {
    let mut key = [0; OCTETS];
    let octets = std::iter::once(kind).chain(numbers.into_iter().flat_map(u32::to_be_bytes));
    for (slot, octet) in key.iter_mut().zip(octets) {
        *slot = octet;
    }
    key
}
