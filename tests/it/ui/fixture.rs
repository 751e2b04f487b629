//! A made-up state of an integration with five providers: one quota runs out, one is refused, others are calm.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::sync::Arc;
use std::time::Duration;

use quotascope::model::{
    Alert, AlertState, Amount, Anomaly, CaptureState, Dimension, EndpointState, ErrorCodeCount, Finding, QuotaKey,
    QuotaSource, QuotaState, Rule, Scope, Snapshot, Subject, Timestamp, Trend, TrendPoint, WindowKind,
};

/// The moment of the snapshot: 2026-11-22 12:03:41 UTC.
pub(super) fn now() -> Timestamp {
    Timestamp::from_secs(1_795_349_021)
}

/// A quota of which only its name, provider and host are known.
pub(super) fn quota(provider: &str, endpoint: &str) -> QuotaState {
    QuotaState {
        key: QuotaKey {
            owner: provider.into(),
            scope: None,
            bucket: endpoint.into(),
            dimension: Dimension::requests(),
            window: None,
        },
        provider: Some(provider.into()),
        host: format!("api.{provider}.example").into(),
        endpoint: endpoint.into(),
        endpoints: vec![(endpoint.into(), 1)],
        scope: None,
        policy: None,
        dimension: Dimension::requests(),
        source: QuotaSource::Header,
        limit: None,
        remaining: None,
        utilization: None,
        peak_utilization: None,
        window: None,
        window_kind: None,
        reset_at: None,
        requests: 1,
        throttled: 0,
        recent_requests: 0,
        recent_throttled: 0,
        error_codes: BTreeMap::new(),
        retry_after: None,
        blocked_until: None,
        consumption_rate: None,
        exhausts_at: None,
        pace: None,
        seen_at: now(),
        stale: false,
        learned_sharing: false,
        confidence: None,
        trend: Trend::default(),
    }
}

fn with_numbers(mut quota: QuotaState, limit: f64, remaining: f64, window: u64) -> QuotaState {
    quota.limit = Amount::new(limit);
    quota.remaining = Amount::new(remaining);
    quota.utilization = Some(1.0 - remaining / limit);
    quota.peak_utilization = quota.utilization;
    quota.window = Some(Duration::from_secs(window));
    quota.key.window = quota.window;
    quota.window_kind = Some(WindowKind::Fixed);
    quota
}

fn scoped(mut quota: QuotaState, kind: &str, id: &str) -> QuotaState {
    let scope = Scope { kind: kind.into(), id: (!id.is_empty()).then(|| id.into()) };
    quota.key.scope = Some(scope.clone());
    quota.scope = Some(scope);
    quota
}

/// An hour of points, ten seconds apart: utilization by seconds from now, and the share that was throttled.
fn trend(utilization: impl Fn(f64) -> Option<f64>, throttled: impl Fn(f64) -> f64) -> Trend {
    let points = (0..360)
        .map(|at| {
            let seconds = f64::from(at - 359) * 10.0;
            let utilization = utilization(seconds);
            let requests = if utilization.is_some() { 100 } else { 0 };
            let throttled = (0..100u32).filter(|n| f64::from(*n) + 0.5 < throttled(seconds) * 100.0);
            TrendPoint { utilization, requests, throttled: throttled.count().try_into().unwrap_or(100) }
        })
        .collect();
    Trend { step: Duration::from_secs(10), points }
}

fn in_seconds(seconds: u64) -> Timestamp {
    now().after(Duration::from_secs(seconds))
}

