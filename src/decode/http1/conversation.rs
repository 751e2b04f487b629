//! Both directions of one connection, read together.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::framing::{self, Framing};
use super::head::{self, Lines, Parsed, RequestHead, ResponseHead, parse_request, parse_response};
use super::lenient::EndSearch;
use super::names::Names;
use super::reader::{Chunk, Mark, Reader, State, Step, step};
use super::recognize::{self, Opening};
use super::request;
use super::waiting::{Answered, Asked, Method, Waiting};
use crate::decode::content::Codings;
use crate::decode::flow_key::{Side, Sides};
use crate::decode::options::DecodeOptions;
use crate::model::{Anomaly, Client, Exchange, Fields, HashKey, InputCounters, Interest, Request, Response, Timestamp};

/// What a conversation needs of its surroundings.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a DecodeOptions,
    pub(crate) key: &'a HashKey,
    pub(crate) interest: &'a dyn Interest,
    pub(crate) counters: &'a mut InputCounters,
    pub(crate) names: &'a mut Names,
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
    last_host: Option<Arc<str>>,
    /// Whether the streams began as something else than HTTP: a proxy's protocol, or another one altogether.
    foreign: bool,
}

/// An exchange that waits for its content or its trailer.
#[derive(Debug)]
struct Held {
    exchange: Exchange,
    codings: Codings,
    /// The content so far, before content decoding; absent where only the trailer is waited for.
    content: Option<Vec<u8>>,
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

    /// Reads a head or its next part; returns how many octets that took.
    fn head(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let opens_answer = self.answers(side) && self.readers.of(side).state == State::Opening;
        let reader = self.readers.of_mut(side);
        if reader.partial.is_empty() {
            // Empty lines before a start line are ignored, but no client takes a first answer behind half a line end.
            // Source: RFC 9112 section 2.2.
            let blank = octets.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
            if blank > 0 && opens_answer && !octets.starts_with(b"\r\n") {
                cx.counters.count(Anomaly::HeadMalformed);
                reader.state = State::Lost;
                return octets.len();
            }
            if blank > 0 {
                return blank;
            }
            return match self.parse(side, mark, mark, octets, cx) {
                Some(taken) => taken,
                None => self.keep_partial(side, mark, octets, cx),
            };
        }
        let (mut partial, first) = (std::mem::take(&mut reader.partial), reader.partial_mark.unwrap_or(mark));
        let before = partial.len();
        let room = cx.options.head_octets.saturating_sub(before).min(octets.len());
        partial.extend_from_slice(octets.get(..room).unwrap_or_default());
        let undecided = reader.state == State::Opening && self.client.is_none();
        let end = reader.search.find(&partial);
        let taken = match end {
            Some(end) => self.parse(side, first, mark, partial.get(..end).unwrap_or_default(), cx),
            None if undecided => match recognize::opening(&partial) {
                Opening::Tls | Opening::Http2 | Opening::Other => self.parse(side, first, mark, &partial, cx),
                Opening::Request | Opening::Response | Opening::Undecided => None,
            },
            None => None,
        };
        if let Some(taken) = taken {
            let reader = self.readers.of_mut(side);
            reader.partial_mark = None;
            reader.search = EndSearch::default();
            return taken.saturating_sub(before).max(1).min(octets.len());
        }
        let reader = self.readers.of_mut(side);
        if end.is_some() || partial.len() >= cx.options.head_octets {
            reader.drop_partial();
            reader.state = State::Lost;
            cx.counters.count(Anomaly::HeadTooLarge);
        } else {
            reader.partial = partial;
        }
        room.max(1).min(octets.len())
    }

    /// Keeps the start of a head until the rest comes.
    fn keep_partial(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let reader = self.readers.of_mut(side);
        if octets.len() >= cx.options.head_octets {
            reader.state = State::Lost;
            cx.counters.count(Anomaly::HeadTooLarge);
        } else {
            reader.partial.extend_from_slice(octets);
            reader.partial_mark = Some(mark);
            reader.search = EndSearch::default();
        }
        octets.len()
    }

