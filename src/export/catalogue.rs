//! Every metric and event that leaves the agent: the one list that instruments are made from, and that documents,
//! dashboards and rules are held against.
//!
//! Names follow the naming rules of the OpenTelemetry semantic conventions: an own namespace, units in UCUM, no plural
//! where a gauge is no count of things. Source: <https://opentelemetry.io/docs/specs/semconv/general/naming/>.

/// How a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value as it stands.
    Gauge,
    /// A count that only grows.
    Counter,
    /// A sum that goes up and down.
    UpDownCounter,
    /// A distribution; the upper bounds of its buckets are [`RETRY_AFTER_BOUNDS`].
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The OpenTelemetry name.
    pub name: &'static str,
    /// How it is measured.
    pub kind: Kind,
    /// The unit in UCUM.
    pub unit: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// The attributes that its points may carry.
    pub attributes: &'static [&'static str],
}

/// One event that goes out as a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The event name.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// The attributes that it may carry.
    pub attributes: &'static [&'static str],
}

/// Attributes of the metrics and events.
pub mod attribute {
    /// The provider's name.
    pub const PROVIDER: &str = "service.peer.name";
    /// The host, in lower case.
    pub const ADDRESS: &str = "server.address";
    /// The port, where it is not the scheme's own.
    pub const PORT: &str = "server.port";
    /// The provider's name for the quota, where it gives one.
    pub const POLICY: &str = "rate_limit.policy.name";
    /// The window that the policy counts over, in seconds: one policy may have a limit per minute and one per hour.
    pub const POLICY_WINDOW: &str = "rate_limit.policy.window";
    /// What the quota is counted over: the policy, an endpoint or a class of endpoints.
    pub const BUCKET: &str = "rate_limit.bucket";
    /// What kind of thing the quota is counted for.
    pub const SCOPE_KIND: &str = "rate_limit.scope.kind";
    /// Which one it is counted for: a keyed hash, an alias or an address.
    pub const SCOPE_ID: &str = "rate_limit.scope.id";
    /// What one unit of the quota is: `request`, `token`, …
    pub const UNIT: &str = "rate_limit.unit";
    /// Who said the numbers: `header`, `body`, `declared`, `learned`.
    pub const SOURCE: &str = "rate_limit.source";
    /// The request's method.
    pub const METHOD: &str = "http.request.method";
    /// The response's status code.
    pub const STATUS: &str = "http.response.status_code";
    /// The path template.
    pub const TEMPLATE: &str = "url.template";
    /// The provider's error code; `_OTHER` past the bound.
    pub const ERROR: &str = "error.type";
    /// The interface.
    pub const INTERFACE: &str = "network.interface.name";
    /// Where frames were dropped: `kernel`, `interface`, `queue`.
    pub const DROPPED_BY: &str = "quotascope.dropped_by";
    /// Why input could not be used.
    pub const CAUSE: &str = "quotascope.cause";
    /// What is exported: `metrics`, `logs`.
    pub const SIGNAL: &str = "quotascope.signal";
    /// The episode of an alert.
    pub const ALERT_ID: &str = "alert.id";
    /// The change within the episode, from 0.
    pub const ALERT_SEQUENCE: &str = "alert.sequence";
    /// The rule.
    pub const ALERT_RULE: &str = "alert.rule";
    /// `firing` or `resolved`.
    pub const ALERT_STATE: &str = "alert.state";
    /// `info`, `warning`, `high`, `critical`.
    pub const ALERT_SEVERITY: &str = "alert.severity";
    /// When it fired, RFC 3339.
    pub const ALERT_STARTED_AT: &str = "alert.started_at";
    /// When it was over, RFC 3339.
    pub const ALERT_ENDED_AT: &str = "alert.ended_at";
    /// The value that was judged.
    pub const ALERT_VALUE: &str = "alert.value";
    /// The level that it is judged against.
    pub const ALERT_THRESHOLD: &str = "alert.threshold";
    /// Why it changed.
    pub const ALERT_REASON: &str = "alert.reason";
    /// Whether it is held because it changed too often.
    pub const ALERT_FLAPPING: &str = "alert.flapping";
    /// Whether a higher severity of the same quota speaks for it.
    pub const ALERT_MUTED: &str = "alert.muted";
}

use attribute as a;

const OF_QUOTA: &[&str] = &[
    a::PROVIDER,
    a::ADDRESS,
    a::PORT,
    a::POLICY,
    a::POLICY_WINDOW,
    a::BUCKET,
    a::SCOPE_KIND,
    a::SCOPE_ID,
    a::UNIT,
    a::SOURCE,
];

