//! The owner of all quota state.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::model::{Observation, SettledNames, Timestamp};

use super::bounded::Bounded;
use super::course::Courses;
use super::deadlines::{Deadlines, sooner};
use super::endpoint::Endpoint;
use super::event::{MinuteReport, TrackEvent};
use super::events::Events;
use super::identity::Identity;
use super::minute::minute_end;
use super::options::{Cuts, TrackOptions};
use super::places::{Place, Places};
use super::quota::{QuotaId, TrackedQuota};
use super::route::Route;
use super::sharing::Sharing;
use super::tally::OTHER;
use super::trend::TrendRing;
use super::unstated::Learners;
use super::update::stated_window;

/// Where an error code came from: owner, code, kind of the scope.
pub(super) type CodeKey = (Arc<str>, Arc<str>, Option<Arc<str>>);

/// Turns observations, in order of their time, into the state of quotas.
///
/// Time never runs back: what comes late counts at the newest moment that was seen.
pub struct Tracker {
    pub(super) options: TrackOptions,
    pub(super) now: Option<Timestamp>,
    /// The newest observation, without ticks.
    observed: Timestamp,
    /// Observations so far, from 1: names the current one.
    sequence: u64,
    pub(super) hashing: RandomState,
    pub(super) quotas: Bounded<TrackedQuota>,
    pub(super) next_serial: u64,
    pub(super) endpoints: Bounded<Endpoint>,
    pub(super) routes: Bounded<Route>,
    places: Places,
    pub(super) courses: Courses,
    /// The route of the current observation.
    pub(super) route: u32,
    pub(super) error_codes: BTreeMap<CodeKey, u64>,
    pub(super) trend: TrendRing,
    /// The quotas that the current observation counts against.
    pub(super) touched: Vec<QuotaId>,
    /// The quotas that the current observation hid or ended.
    pub(super) retired: Vec<QuotaId>,
    pub(super) sharing: Sharing,
    pub(super) learners: Learners,
    pub(super) late: bool,
    pub(super) events: Events,
    /// Quotas by the moment their numbers become history.
    pub(super) expiries: Deadlines<QuotaId>,
    /// Quotas with exchanges in the running minute, and its end.
    pub(super) busy: Vec<QuotaId>,
    minute_ends: Option<Timestamp>,
    pub(super) cuts: Cuts,
    pub(super) unknown: Arc<str>,
}

impl Tracker {
    /// A tracker that knows nothing yet.
    pub fn new(options: TrackOptions) -> Self {
        Self {
            learners: Learners::new(options.learners),
            quotas: Bounded::new(options.quotas),
            endpoints: Bounded::new(options.endpoints),
            routes: Bounded::new(options.routes),
            places: Places::new(),
            courses: Courses::new(),
            route: u32::MAX,
            events: Events::new(options.events),
            options,
            now: None,
            observed: Timestamp::MIN,
            sequence: 0,
            hashing: RandomState::new(),
            next_serial: 0,
            error_codes: BTreeMap::new(),
            trend: TrendRing::default(),
            touched: Vec::new(),
            retired: Vec::new(),
            sharing: Sharing::new(),
            late: false,
            expiries: Deadlines::new(),
            busy: Vec::new(),
            minute_ends: None,
            cuts: Cuts::default(),
            unknown: "".into(),
        }
    }

    /// Takes an exchange into account; `names` is the number of what it names, where that has one.
    pub fn handle_observation(&mut self, observation: &Observation, names: Option<SettledNames>) {
        let now = self.advance(observation.at);
        self.sequence += 1;
        self.touched.clear();
        self.retired.clear();
        self.late = false;
        if observation.at >= self.observed {
            self.observed = observation.at;
        } else if observation.at < self.observed.before(self.options.disorder) {
            self.late = true;
            self.cuts.late += 1;
        }
        if !self.late {
            self.trend.add(now, None, observation.throttled.is_some());
        }
        if names.is_none_or(|names| !self.take_course(observation, names, now)) {
            self.take_in_full(observation, names, now);
        }
    }

    /// Takes one that is not like one before. Apart, so that what it needs is not made ready for those that are.
    #[cold]
    fn take_in_full(&mut self, observation: &Observation, names: Option<SettledNames>, now: Timestamp) {
        let mut place = self.places.of(observation);
        self.count_endpoint(observation, &mut place);
        let server;
        let owner = match (&observation.provider, &observation.host, observation.server) {
            (Some(provider), _, _) => provider,
            (None, Some(host), _) => host,
            (None, None, Some(address)) => {
                server = Arc::from(address.to_string());
                &server
            }
            (None, None, None) => {
                self.cuts.unplaced += 1;
                return;
            }
        };
        self.count_error_code(observation, owner);
        let unknown;
        let endpoint = if let Some(endpoint) = &observation.endpoint {
            endpoint
        } else {
            unknown = Arc::clone(&self.unknown);
            &unknown
        };
        self.find_route(observation, owner, endpoint, &mut place);
        self.take_readings(observation, owner, endpoint, now);
        self.take_declared(observation, owner, now);
        self.follow_route(observation, owner, endpoint, now);
        self.touch_shared();
        self.learn_limits(observation, now);
        if observation.throttled.is_some() {
            self.blame(observation, now);
        }
        self.count_touched(observation, endpoint, now);
        if let Some(names) = names {
            self.keep_course(observation, names, place.endpoint);
        }
    }

