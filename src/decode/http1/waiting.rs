//! Which request a response answers.
//!
//! As long as both streams are whole, the answers come in the order of the requests. Behind a gap nobody knows how many
//! requests or answers it hid, so each response is held against what the streams prove:
//!
//! - a server answers what it has received: a request that ends behind the acknowledgment number of the response's
//!   segment is not meant;
//! - an answer is sent after its request: a response that starts before what the client had acknowledged when it sent the
//!   request is older than the request;
//! - a client that waits for each answer before it asks again (nearly all do) had received the former answer when it sent
//!   the next request, and a server that has received more than a request has answered it.
//!
//! Where more than one request remains, the response is left without one rather than given a wrong one.

use smallvec::SmallVec;

use super::queue::Queue;
use crate::model::{Credential, Path, Request, Timestamp};

/// What a method means for the framing of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Head,
    Connect,
    Other,
}

impl Method {
    /// What the name of a method means.
    pub(crate) fn of(name: &[u8]) -> Self {
        match name {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// A request that waits for its response.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Absent once it is answered.
    pub(crate) request: Option<Request>,
    pub(crate) method: Method,
    /// The offset behind its head in the client's stream.
    pub(crate) head_end: u64,
    /// The offset behind its body, where that is known.
    pub(crate) end: Option<u64>,
    /// When its last octet was seen.
    pub(crate) ended_at: Option<Timestamp>,
    /// How far the client had heard the server when it sent the request.
    pub(crate) heard: Option<u64>,
    /// Whether the content of a success may matter, see
    /// [`Interest::content_of_success`](crate::model::Interest::content_of_success).
    pub(crate) success_matters: bool,
    /// Whether all answers before its own had begun when the client sent it; [`Waiting::push`] tells.
    pub(crate) apart: bool,
}

/// Clients send an empty line behind a body, or a FIN; a request is longer than that.
pub(crate) const STRAY_OCTETS: u64 = 4;

impl Asked {
    /// Whether the server had this request when it sent a response that starts at `start`, and not before the client
    /// had sent it.
    #[inline]
    fn may_be_heard(&self, start: u64, heard: Option<u64>) -> bool {
        heard.is_none_or(|heard| self.head_end <= heard) && self.heard.is_none_or(|before| before <= start)
    }

    /// The memory that it takes beyond its place.
    fn footprint(&self) -> usize {
        self.request.as_ref().map_or(0, |request| footprint(&request.path, &request.credentials))
    }

    /// Whether the server had received another request behind this one.
    #[inline]
    fn is_behind(&self, heard: Option<u64>) -> bool {
        matches!((heard, self.end), (Some(heard), Some(end)) if heard > end.saturating_add(STRAY_OCTETS))
    }
}

/// The memory that a request of these takes beyond its place.
#[inline]
pub(crate) fn footprint(path: &Path, credentials: &SmallVec<[Credential; 1]>) -> usize {
    path.footprint().saturating_add(credentials.capacity().saturating_mul(size_of::<Credential>()))
}

/// A place in the queue.
#[derive(Debug)]
pub(crate) enum Place {
    Asked(Asked),
    /// A gap in the client's stream: any number of requests.
    Unseen,
}

/// The requests of a connection that wait for their responses, in their order.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    places: Queue<Place>,
    /// What the requests take beyond their places.
    octets: usize,
    /// How many places behind the first one may be the next to be answered, for answers that a gap hid.
    spread: usize,
    /// Whether the client ever sent a request before the former answer had begun.
    pipelines: bool,
    last_heard: Option<u64>,
    /// Where the last interim response ended.
    interim_end: Option<u64>,
}

/// What is known of the request that a response answers.
#[derive(Debug)]
pub(crate) enum Answered {
    /// It is this one.
    Request(Asked),
    /// It is this one, unless others went unseen that were sent together with it.
    Likely(Asked),
    /// It was not captured, or several come into question.
    Unknown {
        /// Whether it may have been a HEAD request, whose response has no body.
        maybe_head: bool,
    },
}

impl Waiting {
    /// Appends a request; returns how many were given up to keep the bound.
    pub(crate) fn push(&mut self, mut asked: Asked, bound: usize) -> u64 {
        let given_up = if self.places.len() >= bound.max(1) { self.give_up_oldest() } else { 0 };
        let progressed = self.hear(asked.heard);
        asked.apart = self.places.is_empty() || (progressed && !self.pipelines);
        self.octets = self.octets.saturating_add(asked.footprint());
        self.places.push_back(Place::Asked(asked));
        given_up
    }

