//! The short way of what nearly all segments are: plain ones in their order, of a connection that nothing ends.
//!
//! It changes only what such a segment changes. [`Connection::handle`] finds the same of them, and all that is not ordinary.

use super::Connection;
use crate::decode::flow_key::Side;
use crate::decode::http1::{Context, Mark};
use crate::decode::segment::Plain;

/// What became of an ordinary segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ordinary {
    /// It only acknowledges, came already, or is stepped over. What its connection waits for is as it was.
    Passed,
    /// Its payload was read.
    Read,
}

impl Connection {
    /// Takes an ordinary segment; `None`, and nothing was taken, where it is not one.
    #[inline(always)]
    pub(crate) fn pass(&mut self, segment: &Plain<'_>, side: Side, cx: &mut Context<'_>) -> Option<Ordinary> {
        let Plain { at, sequence, acknowledgment, payload } = *segment;
        if !self.even {
            return None;
        }
        let (half, other) = self.halves.both_mut(side);
        let heard = other.offset(acknowledgment);
        let acknowledged = other.acknowledged.max(heard);
        if payload.is_empty() {
            half.heard_from = true;
            other.acknowledged = acknowledged;
            return Some(Ordinary::Passed);
        }
        let start = half.offset(sequence);
        if start > half.high {
            return None;
        }
        // No stream is so long that this wraps.
        let end = start.wrapping_add(payload.len() as u64);
        let next = half.next;
        if end > next {
            let unread = heard > other.next && other.heard_from;
            if start > next || (unread && !self.conversation.takes_any_order(side.other())) {
                return None;
            }
        }
        half.high = half.high.max(end);
        half.heard_from = true;
        other.acknowledged = acknowledged;
        if end <= next {
            self.conversation.passed(side, end, at);
            return Some(Ordinary::Passed);
        }
        let came_already = usize::try_from(next.wrapping_sub(start)).unwrap_or(usize::MAX);
        let fresh = payload.get(came_already..).unwrap_or_default();
        self.read_next(side, Mark { at, offset: next, heard: Some(heard) }, fresh, cx);
        Some(Ordinary::Read)
    }

    /// Reads the next octets of a side, behind which nothing was seen.
    #[inline(never)]
    fn read_next(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) {
        let end = mark.offset.wrapping_add(octets.len() as u64);
        let unneeded = self.conversation.octets(side, mark, octets, cx);
        self.halves.of_mut(side).next = end.saturating_add(unneeded);
        self.even = !self.conversation.is_lost(side);
        self.conversation.passed(side, end, mark.at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::exchanges::Exchanges;
    use crate::decode::flow_key::FlowKey;
    use crate::decode::http1::Memory;
    use crate::decode::{DecodeOptions, Flags, Segment};
    use crate::model::{HashKey, InputCounters, Interest, Timestamp};

    const REQUESTS: &[u8] =
        b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n\
        0123456789012345678901234567890123456789GET /c HTTP/1.1\r\nHost: a\r\n\r\nGET /d HTTP/1.1\r\nHost: a\r\n\r\n";
    const RESPONSES: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n\
        012345678901234567890123456789012345678901234567890123456789\
        HTTP/1.1 429 Too Many Requests\r\nContent-Length: 8\r\n\r\n{\"a\": 1}\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

    /// Keeps the content of refusals.
    struct Refusals;

    impl Interest for Refusals {
        fn response_field(&self, _: &[u8]) -> bool {
            false
        }

        fn credential_field(&self, _: &[u8]) -> bool {
            false
        }

        fn credential_parameter(&self, _: &[u8]) -> bool {
            false
        }

        fn content(&self, status: u16, _: Option<&str>, _: Option<&str>) -> bool {
            status == 429
        }

        fn content_of_success(&self, _: &str) -> bool {
            false
        }
    }

    /// A connection, and all that it says.
    struct Watched {
        connection: Connection,
        counters: InputCounters,
        memory: Memory,
        exchanges: Exchanges,
    }

    impl Watched {
        fn new(segment: &Segment<'_>) -> Self {
            Self {
                connection: Connection::new("test".into(), &FlowKey::of(segment).0),
                counters: InputCounters::default(),
                memory: Memory::default(),
                exchanges: Exchanges::default(),
            }
        }

        /// Takes a segment, on the short way if it may and can.
        fn take(&mut self, segment: &Segment<'_>, short: bool) {
            let side = FlowKey::of(segment).1;
            let cx = &mut Context {
                options: &DecodeOptions::default(),
                key: &HashKey::new([1; 16]),
                interest: &Refusals,
                counters: &mut self.counters,
                memory: &mut self.memory,
                exchanges: &mut self.exchanges,
            };
            let plain = segment.plain().filter(|_| short);
            if plain.and_then(|plain| self.connection.pass(&plain, side, cx)).is_none() {
                self.connection.handle(segment, side, cx);
            }
        }

        fn says(&self) -> String {
            let Self { connection, counters, exchanges, .. } = self;
            format!("{connection:?} {counters:?} {exchanges:?} {}", connection.is_calm())
        }
    }

    proptest! {
        /// Both ways leave the same connection behind, whatever comes.
        #[test]
        fn the_short_way_does_what_the_full_way_does(
            steps in prop::collection::vec(
                (any::<bool>(), 0usize..120, prop::sample::select(vec![0isize, 0, 0, 0, 0, 0, -30, 30]),
                 prop::sample::select(vec![Some(0i32), Some(0), Some(0), Some(0), Some(-30), Some(30), None]),
                 prop::sample::select(vec![0u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4]), 0u32..20),
                0..40,
            ),
            shaken in any::<bool>(),
        ) {
            let ends = [([10, 0, 0, 7], 50_000).into(), ([192, 0, 2, 1], 80).into()];
            let mut sent = [0usize, 0];
            let mut both: Option<(Watched, Watched)> = None;
            let opening = [(true, 0, 0, Some(0), 2, 9), (false, 0, 0, Some(0), 2, 9)];
            let opening = if shaken { opening.as_slice() } else { &[] };
            for (count, (asks, length, jump, acknowledges, flags, missing)) in opening.iter().chain(&steps).enumerate() {
                let (own, other, stream) = if *asks { (0, 1, REQUESTS) } else { (1, 0, RESPONSES) };
                let start = sent[own].saturating_add_signed(*jump).min(stream.len());
                let end = start.saturating_add(*length).min(stream.len());
                sent[own] = sent[own].max(end);
                let flags = Flags { fin: flags & 1 != 0, syn: flags & 2 != 0, rst: flags & 4 != 0 };
                let sequence = |offset: usize| u32::try_from(offset).unwrap_or(0).wrapping_sub(100);
                let segment = Segment {
                    at: Timestamp::from_nanos(i64::try_from(count).unwrap_or(0).saturating_mul(1_000_000)),
                    source: ends[own],
                    destination: ends[other],
                    tunnel: 0,
                    sequence: sequence(start).wrapping_sub(u32::from(flags.syn)),
                    acknowledgment: acknowledges.map(|more| sequence(sent[other]).wrapping_add_signed(more)),
                    flags,
                    payload: stream.get(start..end).unwrap_or_default(),
                    missing: if *missing == 0 { 5 } else { 0 },
                };
                let (short, full) = both.get_or_insert_with(|| (Watched::new(&segment), Watched::new(&segment)));
                short.take(&segment, true);
                full.take(&segment, false);
                prop_assert_eq!(short.says(), full.says());
            }
        }
    }
}
