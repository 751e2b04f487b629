//! One exchange as a line of JSON.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::model::{Amount, Client, Dimension, Observation, QuotaSource, Reading, Scope, ThrottleCause, Timestamp};

/// Writes `observation` as one line of NDJSON.
///
/// # Errors
/// Those of the writer.
pub fn write_event(out: &mut impl io::Write, observation: &Observation) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &EventLine::from(observation))?;
    out.write_all(b"\n")
}

/// What response heads announce, as one JSON array.
///
/// # Errors
/// Those of the writer.
pub fn write_announcement(out: &mut impl io::Write, observations: &[Observation]) -> io::Result<()> {
    let heads: Vec<Announcement<'_>> = observations.iter().map(Announcement::from).collect();
    serde_json::to_writer_pretty(&mut *out, &heads)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct EventLine<'a> {
    ts: Timestamp,
    source: &'a str,
    client: Option<String>,
    server: Option<std::net::SocketAddr>,
    host: Option<&'a str>,
    method: Option<&'a str>,
    path: Option<&'a str>,
    endpoint: Option<&'a str>,
    status: u16,
    provider: Option<&'a str>,
    dialect: Option<&'a str>,
    quotas: Vec<ReadingLine<'a>>,
    retry_after_s: Option<Seconds>,
    throttled: bool,
    throttle_cause: Option<ThrottleCause>,
    error_code: Option<&'a str>,
    scope: Option<&'a Scope>,
    latency_s: Option<Seconds>,
    /// What of the exchange was not seen: `request`, `content`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    doubts: &'a [&'static str],
}

impl<'a> From<&'a Observation> for EventLine<'a> {
    fn from(observation: &'a Observation) -> Self {
        Self {
            ts: observation.at,
            source: &observation.source,
            client: (observation.client != Client::Unknown).then(|| observation.client.to_string()),
            server: observation.server,
            host: observation.host.as_deref(),
            method: observation.method.as_deref(),
            path: observation.path.as_deref(),
            endpoint: observation.endpoint.as_deref(),
            status: observation.status,
            provider: observation.provider.as_deref(),
            dialect: observation.dialect,
            quotas: observation.readings.iter().map(ReadingLine::from).collect(),
            retry_after_s: observation.retry_after.map(Seconds),
            throttled: observation.throttled.is_some(),
            throttle_cause: observation.throttled,
            error_code: observation.error_code.as_deref(),
            scope: observation.scope.as_ref(),
            latency_s: observation.latency.map(Seconds),
            unseen: unseen(observation),
            doubts: &observation.doubts,
        }
    }
}

fn unseen(observation: &Observation) -> Vec<&'static str> {
    let parts = [(observation.method.is_none(), "request"), (observation.content_cut, "content")];
    parts.into_iter().filter_map(|(unseen, part)| unseen.then_some(part)).collect()
}

#[derive(Serialize)]
struct Announcement<'a> {
    status: u16,
    provider: Option<&'a str>,
    dialect: Option<&'a str>,
    quotas: Vec<ReadingLine<'a>>,
    retry_after_s: Option<Seconds>,
    throttled: bool,
    throttle_cause: Option<ThrottleCause>,
    error_code: Option<&'a str>,
    scope: Option<&'a Scope>,
    doubts: &'a [&'static str],
}

impl<'a> From<&'a Observation> for Announcement<'a> {
    fn from(observation: &'a Observation) -> Self {
        Self {
            status: observation.status,
            provider: observation.provider.as_deref(),
            dialect: observation.dialect,
            quotas: observation.readings.iter().map(ReadingLine::from).collect(),
            retry_after_s: observation.retry_after.map(Seconds),
            throttled: observation.throttled.is_some(),
            throttle_cause: observation.throttled,
            error_code: observation.error_code.as_deref(),
            scope: observation.scope.as_ref(),
            doubts: &observation.doubts,
        }
    }
}

/// One quota of an event.
#[derive(Serialize)]
pub struct ReadingLine<'a> {
    dimension: &'a Dimension,
    policy: Option<&'a Arc<str>>,
    limit: Option<Amount>,
    remaining: Option<Amount>,
    used: Option<Amount>,
    utilization: Option<f64>,
    window_s: Option<Seconds>,
    reset_at: Option<Timestamp>,
    source: QuotaSource,
}

impl<'a> From<&'a Reading> for ReadingLine<'a> {
    fn from(reading: &'a Reading) -> Self {
        Self {
            dimension: &reading.dimension,
            policy: reading.policy.as_ref(),
            limit: reading.limit,
            remaining: reading.remaining,
            used: reading.used,
            utilization: reading.utilization,
            window_s: reading.window.map(Seconds),
            reset_at: reading.reset_at,
            source: reading.source,
        }
    }
}

/// A duration in seconds: an integer where it is whole.
pub(super) struct Seconds(pub(super) Duration);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.subsec_nanos() == 0 {
            serializer.serialize_u64(self.0.as_secs())
        } else {
            serializer.serialize_f64(self.0.as_secs_f64())
        }
    }
}
