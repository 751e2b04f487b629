//! The loop over usual frames, in which nearly all packets end.

use super::Streams;
use crate::decode::connection::Ordinary;
use crate::decode::table::Place;
use crate::decode::usual;
use crate::model::{Frame, Timestamp};

/// Why the loop over usual frames paused.
#[derive(Debug)]
pub(crate) enum Pause<'a> {
    /// There are no more frames, or enough exchanges wait to be taken.
    Ended,
    /// Something may be due before the next frame, which was captured then.
    Due(Timestamp),
    /// What the connection there waits for is to be noted.
    Waits(Place),
    /// This frame is not usual, its connection is not at hand, or its segment is not ordinary.
    Other(Frame<'a>),
}

impl Streams {
    /// Takes frames one after the other for as long as they are usual, and carry ordinary segments of connections that were
    /// looked up lately; or until so many exchanges wait to be taken.
    pub(crate) fn handle_usual<'a>(
        &mut self,
        frames: &mut (impl ExactSizeIterator<Item = Frame<'a>> + Clone),
        enough: usize,
    ) -> Pause<'a> {
        let mut cx = self.surroundings.context();
        let mut octets = 0u64;
        // What is this function's own may stay in registers.
        let mut rest = frames.clone();
        let pause = loop {
            let all = rest.clone();
            let Some(frame) = rest.next() else { break Pause::Ended };
            // Time passes first: else a silent connection would live on where it has a decoder for itself.
            if frame.at > self.now {
                if frame.at > self.quiet_until {
                    rest = all;
                    break Pause::Due(frame.at);
                }
                self.now = frame.at;
            } else {
                self.ran_back = self.ran_back.max(self.now.since(frame.at));
            }
            let Some((ends, segment)) = usual::plain(&frame) else { break Pause::Other(frame) };
            let Some((slot, side)) = self.table.use_usual(ends, self.now) else { break Pause::Other(frame) };
            let Some(ordinary) = slot.connection.pass(&segment, side, &mut cx) else { break Pause::Other(frame) };
            octets = octets.wrapping_add(frame.octets.len() as u64);
            if ordinary == Ordinary::Read {
                if slot.waits() {
                    break Pause::Waits(slot.place());
                }
                if cx.exchanges.len() >= enough {
                    break Pause::Ended;
                }
            }
        };
        let left_over = usize::from(matches!(pause, Pause::Other(_)));
        let packets = frames.len().saturating_sub(rest.len()).saturating_sub(left_over) as u64;
        *frames = rest;
        cx.counters.packets = cx.counters.packets.saturating_add(packets);
        cx.counters.bytes = cx.counters.bytes.saturating_add(octets);
        pause
    }
}
