//! Quotas whose limit nobody states: it is learned from their refusals, shown once it is certain, and given up when the
//! evidence turns.

use crate::model::{Amount, Observation, QuotaSource, ThrottleCause, Timestamp};

use super::bounded::Bounded;
use super::counted::CountedWindow;
use super::learned::{Learned, Learner, Learning};
use super::quota::{QuotaId, TrackedQuota};
use super::tracker::Tracker;

impl Tracker {
    /// Lets the touched quotas of which nothing is stated learn from an exchange.
    pub(super) fn learn_limits(&mut self, observation: &Observation, now: Timestamp) {
        let refused = match observation.throttled {
            None => false,
            Some(ThrottleCause::Quota | ThrottleCause::Burst | ThrottleCause::Unspecified) => true,
            // What ran at the same time, what was abused, and what was paid for is no question of the rate.
            Some(ThrottleCause::Concurrency | ThrottleCause::Abuse | ThrottleCause::Billing) => return,
        };
        if self.late {
            return;
        }
        let asked = observation.latency.map(|latency| now.before(latency));
        for index in 0..self.touched.len() {
            let Some(&id) = self.touched.get(index) else { return };
            let Some(quota) = self.quotas.get_mut(id.slot).filter(|quota| quota.id == id) else { continue };
            if !quota.is_unstated() || !(refused || quota.learning != Learning::Idle) {
                continue;
            }
            let Some(learner) = self.learners.of(id, now, refused) else {
                quota.forget_learned();
                continue;
            };
            if refused {
                learner.refuse(asked, now);
            } else {
                learner.accept(asked, now);
            }
            match (quota.learning.learned(), learner.learned()) {
                (Some(known), Some(learned)) if known.is_of_one_limit(learned) => {
                    quota.learning = Learning::Believes(learned);
                    if let Some(counted) = quota.counted.as_mut().filter(|_| !refused) {
                        counted.add(now);
                    }
                }
                (_, Some(learned)) => quota.believe(learned, learner.counted()),
                (_, None) => {
                    quota.forget_learned();
                    quota.turns += 1;
                    quota.learning = Learning::Watches;
                }
            }
        }
    }
}

impl TrackedQuota {
    /// Whether neither a response nor a declaration says how many units it has.
    fn is_unstated(&self) -> bool {
        let stated = self.limit.is_some() || self.counted.is_some();
        self.numbers_at.is_none() && self.counts_requests() && (!stated || self.learning.learned().is_some())
    }

    /// How sure a learned limit is: how likely the next run into it agrees; absent where it was stated.
    pub fn confidence(&self) -> Option<f64> {
        self.learning.learned().map(|learned| learned.confidence)
    }

    fn believe(&mut self, learned: Learned, counted: Option<CountedWindow>) {
        self.forget_learned();
        self.turns += 1;
        self.limit = Amount::new(learned.limit);
        self.source = QuotaSource::Learned;
        self.window_kind = Some(learned.kind);
        self.learning = Learning::Believes(learned);
        self.counted = counted;
    }

    /// Gives up a limit that was learned, with all that was concluded from it.
    pub(super) fn forget_learned(&mut self) {
        if self.learning.learned().is_some() {
            self.turns += 1;
            (self.limit, self.window_kind, self.counted, self.denied_until) = (None, None, None, None);
            (self.peak, self.peak_used) = (None, None);
            self.source = QuotaSource::Header;
            self.pace.restart();
        }
        self.learning = Learning::Idle;
    }
}

/// The learners of quotas, those that were silent the longest forgotten.
pub(super) struct Learners(Bounded<(QuotaId, Learner)>);

impl Learners {
    pub(super) fn new(bound: usize) -> Self {
        Self(Bounded::new(bound))
    }

    /// The learner of a quota; `begin` where there is to be one.
    fn of(&mut self, id: QuotaId, now: Timestamp, begin: bool) -> Option<&mut Learner> {
        // Serial numbers are ours: nobody can choose them to collide.
        let slot = match self.0.find(id.serial, |(known, _)| *known == id) {
            Some(slot) => slot,
            None if begin => self.0.insert(id.serial, (id, Learner::new(now))).0,
            None => return None,
        };
        self.0.touch(slot).map(|(_, learner)| learner)
    }
}
