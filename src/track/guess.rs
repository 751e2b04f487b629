//! One guess at a limit's window, and what speaks for it.

use std::time::Duration;

use crate::model::{Timestamp, WindowKind};

use super::counted::{CountedWindow, next_end};
use super::learned::Learned;

/// What episodes must come to before a limit is believed, in bits: the odds of chance are one to a milliard, where a day of
/// one-second windows has some hundred thousand tries.
const CONVINCING: f64 = 30.0;
/// More bits than that are not kept, so that a belief is given up soon enough.
const MOST: f64 = 60.0;
/// What each episode costs: episodes that say next to nothing must not add up.
const TOLL: f64 = 1.0;
/// What an episode that disagrees costs a limit that is believed: three in a row end the firmest belief.
const STRAY: f64 = 11.0;
/// Below this a limit's counts must be the same.
const SMALL: f64 = 10.0;
/// Episodes that must agree, however much each of them says.
const EPISODES: u32 = 3;
/// Where a window moves, a client that runs into its limit is refused at least this often there; one that is refused by chance
/// is accepted there almost always.
const REFUSED_AT_EDGE: f64 = 0.2;
/// By what part of its length a window may begin earlier or later than was thought: clocks differ, answers take their time.
const SLACK: u32 = 50;

/// Where a window begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// At a multiple of its length on the clock.
    Clock,
    /// With the first accepted exchange after the one before.
    First,
    /// Everywhere: it moves.
    Sliding,
}

/// A window, and what speaks for a limit over it.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    shape: Shape,
    window: Duration,
    edge: Option<Edge>,
    episode: Option<Episode>,
    count: Count,
    /// Accepted since the last episode of a window that moves.
    accepted: u32,
    /// Of those, what a limiter with this very edge would have refused.
    beyond: u32,
}

#[derive(Debug, Clone)]
enum Count {
    Moving {
        counted: CountedWindow,
        whole_from: Timestamp,
    },
    /// Accepted in the running window.
    Fixed {
        ends: Option<Timestamp>,
        accepted: u32,
        /// Whether the window was seen from its beginning.
        whole: bool,
        /// The end of the one before, where that ended in refusals.
        refused_until: Option<Timestamp>,
    },
}

/// Where refusals begin.
#[derive(Debug, Clone, Copy)]
struct Edge {
    /// Of its first episode: the others must agree with that one, so that it cannot drift.
    first: f64,
    /// The highest of those that agree: what was not seen can only lower a count.
    limit: f64,
    bits: f64,
    episodes: u32,
    /// Accepted and refused at the edge of a window that moves, as near as counts of one limit may differ.
    accepted_at: f64,
    refused_at: f64,
}

/// A run into refusals.
#[derive(Debug, Clone, Copy)]
struct Episode {
    since: Timestamp,
    /// Accepted after that in the same window.
    after: u32,
}

impl Guess {
    /// Nothing is known of what came before `now`.
    pub(super) fn new(shape: Shape, window: Duration, now: Timestamp) -> Self {
        let count = match shape {
            Shape::Sliding => Count::Moving {
                counted: CountedWindow::new(WindowKind::Sliding, window, f64::MAX),
                whole_from: now.after(window),
            },
            Shape::First => Count::Fixed { ends: None, accepted: 0, whole: true, refused_until: None },
            Shape::Clock => {
                let ends = Some(next_end(Timestamp::from_secs(0), window, now));
                Count::Fixed { ends, accepted: 0, whole: false, refused_until: None }
            }
        };
        Self { shape, window, edge: None, episode: None, count, accepted: 0, beyond: 0 }
    }

    /// Takes an exchange that was decided `now`; time never runs back.
    pub(super) fn add(&mut self, now: Timestamp, refused: bool) {
        match (&self.count, refused) {
            (Count::Moving { .. }, true) => self.refuse_moving(now),
            (Count::Moving { .. }, false) => self.accept_moving(now),
            (Count::Fixed { .. }, true) => self.refuse_fixed(now),
            (Count::Fixed { .. }, false) => self.accept_fixed(now),
        }
    }

    /// Whether what speaks for it is enough.
    pub(super) fn convinces(&self) -> bool {
        self.edge.is_some_and(|edge| edge.convinces())
    }

    /// What speaks for it.
    pub(super) fn bits(&self) -> f64 {
        self.edge.map_or(0.0, |edge| edge.bits)
    }

    pub(super) fn learned(&self) -> Option<Learned> {
        let edge = self.edge.filter(Edge::convinces)?;
        let episodes = f64::from(edge.episodes);
        Some(Learned {
            limit: edge.limit,
            window: self.window,
            kind: if self.shape == Shape::Sliding { WindowKind::Sliding } else { WindowKind::Fixed },
            confidence: (episodes + 1.0) / (episodes + 2.0),
        })
    }

    /// The accepted exchanges of the running window.
    pub(super) fn counted(&self) -> CountedWindow {
        match &self.count {
            Count::Moving { counted, .. } => counted.clone(),
            Count::Fixed { ends, accepted, .. } => {
                CountedWindow::running(self.window, *ends, self.shape == Shape::Clock, u64::from(*accepted))
            }
        }
    }

    fn accept_moving(&mut self, now: Timestamp) {
        let Count::Moving { counted, .. } = &mut self.count else { return };
        let before = counted.used(now);
        counted.add(now);
        self.accepted = self.accepted.saturating_add(1);
        let Some(edge) = &mut self.edge else { return };
        edge.accepted_at += f64::from(u8::from(before >= edge.first - edge.tolerance()));
        if before >= edge.limit {
            self.beyond = self.beyond.saturating_add(1);
        }
        self.exceed(before + 1.0);
    }

