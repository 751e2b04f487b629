//! All connections: segments in, exchanges out.

mod surroundings;
mod usual_frames;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::surroundings::Surroundings;
pub(crate) use self::usual_frames::Pause;
use super::connection::{Connection, Ordinary};
use super::exchanges::Exchanges;
use super::flow_key::{FlowKey, Side};
use super::http1::Context;
use super::options::DecodeOptions;
use super::segment::{Plain, Segment};
use super::table::{Place, SAME_ENDS, Stage, Table};
use crate::model::{Anomaly, HashKey, InputCounters, Interest, Timestamp};

/// All connections, and what they have given out so far.
pub(crate) struct Streams {
    /// What connections need beside themselves.
    surroundings: Surroundings,
    table: Table,
    /// What connections take beyond their records.
    footprint: usize,
    /// How many exchanges had been given out, and when, as something began to hold up the others.
    held_up: Option<(u64, Timestamp)>,
    now: Timestamp,
    /// How far time ran back at most, behind the latest.
    ran_back: Duration,
    /// Until then time passes with nothing to do: nothing is held back, and no connection was silent for too long.
    quiet_until: Timestamp,
    /// Until then no connection can have been silent for too long.
    used_until: Timestamp,
    finished: bool,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("counters", &self.surroundings.counters)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl Streams {
    pub(crate) fn new(options: DecodeOptions, key: HashKey, interest: Arc<dyn Interest>) -> Self {
        Self {
            surroundings: Surroundings::new(options, key, interest),
            table: Table::default(),
            footprint: 0,
            held_up: None,
            now: Timestamp::MIN,
            ran_back: Duration::ZERO,
            quiet_until: Timestamp::MIN,
            used_until: Timestamp::MIN,
            finished: false,
        }
    }

    pub(crate) fn handle_segment(&mut self, source: &Arc<str>, segment: &Segment<'_>) {
        let (key, side) = FlowKey::of(segment);
        if let Some(plain) = segment.plain()
            && self.handle_plain(&key, side, segment.tunnel, &plain)
        {
            return;
        }
        let (mut known, has_others) = self.find(&key, segment, side);
        if let Some(place) = known
            && self.table.connection(place).is_some_and(|connection| connection.is_replaced_by(segment, side))
        {
            self.forget(place);
            known = None;
        }
        let place = match known {
            Some(place) => place,
            // Nothing is to be learned from the end of a connection that was not followed.
            None if segment.payload.is_empty() && !segment.flags.syn => return,
            None => self.admit(source, key, segment, has_others),
        };
        self.on_connection(place, |connection, cx| connection.handle(segment, side, cx));
        let over = self.table.connection(place).is_some_and(Connection::is_over);
        self.table.touch(place, if over { Stage::Over } else { Stage::Open }, self.now);
        if over
            && self.table.len(Stage::Over) > self.surroundings.options.closed_connections
            && let Some((place, _)) = self.table.oldest(Stage::Over)
        {
            self.forget(place);
        }
        self.keep_bound();
    }

    /// Takes a plain segment of a connection that was looked up lately, if it comes in its order.
    fn handle_plain(&mut self, key: &FlowKey, side: Side, tunnel: u64, segment: &Plain<'_>) -> bool {
        let Some(slot) = self.table.recent(key, tunnel) else { return false };
        let taken = slot.connection.pass(segment, side, &mut self.surroundings.context());
        let Some(ordinary) = taken else { return false };
        let waits = ordinary == Ordinary::Read && slot.waits();
        let place = slot.place();
        self.table.touch(place, Stage::Open, self.now);
        if waits {
            self.settle(place);
        }
        true
    }

    /// Notes what a connection waits for that took a segment.
    pub(crate) fn settle(&mut self, place: Place) {
        self.note(place);
        self.keep_bound();
    }

    /// The exchanges that wait to be taken, in their order.
    #[inline]
    pub(crate) const fn exchanges(&self) -> &Exchanges {
        &self.surroundings.exchanges
    }

    /// The same, to take them.
    #[inline]
    pub(crate) const fn exchanges_mut(&mut self) -> &mut Exchanges {
        &mut self.surroundings.exchanges
    }

    pub(crate) fn watermark(&self, disorder: Duration) -> Timestamp {
        if self.finished {
            return Timestamp::MAX;
        }
        let now = self.now.before(disorder);
        self.table.held_since().map_or(now, |held| held.min(now))
    }

    pub(crate) const fn ran_back(&self) -> Duration {
        self.ran_back
    }

    pub(crate) fn finish(&mut self) {
        for place in self.table.by_last_use() {
            self.on_connection(place, Connection::end);
        }
        self.table = Table::default();
        self.footprint = 0;
        self.finished = true;
    }

    pub(crate) const fn counters(&self) -> &InputCounters {
        &self.surroundings.counters
    }

    /// Lets event time run on to `now`.
    #[inline]
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if now <= self.now {
            self.ran_back = self.ran_back.max(self.now.since(now));
            return;
        }
        self.now = now;
        if now > self.quiet_until {
            self.meet(now);
        }
    }

    /// Does what is due at `now`, and finds until when nothing will be.
    #[inline(never)]
    fn meet(&mut self, now: Timestamp) {
        while let Some((deadline, place)) = self.table.next_deadline()
            && deadline <= now
        {
            self.on_connection(place, |connection, cx| connection.expire(now, cx));
            if self.table.next_deadline() == Some((deadline, place)) {
                // Letting go did not help: the connection is given up rather than asked again for ever.
                self.forget(place);
            }
        }
        self.let_pass();
        if now > self.used_until {
            self.forget_silent(now);
        }
        let waits = self.table.next_deadline().is_some() || self.table.held_since().is_some() || self.held_up.is_some();
        self.quiet_until = if waits { Timestamp::MIN } else { self.used_until };
    }

