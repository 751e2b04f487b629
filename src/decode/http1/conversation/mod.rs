//! Both directions of one connection, read together.

mod body;
mod heads;
mod messages;
mod ordinary;

use std::net::SocketAddr;
use std::sync::Arc;

use self::body::{Held, Likely};
use super::hosts::Host;
use super::memory::Memory;
use super::reader::{Chunk, Mark, Reader, State};
use super::recognize::{self, Opening};
use super::target;
use super::waiting::Waiting;
use crate::decode::exchanges::Exchanges;
use crate::decode::flow_key::{Side, Sides};
use crate::decode::options::DecodeOptions;
use crate::decode::tls::{self, Hello};
use crate::model::{Anomaly, HashKey, InputCounters, Interest, Peer, Place, Timestamp};

/// What a conversation needs of its surroundings.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a DecodeOptions,
    pub(crate) key: &'a HashKey,
    pub(crate) interest: &'a dyn Interest,
    pub(crate) counters: &'a mut InputCounters,
    pub(crate) memory: &'a mut Memory,
    pub(crate) exchanges: &'a mut Exchanges,
}

/// Both directions of one connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    source: Arc<str>,
    addresses: Sides<SocketAddr>,
    /// Who sends requests, once that is known.
    client: Option<Side>,
    readers: Sides<Reader>,
    waiting: Waiting,
    held: Option<Box<Held>>,
    likely: Option<Box<Likely>>,
    last_host: Option<Arc<Host>>,
    /// Whether the streams began as something else than HTTP: a proxy's protocol, or another one altogether.
    foreign: bool,
}

impl Conversation {
    pub(crate) fn new(source: Arc<str>, addresses: Sides<SocketAddr>) -> Self {
        Self {
            source,
            addresses,
            client: None,
            readers: Sides::default(),
            waiting: Waiting::default(),
            held: None,
            likely: None,
            last_host: None,
            foreign: false,
        }
    }

    /// The stream of a side is joined in its middle.
    pub(crate) fn join(&mut self, side: Side) {
        self.readers.of_mut(side).state = State::Lost;
    }

    /// Whether a side's octets need no order: it only looks for a head at a segment's start, or for nothing at all.
    #[inline]
    pub(crate) fn takes_any_order(&self, side: Side) -> bool {
        matches!(self.readers.of(side).state, State::Lost | State::Opaque)
    }

    /// Whether a side's framing is lost, so that any segment may start with a head.
    #[inline]
    pub(crate) fn is_lost(&self, side: Side) -> bool {
        self.readers.of(side).state == State::Lost
    }

    /// When the head of the exchange was seen that waits for its content.
    pub(crate) fn held_since(&self) -> Option<Timestamp> {
        let held = self.held.as_ref().map(|held| held.exchange.response.at);
        let likely = self.likely.as_ref().map(|likely| likely.exchange.response.at);
        held.into_iter().chain(likely).min()
    }

    /// Whether an exchange waits for its content, or for what tells whose it is.
    #[inline]
    pub(crate) const fn holds_back(&self) -> bool {
        self.held.is_some() || self.likely.is_some()
    }