/// Five providers, eight quotas.
pub(super) fn rich() -> Snapshot {
    let mut snapshot = Snapshot {
        at: Some(now()),
        captures: vec![capture("eth0", 1_204_882, 0), capture("lo", 86_210, 12)],
        quotas: vec![declared(), learned(), unknown(), payments(), core(), blocked(), tokens(), stale()],
        endpoints: endpoints(),
        error_codes: vec![
            code("fluid-network", "1454", Some("partner"), 40),
            code("octopus-cards", "RATE_LIMITED", Some("merchant"), 22),
            code("fluid-network", "1456", Some("payment"), 3),
            code("fluid-network", "1453", Some("ip"), 1),
        ],
        alerts: alerts(),
        findings: findings(),
        trend: trend(
            |_| Some(0.5),
            |s| if s > -240.0 { (s + 240.0) / 240.0 * 0.071 } else { 0.004 + 0.004 * (s / 200.0).sin() },
        ),
        ..Snapshot::default()
    };
    let input = &mut snapshot.input;
    input.packets = 1_291_092;
    input.connections = 4_812;
    input.requests = 23_950;
    input.responses = 23_944;
    input.exchanges = 23_940;
    input.count_many(Anomaly::StreamGap, 2);
    input.count_many(Anomaly::TlsUnreadable, 3);
    input.count_many(Anomaly::ResponseUnmatched, 4);
    snapshot
}

/// The same a second earlier, for rates.
pub(super) fn a_second_earlier() -> Snapshot {
    let mut snapshot = rich();
    snapshot.at = Some(now().before(Duration::from_secs(1)));
    snapshot.input.packets -= 1_204;
    snapshot.input.exchanges -= 312;
    snapshot
}

fn payments() -> QuotaState {
    let mut payments =
        scoped(with_numbers(quota("fluid-network", "POST /v1/payments"), 1000.0, 90.0, 600), "partner", "k:5f2c9a01");
    payments.peak_utilization = Some(0.94);
    payments.reset_at = Some(in_seconds(241));
    payments.endpoints = vec![("POST /v1/payments".into(), 18_420)];
    payments.requests = 18_420;
    payments.throttled = 211;
    payments.recent_requests = 1_842;
    payments.recent_throttled = 57;
    payments.error_codes = BTreeMap::from([("1454".into(), 40), ("1456".into(), 3), ("1453".into(), 1)]);
    payments.retry_after = Some(Duration::from_secs(30));
    payments.consumption_rate = Some(1.45);
    payments.exhausts_at = Some(in_seconds(62));
    payments.pace = Some(2.678);
    payments.seen_at = now().before(Duration::from_secs(1));
    payments.trend = trend(
        |s| {
            // Windows of ten minutes; the running one is almost six minutes old, and burns faster than the last one.
            let into_window = (s + 359.0).rem_euclid(600.0) / 359.0;
            let pace = if s > -359.0 { 0.91 } else { 0.56 };
            Some((into_window.powf(1.15) * pace).clamp(0.0, 0.94))
        },
        |s| if s > -200.0 { 0.03 } else { 0.0 },
    );
    payments
}

fn core() -> QuotaState {
    let mut core = scoped(with_numbers(quota("github", "core"), 5000.0, 1842.0, 3600), "api-key", "ci bot");
    core.endpoints = (0..7).map(|n| (format!("GET /repos/{{owner}}/{n}").into(), 700 - n * 90)).collect();
    core.policy = Some("core".into());
    core.reset_at = Some(in_seconds(1267));
    core.requests = 3_158;
    core.recent_requests = 260;
    core.consumption_rate = Some(0.87);
    core.pace = Some(0.687);
    core.trend = trend(|s| Some((0.6316 + s / 5700.0).max(0.02)), |_| 0.0);
    core
}

fn declared() -> QuotaState {
    let mut declared =
        scoped(with_numbers(quota("centrapay", "payment-requests"), 200.0, 168.0, 60), "account", "k:9b1e44c0");
    declared.endpoints =
        vec![("POST /api/payment-requests".into(), 60), ("GET /api/payment-requests/{id}".into(), 900)];
    declared.source = QuotaSource::Declared;
    declared.window_kind = Some(WindowKind::Sliding);
    declared.requests = 960;
    declared.recent_requests = 160;
    declared.consumption_rate = Some(0.5);
    declared.trend = trend(|s| Some(0.15 + 0.05 * (s / 300.0 * PI).sin()), |_| 0.0);
    declared
}

