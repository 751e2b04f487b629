//! What the heads of a conversation mean: requests that wait, responses that answer them, exchanges.

use std::sync::Arc;

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
use crate::model::{Anomaly, Client, Exchange, Interest, Request, Response, Timestamp};

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
        let method = Method::of(head.method);
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
        let heard = first.heard;
        let asked =
            Asked { request: Some(request), method, head_end, end, ended_at, heard, success_matters, apart: false };
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
        let at = first.at.max(last.at);
        let mut exchange = Exchange {
            source: Arc::clone(&self.source),
            client: Client::Address(*self.addresses.of(side.other())),
            server: Some(*self.addresses.of(side)),
            request: None,
            response: Response { at, status, fields: std::mem::take(&mut lines.kept), body: None },
            latency: None,
        };
        let answers = if let Some(asked) = self.waiting.only(first.offset, first.heard) {
            let answers = Answers::take(asked, &mut exchange.request);
            self.waiting.answer_only();
            answers
        } else {
            self.find_asked(first, &mut exchange.request, cx)
        };
        let Answers { method, ended_at, success_matters, likely_end, doubtful } = answers;
        exchange.latency = ended_at.filter(|ended| *ended <= at).map(|ended| at.since(ended));
        let may_matter = status >= 400 || success_matters;
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
        match wanted(&exchange, framing, may_matter, lines, cx.interest) {
            None => self.give_out(exchange, likely_end, cx),
            Some(Wanted { content, codings }) => {
                self.held = Some(Box::new(Held { exchange, codings, content: content.then(Vec::new), likely_end }));
            }
        }
        if tunnel {
            self.give_up(Anomaly::ProtocolSwitched, cx);
        }
    }

    /// Finds the request of a response that is not the only one that can be meant.
    #[cold]
    fn find_asked(&mut self, response: Mark, request: &mut Option<Request>, cx: &mut Context<'_>) -> Answers {
        let (answered, given_up) = self.waiting.answer(response.offset, response.heard);
        self.count(Anomaly::RequestUnmatched, given_up, cx);
        match answered {
            Answered::Request(mut asked) => Answers::take(&mut asked, request),
            Answered::Likely(mut asked) => Answers { likely_end: asked.end, ..Answers::take(&mut asked, request) },
            Answered::Unknown { maybe_head } => {
                self.count(Anomaly::ResponseUnmatched, 1, cx);
                Answers {
                    method: Method::Other,
                    ended_at: None,
                    success_matters: true,
                    likely_end: None,
                    doubtful: maybe_head,
                }
            }
        }
    }
}

/// What is known of the request that a response answers, beside what is kept of it.
struct Answers {
    method: Method,
    ended_at: Option<Timestamp>,
    success_matters: bool,
    /// The end of the request, where it is only likely this one.
    likely_end: Option<u64>,
    /// Whether it may have been a HEAD request, whose response has no body.
    doubtful: bool,
}

impl Answers {
    #[inline]
    fn take(asked: &mut Asked, request: &mut Option<Request>) -> Self {
        *request = asked.request.take();
        Self {
            method: asked.method,
            ended_at: asked.ended_at,
            success_matters: asked.success_matters,
            likely_end: None,
            doubtful: false,
        }
    }
}

/// What of a response's body is wanted.
struct Wanted {
    /// The content, or else only the trailer.
    content: bool,
    codings: Codings,
}

/// Whether the content of the response to a request may explain a refusal.
#[inline]
pub(super) fn wants_content(request: Option<&Request>, status: u16, interest: &dyn Interest) -> bool {
    let host = request.and_then(|request| request.host.as_deref());
    interest.content(status, host, request.map(|request| &*request.path))
}

/// What of a response's body is wanted, if that `may_matter`: then its exchange waits for it.
#[inline]
fn wanted(
    exchange: &Exchange,
    framing: Framing,
    may_matter: bool,
    lines: &Lines<'_>,
    interest: &dyn Interest,
) -> Option<Wanted> {
    let has_content = !matches!(framing, Framing::Empty | Framing::Contradictory);
    let content =
        has_content && may_matter && wants_content(exchange.request.as_ref(), exchange.response.status, interest);
    let has_trailer = framing == Framing::Chunked
        && lines
            .values(Roles::TRAILER)
            .flat_map(|value| value.split(|octet| *octet == b','))
            .any(|name| interest.response_field(name.trim_ascii()));
    (content || has_trailer).then(|| Wanted { content, codings: Codings::of(lines.values(Roles::CONTENT_ENCODING)) })
}