const OF_RESPONSES: &[&str] = &[a::PROVIDER, a::ADDRESS, a::PORT, a::METHOD, a::TEMPLATE, a::STATUS];
const OF_THROTTLED: &[&str] = &[a::PROVIDER, a::ADDRESS, a::PORT, a::METHOD, a::TEMPLATE, a::ERROR];
const OF_RETRY_AFTER: &[&str] = &[a::PROVIDER, a::ADDRESS, a::PORT, a::STATUS];
const OF_FIRING: &[&str] = &[
    a::ALERT_RULE,
    a::ALERT_SEVERITY,
    a::PROVIDER,
    a::ADDRESS,
    a::PORT,
    a::POLICY,
    a::POLICY_WINDOW,
    a::BUCKET,
    a::SCOPE_KIND,
    a::SCOPE_ID,
    a::UNIT,
    a::ERROR,
    a::INTERFACE,
];
const OF_ALERT: &[&str] = &[
    a::ALERT_ID,
    a::ALERT_SEQUENCE,
    a::ALERT_RULE,
    a::ALERT_STATE,
    a::ALERT_SEVERITY,
    a::ALERT_STARTED_AT,
    a::ALERT_ENDED_AT,
    a::ALERT_VALUE,
    a::ALERT_THRESHOLD,
    a::ALERT_REASON,
    a::ALERT_FLAPPING,
    a::ALERT_MUTED,
    a::PROVIDER,
    a::ADDRESS,
    a::PORT,
    a::POLICY,
    a::POLICY_WINDOW,
    a::BUCKET,
    a::SCOPE_KIND,
    a::SCOPE_ID,
    a::UNIT,
    a::ERROR,
    a::INTERFACE,
];

/// The upper bounds of the buckets of [`RETRY_AFTER`], in seconds: what providers ask for runs from a second to an hour.
pub const RETRY_AFTER_BOUNDS: [f64; 8] = [1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal $unit:literal $attributes:expr, $description:literal;)*) => {
        $(
            #[doc = $description]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                unit: $unit,
                description: $description,
                attributes: $attributes,
            };
        )*

        /// All metrics.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    LIMIT = Gauge "rate_limit.limit" "{request}" OF_QUOTA, "How many units the window allows, as last known.";
    REMAINING = Gauge "rate_limit.remaining" "{request}" OF_QUOTA, "How many units are left, as last known.";
    USAGE = Gauge "rate_limit.usage" "{request}" OF_QUOTA, "How many units were used, as last known.";
    UTILIZATION = Gauge "rate_limit.utilization" "1" OF_QUOTA, "The used share of the limit.";
    UTILIZATION_PEAK = Gauge "rate_limit.utilization.peak" "1" OF_QUOTA, "The highest used share of the limit since the last export.";
    WINDOW = Gauge "rate_limit.window" "s" OF_QUOTA, "The length of the window.";
    RESET_DELAY = Gauge "rate_limit.reset.delay" "s" OF_QUOTA, "The time until the quota is whole again.";
    EXHAUSTION_DELAY = Gauge "rate_limit.exhaustion.delay" "s" OF_QUOTA, "The time until the quota runs out at the current pace, where that is before its reset.";
    CONSUMPTION_RATE = Gauge "rate_limit.consumption_rate" "{request}/s" OF_QUOTA, "Units a second at the current pace.";
    RESPONSES = Counter "rate_limit.responses" "{response}" OF_RESPONSES, "All exchanges.";
    THROTTLED_RESPONSES = Counter "rate_limit.throttled.responses" "{response}" OF_THROTTLED, "Exchanges that the provider refused for their rate.";
    RETRY_AFTER = Histogram "rate_limit.retry_after" "s" OF_RETRY_AFTER, "The waits that providers asked for when they refused.";
    ALERT_FIRING = Gauge "rate_limit.alert.firing" "1" OF_FIRING, "1 while the alert fires.";
    CAPTURE_PACKETS = Counter "quotascope.capture.packets" "{packet}" &[a::INTERFACE], "Frames that an interface received.";
    CAPTURE_DROPPED = Counter "quotascope.capture.dropped_packets" "{packet}" &[a::INTERFACE, a::DROPPED_BY], "Frames that were lost before they were read.";
    CAPTURE_IDLE = Gauge "quotascope.capture.idle" "s" &[a::INTERFACE], "The time since the last frame.";
    CAPTURE_UP = Gauge "quotascope.capture.up" "1" &[a::INTERFACE], "1 while the interface is captured, 0 once its capture ended.";
    DECODE_INPUT = Counter "quotascope.decode.io" "By" &[], "Octets of frames, files and lines that came in.";
    DECODE_PACKETS = Counter "quotascope.decode.packets" "{packet}" &[], "Frames that were decoded.";
    DECODE_CONNECTIONS = Counter "quotascope.decode.connections" "{connection}" &[], "TCP connections that were followed.";
    DECODE_REQUESTS = Counter "quotascope.decode.requests" "{request}" &[], "Request heads.";
    DECODE_RESPONSES = Counter "quotascope.decode.responses" "{response}" &[], "Response heads, interim ones too.";
    DECODE_EXCHANGES = Counter "quotascope.decode.exchanges" "{exchange}" &[], "Requests with their final response.";
    DECODE_DAMAGED = Counter "quotascope.decode.damaged" "{anomaly}" &[a::CAUSE], "What could not be used of the input, by cause; gaps are `stream_gap`.";
    DECODE_LOST = Counter "quotascope.decode.lost" "{anomaly}" &[a::CAUSE, a::ADDRESS, a::PORT], "What could not be seen of a host's traffic, by cause: connections that cannot be read, halves of exchanges, heads and contents.";
    DECODE_COVERAGE = Gauge "quotascope.decode.coverage" "1" &[a::ADDRESS, a::PORT], "The share of a host's exchanges that were seen whole.";
    STORE_SIZE = Gauge "quotascope.store.size" "By" &[], "The store's size on disk.";
    STORE_TROUBLE = Gauge "quotascope.store.trouble" "1" &[], "1 while the store is in trouble.";
    EXPORT_FAILURES = Counter "quotascope.export.failures" "{export}" &[a::SIGNAL], "Exports that failed after their retries.";
    EXPORT_ALERTS_WAITING = Gauge "quotascope.export.alerts.waiting" "{alert}" &[], "Changes of alerts that wait for the collector.";
    EXPORT_ALERTS_DELIVERED = Counter "quotascope.export.alerts.delivered" "{alert}" &[], "Changes of alerts that the collector took.";
    EXPORT_ALERTS_DROPPED = Counter "quotascope.export.alerts.dropped" "{alert}" &[], "Changes of alerts that were given up because too many waited.";
    MEMORY = UpDownCounter "process.memory.usage" "By" &[], "The agent's resident memory.";
}

