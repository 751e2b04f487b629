//! The short way of what nearly all heads are: whole, of a known shape and in their turn, with a body that nobody wants to see,
//! or that is there in whole.
//!
//! It changes only what such a head changes. [`Conversation::head`] finds the same of them, and of all that is not ordinary.

use std::sync::Arc;

use smallvec::SmallVec;

use super::super::framing::BodyEnd;
use super::super::lines::Roles;
use super::super::memory::Memory;
use super::super::reader::{Chunk, Mark, State};
use super::super::recognize::{ordinary_path, ordinary_status};
use super::super::shape::Shape;
use super::super::target::PATH_OCTETS;
use super::super::waiting::{self, Asked, Method, Place};
use super::messages::wants_content;
use super::{Context, Conversation};
use crate::decode::flow_key::Side;
use crate::decode::options::DecodeOptions;
use crate::model::{Body, Client, Exchange, Fields, Path, Request, Response};

impl Conversation {
    /// Reads an ordinary head at the start of `octets`; gives its length. `None`, and nothing was read, where it is none.
    #[inline]
    pub(super) fn ordinary_head(
        &mut self,
        side: Side,
        mark: &Mark,
        octets: &[u8],
        cx: &mut Context<'_>,
    ) -> Option<usize> {
        let reader = self.readers.of(side);
        let in_turn = matches!(reader.state, State::Head { found: false } | State::Opening);
        if !in_turn || !reader.partial.is_empty() || self.holds_back() {
            return None;
        }
        // Where nobody said anything yet, only a client may.
        if self.client.unwrap_or(side) == side {
            self.ordinary_request(side, mark, octets, cx)
        } else {
            self.ordinary_response(side, mark, octets, cx)
        }
    }

    fn ordinary_request(&mut self, side: Side, mark: &Mark, octets: &[u8], cx: &mut Context<'_>) -> Option<usize> {
        let Memory { methods, names, requests, .. } = &mut *cx.memory;
        let (known, target) = methods.at_start(octets)?;
        let (path, lines) = ordinary_path(target)?;
        if path.len() > PATH_OCTETS || known.method == Method::Connect || !self.waiting.is_empty() {
            return None;
        }
        let reader = self.readers.of_mut(side);
        let id = reader.likely_shape(requests.last());
        let shape = requests.plain(id)?;
        let host = shape.host.as_ref()?;
        let mut credentials = SmallVec::new();
        let (said, behind) = shape.compare(lines, Roles::CREDENTIAL, |name, value| {
            if let Some(credential) = names.credential(cx.key, name, value) {
                credentials.push(credential);
            }
        })?;
        let length = octets.len().saturating_sub(behind.len());
        let head_end = mark.offset.saturating_add(length as u64);
        let (state, end, ended_at) = match said {
            BodyEnd::Unsaid | BodyEnd::Length(0) => (State::Head { found: false }, head_end, Some(mark.at)),
            BodyEnd::Length(left) => (State::Length { left, doubtful: false }, head_end.saturating_add(left), None),
            _ => return None,
        };
        let path = Path::of_ascii(path)?;
        self.client = Some(side);
        cx.counters.requests = cx.counters.requests.saturating_add(1);
        reader.note_head(mark.offset);
        reader.state = state;
        reader.shape = id;
        if self.last_host.as_ref().is_none_or(|last| !Arc::ptr_eq(last, host)) {
            self.last_host = Some(Arc::clone(host));
        }
        let place = self.waiting.only_place(mark.heard, waiting::footprint(&path, &credentials))?;
        *place = Some(Place::Asked(Asked {
            request: Some(Request {
                at: Some(mark.at),
                method: Arc::clone(&known.text),
                host: Some(Arc::clone(&host.name)),
                path,
                credentials,
            }),
            method: known.method,
            head_end,
            end: Some(end),
            ended_at,
            heard: mark.heard,
            success_matters: host.success_matters,
            apart: true,
        }));
        requests.met(id);
        Some(length)
    }