    /// [`Self::push`] of a request while none waits: it is to be written here. It is `apart`, has `heard` so far, and takes so
    /// much `beyond` its place.
    #[inline(always)]
    pub(crate) fn only_place(&mut self, heard: Option<u64>, beyond: usize) -> Option<&mut Option<Place>> {
        self.hear(heard);
        self.octets = self.octets.saturating_add(beyond);
        self.places.only_place()
    }

    /// Notes how far the client had heard the server when it sent a request; returns whether that may be further than before.
    #[inline]
    fn hear(&mut self, heard: Option<u64>) -> bool {
        let progressed = match (self.last_heard, heard) {
            (Some(last), Some(heard)) => heard > last,
            _ => true,
        };
        if !progressed {
            self.note_pipelining();
        }
        self.last_heard = heard.or(self.last_heard);
        progressed
    }

    /// Whether no request waits, seen or not.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[cold]
    fn give_up_oldest(&mut self) -> u64 {
        let oldest = self.pop();
        self.spread = self.places.len();
        u64::from(matches!(oldest, Some(Place::Asked(_))))
    }

    /// The client does not wait for each answer before it asks again.
    #[cold]
    fn note_pipelining(&mut self) {
        self.pipelines = true;
        // Nor did it wait before those that were taken for the next in turn.
        for place in self.places.rest_mut() {
            if let Place::Asked(asked) = place {
                asked.apart = false;
            }
        }
    }

    /// The last request, while its body still comes.
    #[inline]
    pub(crate) fn last_mut(&mut self) -> Option<&mut Asked> {
        match self.places.back_mut() {
            Some(Place::Asked(asked)) => Some(asked),
            _ => None,
        }
    }

    /// Notes that any number of requests may have gone unseen.
    pub(crate) fn note_unseen_requests(&mut self) {
        if !matches!(self.places.back_mut(), Some(Place::Unseen)) {
            self.places.push_back(Place::Unseen);
        }
    }

    /// Notes that an interim response ended at `end`: a client that has heard it has not heard an answer.
    pub(crate) fn note_interim(&mut self, end: u64) {
        self.interim_end = Some(end);
        self.last_heard = Some(self.last_heard.map_or(end, |last| last.max(end)));
    }

    /// Notes that any number of answers may have gone unseen.
    pub(crate) fn note_unseen_answers(&mut self) {
        self.spread = self.places.len();
    }

    /// Whether a message may start at this offset of the server's stream, found where framing was lost.
    ///
    /// The answer to a request starts where the client had heard the server when it sent it. A status line elsewhere is
    /// believed only where the server had received more than the requests that were seen.
    pub(crate) fn may_start_at(&self, start: u64, heard: Option<u64>) -> bool {
        let received = |asked: &Asked| heard.is_none_or(|heard| asked.head_end <= heard);
        let latest = self.places.iter().rev().find_map(|place| match place {
            Place::Asked(asked) if received(asked) => Some(asked),
            _ => None,
        });
        match latest {
            Some(asked) if !self.pipelines => {
                asked.heard.is_none_or(|expected| expected == start) || asked.is_behind(heard)
            }
            _ => true,
        }
    }

    /// The request that a final response answers, if it is the only one that waits and nothing speaks against it: nearly
    /// always. Any other is left to [`Self::answer`].
    #[inline]
    pub(crate) fn only(&mut self, start: u64, heard: Option<u64>) -> Option<&mut Asked> {
        let Some(Place::Asked(asked)) = self.places.only_mut() else { return None };
        (asked.may_be_heard(start, heard) && (self.pipelines || !asked.is_behind(heard))).then_some(asked)
    }

    /// The one that [`Self::only`] gave is answered.
    #[inline]
    pub(crate) fn answer_only(&mut self) {
        self.places.drop_only();
        self.octets = 0;
        self.spread = 0;
    }

    /// Takes the request out that a final response answers; `start` and `heard` are the response's first octet and what
    /// its sender had heard. Also returns how many requests turned out to have lost their answers.
    pub(crate) fn answer(&mut self, start: u64, heard: Option<u64>) -> (Answered, u64) {
        let (first, last) = self.window(start, heard);
        let mut given_up = 0u64;
        let mut behind_unseen = false;
        for _ in 0..first {
            let place = self.pop();
            behind_unseen |= matches!(place, Some(Place::Unseen));
            given_up = given_up.saturating_add(u64::from(matches!(place, Some(Place::Asked(_)))));
        }
        self.spread = self.spread.saturating_sub(first);
        let Some(last) = last else {
            return (Answered::Unknown { maybe_head: true }, given_up);
        };
        let rest = last.saturating_sub(first);
        let unknown = Answered::Unknown { maybe_head: self.any_head(0, rest) };
        match self.pop() {
            Some(Place::Asked(asked)) if rest == 0 => {
                self.spread = 0;
                (if behind_unseen { Answered::Likely(asked) } else { Answered::Request(asked) }, given_up)
            }
            Some(Place::Asked(_)) => (unknown, given_up.saturating_add(1)),
            Some(Place::Unseen) => {
                self.places.push_front(Place::Unseen);
                self.spread = self.spread.saturating_add(1);
                (unknown, given_up)
            }
            None => (unknown, given_up),
        }
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> u64 {
        self.places.iter().filter(|place| matches!(place, Place::Asked(_))).count() as u64
    }

    /// The memory that they take.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        self.places.footprint().saturating_add(self.octets)
    }

