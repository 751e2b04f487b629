//! What leaves the rules on a quota as they are.

use crate::model::Timestamp;
use crate::track::sooner;

use super::facts::Facts;
use super::machine::Level;
use super::outlook::Outlook;
use super::quota_rules::{exhaustion, throttled_ratio};

/// What exchanges have in common that change nothing but a deadline: no state, no alert.
///
/// It is found out once a judgement left nothing to be done, and holds until a moment of the outlook or another level: an
/// exchange that it covers needs no judgement.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    until: Timestamp,
    /// The utilizations at which no machine changes: from the first, below the second.
    band: (f64, f64),
    history_at: Option<Timestamp>,
    throttled: u64,
    /// The level of the share of refusals, where there are any: as long as none comes and none leaves, it only falls.
    share: Option<Level>,
    pub(super) outlook: Outlook,
    /// Whether the deadline moves on with each exchange.
    pub(super) moves: bool,
}

impl Rest {
    /// What is like a judgement that every machine stays at, and by which nothing fires that may grow worse; at the thresholds
    /// of utilization a machine may change.
    pub(super) fn of(facts: &Facts<'_>, outlook: Outlook, thresholds: [f64; 4]) -> Option<Self> {
        let is_ordinary =
            facts.is_observed() && !facts.is_turn() && facts.short_window.is_none() && !facts.is_history();
        let ratio = facts.numbers.utilization.filter(|_| is_ordinary)?;
        let has_refusals = facts.quota.recent_at_most().throttled > 0;
        let leaves = if has_refusals { Some(facts.quota.recent_until()?) } else { None };
        let until = sooner(sooner(outlook.fixed(), facts.history_at), leaves).unwrap_or(Timestamp::MAX);
        Some(Self {
            until,
            band: band(ratio, thresholds),
            history_at: facts.history_at,
            throttled: facts.quota.throttled(),
            share: has_refusals.then(|| throttled_ratio(facts)),
            outlook,
            moves: outlook.moves(facts),
        })
    }

    /// Whether an exchange is one of those.
    #[inline]
    pub(super) fn covers(&self, facts: &Facts<'_>) -> bool {
        let (from, below) = self.band;
        facts.is_observed()
            && facts.now < self.until
            && facts.numbers.utilization.is_some_and(|ratio| from <= ratio && ratio < below)
            && facts.quota.throttled() == self.throttled
            && facts.history_at == self.history_at
            && !facts.is_turn()
            && facts.short_window.is_none()
            && self.share.is_none_or(|level| throttled_ratio(facts) == level)
            && exhaustion(facts) != Level::Fires
    }
}

/// The utilizations between the nearest two thresholds.
fn band(ratio: f64, thresholds: [f64; 4]) -> (f64, f64) {
    let (mut from, mut below) = (f64::NEG_INFINITY, f64::INFINITY);
    for threshold in thresholds {
        if threshold > ratio {
            below = if threshold < below { threshold } else { below };
        } else if threshold > from {
            from = threshold;
        }
    }
    (from, below)
}
