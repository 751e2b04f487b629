//! Both directions of one connection, read together.

mod body;
mod heads;
mod messages;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use self::body::Held;
use super::hosts::Host;
use super::memory::Memory;
use super::reader::{Chunk, Mark, Reader, State};
use super::recognize;
use super::waiting::Waiting;
use crate::decode::flow_key::{Side, Sides};
use crate::decode::options::DecodeOptions;
use crate::model::{Anomaly, Exchange, HashKey, InputCounters, Interest, Timestamp};

/// What a conversation needs of its surroundings.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a DecodeOptions,
    pub(crate) key: &'a HashKey,
    pub(crate) interest: &'a dyn Interest,
    pub(crate) counters: &'a mut InputCounters,
    pub(crate) memory: &'a mut Memory,
    pub(crate) exchanges: &'a mut VecDeque<Exchange>,
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
            last_host: None,
            foreign: false,
        }
    }

    /// The stream of a side is joined in its middle.
    pub(crate) fn join(&mut self, side: Side) {
        self.readers.of_mut(side).state = State::Lost;
    }

    /// Whether a side's octets need no order: it only looks for a head at a segment's start, or for nothing at all.
    pub(crate) fn takes_any_order(&self, side: Side) -> bool {
        matches!(self.readers.of(side).state, State::Lost | State::Opaque)
    }

    /// When the head of the exchange was seen that waits for its content.
    pub(crate) fn held_since(&self) -> Option<Timestamp> {
        self.held.as_ref().map(|held| held.exchange.response.at)
    }

    /// Takes the octets of a side that follow what came before; returns how many behind them it has no need for.
    pub(crate) fn octets(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> u64 {
        let mut mark = mark;
        let mut rest = octets;
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
                State::Length { left, doubtful } => {
                    if doubtful && rest.len() == octets.len() && recognize::starts_response(rest) {
                        self.release(true, cx);
                        self.readers.of_mut(side).state = State::Head { found: true };
                        continue;
                    }
                    let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.keep(side, rest.get(..taken).unwrap_or_default(), cx);
                    let left = left.saturating_sub(taken as u64);
                    if left == 0 {
                        self.end_message(side, cx);
                    } else {
                        self.readers.of_mut(side).state = State::Length { left, doubtful: false };
                    }
                    taken
                }
                State::Chunked(Chunk::Trailer) => self.trailer(side, mark, rest, cx),
                State::Chunked(chunk) => self.chunk(side, chunk, rest, cx),
                State::UntilClose => {
                    self.keep(side, rest, cx);
                    rest.len()
                }
            };
            mark.offset = mark.offset.saturating_add(taken as u64);
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.step_over(side)
    }

    /// Notes that a side sent octets up to `end`, whether they were read or stepped over.
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
        if self.readers.of_mut(side).drop_partial() {
            cx.counters.count(Anomaly::HeadWithGap);
        }
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
        }
        self.readers.of_mut(side).drop_partial();
    }

    /// Gives out what is held, as far as it came.
    pub(crate) fn expire(&mut self, cx: &mut Context<'_>) {
        self.release(true, cx);
    }

    /// The connection has ended.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>) {
        self.release(true, cx);
        cx.counters.count_many(Anomaly::RequestUnmatched, self.waiting.len());
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
            self.give_up(Anomaly::TlsUnreadable, cx);
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

    /// Nothing of the connection can be read from here on.
    fn give_up(&mut self, why: Anomaly, cx: &mut Context<'_>) {
        cx.counters.count(why);
        for side in Side::BOTH {
            let reader = self.readers.of_mut(side);
            reader.drop_partial();
            reader.state = State::Opaque;
        }
    }
}
