//! What the tracker knows, in the words of the model.

use crate::model::{ErrorCodeCount, QuotaState, Snapshot, Timestamp};

use super::endpoint::Endpoint;
use super::quota::TrackedQuota;
use super::tracker::Tracker;

/// Five minutes, the span of the recent counts.
const RECENT: std::time::Duration = std::time::Duration::from_mins(5);

impl Tracker {
    /// The state at a moment: quotas, endpoints, error codes and the trend. What else a snapshot holds is for others.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let now = self.now.map_or(now, |newest| newest.max(now));
        let mut quotas: Vec<QuotaState> = self.quotas().map(|quota| quota.state(now)).collect();
        quotas.sort_by(|a, b| order(a).cmp(&order(b)));
        let mut endpoints: Vec<_> = self.endpoints.iter().map(Endpoint::state).collect();
        endpoints.sort_by(|a, b| (&a.host, &a.endpoint).cmp(&(&b.host, &b.endpoint)));
        let mut error_codes: Vec<ErrorCodeCount> = self
            .error_codes
            .iter()
            .map(|((owner, code, scope_kind), count)| ErrorCodeCount {
                owner: owner.clone(),
                code: code.clone(),
                scope_kind: scope_kind.clone(),
                count: *count,
            })
            .collect();
        // The sort is stable: equal counts stay in the order of owner and code.
        error_codes.sort_by_key(|code| std::cmp::Reverse(code.count));
        Snapshot { at: Some(now), quotas, endpoints, error_codes, trend: self.trend.at(now), ..Snapshot::default() }
    }
}

impl TrackedQuota {
    /// The quota at a moment.
    pub fn state(&self, now: Timestamp) -> QuotaState {
        let recent = self.recent(now, RECENT);
        let mut endpoints = self.endpoints.clone();
        endpoints.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        QuotaState {
            key: self.key.clone(),
            provider: self.provider.clone(),
            host: self.host.clone(),
            endpoint: self.endpoint().clone(),
            endpoints,
            scope: self.key.scope.clone(),
            policy: self.policy.clone(),
            dimension: self.key.dimension.clone(),
            source: self.source,
            limit: self.limit,
            remaining: self.remaining(now),
            utilization: self.utilization(now),
            peak_utilization: self.peak_utilization(),
            window: self.window(),
            window_kind: self.window_kind,
            reset_at: self.reset_at(now),
            requests: self.requests,
            throttled: self.throttled,
            recent_requests: recent.requests,
            recent_throttled: recent.throttled,
            error_codes: self.error_codes.clone(),
            retry_after: self.retry_after,
            blocked_until: self.blocked_until(now),
            consumption_rate: self.consumption_rate(now),
            exhausts_at: self.forecast(now).map(|forecast| forecast.exhausts_at),
            pace: self.pace(now),
            seen_at: self.seen_at,
            learned_sharing: self.learned_sharing,
            confidence: self.confidence(),
            stale: self.is_stale(now),
            trend: self.trend.at(now),
        }
    }
}

/// By owner, bucket, scope, dimension and window.
fn order(state: &QuotaState) -> impl Ord + '_ {
    let key = &state.key;
    (&key.owner, &key.bucket, &key.scope, &key.dimension, key.window)
}
