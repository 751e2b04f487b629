//! What a reader gets.

use std::time::Duration;

use super::keys::TICK_SECONDS;
use super::row::Row;
use crate::model::{Amount, Timestamp};

/// How fine the points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// As recorded, ten seconds; kept for 48 hours.
    Tick,
    /// One minute; kept for 14 days.
    Minute,
    /// One hour; kept for 400 days.
    Hour,
}

impl Resolution {
    /// From the finest.
    pub const ALL: [Self; 3] = [Self::Tick, Self::Minute, Self::Hour];

    /// The distance of two points.
    pub const fn step(self) -> Duration {
        Duration::from_secs(self.step_seconds() as u64)
    }

    /// How long points are kept.
    pub const fn kept(self) -> Duration {
        Duration::from_secs(self.kept_seconds() as u64)
    }

    /// The finest that still reaches back to `from`, seen from `now`.
    pub fn reaching(from: Timestamp, now: Timestamp) -> Self {
        let age = now.since(from);
        Self::ALL.into_iter().find(|resolution| age <= resolution.kept()).unwrap_or(Self::Hour)
    }

    pub(super) const fn step_seconds(self) -> u32 {
        match self {
            Self::Tick => TICK_SECONDS,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// What one chunk spans. At most 360 rows: long enough to be packed well, short enough to be written again when a
    /// rolled up hour joins it.
    pub(super) const fn window_seconds(self) -> u32 {
        match self {
            Self::Tick => 3600,
            Self::Minute => 6 * 3600,
            Self::Hour => 10 * 86_400,
        }
    }

    pub(super) const fn kept_seconds(self) -> u32 {
        match self {
            Self::Tick => 48 * 3600,
            Self::Minute => 14 * 86_400,
            Self::Hour => 400 * 86_400,
        }
    }

    /// The first octet of its keys.
    pub(super) const fn mark(self) -> u8 {
        match self {
            Self::Tick => b'0',
            Self::Minute => b'1',
            Self::Hour => b'2',
        }
    }

    /// The start of the window that a moment lies in, both in seconds since the epoch.
    pub(super) const fn window_of(self, seconds: u32) -> u32 {
        seconds - seconds % self.window_seconds()
    }

    /// The index that the rows of a window count from.
    pub(super) const fn base(self, window: u32) -> u32 {
        window / self.step_seconds()
    }
}

/// One step of a series. What is not known is absent.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Point {
    /// The start of the step.
    #[serde(rename = "ts")]
    pub at: Timestamp,
    /// How many units the window allowed, at the end of the step.
    pub limit: Option<Amount>,
    /// How many were left, at the end of the step.
    pub remaining: Option<Amount>,
    /// The fewest that were left in the step.
    pub lowest_remaining: Option<Amount>,
    /// How many were used, at the end of the step.
    pub used: Option<Amount>,
    /// The utilization at the end of the step, a ratio from 0.
    pub utilization: Option<f64>,
    /// The highest utilization in the step.
    pub peak_utilization: Option<f64>,
    /// Exchanges in the step.
    pub requests: u64,
    /// Of those, throttled ones.
    pub throttled: u64,
    /// Ticks of the step in which the quota was heard of.
    pub samples: u64,
}

impl Point {
    pub(super) fn of(row: &Row, resolution: Resolution) -> Self {
        Self {
            at: Timestamp::from_secs(i64::from(row.index) * i64::from(resolution.step_seconds())),
            limit: row.limit,
            remaining: row.remaining,
            lowest_remaining: row.lowest,
            used: row.used,
            utilization: row.utilization(),
            peak_utilization: row.peak_utilization(),
            requests: row.requests,
            throttled: row.throttled,
            samples: row.samples,
        }
    }
}
