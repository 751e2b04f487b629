//! One quota: what the provider said of it, and what the agent counted.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Amount, QuotaKey, QuotaSource, Timestamp, WindowKind, same_or_absent, same_text};

use super::counted::CountedWindow;
use super::identity::Identity;
use super::learned::Learning;
use super::minute::Minute;
use super::numbers::Numbers;
use super::pace::Pace;
use super::recent::{Counts, RecentCounts};
use super::resets::Resets;
use super::sharing::GroupId;
use super::trend::TrendRing;

/// Names a quota as long as the tracker runs; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuotaId {
    pub(crate) serial: u64,
    /// Where the tracker keeps it: at one time the place of no other.
    pub(crate) slot: u32,
}

impl Hash for QuotaId {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.serial);
    }
}

/// A provider changed how it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QuotaChange {
    /// The limit.
    Limit {
        /// Before.
        from: Amount,
        /// Since.
        to: Amount,
    },
    /// The moment at which a window that was running begins anew.
    Reset {
        /// Before.
        from: Timestamp,
        /// Since.
        to: Timestamp,
    },
    /// Its window turned out to slide: its reset moves on with the exchanges.
    Slides,
}

/// The state of one quota.
#[derive(Clone)]
pub struct TrackedQuota {
    pub(super) id: QuotaId,
    pub(super) key: QuotaKey,
    pub(super) name: Arc<str>,
    pub(super) named_policy: Option<Arc<str>>,
    /// Which of several quotas that are called the same; 0 for the first of a window.
    pub(super) ordinal: u32,
    /// How many others were ever called the same beside it.
    pub(super) namesakes: usize,
    pub(super) provider: Option<Arc<str>>,
    pub(super) host: Arc<str>,
    pub(super) class: Option<Arc<str>>,
    pub(super) endpoints: Vec<(Arc<str>, u64)>,
    pub(super) policy: Option<Arc<str>>,
    pub(super) source: QuotaSource,
    pub(super) limit: Option<Amount>,
    pub(super) remaining: Option<Amount>,
    pub(super) used: Option<Amount>,
    pub(super) stated_utilization: Option<f64>,
    /// What was left and used when an exchange was last counted.
    pub(super) latest: Numbers,
    /// When remaining, used or utilization were last said.
    pub(super) numbers_at: Option<Timestamp>,
    pub(super) window_kind: Option<WindowKind>,
    pub(super) reset_at: Option<Timestamp>,
    /// The longest time to a reset that was seen: the window is no shorter.
    pub(super) longest_wait: Duration,
    pub(super) counted: Option<CountedWindow>,
    /// Whether the last exchange said the numbers, so that they go before what the agent counted.
    pub(super) said: bool,
    pub(super) learning: Learning,
    pub(super) denied_until: Option<Timestamp>,
    pub(super) peak: Option<f64>,
    pub(super) peak_used: Option<Amount>,
    pub(super) requests: u64,
    pub(super) throttled: u64,
    pub(super) recent: RecentCounts,
    pub(super) error_codes: BTreeMap<Arc<str>, u64>,
    pub(super) retry_after: Option<Duration>,
    pub(super) blocked_until: Option<Timestamp>,
    pub(super) pace: Pace,
    pub(super) seen_at: Timestamp,
    pub(super) trend: TrendRing,
    pub(super) minute: Minute,
    /// The observation that began a new window.
    pub(super) reset_in: u64,
    /// The last change, and the observation that showed it.
    pub(super) change: Option<(u64, QuotaChange)>,
    pub(super) resets: Resets,
    /// The observation that this quota refused.
    pub(super) refused_in: u64,
    pub(super) refused_at: Option<Timestamp>,
    /// The deadline under which the tracker wakes for it.
    pub(super) wakes_at: Option<Timestamp>,
    /// Whether its endpoints were found to share it.
    pub(super) learned_sharing: bool,
    /// The quotas that it is shown for.
    pub(super) members: Vec<QuotaId>,
    /// The quota that is shown for it.
    pub(super) shared_by: Option<QuotaId>,
    /// Where its endpoint is compared with others.
    pub(super) group: GroupId,
    /// How often something of it changed that is none of its numbers.
    pub(super) turns: u64,
    /// After how many turns it was found to be steady.
    pub(super) steady_in: u64,
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
            namesakes: 0,
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
            latest: Numbers::default(),
            numbers_at: None,
            window_kind: None,
            reset_at: None,
            longest_wait: Duration::ZERO,
            counted: None,
            said: false,
            learning: Learning::Idle,
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
            resets: Resets::default(),
            refused_in: 0,
            refused_at: None,
            wakes_at: None,
            learned_sharing: false,
            members: Vec::new(),
            shared_by: None,
            group: GroupId::NONE,
            turns: 0,
            steady_in: u64::MAX,
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

