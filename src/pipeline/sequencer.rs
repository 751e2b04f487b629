//! Observations of several lanes, in the order of their time.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;

use super::observed::Made;
use crate::model::{Client, Observation, Timestamp};

/// Puts the observations of several lanes in the order of their response's time, whatever the number of lanes.
///
/// Each lane says by its watermark that nothing older will come from it. What is older than all watermarks is let go.
/// Ties are broken by the connection, and within one connection by the order in which they came, so that the order does
/// not depend on how connections are spread over lanes.
#[derive(Debug)]
pub struct Sequencer {
    /// Those that came in their order, which almost all do.
    in_order: VecDeque<Entry>,
    /// Those that came behind a later one.
    late: BinaryHeap<Reverse<Entry>>,
    watermarks: Vec<Timestamp>,
    /// The lowest of them: what no lane can precede any more.
    watermark: Timestamp,
    arrivals: u64,
    /// Whether one with the very time of the watermark waits for its tie.
    ties_wait: bool,
}

/// Observations that wait for the slowest lane; past this the oldest go on without it (a lane that hangs must not
/// cost memory without bound: about 1 KiB each).
const MOST_WAITING: usize = 32_768;

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    arrival: u64,
    made: Made,
    /// The number of the stream that it came from.
    stream: usize,
}

impl Sequencer {
    /// For so many lanes; none has said anything yet.
    pub fn new(lanes: usize) -> Self {
        Self {
            in_order: VecDeque::new(),
            late: BinaryHeap::new(),
            watermarks: vec![Timestamp::MIN; lanes],
            watermark: if lanes == 0 { Timestamp::MAX } else { Timestamp::MIN },
            arrivals: 0,
            ties_wait: true,
        }
    }

    /// For one lane that is all there is: nothing waits for a tie from elsewhere.
    pub fn for_one_lane() -> Self {
        Self { ties_wait: false, ..Self::new(1) }
    }

    /// Takes an observation of a stream.
    #[inline]
    pub(super) fn push(&mut self, made: Made, stream: usize) {
        self.arrivals += 1;
        let entry = Entry { at: made.observation.at, arrival: self.arrivals, made, stream };
        if self.in_order.back().is_none_or(|last| last.at < entry.at) {
            self.in_order.push_back(entry);
        } else {
            self.push_out_of_order(entry);
        }
    }

    /// Takes one that did not come later than the last one: it may still be next by its connection.
    #[cold]
    fn push_out_of_order(&mut self, entry: Entry) {
        if self.in_order.back().is_none_or(|last| *last < entry) {
            self.in_order.push_back(entry);
        } else {
            self.late.push(Reverse(entry));
        }
    }

    /// A lane says that nothing older than `watermark` will come from it. A watermark never falls.
    pub fn advance(&mut self, lane: usize, watermark: Timestamp) {
        if let Some(known) = self.watermarks.get_mut(lane) {
            *known = watermark.max(*known);
        }
        self.watermark = self.watermarks.iter().copied().min().unwrap_or(Timestamp::MAX);
    }

    /// A lane has ended.
    pub fn end(&mut self, lane: usize) {
        self.advance(lane, Timestamp::MAX);
    }

    /// The lane that holds the others up; `None` where all have ended.
    pub fn slowest(&self) -> Option<usize> {
        let lanes = self.watermarks.iter().enumerate().filter(|(_, watermark)| **watermark != Timestamp::MAX);
        lanes.min_by_key(|(_, watermark)| **watermark).map(|(lane, _)| lane)
    }

    /// What no lane can precede any more.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The next observation, if its turn has come, and its stream.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Made, usize)> {
        if self.late.is_empty() && self.in_order.front()?.at < self.watermark {
            return self.in_order.pop_front().map(|entry| (entry.made, entry.stream));
        }
        self.pop_out_of_order()
    }

    /// The next one, where some came late, or where it may have to wait.
    #[cold]
    fn pop_out_of_order(&mut self) -> Option<(Made, usize)> {
        self.pop_if(Self::is_due)
    }

    /// Whether none waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.in_order.is_empty() && self.late.is_empty()
    }

    /// The next observation, if it is older than `limit`, as all that is to come is not.
    #[cold]
    pub(super) fn pop_before(&mut self, limit: Timestamp) -> Option<(Made, usize)> {
        self.pop_if(|_, at| at < limit)
    }

    fn pop_if(&mut self, is_due: impl Fn(&Self, Timestamp) -> bool) -> Option<(Made, usize)> {
        let next = self.in_order.front();
        let late = self.late.peek().filter(|late| next.is_none_or(|next| late.0 < *next));
        let entry = match late {
            Some(Reverse(late)) if is_due(self, late.at) => self.late.pop()?.0,
            None if is_due(self, next?.at) => self.in_order.pop_front()?,
            _ => return None,
        };
        Some((entry.made, entry.stream))
    }

    /// Whether what came at `at`, and before all else that waits, is let go.
    fn is_due(&self, at: Timestamp) -> bool {
        at < self.watermark
            || self.watermark == Timestamp::MAX
            || (!self.ties_wait && at == self.watermark)
            || self.in_order.len().saturating_add(self.late.len()) > MOST_WAITING
    }
}

/// The order of observations that came together; those of one connection stay as they came.
pub(super) fn order(a: &Observation, b: &Observation) -> Ordering {
    a.at.cmp(&b.at).then_with(|| connection(a).cmp(&connection(b)))
}

fn connection(observation: &Observation) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let client = match observation.client {
        Client::Address(address) => Some(address),
        Client::Named(_) | Client::Unknown => None,
    };
    (client, observation.server)
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // Ties are rare: only they look at the observations.
        self.at.cmp(&other.at).then_with(|| {
            let (own, other_connection) = (connection(&self.made.observation), connection(&other.made.observation));
            own.cmp(&other_connection).then_with(|| self.arrival.cmp(&other.arrival))
        })
    }
}
