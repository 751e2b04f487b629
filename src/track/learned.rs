//! A limit that nobody says, inferred from where refusals begin.
//!
//! A limit per window explains refusals where each began after about as many admitted exchanges, where none was admitted
//! past that count, and none refused far below it. What does not hold for three refusals in a row is not said at all.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Scope, Timestamp};

use super::identity::ScopeRef;

/// The windows that are tried, shortest first: those that providers use for limits they do not announce.
const WINDOWS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_mins(1), Duration::from_hours(1)];
/// Admitted exchanges whose time is kept, 8 octets each: no limit above this is found.
const KEPT: usize = 1024;
/// Beginnings of refusals that have to agree …
const AGREEING: usize = 3;
/// … and how many of them are kept.
const EPISODES: usize = 8;
/// How far their counts may lie apart, as a share of the largest.
const SPREAD: f64 = 0.1;
/// Client and provider place the window's edge differently by up to this, or by a fiftieth of a shorter window.
const EDGE: Duration = Duration::from_millis(250);
/// Waits are stated in whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// A limit as inferred.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) limit: u32,
    pub(super) window: Duration,
    /// From 0 to 1: grows with the refusals that agree, falls with how far they lie apart.
    pub(super) confidence: f64,
}

/// Watches an endpoint, as one caller uses it, that announces nothing.
pub(super) struct Learner {
    owner: Arc<str>,
    scope: Option<Scope>,
    endpoint: Arc<str>,
    admitted: VecDeque<Timestamp>,
    /// The newest of those that no longer fit.
    lost: Option<Timestamp>,
    hypotheses: [Hypothesis; WINDOWS.len()],
    /// The last refusal, where nothing was admitted since.
    refused_at: Option<Timestamp>,
    /// The shortest time from a refusal to the next admission.
    recovery: Option<Duration>,
    /// The longest wait that was asked for.
    wait: Duration,
}

/// What a window would explain.
#[derive(Debug, Clone, Default)]
struct Hypothesis {
    /// Admitted exchanges within the window before each first refusal.
    episodes: VecDeque<u32>,
    /// The most that were within the window when another was admitted.
    most_admitted: Option<u32>,
    /// The least that were within the window when one was refused.
    least_refused: Option<u32>,
}

impl Learner {
    pub(super) fn new(owner: &Arc<str>, scope: Option<&Scope>, endpoint: &Arc<str>) -> Self {
        Self {
            owner: Arc::clone(owner),
            scope: scope.cloned(),
            endpoint: Arc::clone(endpoint),
            admitted: VecDeque::new(),
            lost: None,
            hypotheses: <[Hypothesis; WINDOWS.len()]>::default(),
            refused_at: None,
            recovery: None,
            wait: Duration::ZERO,
        }
    }

    pub(super) fn hash(state: &impl BuildHasher, owner: &str, scope: Option<&Scope>, endpoint: &str) -> u64 {
        state.hash_one((owner, ScopeRef::of(scope), endpoint))
    }

    pub(super) fn is(&self, owner: &str, scope: Option<&Scope>, endpoint: &str) -> bool {
        *self.owner == *owner && self.scope.as_ref() == scope && *self.endpoint == *endpoint
    }

    /// Takes an admitted exchange; `now` never runs back.
    pub(super) fn admit(&mut self, now: Timestamp) {
        for (index, window) in WINDOWS.into_iter().enumerate() {
            let before = self.within(now, window.saturating_sub(edge(window)));
            let Some(hypothesis) = self.hypotheses.get_mut(index) else { continue };
            match before {
                Some(before) => hypothesis.most_admitted = hypothesis.most_admitted.max(Some(before)),
                None => *hypothesis = Hypothesis::default(),
            }
        }
        if let Some(refused) = self.refused_at.take() {
            let recovery = now.since(refused);
            self.recovery = Some(self.recovery.map_or(recovery, |known| known.min(recovery)));
        }
        let oldest = now.before(WINDOWS[WINDOWS.len() - 1] + EDGE);
        while self.admitted.front().is_some_and(|at| *at < oldest) {
            self.admitted.pop_front();
        }
        if self.admitted.len() >= KEPT {
            self.lost = self.admitted.pop_front();
        }
        self.admitted.push_back(now);
    }

    /// Takes a refusal.
    pub(super) fn refuse(&mut self, now: Timestamp, retry_after: Option<Duration>) {
        self.wait = self.wait.max(retry_after.unwrap_or_default());
        let begins = self.refused_at.replace(now).is_none();
        for (index, window) in WINDOWS.into_iter().enumerate() {
            let (before, at_most) = (self.within(now, window), self.within(now, window + edge(window)));
            let Some(hypothesis) = self.hypotheses.get_mut(index) else { continue };
            match before.zip(at_most) {
                Some((before, at_most)) => hypothesis.refuse(begins.then_some(before), at_most),
                None => *hypothesis = Hypothesis::default(),
            }
        }
    }

