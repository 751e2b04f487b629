//! Exchanges like one before: the same caller, endpoint and quota, with other numbers.

use crate::model::{Observation, Reading, SettledNames, Timestamp};

use super::learned::Learning;
use super::quota::QuotaId;
use super::sharing::{GroupId, Last};
use super::tracker::Tracker;
use super::update::stated_window;

/// Courses kept: those of a busy integration's endpoints and callers.
const COURSES: usize = 2048;

/// Remembers where an exchange that announces one quota of its endpoint found everything, by the number of its names: most
/// exchanges are like one before, and need no search.
///
/// A memory, not a table: names without a number, or several that meet in one place, go the full way.
pub(super) struct Courses {
    kept: Box<[Course]>,
    /// Grows whenever a slot may hold something else than before: what was kept until then is history.
    epoch: u64,
}

#[derive(Clone, Copy)]
struct Course {
    names: SettledNames,
    epoch: u64,
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
        let none = QuotaId { serial: 0, slot: u32::MAX };
        let slots = Slots { endpoint: u32::MAX, route: u32::MAX, quota: none };
        Self { kept: vec![Course { names: SettledNames(0), epoch: u64::MAX, slots }; COURSES].into(), epoch: 0 }
    }

    /// Something was found anew, or is gone: nobody is where it was for certain.
    pub(super) const fn forget(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    #[inline]
    fn of(&self, names: SettledNames) -> Option<Slots> {
        let course = self.kept.get(place_of(names))?;
        (course.names == names && course.epoch == self.epoch).then_some(course.slots)
    }

    fn keep(&mut self, names: SettledNames, slots: Slots) {
        let epoch = self.epoch;
        if let Some(kept) = self.kept.get_mut(place_of(names)) {
            *kept = Course { names, epoch, slots };
        }
    }
}

#[inline]
fn place_of(SettledNames(number): SettledNames) -> usize {
    usize::try_from(number).unwrap_or(0) % COURSES
}

/// The only reading of an exchange; of a quota of its endpoint, as it names no other.
#[inline]
fn only_reading(observation: &Observation) -> Option<&Reading> {
    let [reading] = observation.readings.as_slice() else { return None };
    Some(reading)
}

impl Tracker {
    /// Takes an exchange like one before, as the full way would; not where something may be different.
    #[inline(always)]
    pub(super) fn take_course(&mut self, observation: &Observation, names: SettledNames, now: Timestamp) -> bool {
        let Some(slots) = self.courses.of(names) else { return false };
        let Some(reading) = only_reading(observation) else { return false };
        if observation.throttled.is_some() {
            return self.take_refused(observation, reading, slots, now);
        }
        let Some(quota) = self.quotas.get(slots.quota.slot) else { return false };
        match quota.says_steady(observation, reading).filter(|said| said.at == now) {
            Some(said) => self.take_steady(observation, reading, said, slots),
            None => return self.take_changed(observation, reading, slots, now),
        }
        true
    }

    /// Takes what is said of a quota that is steady.
    #[inline(always)]
    fn take_steady(&mut self, observation: &Observation, reading: &Reading, said: Last, slots: Slots) {
        let id = slots.quota;
        self.count_along(observation, slots);
        let group = self.quotas.get(id.slot).map_or(GroupId::NONE, |quota| quota.group);
        let is_compared = observation.provider.is_none() && observation.status != 304 && said.remaining <= said.limit;
        if is_compared && !self.sharing.note_alone(group, id, said) {
            self.compare_steady(observation, reading, said, id);
        } else if let Some(quota) = self.quotas.touch(id.slot) {
            quota.take_steady(reading, said);
            quota.count_steady(said);
        }
    }

    /// The same, where it is compared with what others said.
    #[cold]
    fn compare_steady(&mut self, observation: &Observation, reading: &Reading, said: Last, id: QuotaId) {
        if let Some(quota) = self.quotas.get_mut(id.slot) {
            quota.take_steady(reading, said);
        }
        self.learn_sharing(observation, reading, id, said.at);
        if !self.retired.is_empty() {
            self.count_shared(observation, said.at);
        } else if let Some(quota) = self.quotas.touch(id.slot) {
            quota.count_steady(said);
        }
    }

    /// Takes what is said of a quota that was not found to be steady.
    #[cold]
    fn take_changed(&mut self, observation: &Observation, reading: &Reading, slots: Slots, now: Timestamp) -> bool {
        let id = slots.quota;
        let Some(endpoint) = &observation.endpoint else { return false };
        if !self.take_again(observation, reading, id, now) {
            return false;
        }
        self.count_along(observation, slots);
        self.learn_sharing(observation, reading, id, now);
        if self.retired.is_empty() {
            self.count_quota(id, observation, endpoint, now);
        } else {
            self.count_shared(observation, now);
        }
        true
    }

    /// Takes an exchange that was refused.
    #[inline(never)]
    fn take_refused(&mut self, observation: &Observation, reading: &Reading, slots: Slots, now: Timestamp) -> bool {
        let Observation { provider, host, endpoint, .. } = observation;
        let (Some(owner), Some(endpoint)) = (provider.as_ref().or(host.as_ref()), endpoint) else { return false };
        if !self.take_again(observation, reading, slots.quota, now) {
            return false;
        }
        self.count_along(observation, slots);
        self.count_error_code(observation, owner);
        self.learn_sharing(observation, reading, slots.quota, now);
        if !self.retired.is_empty() {
            self.touch_shared();
        }
        self.learn_limits(observation, now);
        self.blame(observation, now);
        self.count_touched(observation, endpoint, now);
        true
    }

    /// Counts an exchange of a quota that was not shared before: whatever shows a shared quota in its place retires it.
    #[cold]
    fn count_shared(&mut self, observation: &Observation, now: Timestamp) {
        self.touch_shared();
        if let Some(endpoint) = &observation.endpoint {
            self.count_touched(observation, endpoint, now);
        }
    }

    /// Counts an exchange along its way, up to the quota.
    #[inline(always)]
    fn count_along(&mut self, observation: &Observation, Slots { endpoint, route, quota }: Slots) {
        if let Some(known) = self.endpoints.touch(endpoint) {
            known.count(observation, self.options.error_codes_each);
        }
        self.route = route;
        self.routes.touch(route);
        self.touched.push(quota);
    }

    /// Takes what an exchange says of a quota that was not found to be steady.
    fn take_again(&mut self, observation: &Observation, reading: &Reading, id: QuotaId, now: Timestamp) -> bool {
        let Some(quota) = self.quotas.get_mut(id.slot) else { return false };
        if quota.shared_by.is_some() || self.options.readings == 0 {
            return false;
        }
        // What is called the same may be another quota, unless no other was ever called so.
        let is_known = quota.namesakes == 0 && quota.take_again(reading, observation.at);
        is_known || self.take_news(observation, reading, id, now)
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
    pub(super) fn keep_course(&mut self, observation: &Observation, names: SettledNames, endpoint: u32) {
        if let (Some(_), [quota]) = (only_reading(observation), self.touched.as_slice()) {
            self.courses.keep(names, Slots { endpoint, route: self.route, quota: *quota });
        }
    }
}
