//! One quota: what the provider said of it, and what the agent counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Amount, DeclaredQuota, Observation, QuotaKey, QuotaSource, Reading, Timestamp, WindowKind};

use super::counted::CountedWindow;
use super::identity::{Identity, ScopeRef};
use super::options::TrackOptions;
use super::pace::{Pace, Rates};
use super::recent::{Counts, RecentCounts};
use super::tally::count_code;
use super::trend::TrendRing;

/// A reset that moves by less than this is the rounding of a provider that states whole seconds.
const RESET_JITTER: Duration = Duration::from_secs(2);
/// A refusal that says neither when to come back nor how long its window is blocks for as long as people wait.
const DENIED: Duration = Duration::from_mins(1);

/// Names a quota as long as the tracker runs; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaId {
    pub(super) serial: u64,
    pub(super) slot: u32,
}

/// A provider changed a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitChange {
    /// Before.
    pub from: Amount,
    /// Since.
    pub to: Amount,
}

/// Where the current pace leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// When the quota runs out.
    pub exhausts_at: Timestamp,
    /// The time that is left until it is whole again: until its reset, or the length of a window that moves.
    pub time_to_reset: Duration,
}

/// The state of one quota.
pub struct TrackedQuota {
    pub(super) id: QuotaId,
    pub(super) key: QuotaKey,
    name: Arc<str>,
    named_policy: Option<Arc<str>>,
    /// Which of several quotas that are called the same; 0 for the first of a window.
    pub(super) ordinal: u32,
    pub(super) provider: Option<Arc<str>>,
    pub(super) host: Arc<str>,
    pub(super) class: Option<Arc<str>>,
    pub(super) endpoints: Vec<(Arc<str>, u64)>,
    pub(super) policy: Option<Arc<str>>,
    pub(super) source: QuotaSource,
    pub(super) limit: Option<Amount>,
    remaining: Option<Amount>,
    used: Option<Amount>,
    stated_utilization: Option<f64>,
    /// When remaining, used or utilization were last said.
    numbers_at: Option<Timestamp>,
    pub(super) window_kind: Option<WindowKind>,
    reset_at: Option<Timestamp>,
    /// The longest time to a reset that was seen: the window is no shorter.
    longest_wait: Duration,
    counted: Option<CountedWindow>,
    /// Whether the last exchange said the numbers, so that they go before what the agent counted.
    said: bool,
    denied_until: Option<Timestamp>,
    peak: Option<f64>,
    peak_used: Option<Amount>,
    pub(super) requests: u64,
    pub(super) throttled: u64,
    pub(super) recent: RecentCounts,
    pub(super) error_codes: BTreeMap<Arc<str>, u64>,
    pub(super) retry_after: Option<Duration>,
    blocked_until: Option<Timestamp>,
    pace: Pace,
    pub(super) seen_at: Timestamp,
    pub(super) trend: TrendRing,
    pub(super) minute: Minute,
    /// The observation that began a new window.
    pub(super) reset_in: u64,
    /// The observation that changed the limit.
    change: Option<(u64, LimitChange)>,
    /// The observation that this quota refused.
    pub(super) refused_in: u64,
    refused_at: Option<Timestamp>,
    /// The deadline under which the tracker wakes for it.
    pub(super) wakes_at: Option<Timestamp>,
    pub(super) touch_pending: bool,
}

/// Counts since the last full minute.
#[derive(Debug, Clone, Default)]
pub(super) struct Minute {
    pub(super) requests: u64,
    pub(super) throttled: u64,
    pub(super) error_codes: BTreeMap<Arc<str>, u64>,
}

/// What a reading changed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Applied {
    pub(super) new_window: bool,
    /// Whether the window before had run out in time, which was told when it did.
    pub(super) expired: bool,
    pub(super) limit_change: Option<LimitChange>,
    pub(super) reset_moved: Option<(Timestamp, Timestamp)>,
}

