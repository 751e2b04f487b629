//! The last hour in steps of ten seconds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Timestamp, Trend, TrendPoint};

/// The length of a step in seconds.
const STEP: i64 = 10;
/// Steps of one hour.
const POINTS: i32 = 360;
/// Utilization is kept in millionths, so that a step takes 16 octets.
const MILLION: f64 = 1e6;

/// Steps with traffic of the last hour; steps without take no memory.
///
/// Steps lie on the clock's multiples of ten seconds; the last one of a [`Trend`] is the one that holds its moment.
#[derive(Debug, Clone)]
pub(super) struct TrendRing {
    /// The newest step, empty where nothing came, and those before it.
    newest: Step,
    before: VecDeque<Step>,
    /// When the newest step is over: before that nothing leaves. The beginning of time where that is not known.
    until: Timestamp,
    /// The highest utilization of the newest step, as far as it was noted since it began.
    highest: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Tens of seconds since the Unix epoch: every [`Timestamp`] fits.
    number: i32,
    /// Millionths plus one; 0 where nothing was seen.
    utilization: u32,
    requests: u32,
    throttled: u32,
}

impl Default for TrendRing {
    fn default() -> Self {
        Self { newest: Step::default(), before: VecDeque::new(), until: Timestamp::MIN, highest: -1.0 }
    }
}

impl TrendRing {
    /// Counts an exchange; `now` never runs back.
    #[inline(always)]
    pub(super) fn add(&mut self, now: Timestamp, utilization: Option<f64>, throttled: bool) {
        if now >= self.until {
            self.begin(step_number(now));
        }
        let step = &mut self.newest;
        step.requests = step.requests.saturating_add(1);
        if throttled {
            step.throttled = step.throttled.saturating_add(1);
        }
        if let Some(utilization) = utilization
            && utilization > self.highest
        {
            self.highest = utilization;
            step.utilization = step.utilization.max(packed(utilization));
        }
    }

    /// Adds what another counted.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut all: Vec<Step> = self.steps().collect();
        for step in other.steps() {
            let at = all.partition_point(|known| known.number < step.number);
            match all.get_mut(at).filter(|known| known.number == step.number) {
                Some(known) => {
                    known.utilization = known.utilization.max(step.utilization);
                    known.requests = known.requests.saturating_add(step.requests);
                    known.throttled = known.throttled.saturating_add(step.throttled);
                }
                None => all.insert(at, step),
            }
        }
        let Some(newest) = all.pop() else { return };
        (self.newest, self.before, self.until) = (newest, all.into(), Timestamp::MIN);
        self.forget(newest.number);
    }

    /// The trend at a moment.
    pub(super) fn at(&self, now: Timestamp) -> Trend {
        let step = Duration::from_secs(STEP.unsigned_abs());
        let last = step_number(now);
        let oldest = last.saturating_sub(POINTS - 1);
        let Some(first) = self.steps().map(|s| s.number).find(|&n| n >= oldest) else {
            return Trend { step, points: Vec::new() };
        };
        let length = usize::try_from(last.saturating_sub(first)).unwrap_or(0) + 1;
        let mut points = vec![TrendPoint::default(); length];
        for step in self.steps().filter(|s| s.number >= first) {
            let index = usize::try_from(step.number - first).unwrap_or(usize::MAX);
            if let Some(point) = points.get_mut(index) {
                let utilization = step.utilization.checked_sub(1).map(|millionths| f64::from(millionths) / MILLION);
                *point = TrendPoint { utilization, requests: step.requests, throttled: step.throttled };
            }
        }
        Trend { step, points }
    }

    /// The steps with traffic, in their order.
    fn steps(&self) -> impl Iterator<Item = Step> {
        let newest = Some(self.newest).filter(|newest| newest.requests > 0);
        self.before.iter().copied().chain(newest)
    }

    fn begin(&mut self, number: i32) {
        if self.newest.requests == 0 {
            self.newest.number = number;
        } else if self.newest.number < number {
            self.before.push_back(self.newest);
            self.newest = Step { number, ..Step::default() };
        }
        self.forget(number);
        self.until = Timestamp::from_secs(i64::from(number).saturating_add(1).saturating_mul(STEP));
        self.highest = -1.0;
    }

    fn forget(&mut self, newest: i32) {
        while self.before.front().is_some_and(|step| step.number <= newest.saturating_sub(POINTS)) {
            self.before.pop_front();
        }
    }
}

fn step_number(at: Timestamp) -> i32 {
    i32::try_from(at.as_secs().div_euclid(STEP)).unwrap_or(i32::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of the type")]
fn packed(utilization: f64) -> u32 {
    (utilization.max(0.0) * MILLION).round().min(f64::from(u32::MAX - 1)) as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_one_hour_and_leaves_silence_empty() {
        let start = Timestamp::from_secs(1_800_000_000);
        let mut ring = TrendRing::default();
        ring.add(start, Some(0.9), false);
        ring.add(start.after(Duration::from_secs(9)), Some(0.4), true);
        ring.add(start.after(Duration::from_secs(30)), None, false);
        let points = ring.at(start.after(Duration::from_secs(41))).points;
        assert_eq!(points.len(), 5);
        assert_eq!(points[0], TrendPoint { utilization: Some(0.9), requests: 2, throttled: 1 });
        assert_eq!(points[1], TrendPoint::default());
        assert_eq!(points[3], TrendPoint { utilization: None, requests: 1, throttled: 0 });
        assert_eq!(ring.at(start.after(Duration::from_secs(3599))).points.len(), 360);
        assert_eq!(ring.at(start.after(Duration::from_hours(1))).points.len(), 358);
        for second in 0..10_000 {
            ring.add(start.after(Duration::from_secs(second)), None, false);
        }
        assert!(ring.steps().count() <= 360);
        ring.add(Timestamp::MAX, Some(f64::MAX), false);
        assert_eq!(ring.at(Timestamp::MAX).points.len(), 1);
    }
}