    fn ordinary_response(&mut self, side: Side, mark: &Mark, octets: &[u8], cx: &mut Context<'_>) -> Option<usize> {
        let (status, lines) = ordinary_status(octets)?;
        let asked = self.waiting.only(mark.offset, mark.heard)?;
        let is_plain = status >= 200 && !matches!(status, 204 | 304);
        if !is_plain || asked.method != Method::Other {
            return None;
        }
        let reader = self.readers.of_mut(side);
        let id = reader.likely_shape(cx.memory.responses.last());
        let shape = cx.memory.responses.plain(id)?;
        let mut fields = Fields::default();
        let (said, mut behind) = shape.compare(lines, Roles::KEPT, |_, value| fields.push_value(value))?;
        let mut state = match said {
            BodyEnd::Length(0) => State::Head { found: false },
            BodyEnd::Length(left) => State::Length { left, doubtful: false },
            BodyEnd::Chunked => State::Chunked(Chunk::Size { size: 0, digits: 0 }),
            _ => return None,
        };
        let mut body = None;
        let may_matter = (status >= 400 || asked.success_matters) && said != BodyEnd::Length(0);
        if may_matter && wants_content(asked.request.as_ref(), status, cx.interest) {
            let (octets, rest) = whole_content(said, shape, behind, cx.options)?;
            (body, behind) = (Some(Body { octets: octets.to_vec(), truncated: false }), rest);
            state = State::Head { found: false };
        }
        if let Some(common) = &shape.kept {
            fields.begin(common);
        }
        let (place, at) = (cx.exchanges.next_place()?, mark.at);
        *place = Some(Exchange {
            source: Arc::clone(&self.source),
            latency: asked.ended_at.filter(|ended| *ended <= at).map(|ended| at.since(ended)),
            request: asked.request.take(),
            client: Client::Address(*self.addresses.of(side.other())),
            server: Some(*self.addresses.of(side)),
            response: Response { at, status, fields, body },
        });
        self.waiting.answer_only();
        cx.memory.responses.met(id);
        reader.note_head(mark.offset);
        reader.state = state;
        reader.shape = id;
        cx.counters.responses = cx.counters.responses.saturating_add(1);
        cx.counters.exchanges = cx.counters.exchanges.saturating_add(1);
        Some(octets.len().saturating_sub(behind.len()))
    }
}

