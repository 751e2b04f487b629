//! The highest utilization of each quota since the last export.

use std::collections::BTreeMap;

use crate::model::{QuotaKey, QuotaState, Snapshot, Timestamp};

/// Folds the utilization of all snapshots into peaks, and forgets them once an export was delivered.
///
/// Three things are known to have been reached since the last export: what a snapshot says now, a peak since the start that
/// has risen, and the steps of a trend that began after it. A step that began before is left out: its peak may be older.
#[derive(Debug, Default)]
pub(crate) struct Peaks {
    quotas: BTreeMap<QuotaKey, Peak>,
    /// The moment of the snapshot that was taken last.
    taken_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Peak {
    /// Since it was taken last.
    open: Option<f64>,
    /// Taken for an export that is not known to be delivered.
    taken: Option<f64>,
    /// The peak since the start when it was taken last.
    whole: Option<f64>,
}

impl Peaks {
    /// Folds a snapshot in. Quotas that are gone are forgotten.
    pub(crate) fn handle_snapshot(&mut self, snapshot: &Snapshot) {
        let mut before = std::mem::take(&mut self.quotas);
        for quota in &snapshot.quotas {
            let mut peak = before.remove(&quota.key).unwrap_or_default();
            let reached = [quota.utilization, risen(&peak, quota), self.of_trend(snapshot.at, quota), peak.open];
            peak.open = reached.into_iter().flatten().reduce(f64::max);
            self.quotas.insert(quota.key.clone(), peak);
        }
    }

    /// Takes the peaks for an export that shows `snapshot`.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) {
        self.handle_snapshot(snapshot);
        self.taken_at = snapshot.at;
        for quota in &snapshot.quotas {
            if let Some(peak) = self.quotas.get_mut(&quota.key) {
                peak.taken = peak.open.take().into_iter().chain(peak.taken).reduce(f64::max);
                peak.whole = quota.peak_utilization;
            }
        }
    }

    /// The peak that was taken.
    pub(crate) fn taken(&self, key: &QuotaKey) -> Option<f64> {
        self.quotas.get(key)?.taken
    }

    /// What was taken has arrived; until then it is kept, so that a failed export hides no peak.
    pub(crate) fn handle_delivered(&mut self) {
        for peak in self.quotas.values_mut() {
            peak.taken = None;
        }
    }

    fn of_trend(&self, at: Option<Timestamp>, quota: &QuotaState) -> Option<f64> {
        let (taken_at, at) = (self.taken_at?, at?);
        let steps = at.since(taken_at).as_nanos().checked_div(quota.trend.step.as_nanos())?;
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        quota.trend.points.iter().rev().take(steps).filter_map(|point| point.utilization).reduce(f64::max)
    }
}

/// The peak since the start, where it has risen since it was taken last.
fn risen(peak: &Peak, quota: &QuotaState) -> Option<f64> {
    quota.peak_utilization.filter(|highest| peak.whole.is_none_or(|whole| *highest > whole))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// A snapshot at a second, with a quota at a utilization and a peak since the start.
    fn snapshot(at: i64, utilization: f64, peak: f64) -> Snapshot {
        let mut snapshot = sample::snapshot();
        snapshot.at = Some(Timestamp::from_secs(at));
        snapshot.quotas.truncate(1);
        snapshot.quotas[0].utilization = Some(utilization);
        snapshot.quotas[0].peak_utilization = Some(peak);
        snapshot.quotas[0].trend = crate::model::Trend::default();
        snapshot
    }

    #[test]
    fn a_peak_lasts_until_it_was_delivered() {
        let mut peaks = Peaks::default();
        let key = snapshot(0, 0.0, 0.0).quotas[0].key.clone();
        peaks.handle_snapshot(&snapshot(1, 0.7, 0.7));
        peaks.take(&snapshot(2, 0.2, 0.7));
        assert_eq!(peaks.taken(&key), Some(0.7));
        // The export failed: the peak is told again, and so is a higher one that came in between.
        peaks.take(&snapshot(3, 0.3, 0.7));
        assert_eq!(peaks.taken(&key), Some(0.7));
        // It arrived while a snapshot with a new peak came in, which belongs to the next export.
        peaks.handle_snapshot(&snapshot(4, 0.4, 0.9));
        peaks.handle_delivered();
        peaks.take(&snapshot(5, 0.1, 0.9));
        assert_eq!(peaks.taken(&key), Some(0.9));
        peaks.handle_delivered();
        peaks.take(&snapshot(6, 0.1, 0.9));
        assert_eq!(peaks.taken(&key), Some(0.1));
    }

    #[test]
    fn only_steps_that_began_after_the_last_export_count() {
        let mut peaks = Peaks::default();
        let mut first = snapshot(100, 0.1, 0.9);
        let key = first.quotas[0].key.clone();
        peaks.take(&first);
        peaks.handle_delivered();
        first.at = Some(Timestamp::from_secs(125));
        first.quotas[0].trend = crate::model::Trend {
            step: std::time::Duration::from_secs(10),
            points: [0.9, 0.5, 0.2]
                .map(|u| crate::model::TrendPoint { utilization: Some(u), requests: 1, throttled: 0 })
                .to_vec(),
        };
        peaks.take(&first);
        assert_eq!(peaks.taken(&key), Some(0.5));
    }
}
