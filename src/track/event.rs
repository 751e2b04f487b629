//! What happens to quotas.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Amount, QuotaKey, Timestamp};

/// Something happened to a quota.
#[derive(Debug, Clone, PartialEq)]
pub enum TrackEvent {
    /// A new window began: its numbers start anew.
    Reset {
        /// The quota.
        quota: QuotaKey,
        /// When that was seen.
        at: Timestamp,
    },
    /// The provider changed the limit.
    LimitChanged {
        /// The quota.
        quota: QuotaKey,
        /// When that was seen.
        at: Timestamp,
        /// The limit before.
        from: Amount,
        /// The limit now.
        to: Amount,
    },
    /// The provider moved the reset of a fixed window that was still running.
    ResetMoved {
        /// The quota.
        quota: QuotaKey,
        /// When that was seen.
        at: Timestamp,
        /// The reset before.
        from: Timestamp,
        /// The reset now.
        to: Timestamp,
    },
    /// A minute of event time is full.
    Minute(MinuteReport),
}

/// One minute of one quota. The counts are those of the minute; peaks are those since the start.
#[derive(Debug, Clone, PartialEq)]
pub struct MinuteReport {
    /// The quota.
    pub quota: QuotaKey,
    /// When the minute began.
    pub from: Timestamp,
    /// When it was over.
    pub to: Timestamp,
    /// Exchanges in it.
    pub requests: u64,
    /// Of those, throttled ones.
    pub throttled: u64,
    /// Throttling error codes in it.
    pub error_codes: BTreeMap<Arc<str>, u64>,
    /// How many units the window allows.
    pub limit: Option<Amount>,
    /// Units used at its end.
    pub current_usage: Option<Amount>,
    /// The most units used at once since the start.
    pub peak_usage: Option<Amount>,
    /// Utilization at its end.
    pub utilization: Option<f64>,
    /// The highest utilization since the start.
    pub peak_utilization: Option<f64>,
}
