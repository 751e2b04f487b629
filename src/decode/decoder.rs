//! The door of decoding: frames and segments in, exchanges out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::connection::Connection;
use super::flow_key::FlowKey;
use super::frame::FrameDecoder;
use super::http1::{Context, Names};
use super::options::DecodeOptions;
use super::segment::Segment;
use super::table::{Place, Table};
use crate::model::{Anomaly, Exchange, Frame, HashKey, InputCounters, Interest, Timestamp};

/// Turns frames into exchanges. Knows no clock: time is what the frames carry and what [`Decoder::handle_timeout`] says.
///
/// After each input take the exchanges out with [`Decoder::poll_exchange`]; at the end of all input call
/// [`Decoder::finish`]. All segments of a connection must come to the same decoder, see [`flow_hash`](super::flow_hash).
pub struct Decoder {
    options: DecodeOptions,
    key: HashKey,
    interest: Arc<dyn Interest>,
    counters: InputCounters,
    frames: FrameDecoder,
    names: Names,
    exchanges: VecDeque<Exchange>,
    table: Table,
    octets_kept: usize,
    now: Timestamp,
    finished: bool,
}

impl Decoder {
    /// A decoder without any connection.
    pub fn new(options: DecodeOptions, key: HashKey, interest: Arc<dyn Interest>) -> Self {
        Self {
            options,
            key,
            interest,
            counters: InputCounters::default(),
            frames: FrameDecoder::new(),
            names: Names::default(),
            exchanges: VecDeque::new(),
            table: Table::default(),
            octets_kept: 0,
            now: Timestamp::MIN,
            finished: false,
        }
    }

    /// Takes one frame, which was captured on `source`.
    pub fn handle_frame(&mut self, source: &Arc<str>, frame: &Frame<'_>) {
        let mut frames = std::mem::take(&mut self.frames);
        let mut counted = InputCounters::default();
        frames.segments(frame, &mut counted, &mut |segment| self.handle_segment(source, &segment));
        self.frames = frames;
        self.counters.add(&counted);
        self.advance(frame.at);
    }

    /// Takes one TCP segment, which was seen on `source`.
    pub fn handle_segment(&mut self, source: &Arc<str>, segment: &Segment<'_>) {
        let (key, side) = FlowKey::of(segment);
        let known = self.table.find(&key);
        let replaced = known.filter(|place| {
            self.table.connection_mut(*place).is_some_and(|connection| connection.is_replaced_by(segment, side))
        });
        if let Some(place) = replaced {
            self.forget(place);
        }
        let place = match known.filter(|_| replaced.is_none()) {
            Some(place) => {
                self.table.touch(place);
                place
            }
            // Nothing is to be learned from the end of a connection that was not followed.
            None if segment.payload.is_empty() && !segment.flags.syn => {
                self.advance(segment.at);
                return;
            }
            None => self.admit(source, key, segment),
        };
        self.on_connection(place, |connection, cx| connection.handle(segment, side, cx));
        self.advance(segment.at);
    }

    /// Ends what has waited long enough at `now`: holes, content, silent connections.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// The next exchange, if there is one.
    pub fn poll_exchange(&mut self) -> Option<Exchange> {
        self.exchanges.pop_front()
    }

    /// No later exchange will carry an earlier `response.at`, as long as captured time runs back by less than
    /// [`DecodeOptions::reordering`].
    pub fn watermark(&self) -> Timestamp {
        if self.finished {
            return Timestamp::MAX;
        }
        let now = self.now.before(self.options.reordering);
        self.table.held_since().map_or(now, |(at, _)| at.min(now))
    }

    /// The input has ended: everything that waits is given out.
    pub fn finish(&mut self) {
        while let Some(place) = self.table.oldest() {
            self.forget(place);
        }
        self.finished = true;
    }

    /// What came in so far.
    pub const fn counters(&self) -> &InputCounters {
        &self.counters
    }

    /// Starts to follow a connection; the one that was silent for longest makes room.
    fn admit(&mut self, source: &Arc<str>, key: FlowKey, segment: &Segment<'_>) -> Place {
        while self.table.len() >= self.options.connections.max(1)
            && let Some(place) = self.table.oldest()
        {
            if self.table.connection_mut(place).is_some_and(|connection| !connection.is_over()) {
                self.counters.count(Anomaly::ConnectionEvicted);
            }
            self.forget(place);
        }
        self.counters.connections = self.counters.connections.saturating_add(1);
        if !segment.flags.syn {
            self.counters.count(Anomaly::JoinedMidStream);
        }
        self.table.insert(key, Connection::new(Arc::clone(source), &key, segment.at))
    }

    /// Ends a connection and forgets it.
    fn forget(&mut self, place: Place) {
        self.on_connection(place, Connection::end);
        self.table.remove(place);
    }

    /// Lets event time run on to `now`.
    fn advance(&mut self, now: Timestamp) {
        if now <= self.now {
            return;
        }
        self.now = now;
        while let Some((deadline, place)) = self.table.next_deadline()
            && deadline <= now
        {
            self.on_connection(place, |connection, cx| connection.expire(now, cx));
            if self.table.next_deadline() == Some((deadline, place)) {
                // Letting go did not help: the connection is given up rather than asked again for ever.
                self.forget(place);
            }
        }
        let horizon = now.before(self.options.idle);
        while self.table.oldest_at().is_some_and(|at| at < horizon)
            && let Some(place) = self.table.oldest()
        {
            self.forget(place);
        }
    }

    /// Does something with a connection, then notes what it waits for.
    fn on_connection(&mut self, place: Place, act: impl FnOnce(&mut Connection, &mut Context<'_>)) {
        let Some(connection) = self.table.connection_mut(place) else { return };
        let mut cx = Context {
            options: &self.options,
            key: &self.key,
            interest: &*self.interest,
            counters: &mut self.counters,
            names: &mut self.names,
            exchanges: &mut self.exchanges,
        };
        act(connection, &mut cx);
        let room = self.options.out_of_order_octets_in_all.saturating_sub(self.octets_kept);
        if connection.octets_kept() > room {
            connection.shed(&mut cx);
        }
        let (held_since, deadline) = (connection.held_since(), connection.deadline(&cx));
        let kept = connection.octets_kept();
        let before = self.table.schedule(place, held_since, deadline, kept);
        self.octets_kept = self.octets_kept.saturating_sub(before).saturating_add(kept);
    }
}
