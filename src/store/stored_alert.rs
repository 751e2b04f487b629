//! An alert's episode as the store keeps it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::envelope;
use super::series::QuotaRecord;
use crate::model::{Alert, AlertState, Dimension, Rule, Scope, Severity, Subject, Timestamp};

/// An alert's episode as the store keeps it: words instead of enums, so that a store that another version wrote stays
/// readable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredAlert {
    /// The episode's name.
    pub id: String,
    /// 0 at its firing, then one more for each change.
    pub sequence: u32,
    /// The rule's word.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// `firing` or `resolved`.
    pub state: String,
    /// About what.
    pub subject: StoredSubject,
    /// The value that was judged.
    pub value: f64,
    /// The level it is judged against.
    pub threshold: f64,
    /// When it fired, in nanoseconds since the Unix epoch: exact, which RFC 3339 with microseconds is not.
    #[serde(rename = "started_at_ns", with = "nanos")]
    pub started_at: Timestamp,
    /// When it was over.
    #[serde(rename = "ended_at_ns", with = "optional_nanos", default)]
    pub ended_at: Option<Timestamp>,
    /// One sentence for people.
    pub summary: String,
    /// Why it changed.
    pub reason: String,
    /// Whether it is held because it changed too often.
    pub flapping: bool,
    /// Whether a higher severity of the same quota speaks for it.
    #[serde(default)]
    pub muted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quota: Option<QuotaRecord>,
}

/// What a stored alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoredSubject {
    /// The provider's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The provider's name for the quota, or the endpoint that it is counted over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// For whom it is counted: the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_kind: Option<String>,
    /// For whom it is counted: the keyed hash, alias or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_id: Option<String>,
    /// What the quota counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<String>,
    /// The error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

impl StoredAlert {
    /// As it is now.
    pub fn of(alert: &Alert) -> Self {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(String::from);
        let subject = &alert.subject;
        Self {
            id: alert.id.to_string(),
            sequence: alert.sequence,
            rule: alert.rule.as_str().into(),
            severity: alert.severity,
            state: alert.state.as_str().into(),
            subject: StoredSubject {
                provider: text(&subject.provider),
                host: text(&subject.host),
                policy: text(&subject.policy),
                scope_kind: subject.scope.as_ref().map(|scope| scope.kind.to_string()),
                scope_id: subject.scope.as_ref().and_then(|scope| text(&scope.id)),
                dimension: subject.dimension.as_ref().map(Dimension::to_string),
                error_code: text(&subject.error_code),
                interface: text(&subject.interface),
            },
            value: alert.value,
            threshold: alert.threshold,
            started_at: alert.started_at,
            ended_at: alert.ended_at,
            summary: alert.summary.to_string(),
            reason: alert.reason.into(),
            flapping: alert.flapping,
            muted: alert.muted,
            quota: alert.quota.as_ref().map(QuotaRecord::of),
        }
    }

    /// The alert again, to be sent once more; `None` where another version's word is not known here.
    pub fn to_alert(&self) -> Option<Alert> {
        let shared = |text: &Option<String>| text.as_deref().map(Arc::from);
        let subject = &self.subject;
        Some(Alert {
            id: self.id.as_str().into(),
            sequence: self.sequence,
            rule: RULES.into_iter().find(|rule| rule.as_str() == self.rule)?,
            severity: self.severity,
            state: [AlertState::Firing, AlertState::Resolved].into_iter().find(|state| state.as_str() == self.state)?,
            subject: Subject {
                provider: shared(&subject.provider),
                host: shared(&subject.host),
                policy: shared(&subject.policy),
                scope: subject
                    .scope_kind
                    .as_deref()
                    .map(|kind| Scope { kind: kind.into(), id: shared(&subject.scope_id) }),
                dimension: subject.dimension.as_deref().map(|dimension| Dimension(dimension.into())),
                error_code: shared(&subject.error_code),
                interface: shared(&subject.interface),
            },
            value: self.value,
            threshold: self.threshold,
            started_at: self.started_at,
            ended_at: self.ended_at,
            summary: self.summary.as_str().into(),
            reason: REASONS.into_iter().find(|reason| *reason == self.reason).unwrap_or("restored"),
            flapping: self.flapping,
            muted: self.muted,
            quota: self.quota.clone().map(QuotaRecord::key),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // A value that is no finite number becomes null and fails to decode; the alert rules give none.
        envelope::seal(&serde_json::to_vec(self).unwrap_or_default())
    }

    pub(super) fn decode(record: &[u8]) -> Result<Self, Damage> {
        let content = envelope::open(record)?;
        serde_json::from_slice(&content).ok().ok_or(Damage::Malformed("not the record of an alert"))
    }
}

const RULES: [Rule; 8] = [
    Rule::Utilization,
    Rule::UtilizationHigh,
    Rule::LimitHit,
    Rule::ThrottledRatio,
    Rule::ErrorCode,
    Rule::Exhaustion,
    Rule::CaptureStalled,
    Rule::QuotaChanged,
];

const REASONS: [&str; 5] = ["fired", "recovered", "window_reset", "window_expired", "flapping"];

mod nanos {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_nanos())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_nanos)
    }
}

mod optional_nanos {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::Timestamp;

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::as_nanos).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_nanos))
    }
}
