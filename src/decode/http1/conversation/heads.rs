//! The heads of a conversation: found, put together where they are split, parsed.

use super::super::head::{Parsed, parse_request, parse_response};
use super::super::lenient::EndSearch;
use super::super::lines::Lines;
use super::super::reader::{Mark, State};
use super::super::recognize::{self, Opening};
use super::{Context, Conversation};
use crate::decode::flow_key::Side;
use crate::decode::tls::{self, Hello};
use crate::model::Anomaly;

impl Conversation {
    /// Reads a head or its next part; returns how many octets that took.
    pub(super) fn head(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> usize {
        if !self.readers.of(side).partial.is_empty() {
            return self.continue_head(side, mark, octets, cx);
        }
        if matches!(octets.first(), Some(b'\r' | b'\n')) {
            return self.blank_lines(side, octets, cx);
        }
        match self.parse(side, mark, mark, octets, cx) {
            Some(taken) => taken,
            None => self.keep_partial(side, mark, octets, cx),
        }
    }

    /// Empty lines before a start line are ignored, but no client takes a first answer behind half a line end.
    /// Source: RFC 9112 section 2.2.
    #[cold]
    fn blank_lines(&mut self, side: Side, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let opens_answer = self.answers(side) && self.readers.of(side).state == State::Opening;
        if opens_answer && !octets.starts_with(b"\r\n") {
            self.readers.of_mut(side).state = State::Lost;
            self.count(Anomaly::HeadMalformed, 1, cx);
            return octets.len();
        }
        octets.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count()
    }

    /// Reads the next part of a head whose start came before; returns how many octets that took.
    #[inline(never)]
    fn continue_head(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let reader = self.readers.of_mut(side);
        let (mut partial, first) = (std::mem::take(&mut reader.partial), reader.partial_mark.unwrap_or(mark));
        let before = partial.len();
        let room = cx.options.head_octets.saturating_sub(before).min(octets.len());
        partial.extend_from_slice(octets.get(..room).unwrap_or_default());
        let undecided = reader.state == State::Opening && self.client.is_none();
        let opening = if undecided { recognize::opening(&partial) } else { Opening::Undecided };
        // Encrypted octets may look like the end of a head.
        let end = if opening == Opening::Tls { None } else { reader.search.find(&partial) };
        let taken = match (end, opening) {
            (Some(end), _) => self.parse(side, first, mark, partial.get(..end).unwrap_or_default(), cx),
            (None, Opening::Tls | Opening::Http2 | Opening::Other) => self.parse(side, first, mark, &partial, cx),
            (None, Opening::Request | Opening::Response | Opening::Undecided) => None,
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
            self.count(Anomaly::HeadTooLarge, 1, cx);
        } else {
            reader.partial = partial;
        }
        room.max(1).min(octets.len())
    }

    /// Keeps the start of a head until the rest comes.
    pub(super) fn keep_partial(&mut self, side: Side, mark: Mark, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let reader = self.readers.of_mut(side);
        if octets.len() >= cx.options.head_octets {
            reader.state = State::Lost;
            self.count(Anomaly::HeadTooLarge, 1, cx);
        } else {
            reader.partial.extend_from_slice(octets);
            reader.partial_mark = Some(mark);
            reader.search = EndSearch::default();
        }
        octets.len()
    }

    /// Parses a head; `None` where its end is not there yet. `first` and `last` are the marks of its first and last octets.
    pub(super) fn parse(
        &mut self,
        side: Side,
        first: Mark,
        last: Mark,
        octets: &[u8],
        cx: &mut Context<'_>,
    ) -> Option<usize> {
        let asks = match self.client {
            Some(client) => client == side,
            None => match recognize::opening(octets) {
                Opening::Request => true,
                Opening::Response => false,
                Opening::Undecided => return None,
                Opening::Tls if tls::hello(octets) == Hello::Unfinished => return None,
                Opening::Tls => {
                    self.give_up_tls(side, octets, cx);
                    return Some(octets.len());
                }
                Opening::Http2 => {
                    self.client = Some(side);
                    self.give_up(Anomaly::Http2Unreadable, cx);
                    return Some(octets.len());
                }
                Opening::Other => {
                    self.foreign = true;
                    self.readers.of_mut(side).state = State::Lost;
                    return Some(octets.len());
                }
            },
        };
        let bound = cx.options.field_lines;
        let near = &mut self.readers.of_mut(side).shape;
        let mut lines = Lines::default();
        let fault = if asks {
            match parse_request(octets, &mut lines, bound, near, cx.memory, cx.interest) {
                Parsed::Whole(head, length) if head.method.len() <= recognize::METHOD_OCTETS => {
                    self.client = Some(side);
                    self.readers.of_mut(side).note_head(first.offset);
                    self.request(side, (first, last), &head, &lines, length, cx);
                    return Some(length);
                }
                Parsed::Partial => return None,
                Parsed::TooMany => Anomaly::HeadTooLarge,
                Parsed::Whole(..) | Parsed::Bad => Anomaly::HeadMalformed,
            }
        } else {
            match parse_response(octets, &mut lines, bound, near, cx.memory, cx.interest) {
                Parsed::Whole(head, length) => {
                    self.client = Some(side.other());
                    self.readers.of_mut(side).note_head(first.offset);
                    self.response(side, (first, last), head.status, &mut lines, length, cx);
                    return Some(length);
                }
                Parsed::Partial => return None,
                Parsed::TooMany => Anomaly::HeadTooLarge,
                Parsed::Bad => Anomaly::HeadMalformed,
            }
        };
        if self.readers.of(side).state != (State::Head { found: true }) || fault == Anomaly::HeadTooLarge {
            self.count(fault, 1, cx);
        }
        self.lose(side);
        Some(octets.len())
    }
}
