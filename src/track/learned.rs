//! A limit that nobody states, learned from where refusals begin.
//!
//! A limit shows as an edge: below it every exchange is accepted, at it none is. Each usual window, fixed or sliding, is a
//! guess; each time that its count ran into refusals is an episode, which speaks for the guess as much as it would be unlikely
//! by chance. Refusals that come by chance, for what runs at once, or in an outage keep to no edge, so they teach nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Timestamp, WindowKind};

use super::counted::CountedWindow;
use super::guess::{Guess, Shape};

/// The windows that providers use.
const WINDOWS: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(24),
];

/// What is believed of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Learned {
    pub(super) limit: f64,
    pub(super) window: Duration,
    pub(super) kind: WindowKind,
    /// How likely the next episode agrees with those before it, by Laplace's rule of succession: 0.8 after three.
    pub(super) confidence: f64,
}

/// What a quota makes of a limit that nobody states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Learning {
    /// Nothing: it never refused, or its limit is stated.
    Idle,
    /// It watches where its refusals begin.
    Watches,
    /// It believes a limit, and watches whether that holds.
    Believes(Learned),
}

impl Learning {
    #[inline]
    pub(super) const fn learned(self) -> Option<Learned> {
        match self {
            Self::Believes(learned) => Some(learned),
            Self::Idle | Self::Watches => None,
        }
    }
}

impl Learned {
    /// Whether two beliefs differ in nothing but how sure they are.
    pub(super) fn is_of_one_limit(self, other: Self) -> bool {
        self.window == other.window && self.kind == other.kind && self.limit.total_cmp(&other.limit).is_eq()
    }
}

/// Refusals that wait for what was on its way meanwhile; past it the oldest counts.
const WAITING: usize = 64;

/// Watches where refusals begin. Takes at most about 50 KiB.
#[derive(Debug, Clone)]
pub(super) struct Learner {
    guesses: Vec<Guess>,
    believed: Option<usize>,
    /// The newest moment of a decision that was taken in.
    newest: Timestamp,
    /// When an accepted exchange was last answered.
    accepted_at: Option<Timestamp>,
    /// When the last refused requests were asked and answered.
    waiting: VecDeque<(Timestamp, Timestamp)>,
}

impl Learner {
    /// Knows nothing of what came before `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        let shapes = [Shape::Clock, Shape::First, Shape::Sliding];
        let all = WINDOWS.into_iter().flat_map(|window| shapes.map(|shape| Guess::new(shape, window, now)));
        Self { guesses: all.collect(), believed: None, newest: now, accepted_at: None, waiting: VecDeque::new() }
    }

    /// Takes an exchange that was accepted at `now`, its request sent at `asked`.
    pub(super) fn accept(&mut self, asked: Option<Timestamp>, now: Timestamp) {
        // What was refused while this was on its way may have been refused for that.
        self.waiting.retain(|(_, answered)| asked.is_some_and(|asked| *answered <= asked));
        while let Some((asked, _)) = self.waiting.pop_front() {
            self.take(asked, true);
        }
        self.accepted_at = self.accepted_at.max(Some(now));
        self.take(asked.unwrap_or(now), false);
        // What is believed stays so until it is given up; of several that begin to convince at once, what is most certain.
        if self.believed.is_none_or(|index| !self.guesses.get(index).is_some_and(Guess::convinces)) {
            let convincing = self.guesses.iter().enumerate().filter(|(_, guess)| guess.convinces());
            self.believed = convincing.max_by(|(_, a), (_, b)| a.bits().total_cmp(&b.bits())).map(|(index, _)| index);
        }
    }

    /// Takes an exchange that was refused at `now`. Where it is not known when its request was sent, nobody knows what ran at
    /// the same time, and it says nothing.
    pub(super) fn refuse(&mut self, asked: Option<Timestamp>, now: Timestamp) {
        let Some(asked) = asked.filter(|asked| self.accepted_at.is_none_or(|accepted| accepted <= *asked)) else {
            return;
        };
        self.waiting.push_back((asked, now));
        if self.waiting.len() > WAITING
            && let Some((asked, _)) = self.waiting.pop_front()
        {
            self.take(asked, true);
        }
    }

    fn take(&mut self, decided: Timestamp, refused: bool) {
        self.newest = self.newest.max(decided);
        for guess in &mut self.guesses {
            guess.add(self.newest, refused);
        }
    }

    /// What is believed, if anything.
    pub(super) fn learned(&self) -> Option<Learned> {
        self.guesses.get(self.believed?)?.learned()
    }

    /// The accepted exchanges in the window that is believed.
    pub(super) fn counted(&self) -> Option<CountedWindow> {
        Some(self.guesses.get(self.believed?)?.counted())
    }
}
