//! Properties of the tracker and the alerts that hold for any observations.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use quotascope::alert::{AlertOptions, Alerts};
use quotascope::extract::{BoundOptions, Bounds};
use quotascope::model::{
    Alert, AlertState, Amount, Client, DeclaredQuota, Dimension, Observation, QuotaSource, Reading, Scope,
    SettledNames, ThrottleCause, Timestamp, WindowKind,
};
use quotascope::track::{TrackEvent, TrackOptions, Tracker};

const START: i64 = 1_795_320_000;

/// Dimension, limit, remaining, window and reset in seconds, kind of window.
type SaidReading = (u8, Option<f64>, Option<f64>, Option<u64>, Option<i64>, u8);

/// What a test says of one exchange.
#[derive(Debug, Clone)]
struct Said {
    /// Milliseconds since the one before.
    gap: i64,
    host: u8,
    endpoint: u8,
    scope: u8,
    throttled: bool,
    code: Option<u8>,
    retry_after: Option<u64>,
    readings: Vec<SaidReading>,
    declared: Option<u8>,
}

fn said(gap: impl Strategy<Value = i64>) -> impl Strategy<Value = Said> {
    let amount = prop_oneof![Just(0.0), 0.0..200.0, 0.0..9e15, Just(100.0)];
    let reading = (
        0u8..3,
        proptest::option::of(amount.clone()),
        proptest::option::of(amount),
        proptest::option::of(prop_oneof![Just(60u64), Just(1), Just(3600), any::<u64>(), Just(0)]),
        proptest::option::of(prop_oneof![-100i64..4000, any::<i64>()]),
        0u8..4,
    );
    (
        gap,
        0u8..2,
        0u8..4,
        0u8..3,
        proptest::bool::weighted(0.2),
        proptest::option::of(0u8..4),
        proptest::option::of(prop_oneof![0u64..600, any::<u64>()]),
        proptest::collection::vec(reading, 0..4),
        proptest::option::of(0u8..4),
    )
        .prop_map(|(gap, host, endpoint, scope, throttled, code, retry_after, readings, declared)| Said {
            gap,
            host,
            endpoint,
            scope,
            throttled,
            code,
            retry_after,
            readings,
            declared,
        })
}

fn observation(said: &Said, at: Timestamp) -> Observation {
    let amount = |value: f64| Amount::new(value.round());
    let readings = said.readings.iter().map(|(dimension, limit, remaining, window, reset, kind)| Reading {
        dimension: Dimension(["requests", "tokens", "points"][usize::from(*dimension)].into()),
        policy: None,
        limit: limit.and_then(amount),
        remaining: remaining.and_then(amount),
        used: None,
        utilization: None,
        window: window.map(Duration::from_secs),
        reset_at: reset
            .map(|reset| Timestamp::from_nanos(at.as_nanos().saturating_add(reset.saturating_mul(1_000_000_000)))),
        source: QuotaSource::Header,
        bucket: None,
        scope: None,
        window_kind: [None, Some(WindowKind::Fixed), Some(WindowKind::Sliding), Some(WindowKind::TokenBucket)]
            [usize::from(*kind)],
    });
    let declared = said.declared.map(|kind| {
        Arc::new(DeclaredQuota {
            policy: format!("declared {kind}").into(),
            dimension: Dimension::requests(),
            limit: Amount::from_count(10),
            window: Duration::from_secs(if kind == 3 { 0 } else { 60 }),
            window_kind: [WindowKind::Fixed, WindowKind::Sliding, WindowKind::TokenBucket][usize::from(kind) % 3],
            endpoints: "GET *".into(),
            scope_kind: "account".into(),
            scope: None,
            burst: None,
        })
    });
    Observation {
        at,
        source: "property".into(),
        client: Client::Unknown,
        server: None,
        host: Some(format!("host{}.example.com", said.host).into()),
        method: Some("GET".into()),
        path: None,
        endpoint: (said.endpoint > 0).then(|| format!("GET /{}", said.endpoint).into()),
        status: if said.throttled { 429 } else { 200 },
        provider: None,
        dialect: None,
        readings: readings.collect(),
        declared: declared.into_iter().collect(),
        retry_after: said.retry_after.map(Duration::from_secs),
        throttled: said.throttled.then_some(ThrottleCause::Quota),
        error_code: said.code.filter(|_| said.throttled).map(|code| format!("{code}").into()),
        scope: (said.scope > 0).then(|| Scope { kind: "account".into(), id: Some(format!("k:{}", said.scope).into()) }),
        latency: None,
        content_cut: false,
        doubts: Vec::new(),
    }
}

