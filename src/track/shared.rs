//! Quotas that several endpoints were found to share: shown once, in the place of the endpoints' own.
//!
//! The endpoints' own quotas go on being counted, unseen, so that nothing is lost where the evidence turns.

use std::sync::Arc;

use crate::model::{Observation, Reading, Timestamp};

use super::identity::{Identity, ScopeRef};
use super::options::TrackOptions;
use super::quota::{QuotaId, TrackedQuota};
use super::sharing::{Lesson, Stated};
use super::tally::merge_codes;
use super::tracker::Tracker;

/// What such a quota is called.
const NAME: &str = "shared";

impl Tracker {
    /// Whether a shared quota is shown in the place of this one.
    #[inline]
    pub(super) fn is_hidden(&self, quota: &TrackedQuota) -> bool {
        quota.shared_by.is_some_and(|id| self.any_quota(id).is_some())
    }

    /// A quota by its name, whether it is shown or not.
    #[inline]
    pub(super) fn any_quota(&self, id: QuotaId) -> Option<&TrackedQuota> {
        self.quotas.get(id.slot).filter(|quota| quota.id == id)
    }

    /// Whether a quota is one of those that a shared one is shown for.
    pub(super) fn is_member(&self, own: QuotaId, shared: QuotaId) -> bool {
        self.any_quota(own).is_some_and(|quota| quota.shared_by == Some(shared))
    }

    /// Compares what an endpoint's own quota said with what others of the host said, and passes it to the one they share.
    #[inline]
    pub(super) fn learn_sharing(&mut self, observation: &Observation, reading: &Reading, id: QuotaId, now: Timestamp) {
        let Some(quota) = self.quotas.get(id.slot).filter(|quota| quota.id == id) else { return };
        let (known, before) = (quota.shared_by, quota.group);
        match self.stated(observation, reading, quota) {
            Some(stated) if known.is_some() || !self.sharing.take_alone(before, &stated) => {
                self.compare(stated, reading, now);
            }
            None if known.is_some() => self.pass_on(reading, id, observation.at, now),
            _ => {}
        }
    }

    /// Compares it with what others said.
    fn compare(&mut self, stated: Stated<'_>, reading: &Reading, now: Timestamp) {
        let (id, at) = (stated.quota, stated.at);
        let Some(quota) = self.quotas.get(id.slot) else { return };
        let (known, before) = (quota.shared_by, quota.group);
        let group = self.sharing.group(&self.hashing, &quota.key, before);
        if group != before
            && let Some(quota) = self.quotas.get_mut(id.slot)
        {
            quota.group = group;
        }
        let alive = |id: QuotaId| self.quotas.get(id.slot).is_some_and(|quota| quota.id == id);
        let (lesson, shared) = self.sharing.learn(group, stated, alive);
        match lesson {
            // The endpoint's own quota may be a new one, or counted over another window than it was.
            Lesson::None => match (known, shared) {
                (None, None) => return,
                (Some(known), shared) if shared != Some(known) => self.part(known),
                (None, Some(shared)) => self.join(shared, id),
                _ => {}
            },
            Lesson::Begins(members) => {
                self.begin_sharing(&members, now);
                return;
            }
            Lesson::Joins(shared) => self.join(shared, id),
            Lesson::Ends(all) => {
                for shared in all {
                    self.part(shared);
                }
            }
        }
        self.pass_on(reading, id, at, now);
    }

    /// Lets the exchange count against the quotas that those touched are part of.
    pub(super) fn touch_shared(&mut self) {
        for index in 0..self.touched.len() {
            let shared = self.touched.get(index).and_then(|id| self.any_quota(*id)?.shared_by);
            if let Some(shared) = shared.filter(|id| self.any_quota(*id).is_some()) {
                self.touch(shared);
            }
        }
    }

