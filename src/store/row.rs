//! What one series held in one step of time.

use crate::model::Amount;

/// The scale of stored utilizations: parts per million.
const PER_MILLION: f64 = 1e6;

/// What one series held in one step: a tick, a minute or an hour. Amounts are exact; ratios are stored only where no amounts
/// give them, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Row {
    /// Which step: the number of steps since the Unix epoch. In a record of one tick it is the series instead.
    pub(super) index: u32,
    /// How many units the window allowed, at the end of the step.
    pub(super) limit: Option<Amount>,
    /// How many were left, at the end of the step.
    pub(super) remaining: Option<Amount>,
    /// The fewest that were left in the step.
    pub(super) lowest: Option<Amount>,
    /// How many were used, at the end of the step; above the limit when a declared limit was overrun.
    pub(super) used: Option<Amount>,
    /// The utilization at the end of the step where no limit is known, in parts per million.
    pub(super) stated: Option<u64>,
    /// The highest utilization in the step, in parts per million.
    pub(super) peak: Option<u64>,
    /// Exchanges in the step.
    pub(super) requests: u64,
    /// Of those, throttled ones.
    pub(super) throttled: u64,
    /// Ticks of the step in which the quota was heard of.
    pub(super) samples: u64,
}

impl Row {
    /// The utilization at the end of the step, a ratio from 0.
    pub(super) fn utilization(&self) -> Option<f64> {
        match (self.limit, self.used) {
            (Some(limit), Some(used)) if limit > Amount::ZERO => Some(used.value() / limit.value()),
            _ => self.stated.map(ratio),
        }
    }

    /// The peak that the lowest amount left and the amount used say by themselves, in parts per million.
    pub(super) fn implied_peak(&self) -> Option<u64> {
        let last = self.utilization();
        let low = match (self.limit, self.lowest) {
            (Some(limit), Some(lowest)) if limit > Amount::ZERO => Some(limit.less(lowest).value() / limit.value()),
            _ => None,
        };
        last.into_iter().chain(low).reduce(f64::max).and_then(parts_per_million)
    }

    /// The highest utilization in the step, a ratio from 0: exact where the last one is the highest.
    pub(super) fn peak_utilization(&self) -> Option<f64> {
        let last = self.utilization();
        match self.peak {
            Some(peak) if last.and_then(parts_per_million) != Some(peak) => Some(ratio(peak)),
            _ => last,
        }
    }

    /// Takes in a later row of the same step: the last values win, extremes and counts add up.
    pub(super) fn absorb(&mut self, later: &Self) {
        *self = Self {
            index: self.index,
            limit: later.limit.or(self.limit),
            remaining: later.remaining.or(self.remaining),
            lowest: self.lowest.into_iter().chain(later.lowest).min(),
            used: later.used.or(self.used),
            stated: later.stated.or(self.stated),
            peak: self.peak.max(later.peak),
            requests: self.requests.saturating_add(later.requests),
            throttled: self.throttled.saturating_add(later.throttled),
            samples: self.samples.saturating_add(later.samples),
        };
    }
}

/// A ratio in parts per million, rounded; `None` for what is no utilization.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before the cast")]
pub(super) fn parts_per_million(ratio: f64) -> Option<u64> {
    let scaled = (ratio * PER_MILLION).round();
    (scaled.is_finite() && (0.0..9e15).contains(&scaled)).then_some(scaled as u64)
}

#[expect(clippy::cast_precision_loss, reason = "bounded to what a double holds exactly by `parts_per_million`")]
fn ratio(parts: u64) -> f64 {
    parts as f64 / PER_MILLION
}

/// Joins rows into coarser steps, `factor` old ones to a new one. The rows come in order and leave in order.
pub(super) fn roll_up(rows: &[Row], factor: u32) -> Vec<Row> {
    let mut coarse: Vec<Row> = Vec::new();
    for row in rows {
        let index = row.index / factor.max(1);
        match coarse.last_mut().filter(|last| last.index == index) {
            Some(last) => last.absorb(row),
            None => coarse.push(Row { index, ..*row }),
        }
    }
    coarse
}
