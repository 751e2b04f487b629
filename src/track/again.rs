//! A quota of which an exchange says again what is known, but for how much remains.

use crate::model::{Reading, Timestamp, WindowKind};

use super::learned::Learning;
use super::quota::TrackedQuota;
use super::update::stated_window;

impl TrackedQuota {
    /// Takes a reading that names no policy and no bucket, and says nothing new but what remains of a window that still runs, as
    /// [`Self::apply`] would; whether it was such a one. Most are.
    #[inline]
    pub(super) fn take_again(&mut self, reading: &Reading, at: Timestamp) -> bool {
        let is_plain = self.said && self.counted.is_none() && self.learning == Learning::Idle && !self.learned_sharing;
        let is_known = reading.remaining.is_some()
            && reading.limit.is_some()
            && reading.limit == self.limit
            && stated_window(reading) == self.key.window
            && (reading.window_kind.is_none() || reading.window_kind == self.window_kind);
        let Some(reset) = reading.reset_at.filter(|reset| at < *reset && self.reset_at == Some(*reset)) else {
            return false;
        };
        // One that was seen later has seen no longer wait.
        if !(is_plain && is_known && at >= self.seen_at) {
            return false;
        }
        let moves = matches!(self.window_kind, Some(WindowKind::Sliding | WindowKind::TokenBucket));
        if !moves && !self.resets.note_again(reset, at) {
            return false;
        }
        self.remaining = reading.remaining;
        self.used = reading.used;
        self.stated_utilization = reading.utilization.filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
        self.numbers_at = Some(at);
        self.source = reading.source;
        true
    }
}