    /// What may be compared: numbers of an endpoint's own quota, that no profile knows, and whose window is known to run.
    #[inline]
    fn stated<'a>(&self, observation: &'a Observation, reading: &Reading, quota: &TrackedQuota) -> Option<Stated<'a>> {
        let named = reading.bucket.is_some() || reading.policy.is_some();
        let known = observation.provider.is_some() || !observation.declared.is_empty();
        // What was not modified is often not counted.
        if named || known || self.is_late() || observation.host.is_none() || observation.status == 304 {
            return None;
        }
        if observation.readings.len() != 1 && !is_alone(observation, reading) {
            return None;
        }
        let (limit, remaining, reset) = (reading.limit?, reading.remaining?, reading.reset_at?);
        let endpoint = observation.endpoint.as_ref().filter(|endpoint| !endpoint.is_empty())?;
        if remaining.value() > limit.value() || quota.numbers_at != Some(observation.at) || reset <= observation.at {
            return None;
        }
        let (at, latency) = (observation.at, observation.latency);
        Some(Stated { endpoint, quota: quota.id, limit, remaining, reset, at, latency })
    }

    fn begin_sharing(&mut self, members: &[QuotaId], now: Timestamp) {
        let Some(first) = members.first().and_then(|id| self.any_quota(*id)) else { return };
        let (key, host) = (first.key.clone(), Arc::clone(&first.host));
        let name: Arc<str> = NAME.into();
        let identity = Identity {
            owner: &key.owner,
            scope: ScopeRef::of(key.scope.as_ref()),
            name: &name,
            policy: None,
            dimension: &key.dimension,
        };
        let hash = identity.hash(&self.hashing);
        let shared = self.insert_quota(hash, identity, key.window, &host, now);
        if let Some(quota) = self.quota_mut(shared) {
            quota.learned_sharing = true;
            quota.class = Some(name);
        }
        self.sharing.name(&self.hashing, &key, members, shared);
        for member in members {
            self.join(shared, *member);
        }
    }

    /// Counts what an endpoint's own quota counted so far to the shared one, and shows that in its place.
    fn join(&mut self, shared: QuotaId, member: QuotaId) {
        if shared == member || self.any_quota(shared).is_none() {
            return;
        }
        let Some(quota) = self.quotas.get_mut(member.slot).filter(|quota| quota.id == member) else { return };
        quota.shared_by = Some(shared);
        quota.turns += 1;
        let state = Absorbed::of(quota);
        self.retired.push(member);
        let options = self.options.clone();
        let Some(quota) = self.quota_mut(shared) else { return };
        let was_idle = quota.minute.requests == 0;
        quota.absorb(state, &options);
        if !quota.members.contains(&member) {
            quota.members.push(member);
        }
        if was_idle && quota.minute.requests > 0 {
            self.busy.push(shared);
        }
    }

    /// Shows the endpoints' own quotas again.
    fn part(&mut self, shared: QuotaId) {
        if self.any_quota(shared).is_none() {
            return;
        }
        let Some(quota) = self.quotas.remove(shared.slot) else { return };
        self.courses.forget();
        if let Some(at) = quota.wakes_at {
            self.expiries.remove(at, shared);
        }
        for member in quota.members {
            if let Some(quota) = self.quota_mut(member).filter(|quota| quota.shared_by == Some(shared)) {
                quota.shared_by = None;
                quota.turns += 1;
            }
        }
        self.touched.retain(|id| *id != shared);
        self.retired.push(shared);
    }

    #[inline]
    fn pass_on(&mut self, reading: &Reading, member: QuotaId, at: Timestamp, now: Timestamp) {
        let Some(shared) = self.any_quota(member).and_then(|quota| quota.shared_by) else { return };
        self.apply_shared(reading, shared, at, now);
    }

    fn apply_shared(&mut self, reading: &Reading, shared: QuotaId, at: Timestamp, now: Timestamp) {
        let sequence = self.sequence();
        let Some(quota) = self.quota_mut(shared) else { return };
        let applied = quota.apply(reading, at, sequence);
        if applied.is_news() {
            let key = quota.key.clone();
            self.events.tell(applied, &key, now);
        }
    }
}

/// Whether no other reading of the same exchange may be of the same quota.
fn is_alone(observation: &Observation, reading: &Reading) -> bool {
    let alike =
        |other: &&Reading| other.dimension == reading.dimension && other.bucket.is_none() && other.policy.is_none();
    observation.readings.iter().filter(alike).filter(|other| other.window == reading.window).count() == 1
}

/// What a shared quota takes over from an endpoint's own.
struct Absorbed(Box<TrackedQuota>);

impl Absorbed {
    fn of(quota: &TrackedQuota) -> Self {
        Self(Box::new(quota.clone()))
    }
}

impl TrackedQuota {
    /// Whether several endpoints were found to share it: an estimate.
    pub const fn is_learned_sharing(&self) -> bool {
        self.learned_sharing
    }

    fn absorb(&mut self, Absorbed(member): Absorbed, options: &TrackOptions) {
        self.turns += 1;
        if self.numbers_at.is_none_or(|known| member.numbers_at.is_some_and(|at| at >= known)) {
            self.source = member.source;
            self.limit = member.limit;
            self.remaining = member.remaining;
            self.used = member.used;
            self.stated_utilization = member.stated_utilization;
            self.numbers_at = member.numbers_at;
            self.window_kind = member.window_kind;
            self.reset_at = member.reset_at;
            self.said = member.said;
        }
        self.seen_at = self.seen_at.max(member.seen_at);
        self.longest_wait = self.longest_wait.max(member.longest_wait);
        self.peak = larger(self.peak, member.peak, f64::max);
        self.peak_used = larger(self.peak_used, member.peak_used, Ord::max);
        self.requests = self.requests.saturating_add(member.requests);
        self.throttled = self.throttled.saturating_add(member.throttled);
        self.recent.merge(&member.recent);
        self.trend.merge(&member.trend);
        merge_codes(&mut self.error_codes, &member.error_codes, options.error_codes_each);
        self.minute.requests = self.minute.requests.saturating_add(member.minute.requests);
        self.minute.throttled = self.minute.throttled.saturating_add(member.minute.throttled);
        merge_codes(&mut self.minute.error_codes, &member.minute.error_codes, options.error_codes_each);
        if self.refused_at <= member.refused_at {
            self.refused_at = member.refused_at;
            self.retry_after = member.retry_after.or(self.retry_after);
            self.blocked_until = self.blocked_until.max(member.blocked_until);
        }
        for (endpoint, count) in member.endpoints {
            match self.endpoints.iter().position(|(known, _)| *known == endpoint) {
                Some(index) => self.endpoints[index].1 = self.endpoints[index].1.saturating_add(count),
                None if self.endpoints.len() < options.endpoints_each => self.endpoints.push((endpoint, count)),
                None => {}
            }
        }
    }
}

fn larger<T>(a: Option<T>, b: Option<T>, larger: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(larger(a, b)),
        (a, b) => a.or(b),
    }
}