    /// Parses a head; `None` where its end is not there yet. `first` and `last` are the marks of its first and last octets.
    fn parse(&mut self, side: Side, first: Mark, last: Mark, octets: &[u8], cx: &mut Context<'_>) -> Option<usize> {
        let asks = match self.client {
            Some(client) => client == side,
            None => match recognize::opening(octets) {
                Opening::Request => true,
                // Where another protocol was spoken, a response without a request is that protocol's text.
                Opening::Response if !self.foreign => false,
                Opening::Undecided => return None,
                Opening::Tls => {
                    self.give_up(Anomaly::TlsUnreadable, cx);
                    return Some(octets.len());
                }
                Opening::Http2 => {
                    self.give_up(Anomaly::Http2Unreadable, cx);
                    return Some(octets.len());
                }
                Opening::Response | Opening::Other => {
                    self.foreign = true;
                    self.readers.of_mut(side).state = State::Lost;
                    return Some(octets.len());
                }
            },
        };
        let bound = cx.options.field_lines;
        let mut room = head::room();
        let fault = if asks {
            match parse_request(octets, bound, &mut room) {
                Parsed::Whole(head, length) => {
                    self.client = Some(side);
                    self.request(side, first, last, &head, length, cx);
                    return Some(length);
                }
                Parsed::Partial => return None,
                Parsed::TooMany => Anomaly::HeadTooLarge,
                Parsed::Bad => Anomaly::HeadMalformed,
            }
        } else {
            match parse_response(octets, bound, &mut room) {
                Parsed::Whole(head, length) => {
                    self.client = Some(side.other());
                    self.response(side, first, last, &head, length, cx);
                    return Some(length);
                }
                Parsed::Partial => return None,
                Parsed::TooMany => Anomaly::HeadTooLarge,
                Parsed::Bad => Anomaly::HeadMalformed,
            }
        };
        if self.readers.of(side).state != (State::Head { found: true }) || fault == Anomaly::HeadTooLarge {
            cx.counters.count(fault);
        }
        self.lose(side);
        Some(octets.len())
    }

