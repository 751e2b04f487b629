//! A snapshot as the points of every observable metric: what the SDK's callbacks then hand out.
//!
//! Pure: the same snapshots give the same points in the same order. What is not known has no point.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;

use super::attributes::{self, Attributes, Bounds, OTHER};
use super::catalogue::{self as c, Metric, attribute as a};
use super::peaks::Peaks;
use crate::model::{AlertState, Amount, EndpointState, QuotaKey, QuotaState, Snapshot, Timestamp};

/// A measured number; an instrument takes the one of its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Value(f64),
    Count(u64),
}

/// One point of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) number: Number,
    pub(crate) attributes: Vec<KeyValue>,
}

/// The points by the metric's name.
pub(crate) type Points = BTreeMap<&'static str, Vec<Point>>;

/// What the agent knows of itself that a snapshot does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SelfReport {
    pub(crate) store_size: Option<u64>,
    pub(crate) memory: Option<u64>,
    pub(crate) failed_metric_exports: u64,
    pub(crate) failed_log_exports: u64,
    pub(crate) alerts_waiting: u64,
    pub(crate) alerts_delivered: u64,
    pub(crate) alerts_dropped: u64,
}

/// What must be remembered from one export to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) bounds: Bounds,
    pub(crate) peaks: Peaks,
    /// The host that a quota was first seen on: a quota of a provider with many hosts stays one series.
    hosts: BTreeMap<QuotaKey, Arc<str>>,
}

/// All points of a snapshot. The peaks must have been taken for it.
pub(crate) fn points(snapshot: &Snapshot, memory: &mut Memory, own: &SelfReport) -> Points {
    let mut set = Set::default();
    let mut hosts = std::mem::take(&mut memory.hosts);
    for quota in &snapshot.quotas {
        let host = hosts.remove(&quota.key).unwrap_or_else(|| Arc::clone(&quota.host));
        set.quota(quota, &host, snapshot.at, memory.peaks.taken(&quota.key));
        memory.hosts.insert(quota.key.clone(), host);
    }
    set.endpoints(&snapshot.endpoints, &mut memory.bounds);
    for alert in snapshot.alerts.iter().filter(|alert| alert.state == AlertState::Firing) {
        set.value(c::ALERT_FIRING, Some(1.0), &attributes::of_alert(alert));
    }
    set.capture(snapshot);
    set.input(snapshot);
    set.own(snapshot, own);
    set.0
}

#[derive(Default)]
struct Set(Points);

impl Set {
    fn push(&mut self, metric: Metric, number: Number, attributes: &[KeyValue]) {
        self.0.entry(metric.name).or_default().push(Point { number, attributes: attributes.to_vec() });
    }