struct World {
    tracker: Tracker,
    alerts: Alerts,
    changes: Vec<Alert>,
}

impl World {
    fn new(options: TrackOptions) -> Self {
        let alerts = Alerts::new(AlertOptions::default());
        Self { tracker: Tracker::new(options), alerts, changes: Vec::new() }
    }

    /// Lets time pass deadline by deadline, as the pipeline does; how many deadlines there were.
    fn pass(&mut self, now: Timestamp) -> usize {
        let mut deadlines = 0;
        while let Some(at) = [self.tracker.poll_timeout(), self.alerts.poll_timeout()].into_iter().flatten().min() {
            if at > now || deadlines > 50_000 {
                break;
            }
            self.tracker.handle_timeout(at);
            self.alerts.handle_timeout(at, &self.tracker);
            deadlines += 1;
        }
        self.tracker.handle_timeout(now);
        self.alerts.handle_timeout(now, &self.tracker);
        self.changes.extend(std::iter::from_fn(|| self.alerts.poll_alert()));
        deadlines
    }

    fn observe(&mut self, observation: &Observation) {
        self.observe_named(observation, None);
    }

    fn observe_named(&mut self, observation: &Observation, names: Option<SettledNames>) {
        self.pass(observation.at);
        self.tracker.handle_observation(observation, names);
        self.alerts.handle_observation(observation, &self.tracker);
        self.changes.extend(std::iter::from_fn(|| self.alerts.poll_alert()));
    }
}

/// Gives each name the allocation that it had before.
fn intern(observation: &mut Observation, known: &mut BTreeMap<Arc<str>, Arc<str>>) {
    let Observation { host, endpoint, scope, error_code, readings, .. } = observation;
    let scope = scope.iter_mut().flat_map(|scope| [Some(&mut scope.kind), scope.id.as_mut()].into_iter().flatten());
    let dimensions = readings.iter_mut().map(|reading| &mut reading.dimension.0);
    for name in host.iter_mut().chain(endpoint).chain(error_code).chain(scope).chain(dimensions) {
        *name = Arc::clone(known.entry(Arc::clone(name)).or_insert_with(|| Arc::clone(name)));
    }
}

/// Every number that a snapshot or an alert shows is one that can be true.
fn sane(world: &World, now: Timestamp) -> Result<(), TestCaseError> {
    let snapshot = world.tracker.snapshot(now);
    for quota in &snapshot.quotas {
        let numbers = [quota.utilization, quota.peak_utilization, quota.consumption_rate, quota.pace];
        prop_assert!(numbers.into_iter().flatten().all(|n| n.is_finite() && n >= 0.0), "{quota:?}");
        prop_assert!(quota.utilization.is_none() || quota.utilization <= quota.peak_utilization, "{quota:?}");
        prop_assert!(quota.requests >= quota.throttled && quota.requests >= quota.recent_requests, "{quota:?}");
        prop_assert!(quota.recent_requests >= quota.recent_throttled, "{quota:?}");
        prop_assert!(quota.exhausts_at.is_none_or(|at| at >= now), "{quota:?}");
        prop_assert!(!quota.stale || (quota.remaining.is_none() && quota.utilization.is_none()), "{quota:?}");
    }
    let mut keys: Vec<_> = snapshot.quotas.iter().map(|quota| &quota.key).collect();
    keys.sort();
    prop_assert!(keys.is_sorted_by(|a, b| a < b), "two quotas have the same key: {keys:?}");
    let sorted = snapshot
        .quotas
        .is_sorted_by_key(|q| (&q.key.owner, &q.key.bucket, &q.key.scope, &q.key.dimension, q.key.window));
    prop_assert!(sorted, "the quotas are not in order");
    for alert in world.alerts.current() {
        prop_assert!(alert.value.is_finite() && alert.threshold.is_finite(), "{alert:?}");
    }
    Ok(())
}