fn blocked() -> QuotaState {
    let mut blocked =
        scoped(with_numbers(quota("octopus-cards", "POST /api/v1/orders"), 60.0, 0.0, 60), "merchant", "k:77aa01fe");
    blocked.reset_at = Some(in_seconds(19));
    blocked.blocked_until = Some(in_seconds(45));
    blocked.retry_after = Some(Duration::from_secs(45));
    blocked.peak_utilization = Some(1.0);
    blocked.requests = 322;
    blocked.throttled = 22;
    blocked.recent_requests = 310;
    blocked.recent_throttled = 22;
    blocked.error_codes = BTreeMap::from([("RATE_LIMITED".into(), 22)]);
    blocked.trend = trend(
        |s| (s > -600.0).then(|| ((s + 41.0).rem_euclid(60.0) / 45.0).min(1.0)),
        |s| if s > -120.0 { 0.12 } else { 0.0 },
    );
    blocked
}

fn tokens() -> QuotaState {
    let mut tokens = scoped(
        with_numbers(quota("openai", "POST /v1/chat/completions"), 2_000_000.0, 334_120.0, 60),
        "api-key",
        "k:0badcafe",
    );
    tokens.dimension = Dimension("tokens".into());
    tokens.key.dimension = tokens.dimension.clone();
    tokens.window_kind = Some(WindowKind::TokenBucket);
    tokens.requests = 640;
    tokens.recent_requests = 44;
    tokens.trend = trend(|s| Some(0.7 + 0.13 * (s / 250.0).sin()), |_| 0.0);
    tokens
}

fn learned() -> QuotaState {
    let mut learned = quota("ceypay", "GET /v1/payment/{id}");
    learned = with_numbers(learned, 100.0, 59.0, 60);
    learned.source = QuotaSource::Learned;
    learned.requests = 412;
    learned.recent_requests = 41;
    learned.reset_at = Some(in_seconds(33));
    learned.trend = trend(|s| (s > -150.0).then_some(0.41), |_| 0.0);
    learned
}

fn stale() -> QuotaState {
    let mut stale = scoped(with_numbers(quota("p100", "daily"), 86_400.0, 51_000.0, 86_400), "ip", "203.0.113.9");
    stale.stale = true;
    (stale.remaining, stale.utilization) = (None, None);
    stale.peak_utilization = Some(0.41);
    stale.seen_at = now().before(Duration::from_secs(4_300));
    stale.reset_at = Some(now().before(Duration::from_secs(223)));
    stale.requests = 35_400;
    stale
}

fn unknown() -> QuotaState {
    let mut unknown = quota("example", "GET /status");
    unknown.provider = None;
    unknown.host = "status.example.net:8080".into();
    unknown.requests = 12;
    unknown.recent_requests = 2;
    unknown.limit = Amount::new(600.0);
    unknown
}

fn alerts() -> Vec<Alert> {
    vec![
        alert(
            Rule::ThrottledRatio,
            &blocked(),
            22,
            0.071,
            0.05,
            "7.1 % of the exchanges of the last 5 min were throttled (22 of 310)",
        ),
        alert(
            Rule::UtilizationHigh,
            &payments(),
            95,
            0.91,
            0.9,
            "91 % of 1,000 requests used, 90 left, resets in 4 min 1 s",
        ),
        alert(
            Rule::Exhaustion,
            &payments(),
            130,
            62.0,
            241.0,
            "runs out in 1 min 2 s at 1.4 requests a second, 2 min 59 s before its reset",
        ),
        alert(Rule::Utilization, &tokens(), 41, 0.83, 0.8, "83.2 % of 2,000,000 tokens used, 334,120 left"),
        Alert {
            state: AlertState::Resolved,
            ended_at: Some(now().before(Duration::from_secs(700))),
            reason: "window_reset",
            ..alert(
                Rule::UtilizationHigh,
                &core(),
                1500,
                0.92,
                0.9,
                "92 % of 5,000 requests used, 400 left, resets in 5 min",
            )
        },
    ]
}

