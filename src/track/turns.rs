//! What changes a quota other than the numbers of an exchange.

use std::time::Duration;

use crate::model::{Amount, Timestamp, WindowKind};

use super::quota::TrackedQuota;

/// What of a quota changes with few exchanges.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Standing {
    limit: Option<Amount>,
    window: Option<Duration>,
    window_kind: Option<WindowKind>,
    reset_at: Option<Timestamp>,
    longest_wait: Duration,
    is_counted: bool,
    said: bool,
    changed_in: Option<u64>,
    reset_in: u64,
}

impl TrackedQuota {
    /// How often something of it changed that is none of its numbers, nor a count of what was accepted: as long as this stands,
    /// only those and time change what is to be said of it.
    #[inline]
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether no exchange moves the moment at which it becomes history: that is its reset, or never.
    pub fn expires_at_reset(&self) -> bool {
        match self.expires_at() {
            Some(at) => Some(at) == self.reset_at,
            None => self.is_counted(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            limit: self.limit,
            window: self.window(),
            window_kind: self.window_kind,
            reset_at: self.reset_at,
            longest_wait: self.longest_wait,
            is_counted: self.counted.is_some(),
            said: self.said,
            changed_in: self.change.map(|(sequence, _)| sequence),
            reset_in: self.reset_in,
        }
    }

    /// Notes that something of it may have changed that is none of its numbers.
    pub(super) fn turn_from(&mut self, before: Standing) {
        self.turns += u64::from(self.standing() != before);
    }
}
