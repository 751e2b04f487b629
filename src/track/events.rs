//! Events that wait to be polled.

use std::collections::VecDeque;

use crate::model::{QuotaKey, Timestamp};

use super::event::{MinuteReport, TrackEvent};
use super::update::Applied;

/// A queue that gives up its oldest events rather than grow beyond its bound.
pub(super) struct Events {
    waiting: VecDeque<Box<TrackEvent>>,
    bound: usize,
    dropped: u64,
}

impl Events {
    pub(super) const fn new(bound: usize) -> Self {
        Self { waiting: VecDeque::new(), bound, dropped: 0 }
    }

    pub(super) fn push(&mut self, event: TrackEvent) {
        if self.waiting.len() >= self.bound {
            self.dropped = self.dropped.saturating_add(1);
            self.waiting.pop_front();
        }
        self.waiting.push_back(Box::new(event));
    }

    /// Tells what a reading changed of a quota.
    pub(super) fn tell(&mut self, applied: Applied, quota: &QuotaKey, at: Timestamp) {
        if let Some((from, to)) = applied.limit_change {
            self.push(TrackEvent::LimitChanged { quota: quota.clone(), at, from, to });
        }
        if let Some((from, to)) = applied.reset_moved {
            self.push(TrackEvent::ResetMoved { quota: quota.clone(), at, from, to });
        }
        if applied.new_window && !applied.expired {
            self.push(TrackEvent::Reset { quota: quota.clone(), at });
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<TrackEvent> {
        self.waiting.pop_front().map(|event| *event)
    }

    /// The oldest report of a minute; the events before it are given up.
    #[inline]
    pub(super) fn pop_minute(&mut self) -> Option<MinuteReport> {
        while let Some(event) = self.waiting.pop_front() {
            if let TrackEvent::Minute(report) = *event {
                return Some(report);
            }
        }
        None
    }

    /// Events that nobody polled in time.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}
