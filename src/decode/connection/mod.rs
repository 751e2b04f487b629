//! One TCP connection: its segments in, its conversation's octets out, in the order in which they were heard.

mod ordinary;

use std::sync::Arc;

pub(crate) use self::ordinary::Ordinary;
use super::Segment;
use super::flow_key::{FlowKey, Side, Sides};
use super::http1::{Context, Conversation, Mark};
use super::tcp::{Half, Origin, OutOfOrder, Piece};
use crate::model::{Anomaly, Timestamp};

/// One TCP connection.
#[derive(Debug)]
pub(crate) struct Connection {
    halves: Sides<Half>,
    conversation: Conversation,
    /// When the connection began to wait for something that the other side acknowledged already, and how many segments
    /// came since.
    stalled: Option<(Timestamp, u32)>,
    /// When the connection was reset.
    reset_at: Option<Timestamp>,
    /// Whether both halves are known, and nothing came before its turn, is missing, ends or has ended. Noted behind each
    /// segment that may change it.
    even: bool,
}

/// What a connection that is used as usual has beside its own fields.
const USUAL: usize = 512;

/// Why waiting for missing octets ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GiveUp {
    /// Only octets that the other side has acknowledged: they arrived there, past the capture.
    Acknowledged,
    /// All that is missing.
    Everything,
}

impl Connection {
    pub(crate) fn new(source: Arc<str>, key: &FlowKey) -> Self {
        Self {
            halves: Sides::default(),
            conversation: Conversation::new(source, key.addresses()),
            stalled: None,
            reset_at: None,
            even: false,
        }
    }

    /// Whether both sides have ended, or one has given up.
    pub(crate) fn is_over(&self) -> bool {
        self.reset_at.is_some() || Side::BOTH.iter().all(|side| self.halves.of(*side).closed)
    }

    /// The memory that it takes beyond its record, to which a request that waits and the like belong.
    pub(crate) fn footprint(&self) -> usize {
        let streams = Side::BOTH.iter().map(|side| {
            let half = self.halves.of(*side);
            half.early.footprint().saturating_add(half.holes.footprint())
        });
        streams.fold(self.conversation.footprint(), usize::saturating_add).saturating_sub(USUAL)
    }

    /// Whether a segment opens another connection between the same ends, or belongs to one.
    pub(crate) fn is_replaced_by(&self, segment: &Segment<'_>, side: Side) -> bool {
        let (half, other) = (self.halves.of(side), self.halves.of(side.other()));
        if segment.flags.syn {
            let again = half.is_known() && half.offset(segment.sequence.wrapping_add(1)) == half.start;
            // The other side may have sent with its own SYN; only a first SYN comes before all that.
            let touched = if half.is_known() {
                !half.is_untouched()
            } else {
                segment.acknowledgment.is_none() && !other.is_untouched()
            };
            return !again && (touched || self.is_over());
        }
        // Octets far from where a closed stream ended: the SYN of the next connection was not captured.
        half.closed
            && self.is_over()
            && !segment.payload.is_empty()
            && half.fin.is_some_and(|fin| half.offset(segment.sequence) > fin || !half.is_near(segment.sequence))
    }

    /// Whether a segment with other tags or tunnels around it is a copy from another place on the same connection's way.
    ///
    /// Initial sequence numbers are drawn at random, so that two connections that have them in common are one.
    pub(crate) fn carries(&self, segment: &Segment<'_>, side: Side) -> bool {
        let (half, other) = (self.halves.of(side), self.halves.of(side.other()));
        let acknowledged = segment.acknowledgment.map(|acknowledgment| other.is_near(acknowledgment));
        if segment.flags.syn {
            let begins = half.is_known() && half.offset(segment.sequence.wrapping_add(1)) == half.start;
            return begins && acknowledged != Some(false);
        }
        half.is_near(segment.sequence) && acknowledged == Some(true)
    }

    /// Takes a segment of one side.
    pub(crate) fn handle(&mut self, segment: &Segment<'_>, side: Side, cx: &mut Context<'_>) {
        self.open(segment, side);
        let heard = self.acknowledge(segment, side);
        let half = self.halves.of_mut(side);
        let start = half.offset(segment.sequence.wrapping_add(u32::from(segment.flags.syn)));
        if !segment.payload.is_empty() || segment.missing > 0 {
            let captured = start.saturating_add(segment.payload.len() as u64);
            let end = captured.saturating_add(u64::from(segment.missing));
            half.see(start, captured, segment.at);
            self.take(segment, side, start, heard, cx);
            if end > captured {
                self.halves.of_mut(side).high = self.halves.of(side).high.max(end);
            }
            self.conversation.passed(side, end, segment.at);
        }
        if segment.flags.fin {
            let length = (segment.payload.len() as u64).saturating_add(u64::from(segment.missing));
            let half = self.halves.of_mut(side);
            half.fin = half.fin.or_else(|| Some(start.saturating_add(length)));
        }
        if segment.flags.rst {
            self.reset_at = self.reset_at.or(Some(segment.at));
        }
        let steady = |half: &Half| half.early.is_empty() && half.fin.is_none();
        let is_steady = steady(self.halves.of(Side::Low)) && steady(self.halves.of(Side::High));
        if !is_steady || self.stalled.is_some() {
            self.drain(cx);
            self.count_stall(segment.at, cx);
        }
        self.count_holes(segment.at, cx);
        self.even = Side::BOTH.iter().all(|side| self.halves.of(*side).is_even())
            && self.stalled.is_none()
            && self.reset_at.is_none();
    }

