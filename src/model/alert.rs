//! What is wrong now, and since when.

use std::sync::Arc;

use super::{Dimension, QuotaKey, Scope, Timestamp};

/// How bad; rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A limit comes near.
    Warning,
    /// A limit is almost or just reached.
    High,
    /// The integration suffers.
    Critical,
}

impl Severity {
    /// The word of the JSON and of `alert.severity`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A rule that raises alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Utilization at the warning level, held.
    Utilization,
    /// Utilization at the high level.
    UtilizationHigh,
    /// An exchange was throttled, or nothing remains.
    LimitHit,
    /// Too large a share of the exchanges was throttled.
    ThrottledRatio,
    /// One throttling error code came too often.
    ErrorCode,
    /// At the current pace the quota runs out before its reset.
    Exhaustion,
    /// The agent went blind.
    CaptureStalled,
    /// A provider changed a limit, a window or a reset.
    QuotaChanged,
}

impl Rule {
    /// The word of the JSON and of `alert.rule`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utilization => "utilization",
            Self::UtilizationHigh => "utilization_high",
            Self::LimitHit => "limit_hit",
            Self::ThrottledRatio => "throttled_ratio",
            Self::ErrorCode => "error_code",
            Self::Exhaustion => "exhaustion",
            Self::CaptureStalled => "capture_stalled",
            Self::QuotaChanged => "quota_changed",
        }
    }

    /// The severity that the rule's alerts carry.
    pub const fn severity(self) -> Severity {
        match self {
            Self::QuotaChanged => Severity::Info,
            Self::Utilization | Self::Exhaustion => Severity::Warning,
            Self::UtilizationHigh | Self::LimitHit => Severity::High,
            Self::ThrottledRatio | Self::ErrorCode | Self::CaptureStalled => Severity::Critical,
        }
    }
}

/// Whether an alert is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// It is.
    Firing,
    /// It was.
    Resolved,
}

impl AlertState {
    /// The word of the JSON and of `alert.state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
pub struct Subject {
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// The host.
    pub host: Option<Arc<str>>,
    /// The provider's name for the quota, or the endpoint (class) that it is counted over.
    pub policy: Option<Arc<str>>,
    /// For whom it is counted.
    pub scope: Option<Scope>,
    /// What the quota counts.
    pub dimension: Option<Dimension>,
    /// The error code, for [`Rule::ErrorCode`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Arc<str>>,
    /// The interface, for [`Rule::CaptureStalled`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<Arc<str>>,
}

/// One episode of an alert: from its firing to its end. Each change raises the sequence.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Alert {
    /// The episode's name, the same for the same input: a hash of rule, subject and start, 32 hexadecimal digits.
    pub id: Arc<str>,
    /// 0 at its firing, then one more for each change.
    pub sequence: u32,
    /// Why.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// On or over.
    pub state: AlertState,
    /// About what.
    pub subject: Subject,
    /// The value that was judged: a ratio, a count a minute, or seconds, as the rule has it.
    pub value: f64,
    /// The level it is judged against.
    pub threshold: f64,
    /// When it fired, in event time.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// One sentence for people.
    pub summary: Arc<str>,
    /// Why it changed: `fired`, `recovered`, `window_reset`, `window_expired`, `flapping`, `superseded`.
    pub reason: &'static str,
    /// Whether it is held because it changed too often.
    pub flapping: bool,
    /// Whether a higher severity of the same quota speaks for it.
    pub muted: bool,
    /// The quota, where it is about one; not part of the JSON.
    #[serde(skip)]
    pub quota: Option<QuotaKey>,
}
