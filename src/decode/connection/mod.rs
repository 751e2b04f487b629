//! One TCP connection: its segments in, its conversation's octets out, in the order in which they were heard.

mod ordinary;
mod waiting;

use std::sync::Arc;

pub(crate) use self::ordinary::Ordinary;
use self::waiting::GiveUp;
use super::Segment;
use super::flow_key::{FlowKey, Side, Sides};
use super::http1::{Context, Conversation, Mark};
use super::tcp::{Half, Origin};
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
    /// Whether both halves are known, their framing too, and nothing came before its turn, is missing, ends or has ended.
    /// Noted behind all that may change it.
    even: bool,
}

/// What a connection that is used as usual has beside its own fields.
const USUAL: usize = 512;

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
        self.settle();
    }

    /// Notes whether it is even.
    fn settle(&mut self) {
        let is_even = |side| self.halves.of(side).is_even() && !self.conversation.is_lost(side);
        self.even = Side::BOTH.into_iter().all(is_even) && self.stalled.is_none() && self.reset_at.is_none();
    }

    /// Whether it holds nothing back, waits for nothing, and takes no more memory than usual.
    #[inline]
    pub(crate) fn is_calm(&self) -> bool {
        // Halves that wait for nothing take no memory.
        let waits = |side| {
            let half = self.halves.of(side);
            !half.early.is_empty() || !half.holes.is_empty()
        };
        let is_steady = self.even || (self.stalled.is_none() && !Side::BOTH.into_iter().any(waits));
        is_steady && self.conversation.is_small(USUAL)
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
    #[inline]
    fn has_heard(&self, side: Side, heard: Option<u64>) -> bool {
        heard.is_none_or(|heard| heard <= self.halves.of(side.other()).next || !self.comes(side.other(), heard))
    }

    /// Whether a side's octets up to `end`, which have not been read, can still come.
    fn comes(&self, side: Side, end: u64) -> bool {
        let half = self.halves.of(side);
        // Where framing was lost nothing is waited for but what is here already.
        let is_here = half.early.first_start().is_some_and(|start| start < end);
        half.heard_from && (is_here || !self.conversation.takes_any_order(side))
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
}
