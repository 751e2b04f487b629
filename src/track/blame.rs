//! Which of the quotas that an exchange counts against refused it.

use std::time::Duration;

use crate::model::{Amount, Observation, QuotaSource, Timestamp};

use super::quota::{QuotaId, TrackedQuota};
use super::tracker::Tracker;
use super::update::stated_window;

impl Tracker {
    /// Lets those of the touched quotas take the refusal upon themselves that have nothing left, else the one that is used the
    /// most, of those alike the one with the shortest window.
    pub(super) fn blame(&mut self, observation: &Observation, now: Timestamp) {
        let mut guilty = Vec::new();
        let mut likeliest: Option<(f64, Duration, QuotaId)> = None;
        // The limit that the content of a refusal states is the one that ran out.
        let named = |quota: &TrackedQuota| {
            observation.readings.iter().any(|reading| {
                reading.source == QuotaSource::Body
                    && reading.limit.is_some()
                    && reading.limit == quota.limit
                    && stated_window(reading) == quota.key.window
            })
        };
        for quota in self.touched.iter().filter_map(|id| self.quota(*id)) {
            let numbers = quota.numbers(now);
            if named(quota) || numbers.remaining == Some(Amount::ZERO) {
                guilty.push(quota.id);
            }
            let utilization = numbers.utilization.unwrap_or(-1.0);
            let window = quota.window().unwrap_or(Duration::MAX);
            let likelier = likeliest.is_none_or(|(most, shortest, _)| {
                utilization > most || (utilization.total_cmp(&most).is_eq() && window < shortest)
            });
            if likelier {
                likeliest = Some((utilization, window, quota.id));
            }
        }
        if guilty.is_empty() {
            guilty.extend(likeliest.map(|(_, _, id)| id));
        }
        let sequence = self.sequence();
        let at = if self.is_late() { observation.at } else { now };
        for id in guilty {
            if let Some(quota) = self.quota_mut(id) {
                quota.refuse(observation.retry_after, at, sequence);
            }
            // Unseen, an endpoint's own quota is kept as it would be.
            let hidden: Vec<QuotaId> = self.touched.iter().copied().filter(|own| self.is_member(*own, id)).collect();
            for own in hidden {
                if let Some(quota) = self.quota_mut(own) {
                    quota.refuse(observation.retry_after, at, sequence);
                }
            }
        }
    }
}
