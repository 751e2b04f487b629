//! What changed in a quota since it was last recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use super::keys::TICK_SECONDS;
use super::row::{Row, parts_per_million};
use crate::model::{Amount, QuotaKey, QuotaState, Snapshot, Timestamp};

/// What was last recorded of each quota that the last snapshot held.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    at: Option<Timestamp>,
    last: BTreeMap<QuotaKey, Recorded>,
}

/// What was last recorded of a quota. The counts are the snapshot's: since the agent's start.
#[derive(Debug, Clone, Copy)]
struct Recorded {
    row: Row,
    requests: u64,
    throttled: u64,
    peak: Option<f64>,
    seen_at: Timestamp,
}

impl Sampler {
    /// The row of a quota; `None` where nothing was heard of it since and nothing changed.
    pub(super) fn sample(&self, at: Timestamp, tick: u32, quota: &QuotaState) -> Option<Row> {
        let last = self.last.get(&quota.key);
        let mut row = Row {
            index: tick,
            limit: quota.limit,
            remaining: quota.remaining,
            lowest: quota.remaining,
            used: used(quota),
            requests: since(quota.requests, last.map(|last| last.requests)),
            throttled: since(quota.throttled, last.map(|last| last.throttled)),
            samples: 1,
            ..Row::default()
        };
        if row.utilization().is_none() {
            row.stated = quota.utilization.and_then(parts_per_million);
        }
        row.peak = row.implied_peak().max(self.peak(at, quota, last).and_then(parts_per_million));
        let unchanged = last.is_some_and(|last| {
            let same = |row: &Row| (row.limit, row.remaining, row.used, row.stated);
            same(&last.row) == same(&row) && last.seen_at == quota.seen_at && row.requests == 0 && row.throttled == 0
        });
        (!unchanged).then_some(row)
    }

    /// The snapshot was recorded: the next one is compared with it.
    pub(super) fn recorded(&mut self, at: Timestamp, tick: u32, snapshot: &Snapshot) {
        self.at = Some(at);
        // Rebuilt, so that a quota that is gone is forgotten, and counts from zero should it come back.
        self.last = snapshot
            .quotas
            .iter()
            .map(|quota| {
                let mut row = Row {
                    index: tick,
                    limit: quota.limit,
                    remaining: quota.remaining,
                    used: used(quota),
                    ..Row::default()
                };
                if row.utilization().is_none() {
                    row.stated = quota.utilization.and_then(parts_per_million);
                }
                let recorded = Recorded {
                    row,
                    requests: quota.requests,
                    throttled: quota.throttled,
                    peak: quota.peak_utilization,
                    seen_at: quota.seen_at,
                };
                (quota.key.clone(), recorded)
            })
            .collect();
    }

    /// The highest utilization since the last tick, as far as the snapshot knows: a new peak since the start is one of this
    /// tick; else what the trend says of the steps that lie wholly in it.
    fn peak(&self, at: Timestamp, quota: &QuotaState, last: Option<&Recorded>) -> Option<f64> {
        let known = last.and_then(|last| last.peak);
        let risen = quota.peak_utilization.filter(|peak| known.is_none_or(|known| *peak > known));
        let elapsed = self.at.map_or(Duration::from_secs(u64::from(TICK_SECONDS)), |last| at.since(last));
        let step = quota.trend.step;
        let whole = if step.is_zero() { 0 } else { elapsed.as_nanos() / step.as_nanos() };
        let recent = quota.trend.points.iter().rev().take(usize::try_from(whole).unwrap_or(usize::MAX));
        recent.filter_map(|point| point.utilization).chain(risen).reduce(f64::max)
    }
}

/// How much a count grew. One that fell was started anew, and all of it is new.
fn since(count: u64, before: Option<u64>) -> u64 {
    before.map_or(count, |before| count.checked_sub(before).unwrap_or(count))
}

/// How many units are used: the limit less what remains. An overrun of a declared limit shows only in the utilization, and
/// so does the use where only that was stated; the amount is the limit times it, whole where it is as good as whole.
fn used(quota: &QuotaState) -> Option<Amount> {
    let limit = quota.limit?;
    if let (Some(remaining), false) = (quota.remaining, quota.utilization.is_some_and(|ratio| ratio > 1.0)) {
        return Some(limit.less(remaining));
    }
    let used = quota.utilization? * limit.value();
    let whole = used.round();
    Amount::new(if (used - whole).abs() < 1e-6 * used.max(1.0) { whole } else { (used * 1000.0).round() / 1000.0 })
}
