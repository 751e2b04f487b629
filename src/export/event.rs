//! A change of an alert as an OTLP log record, by way of a form that can wait on a disk.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Severity as OtlpSeverity};
use opentelemetry::{KeyValue, Value};

use super::attributes;
use super::catalogue::{ALERT_EVENT, attribute as a};
use super::outbox::Pending;
use crate::model::{Alert, AlertState, Severity, Timestamp};

/// What is kept of a change until it was delivered.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct AlertEvent {
    /// When it happened, in event time.
    at: Timestamp,
    /// When it was seen, by the agent's clock.
    observed_at: Timestamp,
    /// The severity number of the OpenTelemetry log data model.
    severity: u8,
    body: String,
    attributes: BTreeMap<String, Scalar>,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Count(i64),
    Number(f64),
    Text(String),
}

impl AlertEvent {
    pub(crate) fn of(alert: &Alert, now: Timestamp) -> Self {
        let at = match (alert.state, alert.ended_at) {
            (AlertState::Resolved, Some(ended_at)) => ended_at,
            _ if alert.sequence == 0 => alert.started_at,
            _ => now,
        };
        let mut attributes: BTreeMap<String, Scalar> = attributes::of_alert(alert)
            .into_iter()
            .map(|KeyValue { key, value, .. }| (key.to_string(), value.into()))
            .collect();
        let own = [
            (a::ALERT_ID, Some(Scalar::Text(alert.id.to_string()))),
            (a::ALERT_SEQUENCE, Some(Scalar::Count(i64::from(alert.sequence)))),
            (a::ALERT_STATE, Some(Scalar::Text(alert.state.as_str().to_owned()))),
            (a::ALERT_STARTED_AT, Some(Scalar::Text(alert.started_at.to_string()))),
            (a::ALERT_ENDED_AT, alert.ended_at.map(|at| Scalar::Text(at.to_string()))),
            (a::ALERT_VALUE, alert.value.is_finite().then_some(Scalar::Number(alert.value))),
            (a::ALERT_THRESHOLD, alert.threshold.is_finite().then_some(Scalar::Number(alert.threshold))),
            (a::ALERT_REASON, Some(Scalar::Text(alert.reason.to_owned()))),
            (a::ALERT_FLAPPING, alert.flapping.then_some(Scalar::Flag(true))),
            (a::ALERT_MUTED, alert.muted.then_some(Scalar::Flag(true))),
        ];
        attributes.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Self { at, observed_at: now, severity: severity_number(alert), body: alert.summary.to_string(), attributes }
    }

    /// The event as it waits. Writing JSON to memory fails only for what is no JSON, which an event cannot hold.
    pub(crate) fn pending(&self, alert: &Alert) -> Option<Pending> {
        let payload = serde_json::to_vec(self).ok()?;
        Some(Pending { id: alert.id.clone(), sequence: alert.sequence, payload: payload.into() })
    }

    /// The event as it waited; `None` where the payload is another version's or damaged.
    pub(crate) fn read(pending: &Pending) -> Option<Self> {
        serde_json::from_slice(&pending.payload).ok()
    }

    pub(crate) fn fill(self, record: &mut impl LogRecord) {
        record.set_event_name(ALERT_EVENT.name);
        record.set_timestamp(system_time(self.at));
        record.set_observed_timestamp(system_time(self.observed_at));
        let (severity, text) = match self.severity {
            10 => (OtlpSeverity::Info2, "INFO2"),
            13 => (OtlpSeverity::Warn, "WARN"),
            17 => (OtlpSeverity::Error, "ERROR"),
            18 => (OtlpSeverity::Error2, "ERROR2"),
            _ => (OtlpSeverity::Info, "INFO"),
        };
        record.set_severity_number(severity);
        record.set_severity_text(text);
        record.set_body(AnyValue::from(self.body));
        for (name, value) in self.attributes {
            record.add_attribute(name, AnyValue::from(value));
        }
    }
}

/// Source: <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>.
fn severity_number(alert: &Alert) -> u8 {
    match (alert.state, alert.severity) {
        (AlertState::Resolved, _) => 10,
        (_, Severity::Info) => 9,
        (_, Severity::Warning) => 13,
        (_, Severity::High) => 17,
        (_, Severity::Critical) => 18,
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(at.as_nanos()).unwrap_or(0))
}

impl From<Value> for Scalar {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Flag(flag),
            Value::I64(count) => Self::Count(count),
            Value::F64(number) => Self::Number(number),
            other => Self::Text(other.as_str().into_owned()),
        }
    }
}

impl From<Scalar> for AnyValue {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Flag(flag) => Self::Boolean(flag),
            Scalar::Count(count) => Self::Int(count),
            Scalar::Number(number) => Self::Double(number),
            Scalar::Text(text) => Self::from(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn severities_are_those_of_the_contract() {
        let mut alert = sample::alert(0, AlertState::Firing);
        for (severity, number) in [(Severity::Warning, 13), (Severity::High, 17), (Severity::Critical, 18)] {
            alert.severity = severity;
            assert_eq!(severity_number(&alert), number);
        }
        assert_eq!(severity_number(&sample::alert(1, AlertState::Resolved)), 10);
    }

    #[test]
    fn waits_without_loss_and_carries_only_what_the_catalogue_names() {
        let alert = Alert { flapping: true, muted: true, ..sample::alert(1, AlertState::Resolved) };
        let event = AlertEvent::of(&alert, Timestamp::from_secs(1_795_319_200));
        let pending = event.pending(&alert).unwrap();
        assert_eq!((&*pending.id, pending.sequence), (&*alert.id, 1));
        assert_eq!(AlertEvent::read(&pending).as_ref(), Some(&event));
        for name in event.attributes.keys() {
            assert!(ALERT_EVENT.attributes.contains(&name.as_str()), "{name}");
        }
        assert_eq!(event.attributes["alert.value"], Scalar::Number(0.91));
        assert_eq!(event.attributes["server.port"], Scalar::Count(8443));
        assert_eq!(event.attributes["alert.ended_at"], Scalar::Text("2026-11-22T03:45:50Z".into()));
    }
}