    fn value(&mut self, metric: Metric, value: Option<f64>, attributes: &[KeyValue]) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.push(metric, Number::Value(value), attributes);
        }
    }

    fn count(&mut self, metric: Metric, count: u64, attributes: &[KeyValue]) {
        self.push(metric, Number::Count(count), attributes);
    }

    fn quota(&mut self, quota: &QuotaState, host: &str, at: Option<Timestamp>, peak: Option<f64>) {
        let attributes = attributes::of_quota(quota, host);
        let usage = quota.limit.zip(quota.remaining).map(|(limit, remaining)| limit.less(remaining).value());
        self.value(c::LIMIT, quota.limit.map(Amount::value), &attributes);
        self.value(c::REMAINING, quota.remaining.map(Amount::value), &attributes);
        self.value(c::USAGE, usage, &attributes);
        self.value(c::UTILIZATION, quota.utilization, &attributes);
        self.value(c::UTILIZATION_PEAK, peak, &attributes);
        self.value(c::WINDOW, quota.window.map(|window| window.as_secs_f64()), &attributes);
        self.value(c::RESET_DELAY, delay(quota.reset_at, at), &attributes);
        self.value(c::EXHAUSTION_DELAY, delay(quota.exhausts_at, at), &attributes);
        self.value(c::CONSUMPTION_RATE, quota.consumption_rate, &attributes);
    }

    /// The counters of the endpoints; those past the bound are added up by host.
    fn endpoints(&mut self, endpoints: &[EndpointState], bounds: &mut Bounds) {
        let mut responses = Sums::default();
        let mut throttled = Sums::default();
        for endpoint in endpoints {
            let attributes = attributes::of_endpoint(endpoint, bounds).build();
            for (status, count) in &endpoint.statuses {
                let with_status = with(&attributes, KeyValue::new(a::STATUS, i64::from(*status)));
                responses.add(with_status, *count);
            }
            let owner = endpoint.provider.as_ref().unwrap_or(&endpoint.host);
            let mut coded = 0u64;
            for (code, count) in &endpoint.error_codes {
                coded = coded.saturating_add(*count);
                let code = bounds.error_code(owner, code).to_owned();
                throttled.add(with(&attributes, KeyValue::new(a::ERROR, code)), *count);
            }
            // A refusal without a code of the provider's own has no error.type: nobody said what it was.
            let uncoded = endpoint.throttled.saturating_sub(coded);
            if uncoded > 0 {
                throttled.add(attributes, uncoded);
            }
        }
        for (metric, sums) in [(c::RESPONSES, responses), (c::THROTTLED_RESPONSES, throttled)] {
            for (attributes, count) in sums.points() {
                self.count(metric, count, &attributes);
            }
        }
    }

    fn capture(&mut self, snapshot: &Snapshot) {
        for capture in &snapshot.captures {
            let interface = Attributes::default().with(a::INTERFACE, Arc::clone(&capture.interface)).build();
            self.count(c::CAPTURE_PACKETS, capture.received, &interface);
            for (place, dropped) in [
                ("kernel", capture.dropped),
                ("interface", capture.interface_dropped),
                ("queue", capture.queue_dropped),
            ] {
                self.count(c::CAPTURE_DROPPED, dropped, &with(&interface, KeyValue::new(a::DROPPED_BY, place)));
            }
            let idle = snapshot.at.zip(capture.last_frame_at).map(|(at, last)| at.since(last).as_secs_f64());
            self.value(c::CAPTURE_IDLE, idle, &interface);
            self.value(c::CAPTURE_UP, Some(if capture.trouble.is_some() { 0.0 } else { 1.0 }), &interface);
        }
    }

    fn input(&mut self, snapshot: &Snapshot) {
        let input = &snapshot.input;
        for (metric, count) in [
            (c::DECODE_INPUT, input.bytes),
            (c::DECODE_PACKETS, input.packets),
            (c::DECODE_CONNECTIONS, input.connections),
            (c::DECODE_REQUESTS, input.requests),
            (c::DECODE_RESPONSES, input.responses),
            (c::DECODE_EXCHANGES, input.exchanges),
        ] {
            self.count(metric, count, &[]);
        }
        for (cause, count) in &input.damaged {
            self.count(c::DECODE_DAMAGED, *count, &[KeyValue::new(a::CAUSE, *cause)]);
        }
        let mut lost: BTreeMap<_, u64> = BTreeMap::new();
        for (place, count) in input.lost.iter() {
            *lost.entry(attributes::place_key(place)).or_default() += count;
        }
        for (place, count) in lost {
            self.count(c::DECODE_LOST, count, &attributes::of_place(place));
        }
        for host in snapshot.coverage() {
            self.value(c::DECODE_COVERAGE, host.coverage, &attributes::of_host(&host.host));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes and queue lengths stay far below 2^53")]
    fn own(&mut self, snapshot: &Snapshot, own: &SelfReport) {
        self.value(c::STORE_SIZE, own.store_size.map(|size| size as f64), &[]);
        if own.store_size.is_some() || snapshot.store_trouble.is_some() {
            self.value(c::STORE_TROUBLE, Some(if snapshot.store_trouble.is_some() { 1.0 } else { 0.0 }), &[]);
        }
        self.count(c::EXPORT_FAILURES, own.failed_metric_exports, &[KeyValue::new(a::SIGNAL, "metrics")]);
        self.count(c::EXPORT_FAILURES, own.failed_log_exports, &[KeyValue::new(a::SIGNAL, "logs")]);
        self.value(c::EXPORT_ALERTS_WAITING, Some(own.alerts_waiting as f64), &[]);
        self.count(c::EXPORT_ALERTS_DELIVERED, own.alerts_delivered, &[]);
        self.count(c::EXPORT_ALERTS_DROPPED, own.alerts_dropped, &[]);
        if let Some(memory) = own.memory {
            self.count(c::MEMORY, memory, &[]);
        }
    }
}

/// Counts by attributes, in the order in which they came.
#[derive(Default)]
struct Sums {
    counts: Vec<(Vec<KeyValue>, u64)>,
    /// Where the sums past a bound stand, by their attributes: only those can come twice.
    others: BTreeMap<Vec<String>, usize>,
}

impl Sums {
    fn add(&mut self, attributes: Vec<KeyValue>, count: u64) {
        if attributes.iter().any(|attribute| attribute.value.as_str() == OTHER) {
            let texts = attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
            let at = *self.others.entry(texts).or_insert(self.counts.len());
            if let Some((_, sum)) = self.counts.get_mut(at) {
                *sum = sum.saturating_add(count);
                return;
            }
        }
        self.counts.push((attributes, count));
    }

    fn points(self) -> impl Iterator<Item = (Vec<KeyValue>, u64)> {
        self.counts.into_iter()
    }
}

fn with(attributes: &[KeyValue], one_more: KeyValue) -> Vec<KeyValue> {
    attributes.iter().cloned().chain([one_more]).collect()
}

/// The seconds until a moment that is still to come.
fn delay(moment: Option<Timestamp>, at: Option<Timestamp>) -> Option<f64> {
    let delay = moment?.since(at?);
    (delay > Duration::ZERO).then_some(delay.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::METRICS;
    use super::super::sample;
    use super::*;

    fn all(snapshot: &Snapshot) -> Points {
        let mut memory = Memory::default();
        memory.peaks.take(snapshot);
        let own = SelfReport { store_size: Some(1 << 20), memory: Some(1 << 24), ..SelfReport::default() };
        points(snapshot, &mut memory, &own)
    }

    fn text(point: &Point) -> String {
        let attributes: Vec<_> = point.attributes.iter().map(|kv| format!("{}={}", kv.key, kv.value)).collect();
        format!("{:?} {}", point.number, attributes.join(" "))
    }

    #[test]
    fn every_point_is_of_the_catalogue_and_carries_only_its_attributes() {
        let points = all(&sample::snapshot());
        for (name, points) in &points {
            let metric = METRICS.iter().find(|metric| metric.name == *name).unwrap();
            for point in points {
                for attribute in &point.attributes {
                    assert!(metric.attributes.contains(&attribute.key.as_str()), "{name}: {}", attribute.key);
                }
                let distinct = points.iter().filter(|other| other.attributes == point.attributes).count();
                assert_eq!(distinct, 1, "{name}: two points are one series: {}", text(point));
            }
        }
        let missing: Vec<_> = METRICS.iter().map(|m| m.name).filter(|name| !points.contains_key(name)).collect();
        assert_eq!(missing, ["rate_limit.retry_after"]);
    }

    #[test]
    fn unknown_is_absent() {
        let points = all(&sample::snapshot());
        let of_unknown = points.values().flatten().filter(|point| text(point).contains("api.example.com")).count();
        assert_eq!(of_unknown, 0);
        let mut past = sample::snapshot();
        past.at = past.at.map(|at| at.after(Duration::from_secs(41)));
        let points = all(&past);
        assert!(!points.contains_key("rate_limit.reset.delay") && !points.contains_key("rate_limit.exhaustion.delay"));
    }

    #[test]
    fn counters_add_up() {
        let points = all(&sample::snapshot());
        let of = |name: &str| points[name].iter().map(text).collect::<Vec<_>>();
        let server = "service.peer.name=fluid-network server.address=api.fluid.example server.port=8443";
        let endpoint = "http.request.method=POST url.template=/v1/payments";
        assert_eq!(
            of("rate_limit.responses"),
            [
                format!("Count(882) {server} {endpoint} http.response.status_code=200"),
                format!("Count(28) {server} {endpoint} http.response.status_code=429"),
            ]
        );
        assert_eq!(
            of("rate_limit.throttled.responses"),
            [
                format!("Count(12) {server} {endpoint} error.type=1454"),
                format!("Count(3) {server} {endpoint} error.type=1456"),
                format!("Count(13) {server} {endpoint}"),
            ]
        );
        assert_eq!(
            of("rate_limit.usage"),
            [format!(
                "Value(910.0) {server} rate_limit.policy.name=burst rate_limit.bucket=POST /v1/payments \
                 rate_limit.policy.window=60 rate_limit.scope.kind=partner rate_limit.scope.id=k:5f2c9a01 \
                 rate_limit.unit=request rate_limit.source=header"
            )]
        );
    }

    #[test]
    fn a_quota_seen_on_another_host_stays_one_series() {
        let mut snapshot = sample::snapshot();
        let mut memory = Memory::default();
        let first = points(&snapshot, &mut memory, &SelfReport::default());
        snapshot.quotas[0].host = "other.fluid.example".into();
        let second = points(&snapshot, &mut memory, &SelfReport::default());
        assert_eq!(first["rate_limit.limit"], second["rate_limit.limit"]);
        snapshot.quotas.clear();
        assert!(!points(&snapshot, &mut memory, &SelfReport::default()).contains_key("rate_limit.limit"));
    }
}