    /// Forgets the connections that were silent for too long, and finds until when no other will have been.
    fn forget_silent(&mut self, now: Timestamp) {
        let horizon = now.before(self.surroundings.options.idle);
        let mut oldest = now;
        for stage in [Stage::Over, Stage::Open] {
            while let Some((place, at)) = self.table.oldest(stage) {
                if at >= horizon {
                    oldest = oldest.min(at);
                    break;
                }
                self.forget(place);
            }
        }
        self.used_until = oldest.after(self.surroundings.options.idle);
    }

    /// The connection of a segment: between the same ends, and in the same tunnel or with the same sequence numbers. Also
    /// whether others may have the same ends.
    fn find(&mut self, key: &FlowKey, segment: &Segment<'_>, side: Side) -> (Option<Place>, bool) {
        if let Some(slot) = self.table.recent(key, segment.tunnel) {
            return (Some(slot.place()), true);
        }
        let mut copied = None;
        let mut has_others = false;
        for (place, tunnel, connection) in self.table.with_ends(key) {
            if tunnel == segment.tunnel {
                return (Some(place), true);
            }
            has_others = true;
            if copied.is_none() && connection.carries(segment, side) {
                copied = Some(place);
            }
        }
        (copied, has_others)
    }

    /// Starts to follow a connection; the one that was silent for longest makes room.
    fn admit(&mut self, source: &Arc<str>, key: FlowKey, segment: &Segment<'_>, has_others: bool) -> Place {
        while self.table.len(Stage::Open) >= self.surroundings.options.connections.max(1)
            && let Some((place, _)) = self.table.oldest(Stage::Open)
        {
            self.surroundings.counters.count(Anomaly::ConnectionEvicted);
            self.forget(place);
        }
        if has_others
            && self.table.with_ends(&key).count() >= SAME_ENDS
            && let Some((place, ..)) = self.table.with_ends(&key).last()
        {
            self.surroundings.counters.count(Anomaly::ConnectionEvicted);
            self.forget(place);
        }
        self.surroundings.counters.connections = self.surroundings.counters.connections.saturating_add(1);
        if !segment.flags.syn {
            self.surroundings.counters.count(Anomaly::JoinedMidStream);
        }
        let connection = Connection::new(Arc::clone(source), &key);
        self.table.insert(key, segment.tunnel, connection, self.now)
    }

    /// Ends a connection and forgets it.
    fn forget(&mut self, place: Place) {
        self.on_connection(place, Connection::end);
        self.table.remove(place);
    }

    /// Does something with a connection, then notes what it waits for.
    #[inline]
    fn on_connection(&mut self, place: Place, act: impl FnOnce(&mut Connection, &mut Context<'_>)) {
        let Some(slot) = self.table.slot_mut(place) else { return };
        act(&mut slot.connection, &mut self.surroundings.context());
        if slot.waits() {
            self.note(place);
        }
    }

    /// Notes what a connection waits for.
    #[inline(never)]
    fn note(&mut self, place: Place) {
        let Some(connection) = self.table.connection(place) else { return };
        let footprint = connection.footprint();
        let (held_since, deadline) = (connection.held_since(), connection.deadline(&self.surroundings.options));
        if held_since.is_some() || deadline.is_some() {
            self.quiet_until = Timestamp::MIN;
        }
        let before = self.table.schedule(place, held_since, deadline, footprint);
        self.footprint = self.footprint.saturating_sub(before).saturating_add(footprint);
    }

    #[inline]
    fn keep_bound(&mut self) {
        if self.footprint > self.surroundings.options.held_octets_in_all {
            self.shed();
        }
    }

    /// Lets the connections that hold most go of it, until what all hold is within the bound. Where none holds much there
    /// are too many, and those that were silent for longest make room.
    #[cold]
    fn shed(&mut self) {
        while self.footprint > self.surroundings.options.held_octets_in_all {
            let held = self.footprint;
            if let Some(place) = self.table.biggest() {
                self.on_connection(place, Connection::shed);
                if self.footprint >= held {
                    self.forget(place);
                }
            } else if let Some((place, _)) = self.table.oldest(Stage::Over).or_else(|| self.table.oldest(Stage::Open)) {
                self.surroundings.counters.count(Anomaly::ConnectionEvicted);
                self.forget(place);
            } else {
                return;
            }
        }
    }

    /// Exchanges wait for those that began before them. What has held up too many is given out as far as it came.
    fn let_pass(&mut self) {
        let Some((held_since, _)) = self.table.holding_longest() else {
            self.held_up = None;
            return;
        };
        match self.held_up {
            Some((before, until)) if held_since <= until => {
                let behind = self.surroundings.counters.exchanges.saturating_sub(before);
                if behind <= self.surroundings.options.exchanges_behind as u64 {
                    return;
                }
                while let Some((since, place)) = self.table.holding_longest()
                    && since <= until
                {
                    self.on_connection(place, |connection, cx| connection.let_go(until, cx));
                    if self.table.holding_longest() == Some((since, place)) {
                        self.forget(place);
                    }
                }
                self.held_up = None;
            }
            _ => self.held_up = Some((self.surroundings.counters.exchanges, self.now)),
        }
    }
}