    fn refuse_moving(&mut self, now: Timestamp) {
        let Count::Moving { counted, whole_from } = &self.count else { return };
        if now < *whole_from {
            return;
        }
        let before = counted.used(now);
        if let Some(edge) = &mut self.edge {
            edge.refused_at += 1.0;
        }
        // Refusals within one window of the first are of one episode: they say the same once more.
        if self.episode.is_some_and(|episode| now < episode.since.after(self.window)) {
            if self.edge.is_some_and(|edge| before < edge.limit - edge.tolerance()) {
                self.disagree();
            }
            return;
        }
        let bits = self.edge.map_or(0.0, |_| odds(self.accepted, self.beyond));
        (self.accepted, self.beyond) = (0, 0);
        self.episode = Some(Episode { since: now, after: 0 });
        self.judge(before, bits);
    }

    fn accept_fixed(&mut self, now: Timestamp) {
        let Count::Fixed { ends, .. } = &self.count else { return };
        let ran_into_refusals = self.episode.is_some();
        if ends.is_some_and(|ends| now >= ends || (ran_into_refusals && now.after(self.window / SLACK) >= ends)) {
            self.close();
        } else if ran_into_refusals && self.shape == Shape::First {
            // It began at some other moment than was thought: here, where exchanges are accepted again.
            self.disagree();
            self.episode = None;
            self.close();
        }
        self.open(now);
        if let Some(episode) = &mut self.episode {
            episode.after = episode.after.saturating_add(1);
        }
        let Count::Fixed { accepted, .. } = &mut self.count else { return };
        *accepted = accepted.saturating_add(1);
        let reached = f64::from(*accepted);
        self.exceed(reached);
    }

    fn refuse_fixed(&mut self, now: Timestamp) {
        let Count::Fixed { ends, .. } = &self.count else { return };
        if ends.is_some_and(|ends| now >= ends) {
            self.close();
        }
        if self.shape == Shape::Clock {
            self.open(now);
        }
        let Count::Fixed { ends, accepted, refused_until, .. } = &self.count else { return };
        // By the provider's clock the window before may not be over yet.
        if *accepted == 0 && refused_until.is_some_and(|until| now <= until.after(self.window / SLACK)) {
            return;
        }
        if ends.is_none() {
            self.disagree();
        } else if self.episode.is_none() {
            self.episode = Some(Episode { since: now, after: 0 });
        }
    }

    /// Begins the window that a moment lies in, where none runs.
    fn open(&mut self, now: Timestamp) {
        let Count::Fixed { ends, refused_until, .. } = &mut self.count else { return };
        // One that was taken to begin a little early ends with the one that was meant.
        let meant = refused_until.map_or(now, |until| until.max(now));
        ends.get_or_insert_with(|| match self.shape {
            Shape::Clock => next_end(Timestamp::from_secs(0), self.window, meant),
            _ => now.after(self.window),
        });
    }

    /// Ends the running window, and takes what it says.
    fn close(&mut self) {
        let Count::Fixed { ends, accepted, whole, refused_until } = &mut self.count else { return };
        let was_whole = std::mem::replace(whole, true);
        let total = std::mem::take(accepted);
        let ended = ends.take();
        let episode = self.episode.take();
        *refused_until = ended.filter(|_| episode.is_some());
        let Some(episode) = episode.filter(|_| was_whole) else { return };
        let level = f64::from(total);
        if f64::from(episode.after) > tolerance(level) {
            self.disagree();
        } else {
            self.judge(level, odds(total, episode.after));
        }
    }

    /// What was accepted beyond the edge shows that there is none.
    fn exceed(&mut self, reached: f64) {
        self.edge = self.edge.filter(|edge| reached <= edge.limit + edge.tolerance());
    }

    /// Takes an episode that ran into refusals at that count.
    fn judge(&mut self, level: f64, bits: f64) {
        match &mut self.edge {
            Some(edge) if (level - edge.first).abs() <= edge.tolerance() => {
                edge.limit = edge.limit.max(level);
                edge.bits = (edge.bits + bits - TOLL).min(MOST);
                edge.episodes = edge.episodes.saturating_add(1);
                if edge.bits < 0.0 {
                    self.edge = None;
                }
            }
            Some(edge) if edge.convinces() => self.disagree(),
            _ => {
                let bits = (bits - TOLL).max(0.0);
                self.edge = (level >= 1.0).then_some(Edge {
                    first: level,
                    limit: level,
                    bits,
                    episodes: 1,
                    accepted_at: 0.0,
                    refused_at: 0.0,
                });
            }
        }
    }

    /// Takes a refusal where there should have been none.
    fn disagree(&mut self) {
        if let Some(edge) = &mut self.edge {
            let firm = edge.convinces();
            edge.bits -= STRAY;
            if !firm || !edge.convinces() {
                self.edge = None;
            }
        }
    }
}

impl Edge {
    fn convinces(&self) -> bool {
        let refused = self.refused_at >= REFUSED_AT_EDGE * (self.refused_at + self.accepted_at);
        self.bits >= CONVINCING && self.episodes >= EPISODES && refused
    }

    fn tolerance(&self) -> f64 {
        tolerance(self.first)
    }
}

/// By how much counts of one limit may differ: small ones not at all, others by one and a hundredth for what was not seen, and
/// for clocks that differ; less than the counts of chance traffic do, whose deviation is the root.
fn tolerance(limit: f64) -> f64 {
    if limit < SMALL { 0.0 } else { 1.0 + (limit / 100.0).min(limit.sqrt() / 4.0).floor() }
}

/// How unlikely it is by chance that a refusal came so late among the accepted ones, in bits.
fn odds(accepted: u32, after: u32) -> f64 {
    ((f64::from(accepted) + 1.0) / (f64::from(after) + 1.0)).log2()
}
