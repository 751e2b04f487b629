//! What an exchange changes of a quota.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Amount, DeclaredQuota, Observation, QuotaSource, Reading, Timestamp, WindowKind, same_or_absent, same_text,
};

use super::counted::CountedWindow;
use super::numbers::Numbers;
use super::options::TrackOptions;
use super::quota::{QuotaChange, TrackedQuota};
use super::recent::RecentCounts;
use super::resets::{Lesson, RESET_JITTER, distance};
use super::sharing::GroupId;
use super::tally::count_code;

/// A refusal that says neither when to come back nor how long its window is blocks for as long as people wait.
const DENIED: Duration = Duration::from_mins(1);

/// What a reading changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Applied {
    pub(super) new_window: bool,
    /// Whether the window before had run out in time, which was told when it did.
    pub(super) expired: bool,
    /// The limit before and since.
    pub(super) limit_change: Option<(Amount, Amount)>,
    pub(super) reset_moved: Option<(Timestamp, Timestamp)>,
}

impl Applied {
    /// Whether there is something to tell.
    pub(super) const fn is_news(&self) -> bool {
        self.new_window || self.limit_change.is_some() || self.reset_moved.is_some()
    }
}

impl TrackedQuota {
    /// Takes what a response said. What is older than what is known changes nothing.
    pub(super) fn apply(&mut self, reading: &Reading, at: Timestamp, sequence: u64) -> Applied {
        let mut applied = Applied::default();
        if self.numbers_at.is_some_and(|known| at < known) {
            return applied;
        }
        let before = self.standing();
        self.forget_learned();
        if self.key.window.is_none() && stated_window(reading).is_some() {
            self.key.window = stated_window(reading);
            self.group = GroupId::NONE;
        }
        self.window_kind = reading.window_kind.or(self.window_kind);
        if reading.policy.is_some() && !same_or_absent(self.policy.as_ref(), reading.policy.as_ref()) {
            self.policy.clone_from(&reading.policy);
        }
        if reading.bucket.is_some() && self.class.is_none() {
            self.class.clone_from(&reading.bucket);
        }
        if let Some(limit) = reading.limit {
            if let Some(from) = self.limit.filter(|known| *known != limit) {
                applied.limit_change = Some((from, limit));
                self.change = Some((sequence, QuotaChange::Limit { from, to: limit }));
                self.pace.restart();
            }
            self.limit = Some(limit);
        }
        let says_numbers = reading.remaining.is_some() || reading.used.is_some() || reading.utilization.is_some();
        if says_numbers {
            let derived = self.limit.zip(reading.used).map(|(limit, used)| limit.less(used));
            let remaining = reading.remaining.or(derived);
            if self.begins_anew(reading, remaining, at) {
                applied.new_window = true;
                applied.expired = self.has_expired(at);
                self.pace.restart();
                self.reset_in = sequence;
            }
            self.remaining = remaining;
            self.used = reading.used;
            self.stated_utilization = reading.utilization.filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
            self.numbers_at = Some(at);
            self.said = true;
            self.source = reading.source;
        } else if self.numbers_at.is_none() && self.counted.is_none() {
            self.source = reading.source;
        }
        if let Some(reset) = reading.reset_at {
            let fixed = self.window_kind == Some(WindowKind::Fixed);
            if let Some(from) = self.reset_at.filter(|from| fixed && !applied.new_window && at < *from)
                && distance(from, reset) > RESET_JITTER
            {
                applied.reset_moved = Some((from, reset));
            }
            let moves = matches!(self.window_kind, Some(WindowKind::Sliding | WindowKind::TokenBucket));
            let lesson = if moves { None } else { self.resets.note(reset, at, applied.new_window) };
            let change = lesson.map(|lesson| match lesson {
                Lesson::Moved { from, to } => QuotaChange::Reset { from, to },
                Lesson::Slides => QuotaChange::Slides,
            });
            if let Some(change) = change.filter(|_| applied.limit_change.is_none()) {
                self.change = Some((sequence, change));
            }
            self.reset_at = Some(reset);
            self.longest_wait = self.longest_wait.max(reset.since(at));
            if let Some(counted) = &mut self.counted {
                counted.anchor(reset, at);
            }
        }
        self.turn_from(before);
        applied
    }

    /// Counts an exchange against a declared limit. What the provider itself said in the same exchange goes first.
    pub(super) fn declare(&mut self, declared: &DeclaredQuota, said: bool, now: Timestamp) {
        let before = self.standing();
        self.forget_learned();
        self.policy.get_or_insert_with(|| Arc::clone(&declared.policy));
        if self.class.as_ref() != Some(&declared.endpoints) {
            self.class = Some(Arc::clone(&declared.endpoints));
        }
        self.window_kind = Some(declared.window_kind);
        if !said {
            self.limit = Some(declared.limit);
            self.source = QuotaSource::Declared;
            self.said = false;
        }
        // The agent sees exchanges, not what each one costs: other units stay uncounted.
        if self.counts_requests() && !declared.window.is_zero() {
            let limit = declared.limit.value();
            let fits = self.counted.as_ref().is_some_and(|c| c.fits(declared.window_kind, declared.window, limit));
            if !fits {
                self.counted = Some(CountedWindow::new(declared.window_kind, declared.window, limit));
            }
            if let Some(counted) = &mut self.counted {
                counted.add(now);
            }
        }
        self.turn_from(before);
    }