    fn request(
        &mut self,
        side: Side,
        first: Mark,
        last: Mark,
        head: &RequestHead<'_, '_>,
        length: usize,
        cx: &mut Context<'_>,
    ) {
        cx.counters.requests = cx.counters.requests.saturating_add(1);
        if self.readers.of(side).state == (State::Head { found: true }) {
            self.waiting.note_unseen_requests();
        }
        let method = match head.method {
            "HEAD" => Method::Head,
            "CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        let request = request::read(head, last.at, &mut self.last_host, cx.names, cx.key, cx.interest);
        let head_end = first.offset.saturating_add(length as u64);
        let (framing, contradiction) = framing::of_request(&head.lines);
        cx.counters.count_many(Anomaly::FramingMalformed, u64::from(contradiction));
        let (state, end) = match framing {
            Framing::Empty => (State::Head { found: false }, Some(head_end)),
            Framing::Length(left) => (State::Length { left, doubtful: false }, Some(head_end.saturating_add(left))),
            Framing::Chunked => (State::Chunked(Chunk::Size { size: 0, digits: 0 }), None),
            Framing::UntilClose | Framing::Contradictory => (State::Lost, None),
        };
        self.readers.of_mut(side).state = state;
        let ended_at = (framing == Framing::Empty).then_some(last.at);
        let asked = Asked { request, method, head_end, end, ended_at, heard: first.heard };
        let given_up = self.waiting.push(asked, cx.options.pipelined_requests);
        cx.counters.count_many(Anomaly::PipelineOverflow, given_up);
    }

    fn response(
        &mut self,
        side: Side,
        first: Mark,
        last: Mark,
        head: &ResponseHead<'_, '_>,
        length: usize,
        cx: &mut Context<'_>,
    ) {
        cx.counters.responses = cx.counters.responses.saturating_add(1);
        self.release(true, cx);
        if self.readers.of(side).state == (State::Head { found: true }) {
            self.waiting.note_unseen_answers();
        }
        if (100..200).contains(&head.status) && head.status != 101 {
            self.readers.of_mut(side).state = State::Head { found: false };
            self.waiting.note_interim(first.offset.saturating_add(length as u64));
            return;
        }
        let (answered, given_up) = self.waiting.answer(first.offset, first.heard);
        cx.counters.count_many(Anomaly::RequestUnmatched, given_up);
        let (asked, doubtful) = match answered {
            Answered::Request(asked) => (Some(asked), false),
            Answered::Unknown { maybe_head } => {
                cx.counters.count(Anomaly::ResponseUnmatched);
                (None, maybe_head)
            }
        };
        let method = asked.as_ref().map_or(Method::Other, |asked| asked.method);
        let ended_at = asked.as_ref().and_then(|asked| asked.ended_at);
        let at = first.at.max(last.at);
        let latency = ended_at.filter(|ended| *ended <= at).map(|ended| at.since(ended));
        let request = asked.map(|asked| asked.request);
        let tunnel = head.status == 101 || (method == Method::Connect && (200..300).contains(&head.status));
        let framing = if method == Method::Head || tunnel || matches!(head.status, 101 | 204 | 304) {
            Framing::Empty
        } else {
            framing::of_response(&head.lines)
        };
        self.readers.of_mut(side).state = match framing {
            Framing::Empty => State::Head { found: false },
            Framing::Length(left) => State::Length { left, doubtful },
            Framing::Chunked => State::Chunked(Chunk::Size { size: 0, digits: 0 }),
            Framing::UntilClose => State::UntilClose,
            Framing::Contradictory => {
                cx.counters.count(Anomaly::FramingMalformed);
                State::Lost
            }
        };
        let exchange = self.exchange(side, at, head, request, latency, cx);
        self.report(exchange, framing, &head.lines, cx);
        if tunnel {
            self.give_up(Anomaly::ProtocolSwitched, cx);
        }
    }

    fn exchange(
        &self,
        server: Side,
        at: Timestamp,
        head: &ResponseHead<'_, '_>,
        request: Option<Request>,
        latency: Option<std::time::Duration>,
        cx: &Context<'_>,
    ) -> Exchange {
        let mut fields = Fields::new();
        for (name, value) in head.lines.iter() {
            if cx.interest.response_field(name) {
                fields.push(name, value);
            }
        }
        Exchange {
            source: Arc::clone(&self.source),
            client: Client::Address(*self.addresses.of(server.other())),
            server: Some(*self.addresses.of(server)),
            request,
            response: Response { at, status: head.status, fields, body: None },
            latency,
        }
    }

    /// Reports an exchange, or holds it for its content or its trailer.
    fn report(&mut self, exchange: Exchange, framing: Framing, lines: &Lines<'_, '_>, cx: &mut Context<'_>) {
        let host = exchange.request.as_ref().and_then(|request| request.host.as_deref());
        let path = exchange.request.as_ref().map(|request| &*request.path);
        let has_content = !matches!(framing, Framing::Empty | Framing::Contradictory);
        let content = has_content && cx.interest.content(exchange.response.status, host, path);
        let trailer = framing == Framing::Chunked
            && lines
                .values(b"trailer")
                .flat_map(|value| value.split(|octet| *octet == b','))
                .any(|name| cx.interest.response_field(name.trim_ascii()));
        if content || trailer {
            let codings = Codings::of(lines.values(b"content-encoding"));
            self.held = Some(Box::new(Held { exchange, codings, content: content.then(Vec::new) }));
        } else {
            give_out(exchange, cx);
        }
    }

    /// Keeps content, if this side's is wanted; gives the exchange out when there is enough of it.
    fn keep(&mut self, side: Side, octets: &[u8], cx: &mut Context<'_>) {
        if !self.answers(side) {
            return;
        }
        let Some(content) = self.held.as_mut().and_then(|held| held.content.as_mut()) else { return };
        let room = cx.options.body_octets.saturating_sub(content.len());
        content.extend_from_slice(octets.get(..octets.len().min(room)).unwrap_or_default());
        if octets.len() > room {
            self.release(true, cx);
        }
    }

    /// Gives out the exchange that is held; `truncated` where more of its content was to come.
    fn release(&mut self, truncated: bool, cx: &mut Context<'_>) {
        let Some(held) = self.held.take() else { return };
        let Held { mut exchange, codings, content } = *held;
        if let Some(content) = content {
            exchange.response.body = codings.decode(content, truncated, cx.options.body_octets);
            if exchange.response.body.as_ref().is_none_or(|body| body.truncated) {
                cx.counters.count(Anomaly::BodyUndecodable);
            }
        }
        give_out(exchange, cx);
    }

    /// A message of known end is whole.
    fn end_message(&mut self, side: Side, cx: &mut Context<'_>) {
        self.readers.of_mut(side).state = State::Head { found: false };
        if self.answers(side) {
            self.release(false, cx);
        }
    }

    fn chunk(&mut self, side: Side, chunk: Chunk, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let (taken, next) = match step(chunk, octets) {
            Step::Framing(taken, next) => (taken, next),
            Step::Data(taken, next) => {
                self.keep(side, octets.get(..taken).unwrap_or_default(), cx);
                (taken, next)
            }
            Step::Trailer(taken) => (taken, Chunk::Trailer),
            Step::Broken => {
                cx.counters.count(Anomaly::FramingMalformed);
                if self.answers(side) {
                    self.release(true, cx);
                }
                // The segment is looked at once more: without its request a response to HEAD looks like this.
                self.lose(side);
                return 0;
            }
        };
        self.readers.of_mut(side).state = State::Chunked(next);
        taken
    }

    /// Reads the trailer section line by line. Source: RFC 9112 section 7.1.2.
    fn trailer(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let answers = self.answers(side);
        let reader = self.readers.of_mut(side);
        let end = octets.iter().position(|octet| *octet == b'\n').map(|newline| newline.saturating_add(1));
        let taken = end.unwrap_or(octets.len());
        if reader.partial.len().saturating_add(taken) > cx.options.head_octets {
            reader.drop_partial();
            reader.state = State::Lost;
            cx.counters.count(Anomaly::HeadTooLarge);
            if answers {
                self.release(true, cx);
            }
            return taken;
        }
        reader.partial.extend_from_slice(octets.get(..taken).unwrap_or_default());
        if end.is_none() {
            return taken;
        }
        let line = std::mem::take(&mut reader.partial);
        let line = line.trim_ascii_end();
        if line.is_empty() {
            if self.client == Some(side)
                && let Some(asked) = self.waiting.last_mut()
            {
                asked.end = Some(mark.offset.saturating_add(taken as u64));
                asked.ended_at = Some(mark.at);
            }
            self.end_message(side, cx);
        } else if answers
            && let Some(held) = self.held.as_mut()
            && let Some(colon) = line.iter().position(|octet| *octet == b':')
            && let Some((name, value)) = line.split_at_checked(colon)
            && cx.interest.response_field(name.trim_ascii())
            && held.exchange.response.fields.len() < cx.options.field_lines
        {
            held.exchange.response.fields.push(name.trim_ascii(), value.get(1..).unwrap_or_default());
        }
        taken
    }
}

fn give_out(exchange: Exchange, cx: &mut Context<'_>) {
    cx.counters.exchanges = cx.counters.exchanges.saturating_add(1);
    cx.exchanges.push_back(exchange);
}
