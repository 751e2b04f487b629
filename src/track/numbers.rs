//! What is left of a quota, and what is used.

use crate::model::{Amount, Timestamp};

use super::counted::CountedWindow;
use super::quota::TrackedQuota;

/// What is left of a quota, and what is used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Numbers {
    /// How many units are left.
    pub remaining: Option<Amount>,
    /// How many units are used.
    pub used: Option<Amount>,
    /// The share of the limit that is used: a ratio from 0, above 1 only where a counted limit is overrun.
    pub utilization: Option<f64>,
}

impl Numbers {
    /// As a provider says them that says what remains of a limit above zero.
    #[inline]
    pub(super) fn stated(limit: Amount, remaining: Amount, used: Option<Amount>) -> Self {
        // One division, correctly rounded: 800 of 1,000 is the very number that 0.8 is.
        let utilization = ((limit.value() - remaining.value()) / limit.value()).max(0.0);
        let used = used.unwrap_or_else(|| limit.less(remaining));
        Self { remaining: Some(remaining), used: Some(used), utilization: Some(utilization) }
    }
}

impl TrackedQuota {
    /// What is left and what is used, as last said or as counted; nothing once that is history.
    #[inline]
    pub fn numbers(&self, now: Timestamp) -> Numbers {
        match (&self.counted, self.has_expired(now)) {
            (None, true) => Numbers::default(),
            (Some(counted), expired) if expired || !self.said => self.counted_numbers(counted, now),
            _ => self.stated_numbers(),
        }
    }

    /// What was left and what was used when the last exchange was counted, at the moment that it was counted at.
    #[inline]
    pub const fn latest_numbers(&self) -> Numbers {
        self.latest
    }

    /// How many units are left, see [`Self::numbers`].
    pub fn remaining(&self, now: Timestamp) -> Option<Amount> {
        self.numbers(now).remaining
    }

    /// How many units are used, see [`Self::numbers`].
    pub fn used(&self, now: Timestamp) -> Option<Amount> {
        self.numbers(now).used
    }

    /// The share of the limit that is used, see [`Self::numbers`].
    pub fn utilization(&self, now: Timestamp) -> Option<f64> {
        self.numbers(now).utilization
    }

    /// As the provider said.
    #[inline]
    pub(super) fn stated_numbers(&self) -> Numbers {
        let limit = self.limit.filter(|limit| *limit > Amount::ZERO);
        if let (Some(limit), Some(remaining)) = (limit, self.remaining) {
            return Numbers::stated(limit, remaining, self.used);
        }
        let utilization = match (limit, self.used) {
            (Some(limit), Some(used)) => Some(used.value() / limit.value()),
            _ => self.stated_utilization,
        };
        let used = self.used.or_else(|| self.limit.zip(self.remaining).map(|(limit, remaining)| limit.less(remaining)));
        Numbers { remaining: self.remaining, used, utilization }
    }

    /// As the agent counted.
    fn counted_numbers(&self, counted: &CountedWindow, now: Timestamp) -> Numbers {
        let used = counted.used(now);
        let denied = self.denied_until.is_some_and(|until| now < until);
        let remaining = match self.limit {
            Some(_) if denied => Some(Amount::ZERO),
            Some(limit) => Amount::new((limit.value() - used).max(0.0)),
            None => self.remaining,
        };
        let limit = self.limit.map(Amount::value).filter(|limit| *limit > 0.0);
        let utilization = limit.map(|limit| used.max(0.0) / limit);
        let utilization = utilization.map(|ratio| if denied { ratio.max(1.0) } else { ratio });
        Numbers { remaining, used: Amount::new(used.max(0.0)), utilization }
    }
}