    /// Whether that is surely no more than this.
    #[inline]
    pub(crate) fn is_small(&self, bound: usize) -> bool {
        self.places.has_first_only() && self.octets.saturating_add(size_of::<Place>()) <= bound
    }

    /// Gives all requests up, as if they had gone unseen; returns how many that were.
    pub(crate) fn give_up(&mut self) -> u64 {
        let given_up = self.len();
        let Self { pipelines, last_heard, .. } = *self;
        *self = Self { pipelines, last_heard, ..Self::default() };
        if given_up > 0 {
            self.note_unseen_requests();
        }
        given_up
    }

    fn pop(&mut self) -> Option<Place> {
        let place = self.places.pop_front();
        if let Some(Place::Asked(asked)) = &place {
            self.octets = self.octets.saturating_sub(asked.footprint());
        }
        place
    }

    /// The places that may be the one that is answered: how many before them are certainly not, and the last one.
    fn window(&self, start: u64, heard: Option<u64>) -> (usize, Option<usize>) {
        // A gap may hide no request at all, so the place behind it comes into question too.
        let mut reach = self.spread;
        let mut first = 0usize;
        let mut last = None;
        for (index, place) in self.places.iter().enumerate() {
            match place {
                Place::Asked(asked) if !asked.may_be_heard(start, heard) => break,
                // The server had received more than this request, so that the client had its answer.
                Place::Asked(asked) if !self.pipelines && asked.is_behind(heard) => {
                    first = index.saturating_add(1);
                    reach = reach.max(first);
                    continue;
                }
                // All before it were answered before `start`: whatever the reach, it is this one or a later one. An
                // answer that starts further on has another before it, which went unseen.
                Place::Asked(asked)
                    if asked.apart && index > 0 && (asked.heard == Some(start) || self.interim_end == Some(start)) =>
                {
                    first = index;
                    reach = reach.max(index);
                }
                _ if index > reach => break,
                Place::Unseen => reach = reach.saturating_add(1),
                Place::Asked(_) => {}
            }
            last = Some(index);
        }
        (first, last.filter(|last| *last >= first))
    }

    fn any_head(&self, from: usize, to: usize) -> bool {
        self.places.iter().take(to.saturating_add(1)).skip(from).any(|place| match place {
            Place::Asked(asked) => asked.method == Method::Head,
            Place::Unseen => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(head_end: u64, heard: Option<u64>, known_end: bool) -> Asked {
        Asked {
            request: Some(Request {
                at: None,
                method: "GET".into(),
                host: None,
                path: format!("/{head_end}").into(),
                credentials: SmallVec::new(),
            }),
            method: Method::Other,
            head_end,
            end: known_end.then_some(head_end),
            ended_at: None,
            heard,
            success_matters: true,
            apart: false,
        }
    }

    proptest! {
        /// The only request that waits is answered as the search among several answers it.
        #[test]
        fn the_only_request_is_the_one_that_the_search_finds(
            steps in prop::collection::vec((0u8..8, 0u64..40, prop::option::of(0u64..40), any::<bool>()), 0..8),
        ) {
            let (mut short, mut full) = (Waiting::default(), Waiting::default());
            for (step, place, heard, known_end) in steps {
                for waiting in [&mut short, &mut full] {
                    match step {
                        0 => waiting.note_unseen_requests(),
                        1 => waiting.note_unseen_answers(),
                        2 => waiting.note_interim(place),
                        3 | 4 => {
                            waiting.push(asked(place, heard, known_end), 3);
                        }
                        _ => {}
                    }
                }
                if step > 4 {
                    let wanted = full.answer(place, heard);
                    let answered = if let Some(asked) = short.only(place, heard) {
                        let request = asked.request.take();
                        let answered = Asked { request, ..self::asked(asked.head_end, asked.heard, asked.end.is_some()) };
                        let answered = Asked { apart: asked.apart, ..answered };
                        short.answer_only();
                        (Answered::Request(answered), 0)
                    } else {
                        short.answer(place, heard)
                    };
                    prop_assert_eq!(format!("{answered:?}"), format!("{wanted:?}"));
                }
                prop_assert_eq!(format!("{short:?}"), format!("{full:?}"));
            }
        }
    }
}
