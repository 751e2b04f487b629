//! What a connection waits for, and when the waiting ends.

use super::Connection;
use crate::decode::flow_key::Side;
use crate::decode::http1::{Context, Mark};
use crate::decode::options::DecodeOptions;
use crate::decode::tcp::{OutOfOrder, Piece};
use crate::model::{Anomaly, Timestamp};

/// Why waiting for missing octets ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// Only octets that the other side has acknowledged: they arrived there, past the capture.
    Acknowledged,
    /// All that is missing.
    Everything,
}

impl Connection {
    /// When the oldest thing was captured that is held back.
    pub(crate) fn held_since(&self) -> Option<Timestamp> {
        let early = Side::BOTH.iter().filter_map(|side| self.halves.of(*side).early.oldest()).min();
        [early, self.conversation.held_since()].into_iter().flatten().min()
    }

    /// When waiting must end, though no segment comes.
    pub(crate) fn deadline(&self, options: &DecodeOptions) -> Option<Timestamp> {
        let held = self.held_since().map(|at| at.after(options.hold));
        let stalled = self.stalled.map(|(at, _)| at.after(options.reordering));
        let reset = self.reset_at.filter(|_| self.holds_back()).map(|at| at.after(options.reordering));
        [held, stalled, reset].into_iter().flatten().min()
    }

    /// Ends what has waited long enough at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if self.stalled.is_some_and(|(at, _)| at.after(cx.options.reordering) <= now) {
            self.give_up(GiveUp::Acknowledged, cx);
        }
        let reset = self.reset_at.is_some_and(|at| at.after(cx.options.reordering) <= now);
        self.release(now.before(cx.options.hold), reset, cx);
        self.count_holes(now, cx);
        self.settle();
    }

    /// Gives out what has been held back since `horizon`; all of it after a reset.
    fn release(&mut self, horizon: Timestamp, reset: bool, cx: &mut Context<'_>) {
        let early = Side::BOTH.iter().filter_map(|side| self.halves.of(*side).early.oldest()).min();
        if reset || early.is_some_and(|at| at <= horizon) {
            self.give_up(GiveUp::Everything, cx);
        }
        if reset || self.conversation.held_since().is_some_and(|at| at <= horizon) {
            self.conversation.expire(cx);
        }
    }

    /// Lets go of all that it holds, to keep a bound.
    pub(crate) fn shed(&mut self, cx: &mut Context<'_>) {
        cx.counters.count(Anomaly::HeldPastBound);
        self.give_up(GiveUp::Everything, cx);
        self.conversation.shed(cx);
        for side in Side::BOTH {
            let half = self.halves.of_mut(side);
            half.early = OutOfOrder::default();
            half.holes.settle();
        }
        self.settle();
    }

    /// Gives out what has been held back since `horizon`, so that others need not wait for it.
    pub(crate) fn let_go(&mut self, horizon: Timestamp, cx: &mut Context<'_>) {
        if self.held_since().is_some_and(|at| at <= horizon) {
            cx.counters.count(Anomaly::HeldPastBound);
            self.release(horizon, false, cx);
            self.settle();
        }
    }

    fn holds_back(&self) -> bool {
        self.conversation.holds_back() || Side::BOTH.iter().any(|side| !self.halves.of(*side).early.is_empty())
    }

    /// Watches over octets that the other side acknowledged, but that did not come.
    pub(super) fn count_stall(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        let stalled = Side::BOTH.iter().any(|side| self.is_stalled(*side));
        match (stalled, &mut self.stalled) {
            (false, _) => self.stalled = None,
            (true, None) => self.stalled = Some((at, 0)),
            (true, Some((since, segments))) => {
                *segments = segments.saturating_add(1);
                if *segments >= cx.options.reordering_segments || at >= since.after(cx.options.reordering) {
                    self.give_up(GiveUp::Acknowledged, cx);
                }
            }
        }
    }

    /// Whether something waits for octets of this side that the other side acknowledged.
    fn is_stalled(&self, side: Side) -> bool {
        let half = self.halves.of(side);
        half.heard_from
            && half.acknowledged > half.next
            && !self.conversation.takes_any_order(side)
            && (!half.early.is_empty() || half.fin.is_some() || !self.halves.of(side.other()).early.is_empty())
    }

    /// Gives missing octets up and reads on behind them.
    pub(super) fn give_up(&mut self, why: GiveUp, cx: &mut Context<'_>) {
        self.stalled = None;
        // Each round moves a stream on or takes a piece out, so this ends.
        loop {
            self.drain(cx);
            let gap = Side::BOTH
                .into_iter()
                .filter_map(|side| Some((self.next_behind_gap(side, why)?, side)))
                .min_by_key(|(_, side)| self.halves.of(*side).early.oldest().unwrap_or(Timestamp::MAX));
            if let Some((to, side)) = gap {
                self.skip_to(side, to, cx);
            } else if why == GiveUp::Everything
                && let Some((side, piece)) = self.pop_early()
            {
                // Both sides wait for each other: one must begin.
                let mark = Mark { at: piece.at, offset: piece.start, heard: piece.heard };
                self.read(side, mark, &piece.octets, piece.missing, cx);
            } else {
                return;
            }
        }
    }

    fn pop_early(&mut self) -> Option<(Side, Piece)> {
        Side::BOTH.into_iter().find_map(|side| Some((side, self.halves.of_mut(side).early.pop()?)))
    }

    /// Where a side's stream goes on behind what is missing.
    fn next_behind_gap(&self, side: Side, why: GiveUp) -> Option<u64> {
        let half = self.halves.of(side);
        let start = half.early.first_start();
        if start.is_some_and(|start| start <= half.next) {
            return None;
        }
        match start {
            Some(start) if why == GiveUp::Everything || start <= half.acknowledged => Some(start),
            _ => self.is_stalled(side).then_some(half.acknowledged),
        }
    }

    pub(super) fn count_holes(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        for side in Side::BOTH {
            let half = self.halves.of_mut(side);
            if !half.holes.is_empty() {
                let lost = half.holes.take_lost(at.before(cx.options.hold));
                cx.counters.count_many(Anomaly::StreamGap, lost);
            }
        }
    }
}