fn endpoints() -> Vec<EndpointState> {
    vec![
        endpoint("centrapay", "GET /api/payment-requests/{id}", 900, &[(200, 900)], &[]),
        endpoint(
            "fluid-network",
            "POST /v1/payments",
            18_420,
            &[(201, 18_209), (429, 211)],
            &[("1454", 40), ("1456", 3), ("1453", 1)],
        ),
        endpoint("github", "GET /repos/{owner}/{repo}/pulls", 700, &[(200, 640), (304, 60)], &[]),
        endpoint("octopus-cards", "POST /api/v1/orders", 322, &[(201, 300), (429, 22)], &[("RATE_LIMITED", 22)]),
    ]
}

fn findings() -> Vec<Finding> {
    vec![
        finding(
            "retried_too_early",
            "octopus-cards",
            "POST /api/v1/orders",
            9,
            "9 of 22 refused calls came again before Retry-After (45 s) was over, the earliest after 0.2 s",
            "wait for Retry-After, then add a random delay, before the call is made again",
        ),
        finding(
            "polls",
            "centrapay",
            "GET /api/payment-requests/{id}",
            900,
            "one resource was asked for 15 times a minute; 97 % of the answers did not change",
            "use the webhook `payment-request.paid`, or ask every 10 s",
        ),
    ]
}

fn capture(interface: &str, received: u64, dropped: u64) -> CaptureState {
    CaptureState {
        interface: interface.into(),
        received,
        dropped,
        last_frame_at: Some(now()),
        ..CaptureState::default()
    }
}

fn endpoint(
    provider: &str,
    endpoint: &str,
    requests: u64,
    statuses: &[(u16, u64)],
    codes: &[(&str, u64)],
) -> EndpointState {
    EndpointState {
        provider: Some(provider.into()),
        host: format!("api.{provider}.example").into(),
        endpoint: endpoint.into(),
        requests,
        throttled: statuses.iter().filter(|(status, _)| *status == 429).map(|(_, count)| count).sum(),
        statuses: statuses.iter().copied().collect(),
        error_codes: codes.iter().map(|(code, count)| (Arc::from(*code), *count)).collect(),
    }
}

fn code(owner: &str, code: &str, kind: Option<&str>, count: u64) -> ErrorCodeCount {
    ErrorCodeCount { owner: owner.into(), code: code.into(), scope_kind: kind.map(Into::into), count }
}

fn finding(kind: &'static str, provider: &str, endpoint: &str, count: u64, evidence: &str, advice: &str) -> Finding {
    Finding {
        kind,
        host: format!("api.{provider}.example").into(),
        endpoint: endpoint.into(),
        count,
        evidence: evidence.into(),
        advice: advice.into(),
    }
}

fn subject(quota: &QuotaState) -> String {
    let scope =
        quota.scope.as_ref().map(|scope| format!(" {} {}", scope.kind, scope.id.as_deref().unwrap_or_default()));
    format!("{}{}", quota.key.owner, scope.unwrap_or_default())
}

fn alert(rule: Rule, quota: &QuotaState, seconds_ago: u64, value: f64, threshold: f64, summary: &str) -> Alert {
    Alert {
        id: format!("{seconds_ago:032x}").into(),
        sequence: 0,
        rule,
        severity: rule.severity(),
        state: AlertState::Firing,
        subject: Subject {
            provider: quota.provider.clone(),
            host: Some(quota.host.clone()),
            policy: Some(quota.endpoint.clone()),
            scope: quota.scope.clone(),
            dimension: Some(quota.dimension.clone()),
            ..Subject::default()
        },
        value,
        threshold,
        started_at: now().before(Duration::from_secs(seconds_ago)),
        ended_at: None,
        summary: format!("{} ({}): {summary}", subject(quota), quota.endpoint).into(),
        reason: "fired",
        flapping: false,
        muted: false,
        quota: Some(quota.key.clone()),
    }
}