    /// Lets time pass: full minutes are reported, and numbers whose reset has passed become history.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// The same; gives the newest moment that was seen.
    #[inline(always)]
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        if self.is_due(now) {
            self.expire(now);
        }
        now
    }

    #[cold]
    fn expire(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.expiries.pop_due(now) {
            let mut later = None;
            if let Some(quota) = self.quota_mut(id) {
                later = quota.expires_at().filter(|expires| *expires > at);
                quota.wakes_at = later;
            }
            if let Some(later) = later {
                self.expiries.insert(later, id);
            } else if let Some(quota) = self.quota(id).filter(|quota| quota.expires_at() == Some(at)) {
                let event = TrackEvent::Reset { quota: quota.key.clone(), at };
                self.events.push(event);
            }
        }
        if let Some(ends) = self.minute_ends.filter(|ends| *ends <= now) {
            self.minute_ends = None;
            self.report_minute(ends);
        }
    }

    /// When time next changes something by itself.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        sooner(self.expiries.next(), self.minute_ends)
    }

    /// Whether that has come.
    #[inline]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expiries.is_due(now) || self.minute_ends.is_some_and(|ends| ends <= now)
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<TrackEvent> {
        self.events.pop()
    }

    /// The next minute that is full, see [`Self::poll_event`]. What else happened before it is told no more.
    #[inline]
    pub fn poll_minute(&mut self) -> Option<MinuteReport> {
        self.events.pop_minute()
    }

    /// The newest moment that was seen.
    pub const fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// The number of the current observation.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the current observation came too late to be judged.
    pub const fn is_late(&self) -> bool {
        self.late
    }

    /// The quotas that the current observation counts against.
    pub fn touched(&self) -> impl Iterator<Item = &TrackedQuota> {
        self.touched.iter().filter_map(|id| self.quota(*id))
    }

    /// The quotas that are no longer shown since the current observation.
    pub fn retired(&self) -> &[QuotaId] {
        &self.retired
    }

    /// Whether events wait.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// A quota by its name; absent once it was forgotten, or while a shared one is shown in its place.
    #[inline]
    pub fn quota(&self, id: QuotaId) -> Option<&TrackedQuota> {
        self.any_quota(id).filter(|quota| !self.is_hidden(quota))
    }

    /// All quotas.
    pub fn quotas(&self) -> impl Iterator<Item = &TrackedQuota> {
        self.quotas.iter().filter(|quota| !self.is_hidden(quota))
    }

    /// What the bounds cut so far.
    pub const fn cuts(&self) -> Cuts {
        let mut cuts = self.cuts;
        cuts.quotas = self.quotas.evicted();
        cuts.endpoints = self.endpoints.evicted();
        cuts.routes = self.routes.evicted();
        cuts.events = self.events.dropped();
        cuts
    }

    #[inline]
    pub(super) fn quota_mut(&mut self, id: QuotaId) -> Option<&mut TrackedQuota> {
        self.quotas.get_mut(id.slot).filter(|quota| quota.id == id)
    }

    fn count_endpoint(&mut self, observation: &Observation, place: &mut Place) {
        let (Some(host), Some(endpoint)) = (&observation.host, &observation.endpoint) else { return };
        let remembered = self.endpoints.get(place.endpoint).is_some_and(|known| known.is(host, endpoint));
        if !remembered {
            let hash = self.hashing.hash_one((&**host, &**endpoint));
            let found = self.endpoints.find(hash, |known| known.is(host, endpoint));
            place.endpoint = found.unwrap_or_else(|| {
                self.courses.forget();
                self.endpoints.insert(hash, Endpoint::new(host, endpoint)).0
            });
            self.places.keep(*place);
        }
        if let Some(known) = self.endpoints.touch(place.endpoint) {
            known.count(observation, self.options.error_codes_each);
        }
    }

    pub(super) fn count_error_code(&mut self, observation: &Observation, owner: &Arc<str>) {
        let Some(code) = observation.error_code.as_ref().filter(|_| observation.throttled.is_some()) else { return };
        let kind = observation.scope.as_ref().map(|scope| Arc::clone(&scope.kind));
        let mut key = (Arc::clone(owner), Arc::clone(code), kind);
        if !self.error_codes.contains_key(&key) && self.error_codes.len() >= self.options.error_codes {
            key = (OTHER.into(), OTHER.into(), None);
        }
        let count = self.error_codes.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    fn take_readings(&mut self, observation: &Observation, owner: &Arc<str>, endpoint: &Arc<str>, now: Timestamp) {
        let cut = observation.readings.len().saturating_sub(self.options.readings);
        self.cuts.readings += u64::try_from(cut).unwrap_or(u64::MAX);
        for reading in observation.readings.get(..self.options.readings).unwrap_or(&observation.readings) {
            let identity = Identity::of_reading(reading, observation, owner, endpoint);
            let id = self.find_or_insert(identity, stated_window(reading), reading.limit, observation, now);
            let sequence = self.sequence;
            let Some(quota) = self.quota_mut(id) else { continue };
            let applied = quota.apply(reading, observation.at, sequence);
            self.touch(id);
            if applied.is_news()
                && let Some(quota) = self.quota(id)
            {
                let key = quota.key.clone();
                self.events.tell(applied, &key, now);
            }
            self.learn_sharing(observation, reading, id, now);
        }
    }

    fn take_declared(&mut self, observation: &Observation, owner: &Arc<str>, now: Timestamp) {
        for declared in observation.declared.iter().take(self.options.readings) {
            let identity = Identity::of_declared(declared, observation, owner);
            let id = self.find_or_insert(identity, Some(declared.window), None, observation, now);
            let said = self.touched.contains(&id);
            if let Some(quota) = self.quota_mut(id) {
                quota.declare(declared, said, now);
            }
            self.touch(id);
        }
    }

    pub(super) fn touch(&mut self, id: QuotaId) {
        if !self.touched.contains(&id) {
            self.touched.push(id);
        }
    }

    fn find_route(&mut self, observation: &Observation, owner: &Arc<str>, endpoint: &Arc<str>, place: &mut Place) {
        let scope = observation.scope.as_ref();
        let remembered = self.routes.get(place.route).is_some_and(|known| known.is(owner, scope, endpoint));
        if !remembered {
            let hash = Route::hash(&self.hashing, owner, scope, endpoint);
            let found = self.routes.find(hash, |known| known.is(owner, scope, endpoint));
            place.route = found.unwrap_or_else(|| {
                self.courses.forget();
                self.routes.insert(hash, Route::new(owner, scope, endpoint)).0
            });
            self.places.keep(*place);
        }
        self.route = place.route;
        self.routes.touch(self.route);
    }

    /// Remembers which quotas an endpoint burns, and lets an exchange that announces none count against them.
    fn follow_route(&mut self, observation: &Observation, owner: &Arc<str>, endpoint: &Arc<str>, now: Timestamp) {
        let scope = observation.scope.as_ref();
        if self.touched.is_empty() {
            let linked = self.routes.get(self.route).map(Route::quotas).unwrap_or_default();
            let known = |id: &&QuotaId| self.quotas.get(id.slot).is_some_and(|quota| quota.id == **id);
            self.touched.extend(linked.iter().filter(known).copied());
        }
        if self.touched.is_empty() && observation.throttled.is_some() {
            let dimension = crate::model::Dimension::requests();
            let identity = Identity {
                owner,
                scope: super::identity::ScopeRef::of(scope),
                name: endpoint,
                policy: None,
                dimension: &dimension,
            };
            let id = self.find_or_insert(identity, None, None, observation, now);
            self.touched.push(id);
        }
        let Some(route) = self.routes.get_mut(self.route) else { return };
        if self.touched.is_empty() {
            route.count(now);
        }
        for id in &self.touched {
            if route.knows(*id) {
                continue;
            }
            self.courses.forget();
            if let Some((requests, recent)) = route.link(*id)
                && let Some(quota) = self.quotas.get_mut(id.slot)
            {
                quota.inherit(endpoint, requests, recent);
            }
        }
    }

    pub(super) fn count_touched(&mut self, observation: &Observation, endpoint: &Arc<str>, now: Timestamp) {
        for index in 0..self.touched.len() {
            if let Some(&id) = self.touched.get(index) {
                self.count_quota(id, observation, endpoint, now);
            }
        }
    }

    /// Counts an exchange against a quota, and lets it wait for its next moment.
    #[inline]
    pub(super) fn count_quota(&mut self, id: QuotaId, observation: &Observation, endpoint: &Arc<str>, now: Timestamp) {
        let Some(quota) = self.quotas.touch(id.slot).filter(|quota| quota.id == id) else { return };
        let was_idle = quota.minute.requests == 0;
        quota.count(observation, endpoint, now, self.late, &self.options);
        // What moves on is looked at when it would have been due: almost every exchange moves some.
        let expires = quota.expires_at().filter(|at| *at > now);
        let earlier = expires.filter(|at| quota.wakes_at.is_none_or(|wakes_at| *at < wakes_at));
        if let Some(at) = earlier {
            if let Some(before) = quota.wakes_at.replace(at) {
                self.expiries.remove(before, id);
            }
            self.expiries.insert(at, id);
        }
        if !self.late {
            quota.note_steady();
        }
        if was_idle {
            self.busy.push(id);
            self.minute_ends.get_or_insert_with(|| minute_end(now));
        }
    }
}