    /// The limit that explains what was seen: of several windows the shortest.
    pub(super) fn estimate(&self) -> Option<Estimate> {
        let recovery = self.recovery?;
        let possible = |window: Duration| self.wait <= window + ROUNDING && recovery <= window + ROUNDING;
        let fitting = |(window, hypothesis): (Duration, &Hypothesis)| {
            let (limit, certainty) = hypothesis.limit().filter(|_| possible(window))?;
            Some((limit, window, certainty))
        };
        let mut all = WINDOWS.into_iter().zip(&self.hypotheses).filter_map(fitting);
        let (limit, window, certainty) = all.next()?;
        // Each longer window that explains as much is a doubt.
        let doubts = all.fold(1.0, |doubts, _| doubts + 1.0);
        Some(Estimate { limit, window, confidence: certainty / doubts })
    }

    /// When exchanges were admitted.
    pub(super) fn admitted(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.admitted.iter().copied()
    }

    /// Exchanges that were admitted within `window` before now; absent where some of them were not kept.
    fn within(&self, now: Timestamp, window: Duration) -> Option<u32> {
        let oldest = now.before(window);
        if self.lost.is_some_and(|lost| lost > oldest) {
            return None;
        }
        let outside = self.admitted.partition_point(|at| *at <= oldest);
        u32::try_from(self.admitted.len() - outside).ok()
    }
}

impl Hypothesis {
    fn refuse(&mut self, begins: Option<u32>, at_most: u32) {
        if let Some(count) = begins {
            let agrees = self.episodes.iter().all(|known| apart(*known, count) <= SPREAD);
            if !agrees {
                *self = Self::default();
            }
            if self.episodes.len() >= EPISODES {
                self.episodes.pop_front();
            }
            self.episodes.push_back(count);
        }
        self.least_refused = Some(self.least_refused.map_or(at_most, |known| known.min(at_most)));
    }

    /// The limit, and how certain it is, where enough speaks for it and nothing against.
    fn limit(&self) -> Option<(u32, f64)> {
        let mut counts: Vec<u32> = self.episodes.iter().copied().collect();
        counts.sort_unstable();
        let (lowest, highest) = (*counts.first()?, *counts.last()?);
        let middle = *counts.get(counts.len() / 2)?;
        let overrun = self.most_admitted.is_some_and(|most| most >= highest);
        let early = self.least_refused.is_some_and(|least| least < lowest && apart(least, lowest) > SPREAD);
        if counts.len() < AGREEING || lowest == 0 || overrun || early {
            return None;
        }
        let episodes = f64::from(u32::try_from(counts.len()).ok()?);
        Some((middle, episodes / (episodes + 1.0) * (1.0 - apart(lowest, highest))))
    }
}

/// How far two counts lie apart, as a share of the larger one.
fn apart(a: u32, b: u32) -> f64 {
    let larger = a.max(b);
    if larger == 0 { 0.0 } else { f64::from(a.abs_diff(b)) / f64::from(larger) }
}

fn edge(window: Duration) -> Duration {
    EDGE.min(window / 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that asks evenly, and a provider that admits what `admits` says; what was learned after each episode.
    fn learned(milliseconds: u64, seconds: u64, mut admits: impl FnMut(u64) -> bool) -> Vec<Option<(u32, u64)>> {
        let mut learner = Learner::new(&"host".into(), None, &"GET /".into());
        let (mut all, mut refused) = (Vec::new(), false);
        let start = Timestamp::from_secs(1_800_000_000);
        for at in (0..seconds * 1000).step_by(usize::try_from(milliseconds).unwrap()) {
            let now = start.after(Duration::from_millis(at));
            if admits(at) {
                learner.admit(now);
                refused = false;
            } else {
                learner.refuse(now, None);
                if !refused {
                    all.push(learner.estimate().map(|e| (e.limit, e.window.as_secs())));
                }
                refused = true;
            }
            assert!(learner.admitted.len() <= KEPT);
        }
        all
    }

    fn fixed(limit: u64, window: u64) -> impl FnMut(u64) -> bool {
        let (mut number, mut used) = (0, 0);
        move |at| {
            if at / window != number {
                (number, used) = (at / window, 0);
            }
            used += 1;
            used <= limit
        }
    }

    #[test]
    fn a_fixed_window_is_found_after_three_refusals() {
        assert_eq!(learned(100, 300, fixed(100, 60_000))[..4], [None, None, Some((100, 60)), Some((100, 60))]);
        assert_eq!(learned(40, 100, fixed(5, 1000))[2..], vec![Some((5, 1)); 98]);
    }

    #[test]
    fn refusals_without_a_rule_teach_nothing() {
        // One in thirty, by a generator that repeats itself, at an even rate.
        let mut state = 1u64;
        let chance = move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            !(state >> 33).is_multiple_of(30)
        };
        let all = learned(100, 3000, chance);
        assert!(all.len() > 500);
        assert_eq!(all.iter().skip(20).flatten().count(), 0);
        // Five minutes are none of the windows.
        assert_eq!(learned(500, 3600, fixed(100, 300_000)).iter().flatten().count(), 0);
    }
}