    /// The memory that it takes beyond its own record.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        let heads = Side::BOTH.iter().map(|side| self.readers.of(*side).partial.capacity());
        let likely = self.likely.as_ref().map_or(0, |likely| likely.footprint());
        let held = self.held.as_ref().map_or(likely, |held| held.footprint().saturating_add(likely));
        heads.fold(held.saturating_add(self.waiting.footprint()), usize::saturating_add)
    }

    /// Whether it surely holds nothing back, and takes no more memory than that beyond its own record: told by few compares.
    #[inline]
    pub(crate) fn is_small(&self, bound: usize) -> bool {
        let has_partial = |side| self.readers.of(side).partial.capacity() > 0;
        !self.holds_back() && !Side::BOTH.into_iter().any(has_partial) && self.waiting.is_small(bound)
    }

    /// Lets go of all that it holds, to keep a bound.
    pub(crate) fn shed(&mut self, cx: &mut Context<'_>) {
        self.release(true, cx);
        self.settle_pairing(None, cx);
        for side in Side::BOTH {
            if self.drop_partial(side, cx) {
                self.lose(side);
            }
        }
        let given_up = self.waiting.give_up();
        self.count(Anomaly::RequestUnmatched, given_up, cx);
    }

    /// Takes the octets of a side that follow what came before; returns how many behind them it has no need for.
    pub(crate) fn octets(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> u64 {
        let Some(length) = self.ordinary_head(side, &mark, octets, cx) else {
            return self.read(side, mark, octets, 0, cx);
        };
        let behind = octets.len().saturating_sub(length) as u64;
        let reader = self.readers.of_mut(side);
        match reader.state {
            State::Head { .. } if behind == 0 => 0,
            // Nobody wants to see the rest of the body behind an ordinary head.
            State::Length { left, .. } if behind <= left => {
                reader.state = State::Head { found: false };
                left.saturating_sub(behind)
            }
            _ => self.read(side, mark, octets, length, cx),
        }
    }

    /// Takes the octets of a side of which so many are `taken` already; returns how many behind them it has no need for.
    #[cold]
    fn read(&mut self, side: Side, mark: Mark, octets: &[u8], taken: usize, cx: &mut Context<'_>) -> u64 {
        let mut mark = Mark { offset: mark.offset.saturating_add(taken as u64), ..mark };
        let mut rest = octets.get(taken..).unwrap_or_default();
        let mut searched = false;
        while !rest.is_empty() {
            let taken = match self.readers.of(side).state {
                State::Opaque => return u64::MAX,
                State::Lost => {
                    if searched || rest.len() != octets.len() || !self.starts_head(side, mark, rest, cx) {
                        return 0;
                    }
                    searched = true;
                    self.readers.of_mut(side).state = State::Head { found: true };
                    0
                }
                State::Opening | State::Head { .. } => self.head(side, mark, rest, cx),
                State::Length { .. } | State::Chunked(_) | State::UntilClose => {
                    self.content(side, mark, rest, rest.len() == octets.len(), cx)
                }
            };
            mark.offset = mark.offset.saturating_add(taken as u64);
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.step_over(side)
    }

    /// Notes that a side sent octets up to `end`, whether they were read or stepped over.
    #[inline]
    pub(crate) fn passed(&mut self, side: Side, end: u64, at: Timestamp) {
        if self.client == Some(side)
            && let Some(asked) = self.waiting.last_mut()
            && asked.ended_at.is_none()
            && asked.end.is_some_and(|expected| end >= expected)
        {
            asked.ended_at = Some(at);
        }
    }

    /// So many octets of a side are lost for good; returns how many behind them it has no need for.
    pub(crate) fn gap(&mut self, side: Side, octets: u64, cx: &mut Context<'_>) -> u64 {
        let state = match self.readers.of(side).state {
            State::Length { left, .. } if octets <= left => {
                Some(State::Length { left: left.saturating_sub(octets), doubtful: false })
            }
            State::Chunked(Chunk::Data { left }) if octets <= left => {
                Some(State::Chunked(Chunk::Data { left: left.saturating_sub(octets) }))
            }
            state @ (State::UntilClose | State::Opaque) => Some(state),
            _ => None,
        };
        if self.answers(side) {
            self.release(true, cx);
        }
        if self.drop_partial(side, cx) {
            self.count(Anomaly::HeadWithGap, 1, cx);
        }
        // A part of a TLS client's first message was all that is needed of the connection.
        let state = if self.readers.of(side).state == State::Opaque { Some(State::Opaque) } else { state };
        match state {
            Some(State::Length { left: 0, .. }) => self.readers.of_mut(side).state = State::Head { found: false },
            Some(State::Chunked(Chunk::Data { left: 0 })) => {
                self.readers.of_mut(side).state = State::Chunked(Chunk::DataEnd);
            }
            Some(state) => self.readers.of_mut(side).state = state,
            None => self.lose(side),
        }
        self.step_over(side)
    }

    /// A side's stream has ended.
    pub(crate) fn close(&mut self, side: Side, cx: &mut Context<'_>) {
        if self.answers(side) {
            let whole = matches!(self.readers.of(side).state, State::UntilClose | State::Head { .. });
            self.release(!whole, cx);
            self.settle_pairing(None, cx);
        }
        self.drop_partial(side, cx);
    }

    /// Gives out what is held, as far as it came.
    pub(crate) fn expire(&mut self, cx: &mut Context<'_>) {
        self.release(true, cx);
        self.settle_pairing(None, cx);
    }

    /// The connection has ended.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>) {
        self.release(true, cx);
        self.settle_pairing(None, cx);
        self.count(Anomaly::RequestUnmatched, self.waiting.len(), cx);
        self.waiting = Waiting::default();
    }

    /// Whether a side sends the responses.
    fn answers(&self, side: Side) -> bool {
        self.client == Some(side.other())
    }

    /// How many octets of a side are of no use from here on, and moves past them.
    fn step_over(&mut self, side: Side) -> u64 {
        let keeps = self.answers(side) && self.held.as_ref().is_some_and(|held| held.content.is_some());
        let reader = self.readers.of_mut(side);
        match reader.state {
            State::Opaque => u64::MAX,
            State::UntilClose if !keeps => u64::MAX,
            State::Length { left, doubtful: false } if !keeps => {
                reader.state = State::Head { found: false };
                left
            }
            State::Chunked(Chunk::Data { left }) if !keeps => {
                reader.state = State::Chunked(Chunk::DataEnd);
                left
            }
            _ => 0,
        }
    }

    /// Framing is lost.
    fn lose(&mut self, side: Side) {
        self.readers.of_mut(side).state = State::Lost;
        if self.client == Some(side) {
            self.waiting.note_unseen_requests();
        }
    }

    /// Whether a segment found where framing was lost starts with a head that may be believed.
    fn starts_head(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> bool {
        if self.client.is_none() && recognize::is_tls_record(octets) {
            self.give_up_tls(side, octets, cx);
            return false;
        }
        if self.readers.of(side).has_read(mark.offset) {
            return false;
        }
        if self.client != Some(side) && recognize::starts_response(octets) {
            // Where another protocol was spoken, a response without a request is that protocol's text.
            return if self.client.is_none() {
                !self.foreign
            } else {
                self.waiting.may_start_at(mark.offset, mark.heard)
            };
        }
        !self.answers(side) && recognize::starts_request(octets)
    }

    /// Counts what was lost of the server's traffic.
    #[inline]
    fn count(&self, cause: Anomaly, times: u64, cx: &mut Context<'_>) {
        if times > 0 {
            self.count_lost(cause, times, cx);
        }
    }

    #[cold]
    fn count_lost(&self, cause: Anomaly, times: u64, cx: &mut Context<'_>) {
        // Servers listen on the lower port, where nothing else tells which side is one.
        let lower = if self.addresses.of(Side::Low).port() <= self.addresses.of(Side::High).port() {
            Side::Low
        } else {
            Side::High
        };
        let server = self.addresses.of(self.client.map_or(lower, Side::other));
        let peer = self
            .last_host
            .as_ref()
            .map_or_else(|| Peer::Address(server.ip()), |last| Peer::Host(Arc::clone(&last.name)));
        cx.counters.count_at(Place { cause, peer, port: server.port() }, times);
    }

    /// Forgets an unfinished head; returns whether there was one.
    fn drop_partial(&mut self, side: Side, cx: &mut Context<'_>) -> bool {
        let reader = self.readers.of_mut(side);
        if self.client.is_none() && recognize::opening(&reader.partial) == Opening::Tls {
            let start = std::mem::take(&mut reader.partial);
            self.give_up_tls(side, &start, cx);
        }
        self.readers.of_mut(side).drop_partial()
    }

    /// The connection is encrypted; the octets of a side may name the server.
    fn give_up_tls(&mut self, side: Side, octets: &[u8], cx: &mut Context<'_>) {
        let other = std::mem::take(&mut self.readers.of_mut(side.other()).partial);
        for (side, octets) in [(side, octets), (side.other(), &other)] {
            match tls::hello(octets) {
                Hello::Name(name) => {
                    self.client = Some(side);
                    self.last_host = target::host(name, true).map(|host| Host::named(&host));
                }
                Hello::Nameless => self.client = Some(side),
                Hello::Unfinished if !octets.is_empty() => self.client = Some(side),
                Hello::Unfinished | Hello::Other => {}
            }
        }
        self.give_up(Anomaly::TlsUnreadable, cx);
    }

    /// Nothing of the connection can be read from here on.
    fn give_up(&mut self, why: Anomaly, cx: &mut Context<'_>) {
        self.count(why, 1, cx);
        for side in Side::BOTH {
            let reader = self.readers.of_mut(side);
            reader.drop_partial();
            reader.state = State::Opaque;
        }
    }
}