    /// Whether it holds nothing back and waits for nothing.
    pub(crate) fn is_calm(&self) -> bool {
        // Where the halves are even, they take no memory.
        self.even && self.conversation.held_since().is_none() && self.conversation.footprint() <= USUAL
    }

    /// When the oldest thing was captured that is held back.
    pub(crate) fn held_since(&self) -> Option<Timestamp> {
        let early = Side::BOTH.iter().filter_map(|side| self.halves.of(*side).early.oldest()).min();
        [early, self.conversation.held_since()].into_iter().flatten().min()
    }

    /// When waiting must end, though no segment comes.
    pub(crate) fn deadline(&self, cx: &Context<'_>) -> Option<Timestamp> {
        let held = self.held_since().map(|at| at.after(cx.options.hold));
        let stalled = self.stalled.map(|(at, _)| at.after(cx.options.reordering));
        let reset = self.reset_at.filter(|_| self.holds_back()).map(|at| at.after(cx.options.reordering));
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
    }

    /// Gives out what has been held back since `horizon`, so that others need not wait for it.
    pub(crate) fn let_go(&mut self, horizon: Timestamp, cx: &mut Context<'_>) {
        if self.held_since().is_some_and(|at| at <= horizon) {
            cx.counters.count(Anomaly::HeldPastBound);
            self.release(horizon, false, cx);
        }
    }

