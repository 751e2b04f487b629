//! A made snapshot and made alerts with every kind of value in them, for what is exported.

use std::collections::BTreeMap;
use std::time::Duration;

use quotascope::model::{
    Alert, AlertState, Amount, Anomaly, CaptureState, Client, Dimension, EndpointState, Observation, Peer, Place,
    QuotaKey, QuotaSource, QuotaState, Rule, Scope, Severity, Snapshot, Subject, ThrottleCause, Timestamp, Trend,
    WindowKind,
};

/// The moment of the snapshot.
pub(crate) const AT: Timestamp = Timestamp::from_secs(1_795_319_112);

/// Two providers: one counts requests for a partner and is nearly used up, the other counts tokens over an hour.
pub(crate) fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot {
        at: Some(AT),
        captures: vec![CaptureState {
            interface: "eth0".into(),
            received: 120_400,
            dropped: 3,
            interface_dropped: 2,
            queue_dropped: 1,
            last_frame_at: Some(AT.before(Duration::from_millis(250))),
            trouble: None,
        }],
        quotas: vec![payments(), tokens()],
        endpoints: vec![
            EndpointState {
                provider: Some("fluid-network".into()),
                host: "api.fluid.example:8443".into(),
                endpoint: "POST /v1/payments".into(),
                requests: 910,
                throttled: 28,
                statuses: BTreeMap::from([(200, 882), (429, 28)]),
                error_codes: BTreeMap::from([("1454".into(), 12), ("1456".into(), 3)]),
            },
            EndpointState {
                provider: Some("openai".into()),
                host: "api.openai.example".into(),
                endpoint: "POST /v1/chat/completions".into(),
                requests: 40,
                throttled: 0,
                statuses: BTreeMap::from([(200, 40)]),
                error_codes: BTreeMap::new(),
            },
        ],
        alerts: alerts(),
        ..Snapshot::default()
    };
    snapshot.input.bytes = 9_000_000;
    snapshot.input.packets = 120_400;
    snapshot.input.connections = 31;
    snapshot.input.requests = 951;
    snapshot.input.responses = 950;
    snapshot.input.exchanges = 950;
    snapshot.input.count_many(Anomaly::StreamGap, 2);
    let peer = Peer::Host("api.example.org".into());
    snapshot.input.count_at(Place { cause: Anomaly::TlsUnreadable, peer, port: 443 }, 3);
    snapshot
}

/// Many quotas of one policy, as a provider has that counts by merchant.
pub(crate) fn crowd(quotas: usize) -> Snapshot {
    let one = |number: usize| {
        let mut quota = payments();
        let scope = Scope { kind: "merchant".into(), id: Some(format!("k:{number:08x}").into()) };
        quota.key.scope = Some(scope.clone());
        quota.scope = Some(scope);
        quota
    };
    Snapshot { quotas: (0..quotas).map(one).collect(), ..snapshot() }
}

fn partner() -> Scope {
    Scope { kind: "partner".into(), id: Some("k:5f2c9a01".into()) }
}

fn payments() -> QuotaState {
    QuotaState {
        key: QuotaKey {
            owner: "fluid-network".into(),
            scope: Some(partner()),
            bucket: "POST /v1/payments".into(),
            dimension: Dimension::requests(),
            window: Some(Duration::from_mins(1)),
        },
        provider: Some("fluid-network".into()),
        host: "api.fluid.example:8443".into(),
        endpoint: "POST /v1/payments".into(),
        endpoints: vec![("POST /v1/payments".into(), 910)],
        scope: Some(partner()),
        policy: None,
        dimension: Dimension::requests(),
        source: QuotaSource::Header,
        limit: Some(Amount::from_count(1000)),
        remaining: Some(Amount::from_count(90)),
        utilization: Some(0.91),
        peak_utilization: Some(0.94),
        window: Some(Duration::from_mins(1)),
        window_kind: Some(WindowKind::Fixed),
        reset_at: Some(AT.after(Duration::from_secs(41))),
        requests: 910,
        throttled: 28,
        recent_requests: 910,
        recent_throttled: 28,
        error_codes: BTreeMap::from([("1454".into(), 12), ("1456".into(), 3)]),
        retry_after: Some(Duration::from_secs(45)),
        blocked_until: None,
        consumption_rate: Some(4.5),
        exhausts_at: Some(AT.after(Duration::from_secs(20))),
        pace: Some(0.456),
        seen_at: AT,
        stale: false,
        learned_sharing: false,
        confidence: None,
        trend: Trend::default(),
    }
}

fn tokens() -> QuotaState {
    QuotaState {
        key: QuotaKey {
            owner: "openai".into(),
            scope: None,
            bucket: "gpt".into(),
            dimension: Dimension("tokens".into()),
            window: Some(Duration::from_hours(1)),
        },
        provider: Some("openai".into()),
        host: "api.openai.example".into(),
        endpoint: "POST /v1/chat/completions".into(),
        scope: None,
        policy: Some("gpt".into()),
        dimension: Dimension("tokens".into()),
        limit: Some(Amount::from_count(2_000_000)),
        remaining: Some(Amount::from_count(1_500_000)),
        utilization: Some(0.25),
        peak_utilization: Some(0.25),
        window: Some(Duration::from_hours(1)),
        reset_at: None,
        exhausts_at: None,
        consumption_rate: None,
        ..payments()
    }
}

/// One firing alert of each severity, about the payments.
pub(crate) fn alerts() -> Vec<Alert> {
    [Rule::Utilization, Rule::UtilizationHigh, Rule::ThrottledRatio].into_iter().map(alert).collect()
}

/// A firing alert; its id tells the rule.
pub(crate) fn alert(rule: Rule) -> Alert {
    let quota = payments();
    Alert {
        id: format!("{:032x}", rule as u8).into(),
        sequence: 0,
        rule,
        severity: rule.severity(),
        state: AlertState::Firing,
        subject: Subject {
            provider: quota.provider,
            host: Some(quota.host),
            policy: Some(quota.endpoint),
            scope: quota.scope,
            dimension: Some(quota.dimension),
            ..Subject::default()
        },
        value: 0.91,
        threshold: 0.9,
        started_at: AT.before(Duration::from_secs(22)),
        ended_at: None,
        summary: "fluid-network: 91 % of 1000 used".into(),
        reason: "fired",
        flapping: false,
        muted: rule.severity() < Severity::Critical,
        quota: Some(quota.key),
    }
}

/// The end of an alert.
pub(crate) fn resolved(alert: &Alert) -> Alert {
    Alert {
        sequence: alert.sequence + 1,
        state: AlertState::Resolved,
        ended_at: Some(AT),
        reason: "recovered",
        ..alert.clone()
    }
}

/// A refusal that asks to wait.
pub(crate) fn refusal(wait: Duration) -> Observation {
    Observation {
        at: AT,
        source: "eth0".into(),
        client: Client::Unknown,
        server: None,
        host: Some("api.fluid.example:8443".into()),
        method: Some("POST".into()),
        path: Some("/v1/payments".into()),
        endpoint: Some("POST /v1/payments".into()),
        status: 429,
        provider: Some("fluid-network".into()),
        dialect: None,
        readings: Vec::new(),
        declared: Vec::new(),
        retry_after: Some(wait),
        throttled: Some(ThrottleCause::Quota),
        error_code: Some("1454".into()),
        scope: Some(partner()),
        latency: None,
        content_cut: false,
        doubts: Vec::new(),
    }
}
