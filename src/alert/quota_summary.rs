//! What an alert says of a quota, in one sentence.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Amount, QuotaKey, Timestamp};
use crate::track::{Counts, QuotaChange, TrackedQuota};

use super::summary::{grouped, percent, push, push_name, span, subject, whole};

/// What there is to say, noted at the moment that it is about. An alert that worsens with each exchange is read once.
#[derive(Debug, Clone)]
pub(super) struct QuotaSummary {
    /// What the quota is called.
    name: Arc<str>,
    limit: Option<Amount>,
    resets_in: Option<Duration>,
    topic: Topic,
}

/// What the sentence is about.
#[derive(Debug, Clone, Copy)]
enum Topic {
    Used { utilization: f64, left: Option<Amount> },
    Hit { throttled: bool, window: Option<Duration>, retry_in: Option<Duration> },
    Throttled { counts: Counts, ratio: f64, over: Duration },
    Exhaustion { left: Duration, rate: Option<f64>, to_reset: Duration },
    Changed(Option<QuotaChange>),
}

impl QuotaSummary {
    /// `…: 91 % of 1,000 requests used, 90 left, resets in 41 s`.
    pub(super) fn used(quota: &TrackedQuota, utilization: f64, now: Timestamp) -> Self {
        Self::of(quota, Topic::Used { utilization, left: quota.remaining(now) }, now)
    }

    /// `…: throttled at 97 of 100 requests, retry in 45 s`.
    pub(super) fn hit(quota: &TrackedQuota, throttled: bool, now: Timestamp) -> Self {
        let retry_in = quota.blocked_until(now).map(|until| until.since(now));
        Self::of(quota, Topic::Hit { throttled, window: quota.window(), retry_in }, now)
    }

    /// `…: 6.2 % of the exchanges of the last 5 min were throttled (8 of 129)`.
    pub(super) fn throttled(quota: &TrackedQuota, ratio: f64, over: Duration, now: Timestamp) -> Self {
        Self::of(quota, Topic::Throttled { counts: quota.recent(now, over), ratio, over }, now)
    }

    /// `…: runs out in 22 s at 4.1 requests a second, 19 s before its reset`.
    pub(super) fn exhaustion(quota: &TrackedQuota, left: Duration, to_reset: Duration, now: Timestamp) -> Self {
        Self::of(quota, Topic::Exhaustion { left, rate: quota.consumption_rate(now), to_reset }, now)
    }

    /// `…: the limit was lowered from 1,000 to 500 requests`, `…: the reset moved to 30 min later`, `…: the window slides`.
    pub(super) fn changed(quota: &TrackedQuota, change: Option<QuotaChange>, now: Timestamp) -> Self {
        Self::of(quota, Topic::Changed(change), now)
    }

    fn of(quota: &TrackedQuota, topic: Topic, now: Timestamp) -> Self {
        let name = if quota.policy().is_some() { &quota.key().bucket } else { quota.endpoint() };
        Self {
            name: Arc::clone(name),
            limit: quota.limit(),
            resets_in: quota.reset_at(now).filter(|reset| *reset > now).map(|reset| reset.since(now)),
            topic,
        }
    }

    /// In words: `fluid-network partner k:5f2c9a01 (POST /v1/payments): …`.
    pub(super) fn text(&self, key: &QuotaKey) -> String {
        let mut text = subject(&key.owner, key.scope.as_ref());
        if !self.name.is_empty() {
            text.push_str(" (");
            push_name(&mut text, &self.name);
            text.push(')');
        }
        let units = &*key.dimension.0;
        match self.topic {
            Topic::Used { utilization, left } => self.push_used(&mut text, utilization, left, units),
            Topic::Hit { throttled, window, retry_in } => {
                text.push_str(if throttled { ": an exchange was throttled" } else { ": nothing is left" });
                if let Some(limit) = self.limit {
                    push(&mut text, format_args!(", limit {} ", grouped(limit)));
                    push_name(&mut text, units);
                    if let Some(window) = window {
                        push(&mut text, format_args!(" in {}", span(window)));
                    }
                }
                match (retry_in, self.resets_in) {
                    (Some(wait), _) => push(&mut text, format_args!(", retry in {}", span(wait))),
                    (None, Some(wait)) => push(&mut text, format_args!(", resets in {}", span(wait))),
                    (None, None) => {}
                }
            }
            Topic::Throttled { counts, ratio, over } => push(
                &mut text,
                format_args!(
                    ": {} of the exchanges of the last {} were throttled ({} of {})",
                    percent(ratio),
                    span(over),
                    whole(counts.throttled),
                    whole(counts.requests)
                ),
            ),
            Topic::Exhaustion { left, rate, to_reset } => {
                push(&mut text, format_args!(": runs out in {}", span(left)));
                if let Some(rate) = rate {
                    push(&mut text, format_args!(" at {rate:.1} "));
                    push_name(&mut text, units);
                    text.push_str(" a second");
                }
                push(&mut text, format_args!(", {} before its reset", span(to_reset.saturating_sub(left))));
            }
            Topic::Changed(change) => push_change(&mut text, change, units),
        }
        text
    }

    fn push_used(&self, text: &mut String, utilization: f64, left: Option<Amount>, units: &str) {
        let percent = percent(utilization);
        match self.limit {
            Some(limit) => push(text, format_args!(": {percent} of {} ", grouped(limit))),
            None => push(text, format_args!(": {percent} of the ")),
        }
        push_name(text, units);
        text.push_str(" used");
        if let Some(left) = left {
            push(text, format_args!(", {} left", grouped(left)));
        }
        if let Some(wait) = self.resets_in {
            push(text, format_args!(", resets in {}", span(wait)));
        }
    }
}

fn push_change(text: &mut String, change: Option<QuotaChange>, units: &str) {
    match change {
        Some(QuotaChange::Limit { from, to }) => {
            let how = if to < from { "lowered" } else { "raised" };
            push(text, format_args!(": the limit was {how} from {} to {} ", grouped(from), grouped(to)));
            push_name(text, units);
        }
        Some(QuotaChange::Reset { from, to }) => {
            let (distance, way) = if to < from { (from.since(to), "earlier") } else { (to.since(from), "later") };
            push(text, format_args!(": the reset moved to {} {way}", span(distance)));
        }
        Some(QuotaChange::Slides) => text.push_str(": the window slides, its reset moves on with the exchanges"),
        None => {}
    }
}