    /// The connection ends here: everything that waits is read as far as it goes.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>) {
        self.give_up(GiveUp::Everything, cx);
        for side in Side::BOTH {
            if !self.halves.of(side).closed {
                self.halves.of_mut(side).closed = true;
                self.conversation.close(side, cx);
            }
            let lost = self.halves.of_mut(side).holes.take_lost(Timestamp::MAX);
            cx.counters.count_many(Anomaly::StreamGap, lost);
        }
        self.conversation.end(cx);
    }

    fn holds_back(&self) -> bool {
        self.conversation.held_since().is_some()
            || Side::BOTH.iter().any(|side| !self.halves.of(*side).early.is_empty())
    }

    /// Learns where both streams stand.
    fn open(&mut self, segment: &Segment<'_>, side: Side) {
        let half = self.halves.of_mut(side);
        half.heard_from = true;
        if segment.flags.syn {
            let first = segment.sequence.wrapping_add(1);
            // A SYN that is sent again with another number counts, as long as nothing else was seen.
            if !half.is_known() || (half.is_untouched() && half.offset(first) != half.start) {
                half.begin(first);
            }
            half.origin = Origin::Start;
        } else if !half.is_known() {
            half.begin(segment.sequence);
            self.conversation.join(side);
        }
        let Some(acknowledgment) = segment.acknowledgment.filter(|_| !segment.flags.rst) else { return };
        let half = self.halves.of(side);
        let begins = segment.flags.syn || (half.origin == Origin::Start && half.is_untouched());
        let other = self.halves.of_mut(side.other());
        // What is acknowledged was sent, seen or not; the answer to a SYN says which SYN it answers.
        let other_syn = segment.flags.syn && other.is_untouched() && other.offset(acknowledgment) != other.start;
        if !other.is_known() || other_syn {
            other.begin(acknowledgment);
            if begins {
                other.origin = Origin::Start;
            } else {
                self.conversation.join(side.other());
            }
        }
    }

    /// Notes how far the sender of a segment has heard the other side.
    fn acknowledge(&mut self, segment: &Segment<'_>, side: Side) -> Option<u64> {
        let acknowledgment = segment.acknowledgment.filter(|_| !segment.flags.rst)?;
        let other = self.halves.of_mut(side.other());
        if !other.is_known() {
            return None;
        }
        let heard = other.offset(acknowledgment);
        other.acknowledged = other.acknowledged.max(heard);
        Some(heard)
    }

    /// Reads a segment's payload, or keeps it until its turn.
    fn take(&mut self, segment: &Segment<'_>, side: Side, start: u64, heard: Option<u64>, cx: &mut Context<'_>) {
        let end = start.saturating_add(segment.payload.len() as u64);
        let half = self.halves.of(side);
        let mark = Mark { at: segment.at, offset: start, heard };
        let any_order = self.conversation.takes_any_order(side);
        if any_order && self.has_heard(side, heard) {
            self.read(side, mark, segment.payload, u64::from(segment.missing), cx);
        } else if !any_order && end.saturating_add(u64::from(segment.missing)) <= half.next {
            // Came already, or is stepped over.
        } else if start <= half.next && half.early.is_empty() && self.has_heard(side, heard) {
            self.read(side, mark, segment.payload, u64::from(segment.missing), cx);
        } else {
            let half = self.halves.of_mut(side);
            let (skipped, mark_start) = match half.next.checked_sub(start) {
                Some(skipped) if !any_order => (usize::try_from(skipped).unwrap_or(usize::MAX), half.next),
                _ => (0, start),
            };
            let octets = segment.payload.get(skipped..).unwrap_or_default();
            if half.early.insert(mark_start, octets, u64::from(segment.missing), segment.at, heard) {
                cx.counters.count(Anomaly::OverlapConflict);
            }
            if half.early.octets() > cx.options.out_of_order_octets || half.early.len() > cx.options.out_of_order_pieces
            {
                cx.counters.count(Anomaly::OutOfOrderDropped);
                self.give_up(GiveUp::Everything, cx);
            }
        }
    }

    /// Whether what a sender had heard has been read here too, so that an answer is not read before its question.
    fn has_heard(&self, side: Side, heard: Option<u64>) -> bool {
        let other = self.halves.of(side.other());
        heard.is_none_or(|heard| {
            // Where framing was lost nothing is waited for but what is here already.
            let comes = other.early.first_start().is_some_and(|start| start < heard);
            heard <= other.next || !other.heard_from || (!comes && self.conversation.takes_any_order(side.other()))
        })
    }

    /// Hands octets on whose turn it is; those that came before are left out.
    fn read(&mut self, side: Side, mark: Mark, octets: &[u8], missing: u64, cx: &mut Context<'_>) {
        let half = self.halves.of_mut(side);
        let any_order = self.conversation.takes_any_order(side);
        let skipped = if any_order { 0 } else { half.next.saturating_sub(mark.offset) };
        let fresh = usize::try_from(skipped).ok().and_then(|skipped| octets.get(skipped..)).unwrap_or_default();
        let end = mark.offset.saturating_add(octets.len() as u64);
        let mut unneeded = 0;
        if !fresh.is_empty() {
            let mark = Mark { offset: mark.offset.saturating_add(skipped), ..mark };
            unneeded = self.conversation.octets(side, mark, fresh, cx);
        }
        let found = any_order && !self.conversation.takes_any_order(side);
        if found {
            // Framing is known again from here on, wherever the stream stood.
            half.next = end.saturating_add(unneeded);
        } else {
            half.next = half.next.max(end.saturating_add(unneeded));
        }
        if missing > 0 {
            cx.counters.count(Anomaly::StreamGap);
            self.skip_to(side, end.saturating_add(missing), cx);
        }
    }

    /// Gives the octets up to `to` up.
    fn skip_to(&mut self, side: Side, to: u64, cx: &mut Context<'_>) {
        let half = self.halves.of_mut(side);
        let lost = to.saturating_sub(half.next);
        if lost > 0 {
            let unneeded = self.conversation.gap(side, lost, cx);
            half.next = to.saturating_add(unneeded);
        }
    }

    /// Reads what waited, as far as it goes now, and closes what has ended.
    fn drain(&mut self, cx: &mut Context<'_>) {
        let mut progress = true;
        while progress {
            progress = false;
            for side in Side::BOTH {
                while let Some(start) = self.halves.of(side).early.first_start() {
                    let turn = start <= self.halves.of(side).next || self.conversation.takes_any_order(side);
                    if !turn || !self.has_heard(side, self.halves.of(side).early.first_heard()) {
                        break;
                    }
                    let Some(piece) = self.halves.of_mut(side).early.pop() else { break };
                    let mark = Mark { at: piece.at, offset: piece.start, heard: piece.heard };
                    self.read(side, mark, &piece.octets, piece.missing, cx);
                    progress = true;
                }
                let half = self.halves.of_mut(side);
                if !half.closed && half.fin.is_some_and(|fin| half.next >= fin) && half.early.is_empty() {
                    half.closed = true;
                    half.next = half.next.max(half.fin.unwrap_or_default().saturating_add(1));
                    self.conversation.close(side, cx);
                    progress = true;
                }
            }
        }
    }

    /// Watches over octets that the other side acknowledged, but that did not come.
    fn count_stall(&mut self, at: Timestamp, cx: &mut Context<'_>) {
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
    fn give_up(&mut self, why: GiveUp, cx: &mut Context<'_>) {
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

    fn count_holes(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        for side in Side::BOTH {
            let half = self.halves.of_mut(side);
            if !half.holes.is_empty() {
                let lost = half.holes.take_lost(at.before(cx.options.hold));
                cx.counters.count_many(Anomaly::StreamGap, lost);
            }
        }
    }
}