/// A change of an alert.
pub const ALERT_EVENT: Event =
    Event { name: "rate_limit.alert", description: "An alert fired, changed or was resolved.", attributes: OF_ALERT };

/// All events.
pub const EVENTS: &[Event] = &[ALERT_EVENT];

impl Metric {
    /// The name in Prometheus, by the rules of OpenTelemetry's Prometheus compatibility: dots become underscores, the unit
    /// and `_total` or `_ratio` are appended. A histogram has `_bucket`, `_sum` and `_count` after it.
    ///
    /// Source: <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.
    pub fn prometheus_name(&self) -> String {
        let mut name = self.name.replace('.', "_");
        let (unit, per) = match self.unit.split_once('/') {
            Some((unit, per)) => (unit, Some(per)),
            None => (self.unit, None),
        };
        let mut append = |word: &str| {
            if !name.ends_with(word) {
                name.push('_');
                name.push_str(word);
            }
        };
        match unit {
            "s" => append("seconds"),
            "By" => append("bytes"),
            "1" if self.kind == Kind::Gauge => append("ratio"),
            _ => {}
        }
        if per == Some("s") {
            append("per_second");
        }
        if self.kind == Kind::Counter {
            append("total");
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_units_and_attributes_keep_the_conventions() {
        let mut names = BTreeSet::new();
        for metric in METRICS {
            assert!(names.insert(metric.name), "{} stands twice", metric.name);
            assert!(
                metric.name.bytes().all(|b| b.is_ascii_lowercase() || b".".contains(&b) || b == b'_'),
                "{}",
                metric.name
            );
            assert!(metric.description.ends_with('.'), "{}", metric.name);
            assert!(!metric.name.ends_with("total") && !metric.name.contains("seconds"), "{}", metric.name);
            let attributes: BTreeSet<_> = metric.attributes.iter().collect();
            assert_eq!(attributes.len(), metric.attributes.len(), "{}", metric.name);
        }
    }

    #[test]
    fn prometheus_names() {
        for (metric, name) in [
            (LIMIT, "rate_limit_limit"),
            (UTILIZATION, "rate_limit_utilization_ratio"),
            (UTILIZATION_PEAK, "rate_limit_utilization_peak_ratio"),
            (RESET_DELAY, "rate_limit_reset_delay_seconds"),
            (CONSUMPTION_RATE, "rate_limit_consumption_rate_per_second"),
            (THROTTLED_RESPONSES, "rate_limit_throttled_responses_total"),
            (RETRY_AFTER, "rate_limit_retry_after_seconds"),
            (DECODE_INPUT, "quotascope_decode_io_bytes_total"),
            (MEMORY, "process_memory_usage_bytes"),
        ] {
            assert_eq!(metric.prometheus_name(), name);
        }
    }
}
