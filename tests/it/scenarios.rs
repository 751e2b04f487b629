//! Timelines for the tracker and the alerts: `tests/scenarios/*.toml`, one concept each.
//!
//! A timeline is a list of steps in order of time. A step has exchanges (one, or `times` of them `every` so many seconds,
//! with `remaining` falling by `burn`), live interfaces, or expectations: `quotas` and `endpoints` by some of their
//! values, `alerts` as the whole list of what is current, `changes` as the whole list of what was told since the last
//! such expectation. Between two steps time passes as in the pipeline: deadline by deadline.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quotascope::alert::{AlertOptions, Alerts};
use quotascope::model::{
    Alert, Amount, CaptureState, Client, DeclaredQuota, Dimension, Observation, QuotaSource, QuotaState, Reading,
    Scope, Snapshot, ThrottleCause, Timestamp, WindowKind,
};
use quotascope::track::{TrackEvent, TrackOptions, Tracker};

/// 2026-11-22T04:00:00Z: second 0 of every timeline.
const START: i64 = 1_795_320_000;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Timeline {
    about: String,
    #[serde(default)]
    declared: BTreeMap<String, Declared>,
    #[serde(default)]
    defaults: toml::Table,
    step: Vec<Step>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    limit: f64,
    window: f64,
    kind: WindowKind,
    scope: String,
    endpoints: String,
    #[serde(default = "requests")]
    dimension: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: f64,
    exchange: Option<toml::Table>,
    captures: Option<Vec<Capture>>,
    quotas: Option<Vec<toml::Table>>,
    endpoints: Option<Vec<toml::Table>>,
    alerts: Option<Vec<String>>,
    changes: Option<Vec<String>>,
    minutes: Option<Vec<String>>,
    summary: Option<String>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Capture {
    interface: String,
    #[serde(default)]
    received: u64,
    #[serde(default)]
    dropped: u64,
    last_frame: Option<f64>,
    trouble: Option<String>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    #[serde(default = "one")]
    times: u32,
    #[serde(default)]
    every: f64,
    #[serde(default)]
    burn: f64,
    /// How far its time lies behind the step's.
    #[serde(default)]
    late: f64,
    #[serde(default = "host")]
    host: String,
    provider: Option<String>,
    #[serde(default = "endpoint")]
    endpoint: String,
    #[serde(default = "ok")]
    status: u16,
    code: Option<String>,
    scope: Option<String>,
    retry_after: Option<f64>,
    #[serde(default)]
    declared: Vec<String>,
    #[serde(default)]
    quotas: Vec<Quota>,
    // The one quota of a plain exchange.
    limit: Option<f64>,
    remaining: Option<f64>,
    used: Option<f64>,
    window: Option<f64>,
    /// Second of the timeline.
    reset: Option<f64>,
    policy: Option<String>,
    bucket: Option<String>,
    kind: Option<WindowKind>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Quota {
    #[serde(default = "requests")]
    dimension: String,
    limit: Option<f64>,
    remaining: Option<f64>,
    used: Option<f64>,
    utilization: Option<f64>,
    window: Option<f64>,
    reset: Option<f64>,
    policy: Option<String>,
    bucket: Option<String>,
    kind: Option<WindowKind>,
    #[serde(default)]
    body: bool,
}

fn requests() -> String {
    "requests".into()
}
fn one() -> u32 {
    1
}
fn ok() -> u16 {
    200
}
fn host() -> String {
    "api.example.com".into()
}
fn endpoint() -> String {
    "GET /v1/things".into()
}

/// The tracker and the alerts, driven as the pipeline drives them.
struct World {
    tracker: Tracker,
    alerts: Alerts,
    changes: Vec<Alert>,
    events: Vec<TrackEvent>,
}

impl World {
    fn new() -> Self {
        Self {
            tracker: Tracker::new(TrackOptions::default()),
            alerts: Alerts::new(AlertOptions::default()),
            changes: Vec::new(),
            events: Vec::new(),
        }
    }

    fn pass(&mut self, now: Timestamp) {
        while let Some(at) = [self.tracker.poll_timeout(), self.alerts.poll_timeout()].into_iter().flatten().min() {
            if at > now {
                break;
            }
            self.tracker.handle_timeout(at);
            self.alerts.handle_timeout(at, &self.tracker);
        }
        self.tracker.handle_timeout(now);
        self.alerts.handle_timeout(now, &self.tracker);
        self.collect();
    }

    fn observe(&mut self, observation: &Observation) {
        self.pass(observation.at);
        self.tracker.handle_observation(observation, None);
        self.alerts.handle_observation(observation, &self.tracker);
        self.collect();
    }

    fn collect(&mut self) {
        self.changes.extend(std::iter::from_fn(|| self.alerts.poll_alert()));
        self.events.extend(std::iter::from_fn(|| self.tracker.poll_event()));
    }
}

#[test]
fn timelines_go_as_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "only {} timelines in {}", files.len(), folder.display());
    let mut faults = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let timeline: Timeline = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (first, second) = (play(&timeline), play(&timeline));
        if first != second {
            writeln!(faults, "{name}: two runs differ").unwrap();
        }
        for fault in first.0 {
            writeln!(faults, "{name} ({}): {fault}", timeline.about).unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// The faults, and everything that was seen.
fn play(timeline: &Timeline) -> (Vec<String>, String) {
    let mut world = World::new();
    let mut faults = Vec::new();
    let mut seen = String::new();
    let mut last = f64::MIN;
    for (number, step) in timeline.step.iter().enumerate() {
        assert!(step.at >= last, "step {number}: time runs back");
        last = step.at;
        if let Some(exchange) = &step.exchange {
            for observation in observations(timeline, step.at, exchange) {
                last = last.max((observation.at.as_secs_f64() - second(0.0).as_secs_f64()).floor());
                world.observe(&observation);
            }
        }
        let now = second(step.at).max(world.tracker.now().unwrap_or(Timestamp::MIN));
        world.pass(now);
        if let Some(captures) = &step.captures {
            world.alerts.handle_captures(&captures.iter().map(capture).collect::<Vec<_>>(), now);
            world.collect();
        }
        let snapshot = world.tracker.snapshot(now);
        let alerts = world.alerts.current();
        write!(seen, "{snapshot:?}{alerts:?}").unwrap();
        check(step, &snapshot, &alerts, &mut world, &mut |fault| faults.push(format!("at {} s: {fault}", step.at)));
    }
    (faults, seen)
}

fn check(step: &Step, snapshot: &Snapshot, alerts: &[Alert], world: &mut World, fault: &mut impl FnMut(String)) {
    sane(snapshot, alerts);
    if let Some(expected) = &step.quotas {
        let actual: Vec<_> = snapshot.quotas.iter().map(quota_values).collect();
        compare("quotas", expected, &actual, fault);
    }
    if let Some(expected) = &step.endpoints {
        let actual: Vec<_> = snapshot
            .endpoints
            .iter()
            .map(|e| {
                values([
                    ("host", text(&e.host)),
                    ("endpoint", text(&e.endpoint)),
                    ("requests", e.requests.to_string()),
                    ("throttled", e.throttled.to_string()),
                    ("statuses", format!("{:?}", e.statuses)),
                    ("error_codes", format!("{:?}", e.error_codes)),
                ])
            })
            .collect();
        compare("endpoints", expected, &actual, fault);
    }
    let mut lists = |what: &str, expected: &Option<Vec<String>>, actual: Vec<String>| {
        if let Some(expected) = expected
            && *expected != actual
        {
            fault(format!("{what}\n  expected {expected:#?}\n  found    {actual:#?}"));
        }
    };
    lists("alerts", &step.alerts, alerts.iter().map(shown).collect());
    if step.changes.is_some() {
        let told = |a: &Alert| format!("{} {} {} #{}", a.rule.as_str(), a.state.as_str(), a.reason, a.sequence);
        lists("changes", &step.changes, std::mem::take(&mut world.changes).iter().map(told).collect());
    }
    if step.minutes.is_some() {
        let minutes = std::mem::take(&mut world.events).into_iter().filter_map(|event| match event {
            TrackEvent::Minute(m) => Some(format!(
                "{}-{} requests {} throttled {} codes {:?} usage {:?} peak {:?} utilization {:?}",
                m.from.as_secs() - START,
                m.to.as_secs() - START,
                m.requests,
                m.throttled,
                m.error_codes,
                m.current_usage,
                m.peak_usage,
                m.utilization
            )),
            _ => None,
        });
        lists("minutes", &step.minutes, minutes.collect());
    }
    if let Some(summary) = &step.summary
        && !alerts.iter().any(|alert| *alert.summary == **summary)
    {
        let all: Vec<_> = alerts.iter().map(|alert| &alert.summary).collect();
        fault(format!("no alert says {summary:?}, but {all:#?}"));
    }
}

/// What holds at every moment of every timeline.
fn sane(snapshot: &Snapshot, alerts: &[Alert]) {
    for q in &snapshot.quotas {
        for number in [q.utilization, q.peak_utilization, q.consumption_rate, q.pace].into_iter().flatten() {
            assert!(number.is_finite() && number >= 0.0, "{q:?}");
        }
        assert!(q.requests >= q.throttled && q.recent_requests >= q.recent_throttled, "{q:?}");
        assert!(
            q.peak_utilization.unwrap_or(f64::MAX) >= q.utilization.unwrap_or(0.0) || q.utilization.is_none(),
            "{q:?}"
        );
        assert!(q.exhausts_at.is_none_or(|at| at >= snapshot.at.unwrap()), "{q:?}");
        assert!(q.trend.points.len() <= 360);
    }
    let mut ids: Vec<_> = alerts.iter().map(|alert| &alert.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), alerts.len(), "two episodes share a name");
    for alert in alerts {
        assert!(alert.value.is_finite() && alert.threshold.is_finite() && alert.id.len() == 32, "{alert:?}");
        assert_eq!(alert.ended_at.is_some(), alert.state == quotascope::model::AlertState::Resolved);
    }
}

fn compare(
    what: &str,
    expected: &[toml::Table],
    actual: &[BTreeMap<&'static str, String>],
    fault: &mut impl FnMut(String),
) {
    if expected.len() != actual.len() {
        fault(format!("expected {} {what}, found {}: {actual:#?}", expected.len(), actual.len()));
        return;
    }
    for (number, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        for (key, wanted) in expected {
            let wanted = match wanted {
                toml::Value::String(text) => text.clone(),
                toml::Value::Float(float) => float.to_string(),
                other => other.to_string(),
            };
            let found = actual.get(key.as_str()).unwrap_or_else(|| panic!("{what} have no value {key:?}"));
            if wanted != *found {
                fault(format!("{what}[{number}].{key}: expected {wanted}, found {found}"));
            }
        }
    }
}

fn shown(alert: &Alert) -> String {
    let mut text = format!("{} {}", alert.rule.as_str(), alert.state.as_str());
    for (flag, word) in [(alert.muted, " muted"), (alert.flapping, " flapping")] {
        if flag {
            text.push_str(word);
        }
    }
    write!(text, " {}", alert.started_at.as_secs() - START).unwrap();
    if let Some(ended) = alert.ended_at {
        write!(text, "-{}", ended.as_secs() - START).unwrap();
    }
    text
}

fn quota_values(q: &QuotaState) -> BTreeMap<&'static str, String> {
    let amount = |a: Option<Amount>| a.map_or_else(|| "none".into(), |a| a.to_string());
    let rounded = |f: Option<f64>| f.map_or_else(|| "none".into(), |f| format!("{}", (f * 1e4).round() / 1e4));
    let seconds = |t: Option<Timestamp>| rounded(t.map(|t| t.as_secs_f64() - second(0.0).as_secs_f64()));
    let scope = q.scope.as_ref().map_or_else(
        || "none".into(),
        |s| s.id.as_ref().map_or_else(|| s.kind.to_string(), |id| format!("{}:{id}", s.kind)),
    );
    values([
        ("owner", text(&q.key.owner)),
        ("bucket", text(&q.key.bucket)),
        ("endpoint", text(&q.endpoint)),
        ("endpoints", format!("{:?}", q.endpoints)),
        ("host", text(&q.host)),
        ("policy", q.policy.as_ref().map_or_else(|| "none".into(), ToString::to_string)),
        ("scope", scope),
        ("dimension", q.dimension.to_string()),
        ("source", q.source.as_str().into()),
        ("limit", amount(q.limit)),
        ("remaining", amount(q.remaining)),
        ("utilization", rounded(q.utilization)),
        ("peak", rounded(q.peak_utilization)),
        ("window", rounded(q.window.map(|w| w.as_secs_f64()))),
        ("reset", seconds(q.reset_at)),
        ("requests", q.requests.to_string()),
        ("throttled", q.throttled.to_string()),
        ("recent", q.recent_requests.to_string()),
        ("recent_throttled", q.recent_throttled.to_string()),
        ("error_codes", format!("{:?}", q.error_codes)),
        ("retry_after", rounded(q.retry_after.map(|w| w.as_secs_f64()))),
        ("blocked_until", seconds(q.blocked_until)),
        ("rate", rounded(q.consumption_rate)),
        ("exhausts", seconds(q.exhausts_at)),
        ("pace", rounded(q.pace)),
        ("stale", q.stale.to_string()),
        ("learned_sharing", q.learned_sharing.to_string()),
    ])
}

fn values<const N: usize>(pairs: [(&'static str, String); N]) -> BTreeMap<&'static str, String> {
    pairs.into_iter().collect()
}

fn text(text: &Arc<str>) -> String {
    text.to_string()
}

fn second(at: f64) -> Timestamp {
    Timestamp::from_secs(START).after(Duration::from_secs_f64(at))
}

fn capture(capture: &Capture) -> CaptureState {
    CaptureState {
        interface: capture.interface.as_str().into(),
        received: capture.received,
        dropped: capture.dropped,
        last_frame_at: capture.last_frame.map(second),
        trouble: capture.trouble.as_deref().map(Into::into),
        ..CaptureState::default()
    }
}

fn observations(timeline: &Timeline, at: f64, table: &toml::Table) -> Vec<Observation> {
    let mut merged = timeline.defaults.clone();
    merged.extend(table.clone());
    let exchange: Exchange = merged.try_into().unwrap_or_else(|error| panic!("exchange at {at} s: {error}"));
    let mut all = Vec::new();
    for number in 0..exchange.times {
        let number = f64::from(number);
        all.push(observation(
            timeline,
            &exchange,
            at + number * exchange.every - exchange.late,
            exchange.burn * number,
        ));
    }
    all
}

fn observation(timeline: &Timeline, exchange: &Exchange, at: f64, burnt: f64) -> Observation {
    let arc = |text: &Option<String>| text.as_deref().map(Arc::<str>::from);
    let scope = exchange.scope.as_deref().map(|text| {
        let (kind, id) = text.split_once(':').map_or((text, None), |(kind, id)| (kind, Some(id)));
        Scope { kind: kind.into(), id: id.map(Into::into) }
    });
    let plain = (exchange.limit.is_some() || exchange.remaining.is_some() || exchange.used.is_some()).then(|| Quota {
        dimension: requests(),
        limit: exchange.limit,
        remaining: exchange.remaining,
        used: exchange.used,
        utilization: None,
        window: exchange.window,
        reset: exchange.reset,
        policy: exchange.policy.clone(),
        bucket: exchange.bucket.clone(),
        kind: exchange.kind,
        body: false,
    });
    let amount = |value: Option<f64>| value.map(|value| Amount::new(value).unwrap());
    let readings = plain.iter().chain(&exchange.quotas).map(|quota| Reading {
        dimension: Dimension(quota.dimension.as_str().into()),
        policy: arc(&quota.policy),
        limit: amount(quota.limit),
        remaining: amount(quota.remaining.map(|remaining| (remaining - burnt).max(0.0))),
        used: amount(quota.used),
        utilization: quota.utilization,
        window: quota.window.map(Duration::from_secs_f64),
        reset_at: quota.reset.map(second),
        source: if quota.body { QuotaSource::Body } else { QuotaSource::Header },
        bucket: arc(&quota.bucket),
        scope: None,
        window_kind: quota.kind,
    });
    let declared = exchange.declared.iter().map(|name| {
        let declared = timeline.declared.get(name).unwrap_or_else(|| panic!("{name:?} is not declared"));
        Arc::new(DeclaredQuota {
            policy: name.as_str().into(),
            dimension: Dimension(declared.dimension.as_str().into()),
            limit: Amount::new(declared.limit).unwrap(),
            window: Duration::from_secs_f64(declared.window),
            window_kind: declared.kind,
            endpoints: declared.endpoints.as_str().into(),
            scope_kind: declared.scope.as_str().into(),
            scope: None,
            burst: None,
        })
    });
    let (method, path) = exchange.endpoint.split_once(' ').unwrap();
    Observation {
        at: second(at),
        source: "timeline".into(),
        client: Client::Unknown,
        server: None,
        host: Some(exchange.host.as_str().into()),
        method: Some(method.into()),
        path: Some(path.into()),
        endpoint: Some(exchange.endpoint.as_str().into()),
        status: exchange.status,
        provider: arc(&exchange.provider),
        dialect: None,
        readings: readings.collect(),
        declared: declared.collect(),
        retry_after: exchange.retry_after.map(Duration::from_secs_f64),
        throttled: (exchange.status == 429).then_some(ThrottleCause::Unspecified),
        error_code: arc(&exchange.code),
        scope,
        latency: None,
        content_cut: false,
        doubts: Vec::new(),
    }
}
