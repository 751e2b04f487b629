//! The whole state as one JSON document.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;

use super::event::Seconds;
use crate::model::{
    Alert, Amount, CaptureState, Coverage, Dimension, EndpointState, Finding, InputCounters, QuotaSource, QuotaState,
    Scope, Snapshot, Timestamp, WindowKind,
};

/// Writes the document of `replay --json`: everything of `snapshot`, with `alerts` the episodes of the whole run.
///
/// # Errors
/// Those of the writer.
pub fn write_summary(out: &mut impl io::Write, snapshot: &Snapshot, alerts: &[Alert]) -> io::Result<()> {
    let coverage = snapshot.coverage();
    let document = Document {
        schema: 1,
        input: &snapshot.input,
        captures: snapshot.captures.iter().map(CaptureLine::from).collect(),
        quotas: snapshot.quotas.iter().map(|quota| QuotaLine::of(quota, &coverage)).collect(),
        endpoints: snapshot.endpoints.iter().map(EndpointLine::from).collect(),
        alerts,
        findings: &snapshot.findings,
        coverage: &coverage,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    input: &'a InputCounters,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    captures: Vec<CaptureLine<'a>>,
    quotas: Vec<QuotaLine<'a>>,
    endpoints: Vec<EndpointLine<'a>>,
    alerts: &'a [Alert],
    findings: &'a [Finding],
    coverage: &'a [Coverage],
}

#[derive(Serialize)]
struct CaptureLine<'a> {
    interface: &'a str,
    received: u64,
    dropped: u64,
    interface_dropped: u64,
    queue_dropped: u64,
    trouble: Option<&'a str>,
}

impl<'a> From<&'a CaptureState> for CaptureLine<'a> {
    fn from(capture: &'a CaptureState) -> Self {
        Self {
            interface: &capture.interface,
            received: capture.received,
            dropped: capture.dropped,
            interface_dropped: capture.interface_dropped,
            queue_dropped: capture.queue_dropped,
            trouble: capture.trouble.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct QuotaLine<'a> {
    provider: Option<&'a str>,
    host: &'a str,
    endpoint: &'a str,
    scope: Option<&'a Scope>,
    policy: Option<&'a str>,
    dimension: &'a Dimension,
    source: QuotaSource,
    limit: Option<Amount>,
    remaining: Option<Amount>,
    utilization: Option<f64>,
    peak_utilization: Option<f64>,
    window_s: Option<Seconds>,
    window_kind: Option<WindowKind>,
    reset_at: Option<Timestamp>,
    requests: u64,
    throttled: u64,
    throttled_ratio: f64,
    recent: Recent,
    error_codes: &'a BTreeMap<Arc<str>, u64>,
    retry_after_s: Option<Seconds>,
    blocked_until: Option<Timestamp>,
    consumption_rate: Option<f64>,
    exhausts_at: Option<Timestamp>,
    pace_s: Option<f64>,
    seen_at: Timestamp,
    stale: bool,
    learned_sharing: bool,
    /// How much of the host's traffic was seen whole.
    coverage: Option<f64>,
    /// Of a learned limit only.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    endpoints: Vec<Share<'a>>,
}

/// The last five minutes.
#[derive(Serialize)]
struct Recent {
    requests: u64,
    throttled: u64,
}

#[derive(Serialize)]
struct Share<'a> {
    endpoint: &'a str,
    requests: u64,
}

impl<'a> QuotaLine<'a> {
    fn of(quota: &'a QuotaState, coverage: &[Coverage]) -> Self {
        let host = coverage.binary_search_by(|host| host.host.cmp(&quota.host)).ok();
        Self {
            provider: quota.provider.as_deref(),
            host: &quota.host,
            endpoint: &quota.endpoint,
            scope: quota.scope.as_ref(),
            policy: quota.policy.as_deref(),
            dimension: &quota.dimension,
            source: quota.source,
            limit: quota.limit,
            remaining: quota.remaining,
            utilization: quota.utilization,
            peak_utilization: quota.peak_utilization,
            window_s: quota.window.map(Seconds),
            window_kind: quota.window_kind,
            reset_at: quota.reset_at,
            requests: quota.requests,
            throttled: quota.throttled,
            throttled_ratio: quota.throttled_ratio(),
            recent: Recent { requests: quota.recent_requests, throttled: quota.recent_throttled },
            error_codes: &quota.error_codes,
            retry_after_s: quota.retry_after.map(Seconds),
            blocked_until: quota.blocked_until,
            consumption_rate: quota.consumption_rate,
            exhausts_at: quota.exhausts_at,
            pace_s: quota.pace,
            seen_at: quota.seen_at,
            stale: quota.stale,
            learned_sharing: quota.learned_sharing,
            coverage: host.and_then(|at| coverage.get(at)?.coverage),
            confidence: quota.confidence,
            endpoints: quota
                .endpoints
                .iter()
                .map(|(endpoint, requests)| Share { endpoint, requests: *requests })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct EndpointLine<'a> {
    provider: Option<&'a str>,
    host: &'a str,
    endpoint: &'a str,
    requests: u64,
    throttled: u64,
    statuses: &'a BTreeMap<u16, u64>,
    error_codes: &'a BTreeMap<Arc<str>, u64>,
}

impl<'a> From<&'a EndpointState> for EndpointLine<'a> {
    fn from(endpoint: &'a EndpointState) -> Self {
        Self {
            provider: endpoint.provider.as_deref(),
            host: &endpoint.host,
            endpoint: &endpoint.endpoint,
            requests: endpoint.requests,
            throttled: endpoint.throttled,
            statuses: &endpoint.statuses,
            error_codes: &endpoint.error_codes,
        }
    }
}
