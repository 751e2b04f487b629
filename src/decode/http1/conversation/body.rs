//! The bodies of a conversation: stepped over, or kept until there is enough of them.

use super::super::reader::{Chunk, Mark, State, Step, step};
use super::super::recognize;
use super::super::waiting::STRAY_OCTETS;
use super::{Context, Conversation};
use crate::decode::content::Codings;
use crate::decode::flow_key::Side;
use crate::model::{Anomaly, Exchange};

/// An exchange that waits for its content or its trailer.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) exchange: Exchange,
    pub(super) codings: Codings,
    /// The content so far, before content decoding; absent where only the trailer is waited for.
    pub(super) content: Option<Vec<u8>>,
    /// The end of its request, where that is only likely its own.
    pub(super) likely_end: Option<u64>,
}

/// An exchange that is whole, and whose request is only likely its own: others may have been sent together with it that
/// went unseen. The next message tells.
#[derive(Debug)]
pub(super) struct Likely {
    pub(super) exchange: Exchange,
    /// Where its request ends.
    end: u64,
}

impl Likely {
    /// The memory that it takes.
    pub(super) fn footprint(&self) -> usize {
        let body = self.exchange.response.body.as_ref().map_or(0, |body| body.octets.capacity());
        size_of::<Self>().saturating_add(self.exchange.response.fields.footprint()).saturating_add(body)
    }
}

impl Held {
    /// The memory that it takes.
    pub(super) fn footprint(&self) -> usize {
        let content = self.content.as_ref().map_or(0, Vec::capacity);
        size_of::<Self>().saturating_add(self.exchange.response.fields.footprint()).saturating_add(content)
    }
}

impl Conversation {
    /// Takes octets of a body, which `begin` a segment or not; returns how many.
    pub(super) fn content(
        &mut self,
        side: Side,
        mark: Mark,
        octets: &[u8],
        begin: bool,
        cx: &mut Context<'_>,
    ) -> usize {
        match self.readers.of(side).state {
            State::Length { doubtful: true, .. } if begin && recognize::starts_response(octets) => {
                self.release(true, cx);
                self.readers.of_mut(side).state = State::Head { found: true };
                0
            }
            State::Length { left, .. } => {
                let taken = octets.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.keep(side, octets.get(..taken).unwrap_or_default(), cx);
                let left = left.saturating_sub(taken as u64);
                if left == 0 {
                    self.end_message(side, cx);
                } else {
                    self.readers.of_mut(side).state = State::Length { left, doubtful: false };
                }
                taken
            }
            State::Chunked(Chunk::Trailer) => self.trailer(side, mark, octets, cx),
            State::Chunked(chunk) => self.chunk(side, chunk, octets, cx),
            _ => {
                self.keep(side, octets, cx);
                octets.len()
            }
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
    #[inline]
    pub(super) fn release(&mut self, truncated: bool, cx: &mut Context<'_>) {
        if let Some(held) = self.held.take() {
            self.give_out_held(held, truncated, cx);
        }
    }

    #[inline(never)]
    fn give_out_held(&mut self, held: Box<Held>, truncated: bool, cx: &mut Context<'_>) {
        let Held { mut exchange, codings, content, likely_end } = *held;
        if let Some(content) = content {
            exchange.response.body = codings.decode(content, truncated, cx.options.body_octets);
            if exchange.response.body.as_ref().is_none_or(|body| body.truncated) {
                self.count(Anomaly::BodyUndecodable, 1, cx);
            }
        }
        self.give_out(exchange, likely_end, cx);
    }

    /// An exchange is complete; one whose request is only likely its own waits for the next message.
    #[inline]
    pub(super) fn give_out(&mut self, exchange: Exchange, likely_end: Option<u64>, cx: &mut Context<'_>) {
        match likely_end {
            Some(end) => self.likely = Some(Box::new(Likely { exchange, end })),
            None => give_out(exchange, cx),
        }
    }

    /// Gives out the exchange whose request was only likely its own. Where the next response was sent before the server had
    /// received more than that request (`heard`), two requests were on their way: then nobody knows which was answered first.
    #[inline]
    pub(super) fn settle_pairing(&mut self, heard: Option<u64>, cx: &mut Context<'_>) {
        if let Some(likely) = self.likely.take() {
            self.give_out_likely(likely, heard, cx);
        }
    }

    #[cold]
    fn give_out_likely(&mut self, likely: Box<Likely>, heard: Option<u64>, cx: &mut Context<'_>) {
        let Likely { mut exchange, end } = *likely;
        if heard.is_some_and(|heard| heard <= end.saturating_add(STRAY_OCTETS)) {
            exchange.request = None;
            exchange.latency = None;
            self.count(Anomaly::RequestUnmatched, 1, cx);
            self.count(Anomaly::ResponseUnmatched, 1, cx);
        }
        give_out(exchange, cx);
    }

    /// A message of known end is whole.
    pub(super) fn end_message(&mut self, side: Side, cx: &mut Context<'_>) {
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
                self.count(Anomaly::FramingMalformed, 1, cx);
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
            self.count(Anomaly::HeadTooLarge, 1, cx);
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

#[inline]
fn give_out(exchange: Exchange, cx: &mut Context<'_>) {
    cx.counters.exchanges = cx.counters.exchanges.saturating_add(1);
    cx.exchanges.push(exchange);
}