impl TrackedQuota {
    pub(super) fn new(
        id: QuotaId,
        identity: Identity<'_>,
        window: Option<Duration>,
        ordinal: u32,
        host: &Arc<str>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            key: identity.to_key(window, ordinal),
            name: Arc::clone(identity.name),
            named_policy: identity.policy.cloned(),
            ordinal,
            provider: None,
            host: Arc::clone(host),
            class: None,
            endpoints: Vec::new(),
            policy: None,
            source: QuotaSource::Header,
            limit: None,
            remaining: None,
            used: None,
            stated_utilization: None,
            numbers_at: None,
            window_kind: None,
            reset_at: None,
            longest_wait: Duration::ZERO,
            counted: None,
            said: false,
            denied_until: None,
            peak: None,
            peak_used: None,
            requests: 0,
            throttled: 0,
            recent: RecentCounts::default(),
            error_codes: BTreeMap::new(),
            retry_after: None,
            blocked_until: None,
            pace: Pace::default(),
            seen_at: now,
            trend: TrendRing::default(),
            minute: Minute::default(),
            reset_in: 0,
            change: None,
            refused_in: 0,
            refused_at: None,
            wakes_at: None,
            touch_pending: false,
        }
    }

    /// Its name as long as the tracker runs.
    pub const fn id(&self) -> QuotaId {
        self.id
    }

    /// What tells it from others.
    pub const fn key(&self) -> &QuotaKey {
        &self.key
    }

    /// The provider's name.
    pub const fn provider(&self) -> Option<&Arc<str>> {
        self.provider.as_ref()
    }

    /// The host it was last seen on; empty where no request was captured.
    pub const fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// The provider's name for it.
    pub const fn policy(&self) -> Option<&Arc<str>> {
        self.policy.as_ref()
    }

    /// The endpoint, or the class of endpoints that share it; empty where no request was captured.
    pub fn endpoint(&self) -> &Arc<str> {
        match (&self.class, self.endpoints.as_slice()) {
            (Some(class), _) => class,
            (None, [(endpoint, _)]) => endpoint,
            (None, _) => &self.name,
        }
    }

    /// How many units the window allows.
    pub const fn limit(&self) -> Option<Amount> {
        self.limit
    }

    /// The length of the window, as stated.
    pub const fn window(&self) -> Option<Duration> {
        self.key.window
    }

    /// A length that the window has at least: as stated, else the longest wait for a reset that was seen.
    pub fn window_at_least(&self) -> Option<Duration> {
        self.key.window.or((!self.longest_wait.is_zero()).then_some(self.longest_wait))
    }

    /// How the provider counts, where that is known.
    pub const fn window_kind(&self) -> Option<WindowKind> {
        self.window_kind
    }

    /// When an exchange last said something of it.
    pub const fn seen_at(&self) -> Timestamp {
        self.seen_at
    }

    /// When the quota is whole again, as last said, even where that has passed.
    pub fn reset_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.counted.as_ref().and_then(|counted| counted.reset_at(now)).or(self.reset_at)
    }

    /// When what the provider said becomes history: at the reset, else one window after it was said. Absent where neither
    /// is known, and for a quota that the agent counts itself.
    pub fn expires_at(&self) -> Option<Timestamp> {
        if self.counted.is_some() && !self.said {
            return None;
        }
        let said = self.numbers_at?;
        match self.reset_at {
            Some(reset) if reset > said => Some(reset),
            _ => self.key.window.map(|window| said.after(window)),
        }
    }

    /// Whether what the provider said is history.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.counted.is_none() && self.has_expired(now)
    }

    /// How many units are left, as last said or as counted; absent once that is history.
    pub fn remaining(&self, now: Timestamp) -> Option<Amount> {
        if let (Some(counted), Some(limit)) = (self.counting(now), self.limit) {
            if self.denied_until.is_some_and(|until| now < until) {
                return Some(Amount::ZERO);
            }
            return Amount::new((limit.value() - counted.used(now)).max(0.0));
        }
        self.remaining.filter(|_| !self.is_stale(now))
    }

    /// How many units are used, as last said or as counted; absent once that is history.
    pub fn used(&self, now: Timestamp) -> Option<Amount> {
        if let Some(counted) = self.counting(now) {
            return Amount::new(counted.used(now).max(0.0));
        }
        if self.is_stale(now) {
            return None;
        }
        self.used.or_else(|| self.limit.zip(self.remaining).map(|(limit, remaining)| limit.less(remaining)))
    }

    /// The share of the limit that is used: a ratio from 0, above 1 only where a counted limit is overrun.
    pub fn utilization(&self, now: Timestamp) -> Option<f64> {
        if self.is_stale(now) {
            return None;
        }
        let limit = self.limit.map(Amount::value).filter(|limit| *limit > 0.0);
        if let Some(counted) = self.counting(now) {
            let used = counted.used(now).max(0.0);
            let denied = self.denied_until.is_some_and(|until| now < until);
            return limit.map(|limit| used / limit).map(|ratio| if denied { ratio.max(1.0) } else { ratio });
        }
        // One division, correctly rounded: 800 of 1,000 is the very number that 0.8 is.
        match (limit, self.remaining, self.used) {
            (Some(limit), Some(remaining), _) => Some(((limit - remaining.value()) / limit).max(0.0)),
            (Some(limit), None, Some(used)) => Some(used.value() / limit),
            _ => self.stated_utilization,
        }
    }

    /// The highest utilization since the start.
    pub const fn peak_utilization(&self) -> Option<f64> {
        self.peak
    }

    /// The most units used at once since the start.
    pub const fn peak_usage(&self) -> Option<Amount> {
        self.peak_used
    }

    /// Exchanges of the last `span`, at most five minutes; its old edge is exact to one second.
    pub fn recent(&self, now: Timestamp, span: Duration) -> Counts {
        self.recent.within(now, span)
    }

    /// No less than what [`Self::recent`] says for five minutes, without counting.
    pub const fn recent_at_most(&self) -> Counts {
        self.recent.at_most()
    }

    /// The wait that the provider last asked for.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Until when the provider asked to wait; absent once that has passed.
    pub fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked_until.filter(|until| now < *until)
    }

    /// How the observation of that number changed the limit.
    pub fn limit_change(&self, sequence: u64) -> Option<LimitChange> {
        self.change.filter(|(at, _)| *at == sequence).map(|(_, change)| change)
    }

    /// Whether the observation of that number began a new window.
    pub const fn was_reset(&self, sequence: u64) -> bool {
        self.reset_in == sequence
    }

    /// Whether this quota refused the observation of that number.
    pub const fn refused(&self, sequence: u64) -> bool {
        self.refused_in == sequence
    }

    /// When it last refused an exchange.
    pub const fn refused_at(&self) -> Option<Timestamp> {
        self.refused_at
    }

    /// Whether the agent counts it itself, so that its numbers change with time alone.
    pub const fn is_counted(&self) -> bool {
        self.counted.is_some()
    }

    /// Units a second at the current pace.
    pub fn consumption_rate(&self, now: Timestamp) -> Option<f64> {
        let rates = self.rates(now)?;
        match (rates.net, self.counts_requests()) {
            (net, true) => Some(net.unwrap_or(0.0).max(rates.exchanges)),
            (Some(net), false) => (net >= 0.0).then_some(net),
            (None, false) => None,
        }
    }

    /// When the quota runs out at the current pace; absent where that is not before its reset, or not known.
    pub fn forecast(&self, now: Timestamp) -> Option<Forecast> {
        let remaining = self.remaining(now)?.value();
        let net = self.rates(now)?.net.filter(|net| *net > 0.0)?;
        if remaining <= 0.0 {
            return None;
        }
        let time_to_reset = match (self.window_kind, self.key.window) {
            (Some(WindowKind::Sliding | WindowKind::TokenBucket), Some(window)) => {
                // What a moving window gives back keeps up with any pace that fits into it.
                let limit = self.limit?.value();
                if self.consumption_rate(now)? * window.as_secs_f64() <= limit {
                    return None;
                }
                window
            }
            _ => self.reset_at(now).filter(|reset| *reset > now)?.since(now),
        };
        let left = Duration::try_from_secs_f64(remaining / net).ok()?;
        let exhausts_at = now.after(left);
        (left < time_to_reset).then_some(Forecast { exhausts_at, time_to_reset })
    }

    /// The delay between requests that spends what remains evenly until the reset, in seconds; where the window moves, the
    /// delay that it sustains. Absent where nothing remains.
    pub fn pace(&self, now: Timestamp) -> Option<f64> {
        let remaining = self.remaining(now).map(Amount::value).filter(|remaining| *remaining > 0.0)?;
        let moving = matches!(self.window_kind, Some(WindowKind::Sliding | WindowKind::TokenBucket));
        match (moving, self.key.window, self.limit.map(Amount::value)) {
            (true, Some(window), Some(limit)) if limit > 0.0 => Some(window.as_secs_f64() / limit),
            _ => {
                let left = self.reset_at(now).filter(|reset| *reset > now)?.since(now);
                Some(left.as_secs_f64() / remaining)
            }
        }
        .filter(|pace| pace.is_finite())
    }

    pub(super) fn is(&self, identity: &Identity<'_>) -> bool {
        *self.key.owner == **identity.owner
            && ScopeRef::of(self.key.scope.as_ref()) == identity.scope
            && *self.name == **identity.name
            && self.named_policy.as_ref() == identity.policy
            && self.key.dimension == *identity.dimension
    }

    /// Whether a reading's limit may be this quota's.
    pub(super) fn agrees_with(&self, limit: Option<Amount>) -> bool {
        self.limit.is_none_or(|known| limit.is_none_or(|limit| limit == known))
    }

    /// Takes what a response said. What is older than what is known changes nothing.
    pub(super) fn apply(&mut self, reading: &Reading, at: Timestamp, sequence: u64) -> Applied {
        let mut applied = Applied::default();
        if self.numbers_at.is_some_and(|known| at < known) {
            return applied;
        }
        if self.key.window.is_none() {
            self.key.window = reading.window;
        }
        self.window_kind = reading.window_kind.or(self.window_kind);
        if reading.policy.is_some() {
            self.policy.clone_from(&reading.policy);
        }
        if reading.bucket.is_some() && self.class.is_none() {
            self.class.clone_from(&reading.bucket);
        }
        if let Some(limit) = reading.limit {
            if let Some(from) = self.limit.filter(|known| *known != limit) {
                let change = LimitChange { from, to: limit };
                applied.limit_change = Some(change);
                self.change = Some((sequence, change));
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
        }
        if let Some(reset) = reading.reset_at {
            let fixed = self.window_kind == Some(WindowKind::Fixed);
            if let Some(from) = self.reset_at.filter(|from| fixed && !applied.new_window && at < *from)
                && distance(from, reset) > RESET_JITTER
            {
                applied.reset_moved = Some((from, reset));
            }
            self.reset_at = Some(reset);
            self.longest_wait = self.longest_wait.max(reset.since(at));
            if let Some(counted) = &mut self.counted {
                counted.anchor(reset, at);
            }
        }
        applied
    }

    /// Counts an exchange against a declared limit. What the provider itself said in the same exchange goes first.
    pub(super) fn declare(&mut self, declared: &DeclaredQuota, said: bool, now: Timestamp) {
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
        if !self.counts_requests() || declared.window.is_zero() {
            return;
        }
        let limit = declared.limit.value();
        let fits = self.counted.as_ref().is_some_and(|c| c.fits(declared.window_kind, declared.window, limit));
        if !fits {
            self.counted = Some(CountedWindow::new(declared.window_kind, declared.window, limit));
        }
        if let Some(counted) = &mut self.counted {
            counted.add(now);
        }
    }

    /// Counts an exchange.
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
        if self.provider != observation.provider {
            self.provider.clone_from(&observation.provider);
        }
        if let Some(host) = observation.host.as_ref().filter(|host| **host != self.host) {
            self.host = Arc::clone(host);
        }
        self.requests = self.requests.saturating_add(1);
        self.throttled = self.throttled.saturating_add(u64::from(throttled));
        self.minute.requests = self.minute.requests.saturating_add(1);
        self.minute.throttled = self.minute.throttled.saturating_add(u64::from(throttled));
        if let Some(code) = observation.error_code.as_ref().filter(|_| throttled) {
            count_code(&mut self.error_codes, code, options.error_codes_each);
            count_code(&mut self.minute.error_codes, code, options.error_codes_each);
        }
        if !endpoint.is_empty() {
            match self.endpoints.iter().position(|(known, _)| known == endpoint) {
                Some(index) => self.endpoints[index].1 = self.endpoints[index].1.saturating_add(1),
                None if self.endpoints.len() < options.endpoints_each => self.endpoints.push((Arc::clone(endpoint), 1)),
                None => {}
            }
        }
        if !throttled {
            self.denied_until = None;
        }
        let utilization = self.utilization(now);
        if let Some(utilization) = utilization {
            self.peak = Some(self.peak.map_or(utilization, |peak| peak.max(utilization)));
        }
        if let Some(used) = self.used(now) {
            self.peak_used = Some(self.peak_used.map_or(used, |peak| peak.max(used)));
        }
        if !late {
            self.recent.add(now, throttled);
            self.trend.add(now, utilization, throttled);
            let remaining = self.remaining(now).map(Amount::value);
            self.pace.add(now, remaining, Pace::span(self.window_at_least()));
        }
    }

    /// Takes a refusal upon itself.
    pub(super) fn refuse(&mut self, retry_after: Option<Duration>, now: Timestamp, sequence: u64) {
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
            let wait = retry_after.unwrap_or_else(|| self.key.window.map_or(DENIED, |window| window.min(DENIED)));
            self.denied_until = Some(now.after(wait));
        }
    }

    /// Takes over what an endpoint counted before its quota was known.
    pub(super) fn inherit(&mut self, requests: u64, recent: RecentCounts) {
        if self.requests == 0 {
            self.requests = requests;
            self.recent = recent;
        }
    }

    /// What the agent counts, where that is the best there is.
    fn counting(&self, now: Timestamp) -> Option<&CountedWindow> {
        self.counted.as_ref().filter(|_| !self.said || self.has_expired(now))
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|expires| now >= expires)
    }

    fn counts_requests(&self) -> bool {
        &*self.key.dimension.0 == "requests"
    }

    fn rates(&self, now: Timestamp) -> Option<Rates> {
        self.pace.rates(now, Pace::span(self.window_at_least()))
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

fn distance(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}
