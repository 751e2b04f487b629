//! What the heads of a conversation mean: requests that wait, responses that answer them, exchanges.

use std::sync::Arc;
use std::time::Duration;

use super::super::framing::{self, Framing};
use super::super::head::RequestHead;
use super::super::lines::{Lines, Roles};
use super::super::reader::{Chunk, Mark, State};
use super::super::request;
use super::super::waiting::{Answered, Asked, Method};
use super::body::Held;
use super::{Context, Conversation};
use crate::decode::content::Codings;
use crate::decode::flow_key::Side;
use crate::model::{Anomaly, Client, Exchange, Fields, Request, Response, Timestamp};

impl Conversation {
    pub(super) fn request(
        &mut self,
        side: Side,
        (first, last): (Mark, Mark),
        head: &RequestHead<'_>,
        lines: &Lines<'_>,
        length: usize,
        cx: &mut Context<'_>,
    ) {
        cx.counters.requests = cx.counters.requests.saturating_add(1);
        // The client asks again: what it was answered before was all that it waited for.
        self.settle_pairing(None, cx);
        if self.readers.of(side).state == (State::Head { found: true }) {
            self.waiting.note_unseen_requests();
        }
        let method = match head.method {
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        let request = request::read(head, lines, last.at, &mut self.last_host, cx.memory, cx.key, cx.interest);
        let head_end = first.offset.saturating_add(length as u64);
        let (framing, contradiction) = framing::of_request(lines.body_end());
        self.count(Anomaly::FramingMalformed, u64::from(contradiction), cx);
        let (state, end) = match framing {
            Framing::Empty => (State::Head { found: false }, Some(head_end)),
            Framing::Length(left) => (State::Length { left, doubtful: false }, Some(head_end.saturating_add(left))),
            Framing::Chunked => (State::Chunked(Chunk::Size { size: 0, digits: 0 }), None),
            Framing::UntilClose | Framing::Contradictory => (State::Lost, None),
        };
        self.readers.of_mut(side).state = state;
        let ended_at = (framing == Framing::Empty).then_some(last.at);
        let success_matters = self.last_host.as_ref().is_none_or(|last| last.success_matters);
        let asked = Asked { request, method, head_end, end, ended_at, heard: first.heard, success_matters };
        let given_up = self.waiting.push(asked, cx.options.pipelined_requests);
        self.count(Anomaly::PipelineOverflow, given_up, cx);
    }

    pub(super) fn response(
        &mut self,
        side: Side,
        (first, last): (Mark, Mark),
        status: u16,
        lines: &mut Lines<'_>,
        length: usize,
        cx: &mut Context<'_>,
    ) {
        cx.counters.responses = cx.counters.responses.saturating_add(1);
        self.release(true, cx);
        if self.readers.of(side).state == (State::Head { found: true }) {
            self.waiting.note_unseen_answers();
        }
        if (100..200).contains(&status) && status != 101 {
            self.readers.of_mut(side).state = State::Head { found: false };
            self.waiting.note_interim(first.offset.saturating_add(length as u64));
            return;
        }
        self.settle_pairing(first.heard, cx);
        let (answered, given_up) = self.waiting.answer(first.offset, first.heard);
        self.count(Anomaly::RequestUnmatched, given_up, cx);
        let mut likely_end = None;
        let (asked, doubtful) = match answered {
            Answered::Request(asked) => (Some(asked), false),
            Answered::Likely(asked) => {
                likely_end = asked.end;
                (Some(asked), false)
            }
            Answered::Unknown { maybe_head } => {
                self.count(Anomaly::ResponseUnmatched, 1, cx);
                (None, maybe_head)
            }
        };
        let method = asked.as_ref().map_or(Method::Other, |asked| asked.method);
        let ended_at = asked.as_ref().and_then(|asked| asked.ended_at);
        let at = first.at.max(last.at);
        let latency = ended_at.filter(|ended| *ended <= at).map(|ended| at.since(ended));
        let may_matter = status >= 400 || asked.as_ref().is_none_or(|asked| asked.success_matters);
        let request = asked.map(|asked| asked.request);
        let tunnel = status == 101 || (method == Method::Connect && (200..300).contains(&status));
        let framing = if method == Method::Head || tunnel || matches!(status, 101 | 204 | 304) {
            Framing::Empty
        } else {
            framing::of_response(lines.body_end())
        };
        self.readers.of_mut(side).state = match framing {
            Framing::Empty => State::Head { found: false },
            Framing::Length(left) => State::Length { left, doubtful },
            Framing::Chunked => State::Chunked(Chunk::Size { size: 0, digits: 0 }),
            Framing::UntilClose => State::UntilClose,
            Framing::Contradictory => {
                self.count(Anomaly::FramingMalformed, 1, cx);
                State::Lost
            }
        };
        let exchange = self.exchange(side, at, (status, std::mem::take(&mut lines.kept)), request, latency);
        self.report(exchange, likely_end, (framing, may_matter), lines, cx);
        if tunnel {
            self.give_up(Anomaly::ProtocolSwitched, cx);
        }
    }

    #[inline]
    fn exchange(
        &self,
        server: Side,
        at: Timestamp,
        (status, fields): (u16, Fields),
        request: Option<Request>,
        latency: Option<Duration>,
    ) -> Exchange {
        Exchange {
            source: Arc::clone(&self.source),
            client: Client::Address(*self.addresses.of(server.other())),
            server: Some(*self.addresses.of(server)),
            request,
            response: Response { at, status, fields, body: None },
            latency,
        }
    }

    /// Reports an exchange, or holds it for its content, if that `may_matter`, or its trailer; one whose request is only
    /// likely its own, of that end, waits for the next message.
    #[inline]
    fn report(
        &mut self,
        exchange: Exchange,
        likely_end: Option<u64>,
        (framing, may_matter): (Framing, bool),
        lines: &Lines<'_>,
        cx: &mut Context<'_>,
    ) {
        let host = exchange.request.as_ref().and_then(|request| request.host.as_deref());
        let path = exchange.request.as_ref().map(|request| &*request.path);
        let has_content = !matches!(framing, Framing::Empty | Framing::Contradictory);
        let content = has_content && may_matter && cx.interest.content(exchange.response.status, host, path);
        let trailer = framing == Framing::Chunked
            && lines
                .values(Roles::TRAILER)
                .flat_map(|value| value.split(|octet| *octet == b','))
                .any(|name| cx.interest.response_field(name.trim_ascii()));
        if content || trailer {
            let codings = Codings::of(lines.values(Roles::CONTENT_ENCODING));
            self.held = Some(Box::new(Held { exchange, codings, content: content.then(Vec::new), likely_end }));
        } else {
            self.give_out(exchange, likely_end, cx);
        }
    }
}
