//! Exchanges like one before: the same caller, endpoint and quota, with other numbers.

use std::sync::Arc;

use crate::model::{Observation, Reading, Scope, Timestamp};

use super::learned::Learning;
use super::places::place_of;
use super::quota::QuotaId;
use super::tracker::Tracker;
use super::update::stated_window;

/// Courses kept: those of a busy integration's endpoints and callers.
const COURSES: usize = 1024;

/// Remembers where an exchange that announces one quota of its endpoint found everything, by where its names lie in memory:
/// most exchanges are like one before, and need no search.
///
/// A memory, not a table: names in other allocations, or several that meet in one place, go the full way.
pub(super) struct Courses {
    kept: Box<[Option<Course>]>,
    /// Grows whenever a slot may hold something else than before: what was kept until then is history.
    epoch: u64,
}

struct Course {
    epoch: u64,
    provider: Option<Arc<str>>,
    host: Arc<str>,
    endpoint: Arc<str>,
    scope: Scope,
    dimension: Arc<str>,
    slots: Slots,
}

/// Where everything is.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    endpoint: u32,
    route: u32,
    quota: QuotaId,
}

impl Courses {
    pub(super) fn new() -> Self {
        Self { kept: std::iter::repeat_with(|| None).take(COURSES).collect(), epoch: 0 }
    }

    /// Something was found anew, or is gone: nobody is where it was for certain.
    pub(super) const fn forget(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    #[inline]
    fn of(&self, named: &Named<'_>) -> Option<Slots> {
        let course = self.kept.get(named.place())?.as_ref()?;
        let same = |a: Option<&Arc<str>>, b: Option<&Arc<str>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let is_meant = course.epoch == self.epoch
            && Arc::ptr_eq(&course.endpoint, named.endpoint)
            && same(course.scope.id.as_ref(), named.scope.id.as_ref())
            && Arc::ptr_eq(&course.scope.kind, &named.scope.kind)
            && Arc::ptr_eq(&course.host, named.host)
            && same(course.provider.as_ref(), named.provider)
            && Arc::ptr_eq(&course.dimension, &named.reading.dimension.0);
        is_meant.then_some(course.slots)
    }

    fn keep(&mut self, named: &Named<'_>, slots: Slots) {
        let epoch = self.epoch;
        if let Some(kept) = self.kept.get_mut(named.place()) {
            *kept = Some(Course {
                epoch,
                provider: named.provider.cloned(),
                host: Arc::clone(named.host),
                endpoint: Arc::clone(named.endpoint),
                scope: named.scope.clone(),
                dimension: Arc::clone(&named.reading.dimension.0),
                slots,
            });
        }
    }
}

/// What an exchange names that was accepted and announces one quota, that of its endpoint.
struct Named<'a> {
    provider: Option<&'a Arc<str>>,
    host: &'a Arc<str>,
    endpoint: &'a Arc<str>,
    scope: &'a Scope,
    reading: &'a Reading,
}

impl<'a> Named<'a> {
    #[inline]
    fn of(observation: &'a Observation) -> Option<Self> {
        let [reading] = observation.readings.as_slice() else { return None };
        let names_more = reading.bucket.is_some() || reading.policy.is_some() || reading.scope.is_some();
        if names_more || observation.throttled.is_some() || !observation.declared.is_empty() {
            return None;
        }
        Some(Self {
            provider: observation.provider.as_ref(),
            host: observation.host.as_ref()?,
            endpoint: observation.endpoint.as_ref()?,
            scope: observation.scope.as_ref()?,
            reading,
        })
    }

    #[inline]
    fn place(&self) -> usize {
        place_of([Some(self.endpoint), self.scope.id.as_ref(), Some(self.host)], COURSES)
    }
}

impl Tracker {
    /// Takes an exchange like one before, as the full way would; not where something may be different.
    pub(super) fn take_course(&mut self, observation: &Observation, now: Timestamp) -> bool {
        let Some(named) = Named::of(observation) else { return false };
        let Some(Slots { endpoint, route, quota: id }) = self.courses.of(&named) else { return false };
        let reading = named.reading;
        let Some(quota) = self.quotas.get_mut(id.slot) else { return false };
        if quota.shared_by.is_some() || self.options.readings == 0 {
            return false;
        }
        // What is called the same may be another quota, unless no other was ever called so.
        let is_known = quota.namesakes == 0 && quota.take_again(reading, observation.at);
        if !is_known && !self.take_news(observation, reading, id, now) {
            return false;
        }
        self.endpoints.touch(endpoint);
        if let Some(known) = self.endpoints.get_mut(endpoint) {
            known.count(observation, self.options.error_codes_each);
        }
        self.route = route;
        self.routes.touch(route);
        self.touched.push(id);
        self.learn_sharing(observation, reading, id, now);
        if self.retired.is_empty() {
            self.count_quota(id, observation, named.endpoint, now);
        } else {
            // It was not shared before: whatever shows a shared quota in its place retires it.
            self.touch_shared();
            self.count_touched(observation, named.endpoint, now);
        }
        true
    }

    /// Takes a reading that says more; not where it may be of another quota.
    fn take_news(&mut self, observation: &Observation, reading: &Reading, id: QuotaId, now: Timestamp) -> bool {
        let sequence = self.sequence();
        let Some(quota) = self.quotas.get_mut(id.slot) else { return false };
        let is_certain = quota.is_beyond_doubt(stated_window(reading), reading.limit);
        if !is_certain || quota.learning != Learning::Idle {
            return false;
        }
        let applied = quota.apply(reading, observation.at, sequence);
        if applied.is_news() {
            self.events.tell(applied, &quota.key, now);
        }
        true
    }

    /// Remembers the way that an exchange took, where one like it can take it again.
    pub(super) fn keep_course(&mut self, observation: &Observation, endpoint: u32) {
        let (Some(named), [quota]) = (Named::of(observation), self.touched.as_slice()) else { return };
        self.courses.keep(&named, Slots { endpoint, route: self.route, quota: *quota });
    }
}
