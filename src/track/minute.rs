//! What happened to quotas in each minute of the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Timestamp;

use super::event::{MinuteReport, TrackEvent};
use super::tracker::Tracker;

/// Counts since the last full minute.
#[derive(Debug, Clone, Default)]
pub(super) struct Minute {
    pub(super) requests: u64,
    pub(super) throttled: u64,
    pub(super) error_codes: BTreeMap<Arc<str>, u64>,
}

impl Tracker {
    /// Tells what each quota with exchanges saw in the minute that ends.
    pub(super) fn report_minute(&mut self, ends: Timestamp) {
        let mut reports = Vec::with_capacity(self.busy.len());
        for id in std::mem::take(&mut self.busy) {
            let Some(quota) = self.quota_mut(id) else { continue };
            let minute = std::mem::take(&mut quota.minute);
            let Some(quota) = self.quota(id) else { continue };
            reports.push(MinuteReport {
                quota: quota.key.clone(),
                from: ends.before(Duration::from_mins(1)),
                to: ends,
                requests: minute.requests,
                throttled: minute.throttled,
                error_codes: minute.error_codes,
                limit: quota.limit,
                current_usage: quota.used(ends),
                peak_usage: quota.peak_usage(),
                utilization: quota.utilization(ends),
                peak_utilization: quota.peak_utilization(),
            });
        }
        reports.sort_by(|a, b| a.quota.cmp(&b.quota));
        for report in reports {
            self.events.push(TrackEvent::Minute(report));
        }
    }
}

/// The end of the clock's minute that a moment lies in.
pub(super) fn minute_end(now: Timestamp) -> Timestamp {
    Timestamp::from_secs(now.as_secs().div_euclid(60).saturating_add(1).saturating_mul(60))
}
