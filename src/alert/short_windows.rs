//! Windows that begin anew faster than people react, judged together.

use std::time::Duration;

use crate::model::Timestamp;

/// Which of the last windows reached the level. Windows lie side by side on the clock; one without traffic did not.
#[derive(Debug, Clone, Default)]
pub(super) struct ShortWindows {
    newest: i64,
    /// The newest window is the lowest bit.
    reached: u64,
    /// The highest utilization of the last minute that saw one, and that minute.
    highest: f64,
    minute: i64,
}

impl ShortWindows {
    /// Notes a utilization.
    pub(super) fn note(&mut self, now: Timestamp, window: Duration, utilization: f64, level: f64) {
        self.advance(now, window);
        self.reached |= u64::from(utilization >= level);
        let minute = now.as_secs().div_euclid(60);
        self.highest = if minute == self.minute { self.highest.max(utilization) } else { utilization };
        self.minute = minute;
    }

    /// Whether one of the last windows may have reached the level.
    pub(super) const fn has_reached(&self) -> bool {
        self.reached != 0
    }

    /// The share of the last `count` windows (at most 64) that reached the level.
    pub(super) fn share(&mut self, now: Timestamp, window: Duration, count: u32) -> f64 {
        self.advance(now, window);
        let count = count.clamp(1, 64);
        let mask = u64::MAX >> (64 - count);
        f64::from((self.reached & mask).count_ones()) / f64::from(count)
    }

    /// The highest utilization of the last minute that saw one.
    pub(super) const fn highest(&self) -> f64 {
        self.highest
    }

    fn advance(&mut self, now: Timestamp, window: Duration) {
        let nanos = i64::try_from(window.as_nanos()).unwrap_or(i64::MAX).max(1);
        let number = now.as_nanos().div_euclid(nanos);
        let steps = number.saturating_sub(self.newest);
        if steps > 0 {
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            self.reached = self.reached.checked_shl(steps).unwrap_or(0);
            self.newest = number;
        }
    }
}