/// Each episode is told as fired first, then as resolved at most once, with rising sequence numbers.
fn well_told(changes: &[Alert]) -> Result<(), TestCaseError> {
    let mut episodes: BTreeMap<&str, &Alert> = BTreeMap::new();
    for change in changes {
        match (episodes.get(&*change.id), change.state) {
            (None, AlertState::Firing) => prop_assert_eq!(change.sequence, 0),
            (Some(before), AlertState::Resolved) => {
                prop_assert!(before.state == AlertState::Firing && change.sequence > before.sequence, "{change:?}");
                prop_assert!(change.ended_at >= Some(change.started_at));
            }
            (before, _) => prop_assert!(false, "{change:?} after {before:?}"),
        }
        episodes.insert(&change.id, change);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_numbers_and_any_times_keep_the_state_sane(
        all in proptest::collection::vec(said(prop_oneof![-20_000i64..60_000, any::<i64>()]), 1..120),
        quotas in 1usize..8,
    ) {
        let options = TrackOptions { quotas, endpoints: 2, routes: 3, error_codes: 2, error_codes_each: 2, events: 4, ..TrackOptions::default() };
        let mut world = World::new(options);
        let mut at = Timestamp::from_secs(START);
        for said in &all {
            at = Timestamp::from_nanos(at.as_nanos().saturating_add(said.gap.saturating_mul(1_000_000)));
            let observation = observation(said, at);
            // No deadlines here: a caller that skips them must not matter.
            world.tracker.handle_observation(&observation, None);
            world.alerts.handle_observation(&observation, &world.tracker);
            let now = world.tracker.now().unwrap();
            if said.gap % 4 == 0 {
                sane(&world, now)?;
            }
            let snapshot = world.tracker.snapshot(now);
            prop_assert!(snapshot.quotas.len() <= quotas && snapshot.endpoints.len() <= 2 && snapshot.error_codes.len() <= 3);
        }
    }

    #[test]
    fn replayed_twice_and_with_any_ticks_the_same_is_told(
        all in proptest::collection::vec((said(0i64..20_000), proptest::collection::vec(0u64..20_000, 0..3)), 1..200),
    ) {
        let mut runs = Vec::new();
        for ticks in [false, true, false] {
            let mut world = World::new(TrackOptions::default());
            let mut at = Timestamp::from_secs(START);
            for (said, early) in &all {
                let next = Timestamp::from_nanos(at.as_nanos() + said.gap * 1_000_000);
                if ticks {
                    let mut moments: Vec<_> = early.iter().map(|ms| at.after(Duration::from_millis(*ms)).min(next)).collect();
                    moments.sort();
                    for moment in moments { world.pass(moment); }
                }
                at = next;
                world.observe(&observation(said, at));
            }
            sane(&world, at)?;
            let end = at.after(Duration::from_hours(2));
            prop_assert!(world.pass(end) < 200_000);
            well_told(&world.changes)?;
            sane(&world, end)?;
            runs.push(format!("{:?}{:?}{:?}", world.tracker.snapshot(end), world.alerts.current(), world.changes));
        }
        prop_assert_eq!(&runs[0], &runs[1]);
        prop_assert_eq!(&runs[0], &runs[2]);
    }

    #[test]
    fn names_in_the_allocations_of_before_come_to_the_same(
        all in proptest::collection::vec(said(0i64..20_000), 1..200),
        quotas in 2usize..20,
    ) {
        let options = TrackOptions { quotas, endpoints: 5, routes: 8, ..TrackOptions::default() };
        let mut runs = Vec::new();
        for same in [false, true] {
            let mut world = World::new(options.clone());
            let mut names = BTreeMap::new();
            let mut bounds = Bounds::new(BoundOptions::default());
            let mut told = Vec::new();
            let mut at = Timestamp::from_secs(START);
            for said in &all {
                at = Timestamp::from_nanos(at.as_nanos() + said.gap * 1_000_000);
                let mut said = said.clone();
                // Most announce one quota of their endpoint, and its limit rarely changes.
                if let (Some(reading), true) = (said.readings.first_mut(), said.gap % 8 != 0) {
                    let window = (said.gap % 5 != 0 || said.scope > 0).then_some(60);
                    *reading = (0, Some(100.0), reading.2.map(|left| left % 100.0), window, reading.4, 0);
                    said.readings.truncate(1);
                    said.declared = None;
                }
                let mut observation = observation(&said, at);
                // Windows that stand side by side, mostly.
                if let Some(reading) = observation.readings.first_mut().filter(|_| said.gap % 3 != 0) {
                    reading.reset_at = Some(Timestamp::from_secs(at.as_secs() / 100 * 100 + 100));
                }
                let mut settled = None;
                if same {
                    intern(&mut observation, &mut names);
                    settled = bounds.settle(&mut observation);
                }
                world.observe_named(&observation, settled);
                told.extend(events(&mut world.tracker));
            }
            sane(&world, at)?;
            runs.push(format!("{:?}{:?}{:?}{:?}{told:?}", world.tracker.snapshot(at), world.tracker.cuts(), world.alerts.current(), world.changes));
        }
        prop_assert_eq!(&runs[0], &runs[1]);
    }

    #[test]
    fn counts_are_those_of_a_naive_model(all in proptest::collection::vec(said(0i64..3000), 1..300)) {
        let mut world = World::new(TrackOptions::default());
        let mut at = Timestamp::from_secs(START);
        let mut naive: BTreeMap<_, Vec<(Timestamp, bool)>> = BTreeMap::new();
        for said in &all {
            at = Timestamp::from_nanos(at.as_nanos() + said.gap * 1_000_000);
            // One plain quota for each host, scope and endpoint.
            let said = Said { readings: vec![(0, Some(100.0), Some(50.0), Some(60), Some(30), 0)], declared: None, ..said.clone() };
            let observation = observation(&said, at);
            world.observe(&observation);
            let scope = observation.scope.as_ref().and_then(|scope| scope.id.as_deref()).map(String::from);
            let key = (observation.host.as_deref().unwrap().into(), scope, observation.endpoint.as_deref().unwrap_or("").into());
            naive.entry(key).or_default().push((at, said.throttled));
        }
        let snapshot = world.tracker.snapshot(at);
        prop_assert_eq!(snapshot.quotas.len(), naive.len());
        for quota in snapshot.quotas {
            let scope = quota.scope.and_then(|scope| scope.id).map(|id| id.to_string());
            let all = &naive[&(quota.host.to_string(), scope, quota.key.bucket.to_string())];
            let recent: Vec<_> = all.iter().filter(|(when, _)| when.as_secs() > at.as_secs() - 300).collect();
            let throttled = |list: &mut dyn Iterator<Item = &(Timestamp, bool)>| list.filter(|(_, throttled)| *throttled).count() as u64;
            prop_assert_eq!(quota.requests, all.len() as u64);
            prop_assert_eq!(quota.throttled, throttled(&mut all.iter()));
            prop_assert_eq!(quota.recent_requests, recent.len() as u64);
            prop_assert_eq!(quota.recent_throttled, throttled(&mut recent.into_iter()));
        }
    }
}

fn plain(at: Timestamp, scope: &str, limit: f64, remaining: f64, window: u64, reset: u64) -> Observation {
    let said = Said {
        gap: 0,
        host: 0,
        endpoint: 1,
        scope: 0,
        throttled: false,
        code: None,
        retry_after: None,
        readings: vec![(0, Some(limit), Some(remaining), Some(window), None, 1)],
        declared: None,
    };
    let mut observation = observation(&said, at);
    observation.scope = Some(Scope { kind: "account".into(), id: Some(scope.into()) });
    for reading in &mut observation.readings {
        reading.reset_at = Some(Timestamp::from_secs(START).after(Duration::from_secs(reset)));
    }
    observation
}

fn events(tracker: &mut Tracker) -> Vec<String> {
    let name = |event| match event {
        TrackEvent::Reset { at, .. } => format!("reset at {}", at.as_secs() - START),
        TrackEvent::LimitChanged { from, to, .. } => format!("limit {from} to {to}"),
        TrackEvent::ResetMoved { to, .. } => format!("reset moved to {}", to.as_secs() - START),
        TrackEvent::Minute(report) => format!("minute of {}", report.requests),
    };
    std::iter::from_fn(|| tracker.poll_event()).map(name).collect()
}

#[test]
fn what_happens_is_told_once() {
    let at = |second| Timestamp::from_secs(START).after(Duration::from_secs(second));
    let mut tracker = Tracker::new(TrackOptions::default());
    tracker.handle_observation(&plain(at(1), "k:1", 100.0, 90.0, 60, 60), None);
    tracker.handle_observation(&plain(at(2), "k:1", 100.0, 89.0, 60, 60), None);
    assert!(events(&mut tracker).is_empty());
    tracker.handle_observation(&plain(at(3), "k:1", 50.0, 40.0, 60, 70), None);
    assert_eq!(events(&mut tracker), ["limit 100 to 50", "reset moved to 70"]);
    // A second more is the rounding of the provider; a window that begins anew early is told as one.
    tracker.handle_observation(&plain(at(4), "k:1", 50.0, 20.0, 60, 71), None);
    tracker.handle_observation(&plain(at(5), "k:1", 50.0, 49.0, 60, 80), None);
    assert_eq!(events(&mut tracker), ["reset at 5"]);
    assert_eq!(tracker.poll_timeout(), Some(at(60)));
    tracker.handle_timeout(at(60));
    tracker.handle_timeout(at(200));
    assert_eq!(events(&mut tracker), ["minute of 5", "reset at 80"]);
    assert_eq!(tracker.poll_timeout(), None);
    // The window that begins after a reset that was told is no news.
    tracker.handle_observation(&plain(at(201), "k:1", 50.0, 49.0, 60, 260), None);
    assert!(events(&mut tracker).is_empty());
}

#[test]
fn a_flood_of_callers_and_windows_stays_within_its_bounds() {
    let at = |ms| Timestamp::from_secs(START).after(Duration::from_millis(ms));
    let options = AlertOptions { watched: 200, ..AlertOptions::default() };
    let mut world = World::new(TrackOptions { quotas: 100, routes: 10, ..TrackOptions::default() });
    world.alerts = Alerts::new(options);
    for caller in 0..5000u64 {
        // Each is seen once above 80 %, so that its alert waits for another sight that never comes.
        world.observe(&plain(at(caller), &format!("k:{caller}"), 100.0, 12.0, 3600, 3600));
    }
    assert_eq!((world.tracker.quotas().count(), world.tracker.cuts().quotas), (100, 4900));
    assert_eq!(world.alerts.unwatched(), 0);
    for window in 1..2000u64 {
        world.observe(&plain(at(5000 + window), "k:1", 100.0, 50.0, window, 7200));
    }
    assert_eq!(world.tracker.cuts().alike, 2000 - 1 - 16);
    let alike = world
        .tracker
        .quotas()
        .filter(|quota| quota.key().scope.as_ref().is_some_and(|s| s.id.as_deref() == Some("k:1")));
    assert_eq!(alike.count(), 16);
}