    /// Counts an exchange.
    #[inline]
    pub(super) fn count(
        &mut self,
        observation: &Observation,
        endpoint: &Arc<str>,
        now: Timestamp,
        late: bool,
        options: &TrackOptions,
    ) {
        let throttled = observation.throttled.is_some();
        self.seen_at = self.seen_at.max(now);
        if !same_or_absent(self.provider.as_ref(), observation.provider.as_ref()) {
            self.provider.clone_from(&observation.provider);
        }
        if let Some(host) = observation.host.as_ref().filter(|host| !same_text(host, &self.host)) {
            self.host = Arc::clone(host);
        }
        self.requests = self.requests.saturating_add(1);
        self.minute.requests = self.minute.requests.saturating_add(1);
        if throttled {
            self.count_refusal(observation, options);
        } else {
            self.denied_until = None;
        }
        match self.endpoints.first_mut() {
            Some((first, count)) if Arc::ptr_eq(first, endpoint) => *count = count.saturating_add(1),
            _ => self.count_endpoint(endpoint, options),
        }
        let numbers = self.numbers(now);
        self.latest = numbers;
        self.note_peaks(&numbers);
        if !late {
            self.recent.add(now, throttled);
            self.trend.add(now, numbers.utilization, throttled);
            self.pace.add(now, numbers.remaining.map(Amount::value), self.window_at_least());
        }
    }

    #[inline]
    pub(super) fn note_peaks(&mut self, numbers: &Numbers) {
        if let Some(utilization) = numbers.utilization
            && self.peak.is_none_or(|peak| utilization > peak)
        {
            self.peak = Some(utilization);
        }
        if let Some(used) = numbers.used
            && self.peak_used.is_none_or(|peak| used.value() > peak.value())
        {
            self.peak_used = Some(used);
        }
    }

    fn count_refusal(&mut self, observation: &Observation, options: &TrackOptions) {
        self.turns += 1;
        self.throttled = self.throttled.saturating_add(1);
        self.minute.throttled = self.minute.throttled.saturating_add(1);
        if let Some(code) = &observation.error_code {
            count_code(&mut self.error_codes, code, options.error_codes_each);
            count_code(&mut self.minute.error_codes, code, options.error_codes_each);
        }
    }

    fn count_endpoint(&mut self, endpoint: &Arc<str>, options: &TrackOptions) {
        if endpoint.is_empty() {
            return;
        }
        if let Some((_, count)) = self.endpoints.iter_mut().find(|(known, _)| same_text(known, endpoint)) {
            *count = count.saturating_add(1);
        } else if self.endpoints.len() < options.endpoints_each {
            self.endpoints.push((Arc::clone(endpoint), 1));
        }
    }

    /// Takes a refusal upon itself.
    pub(super) fn refuse(&mut self, retry_after: Option<Duration>, now: Timestamp, sequence: u64) {
        self.turns += 1;
        self.refused_in = sequence;
        self.refused_at = Some(now);
        if let Some(wait) = retry_after {
            let until = now.after(wait);
            self.retry_after = Some(wait);
            self.blocked_until = Some(until);
            if let Some(counted) = &mut self.counted {
                counted.anchor(until, now);
            }
        }
        if self.counted.is_some() {
            // Fewer than the limit by our count: others share the quota, so nothing is left until the provider says so.
            let wait = retry_after.unwrap_or_else(|| self.window().map_or(DENIED, |window| window.min(DENIED)));
            self.denied_until = Some(now.after(wait));
        }
    }

    /// Takes over what an endpoint counted before its quota was known.
    pub(super) fn inherit(&mut self, endpoint: &Arc<str>, requests: u64, recent: RecentCounts) {
        if self.requests == 0 {
            self.turns += 1;
            self.requests = requests;
            self.recent = recent;
            if requests > 0 && !endpoint.is_empty() && self.endpoints.is_empty() {
                self.endpoints.push((Arc::clone(endpoint), requests));
            }
        }
    }

    /// Whether a reading belongs to another window than the one before it.
    fn begins_anew(&self, reading: &Reading, remaining: Option<Amount>, at: Timestamp) -> bool {
        if self.numbers_at.is_none() || self.counted.is_some() {
            return false;
        }
        if self.expires_at().is_some_and(|expires| at >= expires) {
            return true;
        }
        let moving = matches!(self.window_kind, Some(WindowKind::Sliding | WindowKind::TokenBucket));
        let (Some(before), Some(now)) = (self.remaining, remaining) else { return false };
        if moving || now <= before {
            return false;
        }
        let moved = match (self.reset_at, reading.reset_at) {
            (Some(from), Some(to)) => to > from && distance(from, to) > RESET_JITTER,
            _ => true,
        };
        // A window that moves gives back a little at a time; one that begins anew gives back most at once.
        moved && self.limit.is_some_and(|limit| limit.less(now).value() <= limit.less(before).value() / 2.0)
    }
}

/// The window that a reading states; one of no length says nothing.
#[inline]
pub(super) fn stated_window(reading: &Reading) -> Option<Duration> {
    reading.window.filter(|window| !window.is_zero())
}
