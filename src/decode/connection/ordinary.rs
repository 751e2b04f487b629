//! The short way of what nearly all segments are: neither the first nor the last of their connection, in their order.
//!
//! It changes only what such a segment changes. [`Connection::handle`] finds the same of them, and all that is not ordinary.

use super::Connection;
use crate::decode::Segment;
use crate::decode::flow_key::Side;
use crate::decode::http1::{Context, Mark};
use crate::decode::segment::Flags;

/// What an ordinary segment leaves to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ordinary {
    /// Nothing: it only acknowledges, came already, or is stepped over. What its connection waits for is as it was.
    Done,
    /// Its payload is next to be read, with this mark.
    Read(Mark),
}

impl Connection {
    /// Takes what an ordinary segment says beside its payload; `None`, and nothing was taken, where it is not one.
    pub(crate) fn pass(&mut self, segment: &Segment<'_>, side: Side) -> Option<Ordinary> {
        if !self.even || segment.flags != Flags::default() || segment.missing > 0 {
            return None;
        }
        let (half, other) = (self.halves.of(side), self.halves.of(side.other()));
        let heard = other.offset(segment.acknowledgment?);
        let mut ordinary = Ordinary::Done;
        if !segment.payload.is_empty() {
            let start = half.offset(segment.sequence);
            let end = start.saturating_add(segment.payload.len() as u64);
            if start > half.high || self.conversation.is_lost(side) {
                return None;
            }
            if end > half.next {
                if start > half.next || !self.has_heard(side, Some(heard)) {
                    return None;
                }
                ordinary = Ordinary::Read(Mark { at: segment.at, offset: start, heard: Some(heard) });
            } else {
                self.conversation.passed(side, end, segment.at);
            }
            let half = self.halves.of_mut(side);
            half.high = half.high.max(end);
        }
        self.halves.of_mut(side).heard_from = true;
        let other = self.halves.of_mut(side.other());
        other.acknowledged = other.acknowledged.max(heard);
        Some(ordinary)
    }

    /// Reads the payload of an ordinary segment.
    pub(crate) fn read_ordinary(&mut self, payload: &[u8], side: Side, mark: Mark, cx: &mut Context<'_>) {
        self.read(side, mark, payload, 0, cx);
        self.conversation.passed(side, mark.offset.saturating_add(payload.len() as u64), mark.at);
    }
}