    /// The length of the window, as stated, else as learned.
    #[inline]
    pub fn window(&self) -> Option<Duration> {
        self.key.window.or_else(|| self.learning.learned().map(|learned| learned.window))
    }

    /// A length that the window has at least: as stated, else the longest wait for a reset that was seen.
    #[inline]
    pub fn window_at_least(&self) -> Option<Duration> {
        self.window().or_else(|| (!self.longest_wait.is_zero()).then_some(self.longest_wait))
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
    #[inline]
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

    /// The highest utilization since the start.
    pub const fn peak_utilization(&self) -> Option<f64> {
        self.peak
    }

    /// The most units used at once since the start.
    pub const fn peak_usage(&self) -> Option<Amount> {
        self.peak_used
    }

    /// Exchanges of the last `span`, at most five minutes; its old edge is exact to one second.
    #[inline]
    pub fn recent(&self, now: Timestamp, span: Duration) -> Counts {
        self.recent.within(now, span)
    }

    /// No less than what [`Self::recent`] says for five minutes, without counting.
    #[inline]
    pub fn recent_at_most(&self) -> Counts {
        self.recent.at_most()
    }

    /// Until when nothing leaves the spans of [`Self::recent`], where that is known.
    pub fn recent_until(&self) -> Option<Timestamp> {
        self.recent.until()
    }

    /// Throttled exchanges since the start.
    pub const fn throttled(&self) -> u64 {
        self.throttled
    }

    /// The wait that the provider last asked for.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Until when the provider asked to wait; absent once that has passed.
    pub fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked_until.filter(|until| now < *until)
    }

    /// What the observation of that number showed to have changed.
    #[inline]
    pub fn change(&self, sequence: u64) -> Option<QuotaChange> {
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

    #[inline]
    pub(super) fn is(&self, identity: &Identity<'_>) -> bool {
        let same_scope = match (self.key.scope.as_ref(), identity.scope) {
            (Some(own), Some(scope)) => scope.is(own),
            (own, scope) => own.is_none() && scope.is_none(),
        };
        same_text(&self.key.owner, identity.owner)
            && same_scope
            && same_text(&self.name, identity.name)
            && same_or_absent(self.named_policy.as_ref(), identity.policy)
            && same_text(&self.key.dimension.0, &identity.dimension.0)
    }

    /// Whether a reading that is called the same can be of no other quota.
    pub(super) fn is_beyond_doubt(&self, window: Option<Duration>, limit: Option<Amount>) -> bool {
        self.namesakes == 0 && !self.learned_sharing && self.key.window == window && self.agrees_with(limit)
    }

    /// Whether a reading's limit may be this quota's.
    pub(super) fn agrees_with(&self, limit: Option<Amount>) -> bool {
        self.limit.is_none_or(|known| limit.is_none_or(|limit| limit == known))
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|expires| now >= expires)
    }

    pub(super) fn counts_requests(&self) -> bool {
        &*self.key.dimension.0 == "requests"
    }
}
