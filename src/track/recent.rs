//! Exchanges of the last five minutes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Timestamp;

/// The longest span that is asked for, in seconds.
const KEPT: i64 = 300;
/// The same.
const LONGEST: Duration = Duration::from_secs(KEPT.unsigned_abs());

/// Exchanges and, of those, throttled ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Exchanges.
    pub requests: u64,
    /// Of those, throttled ones.
    pub throttled: u64,
}

impl Counts {
    /// The share of throttled ones; absent where there were no exchanges.
    #[expect(clippy::cast_precision_loss, reason = "counts of five minutes stay far below 2^53")]
    #[inline]
    pub fn throttled_ratio(self) -> Option<f64> {
        (self.requests > 0).then(|| self.throttled as f64 / self.requests as f64)
    }
}

/// Counts a second, over a window that slides with event time.
///
/// Seconds are those of the clock: a span of n seconds takes in the running second and the n - 1 before it, so its old
/// edge is exact to one second. Only seconds with traffic take memory, at most 300 of 16 octets.
#[derive(Debug, Clone, Default)]
pub(super) struct RecentCounts {
    seconds: VecDeque<Second>,
    sum: Counts,
    /// When the newest second is over: before that nothing leaves. Absent where that is not known.
    until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Second {
    number: i64,
    requests: u32,
    throttled: u32,
}

impl RecentCounts {
    /// Counts an exchange; `now` never runs back.
    #[inline]
    pub(super) fn add(&mut self, now: Timestamp, throttled: bool) {
        if self.until.is_none_or(|until| now >= until) {
            self.begin(now.as_secs());
        }
        if let Some(last) = self.seconds.back_mut() {
            last.requests = last.requests.saturating_add(1);
            if throttled {
                last.throttled = last.throttled.saturating_add(1);
            }
        }
        self.sum.requests += 1;
        self.sum.throttled += u64::from(throttled);
    }

    /// Adds what another counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for second in &other.seconds {
            let at = self.seconds.partition_point(|known| known.number < second.number);
            match self.seconds.get_mut(at).filter(|known| known.number == second.number) {
                Some(known) => {
                    known.requests = known.requests.saturating_add(second.requests);
                    known.throttled = known.throttled.saturating_add(second.throttled);
                }
                None => self.seconds.insert(at, *second),
            }
        }
        self.sum.requests = self.sum.requests.saturating_add(other.sum.requests);
        self.sum.throttled = self.sum.throttled.saturating_add(other.sum.throttled);
        if let Some(newest) = self.seconds.back().map(|second| second.number) {
            self.forget(newest);
            self.until = None;
        }
    }

    /// The counts of the last `span`, at most five minutes.
    #[inline]
    pub(super) fn within(&self, now: Timestamp, span: Duration) -> Counts {
        // Within the newest second nothing of what is kept has left.
        if span >= LONGEST && self.until.is_some_and(|until| now < until) {
            return self.sum;
        }
        let span = i64::try_from(span.as_secs()).unwrap_or(KEPT).min(KEPT);
        let oldest = now.as_secs().saturating_sub(span);
        if span == KEPT {
            // All that is kept, but for what has left since the last exchange.
            let mut counts = self.sum;
            for second in self.seconds.iter().take_while(|s| s.number <= oldest) {
                counts.requests = counts.requests.saturating_sub(u64::from(second.requests));
                counts.throttled = counts.throttled.saturating_sub(u64::from(second.throttled));
            }
            return counts;
        }
        let mut counts = Counts::default();
        for second in self.seconds.iter().rev().take_while(|s| s.number > oldest) {
            counts.requests += u64::from(second.requests);
            counts.throttled += u64::from(second.throttled);
        }
        counts
    }

    /// No less than what five minutes hold now: what they held when the last exchange came.
    pub(super) const fn at_most(&self) -> Counts {
        self.sum
    }

    /// When the newest second is over, where that is known.
    pub(super) const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    fn begin(&mut self, second: i64) {
        self.forget(second);
        if self.seconds.back().is_none_or(|last| last.number < second) {
            self.seconds.push_back(Second { number: second, requests: 0, throttled: 0 });
        }
        self.until = Some(Timestamp::from_secs(second.saturating_add(1)));
    }

    fn forget(&mut self, now: i64) {
        let oldest = now.saturating_sub(KEPT);
        while let Some(first) = self.seconds.front().filter(|s| s.number <= oldest) {
            self.sum.requests = self.sum.requests.saturating_sub(u64::from(first.requests));
            self.sum.throttled = self.sum.throttled.saturating_sub(u64::from(first.throttled));
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        // The model is quadratic: a few long runs say more than many short ones.
        #![proptest_config(proptest::test_runner::Config { cases: 24, failure_persistence: None, ..Default::default() })]

        #[test]
        fn equals_a_naive_count(gaps in proptest::collection::vec((0u64..40_000, proptest::bool::ANY), 1..400), span in 1u64..=300) {
            let mut now = Timestamp::from_secs(1_800_000_000);
            let mut recent = RecentCounts::default();
            let mut naive = Vec::new();
            for (gap, throttled) in gaps {
                now = now.after(Duration::from_millis(gap));
                recent.add(now, throttled);
                naive.push((now, throttled));
                let inside = |from: u64| {
                    let kept = naive.iter().filter(|(at, _)| at.as_secs() > now.as_secs() - i64::try_from(from).unwrap());
                    kept.fold(Counts::default(), |c, (_, t)| Counts { requests: c.requests + 1, throttled: c.throttled + u64::from(*t) })
                };
                proptest::prop_assert_eq!(recent.within(now, Duration::from_secs(span)), inside(span));
                proptest::prop_assert_eq!(recent.at_most(), inside(300));
            }
            proptest::prop_assert!(recent.seconds.len() <= 300);
        }
    }
}
