//! A made snapshot with every kind of value in it, for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Alert, AlertState, Amount, CaptureState, Dimension, EndpointState, QuotaKey, QuotaSource, QuotaState, Rule, Scope,
    Snapshot, Subject, Timestamp, Trend, WindowKind,
};

pub(crate) fn scope() -> Scope {
    Scope { kind: "partner".into(), id: Some("k:5f2c9a01".into()) }
}

/// A quota of which all is known, and one of which nothing is.
pub(crate) fn snapshot() -> Snapshot {
    let at = Timestamp::from_secs(1_795_319_112);
    let known = QuotaState {
        key: QuotaKey {
            owner: "fluid-network".into(),
            scope: Some(scope()),
            bucket: "POST /v1/payments".into(),
            dimension: Dimension::requests(),
            window: Some(Duration::from_mins(1)),
        },
        provider: Some("fluid-network".into()),
        host: "api.fluid.example:8443".into(),
        endpoint: "POST /v1/payments".into(),
        endpoints: vec![("POST /v1/payments".into(), 910)],
        scope: Some(scope()),
        policy: Some("burst".into()),
        dimension: Dimension::requests(),
        source: QuotaSource::Header,
        limit: Some(Amount::from_count(1000)),
        remaining: Some(Amount::from_count(90)),
        utilization: Some(0.91),
        peak_utilization: Some(0.94),
        window: Some(Duration::from_mins(1)),
        window_kind: Some(WindowKind::Fixed),
        reset_at: Some(at.after(Duration::from_secs(41))),
        requests: 910,
        throttled: 28,
        recent_requests: 910,
        recent_throttled: 28,
        error_codes: BTreeMap::from([("1454".into(), 12), ("1456".into(), 3)]),
        retry_after: Some(Duration::from_secs(45)),
        blocked_until: None,
        consumption_rate: Some(4.5),
        exhausts_at: Some(at.after(Duration::from_secs(20))),
        pace: Some(0.312),
        seen_at: at,
        stale: false,
        learned_sharing: false,
        confidence: None,
        trend: Trend::default(),
    };
    let unknown = QuotaState {
        key: QuotaKey {
            owner: "api.example.com".into(),
            scope: None,
            bucket: "GET /v1/items/{id}".into(),
            dimension: Dimension("tokens".into()),
            window: None,
        },
        provider: None,
        host: "api.example.com".into(),
        endpoint: "GET /v1/items/{id}".into(),
        endpoints: Vec::new(),
        scope: None,
        policy: None,
        dimension: Dimension("tokens".into()),
        source: QuotaSource::Learned,
        limit: None,
        remaining: None,
        utilization: None,
        peak_utilization: None,
        window: None,
        window_kind: None,
        reset_at: None,
        consumption_rate: None,
        exhausts_at: None,
        ..known.clone()
    };
    let endpoint = EndpointState {
        provider: Some("fluid-network".into()),
        host: "api.fluid.example:8443".into(),
        endpoint: "POST /v1/payments".into(),
        requests: 910,
        throttled: 28,
        statuses: BTreeMap::from([(200, 882), (429, 28)]),
        error_codes: BTreeMap::from([("1454".into(), 12), ("1456".into(), 3)]),
    };
    let mut snapshot = Snapshot {
        at: Some(at),
        captures: vec![CaptureState {
            interface: "eth0".into(),
            received: 120_400,
            dropped: 3,
            interface_dropped: 2,
            queue_dropped: 1,
            last_frame_at: Some(at.before(Duration::from_secs(2))),
            trouble: None,
        }],
        quotas: vec![known, unknown],
        endpoints: vec![endpoint],
        alerts: vec![alert(0, AlertState::Firing)],
        ..Snapshot::default()
    };
    snapshot.input.packets = 120_400;
    snapshot.input.count_many(crate::model::Anomaly::StreamGap, 2);
    let peer = crate::model::Peer::Host("api.example.org".into());
    snapshot.input.count_at(crate::model::Place { cause: crate::model::Anomaly::TlsUnreadable, peer, port: 443 }, 3);
    snapshot
}

/// A change of the one alert.
pub(crate) fn alert(sequence: u32, state: AlertState) -> Alert {
    let started_at = Timestamp::from_secs(1_795_319_090);
    let resolved = state == AlertState::Resolved;
    Alert {
        id: "0123456789abcdef0123456789abcdef".into(),
        sequence,
        rule: Rule::UtilizationHigh,
        severity: Rule::UtilizationHigh.severity(),
        state,
        subject: Subject {
            provider: Some("fluid-network".into()),
            host: Some("api.fluid.example:8443".into()),
            policy: Some("burst".into()),
            scope: Some(scope()),
            dimension: Some(Dimension::requests()),
            ..Subject::default()
        },
        value: 0.91,
        threshold: 0.9,
        started_at,
        ended_at: resolved.then(|| started_at.after(Duration::from_mins(1))),
        summary: Arc::from("fluid-network: 91 % of 1000 used"),
        reason: if resolved { "recovered" } else { "fired" },
        flapping: false,
        muted: false,
        quota: None,
    }
}