/// The content that lies whole behind a head, and what follows it; `None` where it is longer than what is kept, or coded.
fn whole_content<'a>(
    said: BodyEnd,
    shape: &Shape,
    behind: &'a [u8],
    options: &DecodeOptions,
) -> Option<(&'a [u8], &'a [u8])> {
    let BodyEnd::Length(length) = said else { return None };
    let length = usize::try_from(length).ok().filter(|length| *length <= options.body_octets && !shape.is_coded)?;
    behind.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::DecodeOptions;
    use crate::decode::exchanges::Exchanges;
    use crate::decode::flow_key::Sides;
    use crate::model::{HashKey, InputCounters, Interest, Timestamp};

    /// Keeps the content of refusals, and of all that one host says.
    struct Refusals;

    impl Interest for Refusals {
        fn response_field(&self, name: &[u8]) -> bool {
            name.starts_with(b"X-")
        }

        fn credential_field(&self, name: &[u8]) -> bool {
            self.response_field(name) || name == b"Authorization"
        }

        fn credential_parameter(&self, name: &[u8]) -> bool {
            name == b"key"
        }

        fn content(&self, status: u16, host: Option<&str>, _: Option<&str>) -> bool {
            status >= 400 || host == Some("b")
        }

        fn content_of_success(&self, host: &str) -> bool {
            host == "b"
        }
    }

    /// A conversation, and all that it says.
    struct Watched {
        conversation: Conversation,
        counters: InputCounters,
        memory: Memory,
        exchanges: Exchanges,
    }

    impl Watched {
        fn new() -> Self {
            let ends = Sides::new(([192, 0, 2, 1], 80).into(), ([10, 0, 0, 7], 50_000).into());
            Self {
                conversation: Conversation::new("test".into(), ends),
                counters: InputCounters::default(),
                memory: Memory::default(),
                exchanges: Exchanges::default(),
            }
        }

        fn take(&mut self, side: Side, mark: Mark, octets: &[u8], short: bool) -> u64 {
            let cx = &mut Context {
                options: &DecodeOptions::default(),
                key: &HashKey::new([1; 16]),
                interest: &Refusals,
                counters: &mut self.counters,
                memory: &mut self.memory,
                exchanges: &mut self.exchanges,
            };
            if octets.is_empty() {
                self.conversation.gap(side, 7, cx).saturating_add(7)
            } else if short {
                self.conversation.octets(side, mark, octets, cx)
            } else {
                self.conversation.read(side, mark, octets, 0, cx)
            }
        }

        fn says(&self) -> String {
            let Self { conversation, counters, exchanges, .. } = self;
            format!("{conversation:?} {counters:?} {exchanges:?}")
        }
    }

    const METHODS: [&str; 8] = ["GET", "GET", "GET", "GET", "POST", "HEAD", "CONNECT", "PROPFIND"];
    const TARGETS: &str = "(/[a-z/]{0,40}){1,2}|/a[?]key=b|/[ -~]{0,9}|http://a/b";
    const REQUEST_LINES: [&str; 7] = [
        "Host: a\r\n",
        "Host: a\r\nAuthorization: #\r\n",
        "Host: a\r\nContent-Length: 3\r\n",
        "Host: a\r\nX-Key: #\r\nAuthorization: %\r\nContent-Length: #\r\n",
        "Host: b\r\n",
        "Host: #\r\n",
        "Host: a\r\nTransfer-Encoding: chunked\r\n",
    ];
    const STATUSES: [&str; 9] =
        ["200 OK", "200 OK", "200 OK", "429 No", "204 No Content", "304 x", "429 No", "100 Continue", "101 x"];
    const RESPONSE_LINES: [&str; 8] = [
        "Content-Length: #\r\n",
        "X-A: #\r\nContent-Length: #\r\nX-B:%\r\nX-C: same\r\n",
        "Content-Length: 3\r\nX-A: #\r\n",
        "Content-Length: 3\r\nContent-Encoding: br\r\n",
        "Transfer-Encoding: chunked\r\nX-A: #\r\n",
        "Transfer-Encoding: chunked\r\nTrailer: X-D\r\n",
        "X-A: %\r\n",
        "Content-Length: #\r\nContent-Length: #\r\n",
    ];
    const BODIES: [&str; 9] =
        ["", "", "", "1", "123", "12345", "3\r\nabc\r\n0\r\n\r\n", "x\r\n", "HTTP/1.1 200 OK\r\n\r\n"];

    proptest! {
        /// Both ways leave the same conversation behind, whatever comes.
        #[test]
        fn the_short_way_does_what_the_full_way_does(
            messages in prop::collection::vec(
                (prop::sample::select(&METHODS[..]), TARGETS, prop::sample::select(&REQUEST_LINES[..]),
                 prop::sample::select(&STATUSES[..]), prop::sample::select(&RESPONSE_LINES[..]),
                 prop::sample::select(&BODIES[..]), (0u64..40, "[ -~]{0,20}"), 0u8..30, 0usize..300),
                0..14,
            ),
            usual in prop::option::of(prop::sample::select(vec![RESPONSE_LINES[1], RESPONSE_LINES[3]])),
        ) {
            let (mut short, mut full) = (Watched::new(), Watched::new());
            let mut next = [0u64, 0];
            for (count, (method, target, asked, status, answered, body, (number, text), oddity, cut)) in
                messages.into_iter().enumerate()
            {
                if oddity == 6 {
                    // What the former conversation taught helps the next one.
                    (short.conversation, full.conversation, next) = (Watched::new().conversation, Watched::new().conversation, [0, 0]);
                }
                let filled = |lines: &str| lines.replace('#', &number.to_string()).replace('%', &text);
                // Where all is as usual, many a head is of the shape of the former one.
                let (asked, answered) = usual.map_or((asked, answered), |usual| (REQUEST_LINES[1], usual));
                let request = format!("{method} {target} HTTP/1.1\r\n{}\r\n", filled(asked));
                let response = format!("HTTP/1.1 {status}\r\n{}\r\n{body}", filled(answered));
                let both = [(Side::High, 0, 1, request), (Side::Low, 1, 0, response)];
                let turns = match oddity { 0 => &both[1..], 1 => &both[..1], _ => &both[..] };
                for (side, own, other, message) in turns {
                    let octets = message.as_bytes();
                    let (first, second) = octets.split_at(if oddity == 2 { cut.min(octets.len()) } else { 0 });
                    for octets in [first, second] {
                        if octets.is_empty() && oddity != 3 {
                            continue;
                        }
                        let heard = match oddity { 4 => None, 5 => Some(0), _ => Some(next[*other]) };
                        let at = Timestamp::from_nanos(i64::try_from(count).unwrap_or(0).saturating_mul(1_000_000));
                        let mark = Mark { at, offset: next[*own], heard };
                        let unneeded = short.take(*side, mark, octets, true);
                        prop_assert_eq!(unneeded, full.take(*side, mark, octets, false));
                        next[*own] = next[*own].saturating_add(octets.len() as u64).saturating_add(unneeded);
                        prop_assert_eq!(short.says(), full.says());
                    }
                }
            }
        }
    }
}
