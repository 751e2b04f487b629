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

    #[inline]
    const fn with(self, more: Self) -> Self {
        let requests = self.requests.saturating_add(more.requests);
        Self { requests, throttled: self.throttled.saturating_add(more.throttled) }
    }

    #[inline]
    const fn without(self, less: Self) -> Self {
        let requests = self.requests.saturating_sub(less.requests);
        Self { requests, throttled: self.throttled.saturating_sub(less.throttled) }
    }
}

/// Counts a second, over a window that slides with event time.
///
/// Seconds are those of the clock: a span of n seconds takes in the running second and the n - 1 before it, so its old
/// edge is exact to one second. Only seconds with traffic take memory, at most 300 of 16 octets.
#[derive(Debug, Clone)]
pub(super) struct RecentCounts {
    /// The newest second, empty where nothing came, and those before it with their sum.
    newest: Second,
    before: VecDeque<Second>,
    sum_before: Counts,
    /// When the newest second is over: before that nothing leaves. The beginning of time where that is not known.
    until: Timestamp,
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    number: i64,
    requests: u32,
    throttled: u32,
}

impl Default for RecentCounts {
    fn default() -> Self {
        let (newest, sum_before) = (Second::default(), Counts::default());
        Self { newest, before: VecDeque::new(), sum_before, until: Timestamp::MIN }
    }
}

impl RecentCounts {
    /// Counts an exchange; `now` never runs back.
    #[inline(always)]
    pub(super) fn add(&mut self, now: Timestamp, throttled: bool) {
        if now >= self.until {
            self.begin(now.as_secs());
        }
        self.newest.requests = self.newest.requests.saturating_add(1);
        if throttled {
            self.newest.throttled = self.newest.throttled.saturating_add(1);
        }
    }

    /// Adds what another counted.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut all: Vec<Second> = self.seconds().collect();
        for second in other.seconds() {
            let at = all.partition_point(|known| known.number < second.number);
            match all.get_mut(at).filter(|known| known.number == second.number) {
                Some(known) => {
                    known.requests = known.requests.saturating_add(second.requests);
                    known.throttled = known.throttled.saturating_add(second.throttled);
                }
                None => all.insert(at, second),
            }
        }
        let Some(newest) = all.pop() else { return };
        let sum = |sum: Counts, second: &Second| sum.with(second.counts());
        let sum_before = all.iter().fold(Counts::default(), sum);
        *self = Self { newest, before: all.into(), sum_before, until: Timestamp::MIN };
        self.forget(newest.number);
    }

    /// The counts of the last `span`, at most five minutes.
    #[inline]
    pub(super) fn within(&self, now: Timestamp, span: Duration) -> Counts {
        // Within the newest second nothing of what is kept has left.
        if span >= LONGEST && now < self.until {
            return self.at_most();
        }
        let span = i64::try_from(span.as_secs()).unwrap_or(KEPT).min(KEPT);
        let oldest = now.as_secs().saturating_sub(span);
        if span == KEPT {
            // All that is kept, but for what has left since the last exchange.
            let left = self.seconds().take_while(|second| second.number <= oldest);
            return left.fold(self.at_most(), |counts, second| counts.without(second.counts()));
        }
        let inside = self.seconds().rev().take_while(|second| second.number > oldest);
        inside.fold(Counts::default(), |counts, second| counts.with(second.counts()))
    }

    /// No less than what five minutes hold now: what they held when the last exchange came.
    #[inline]
    pub(super) fn at_most(&self) -> Counts {
        self.sum_before.with(self.newest.counts())
    }

    /// When the newest second is over, where that is known.
    pub(super) fn until(&self) -> Option<Timestamp> {
        (self.until > Timestamp::MIN).then_some(self.until)
    }

    /// The seconds with traffic, in their order.
    fn seconds(&self) -> impl DoubleEndedIterator<Item = Second> {
        let newest = Some(self.newest).filter(|newest| newest.requests > 0);
        self.before.iter().copied().chain(newest)
    }

    fn begin(&mut self, second: i64) {
        if self.newest.requests == 0 {
            self.newest.number = second;
        } else if self.newest.number < second {
            self.sum_before = self.sum_before.with(self.newest.counts());
            self.before.push_back(self.newest);
            self.newest = Second { number: second, ..Second::default() };
        }
        self.forget(second);
        self.until = Timestamp::from_secs(second.saturating_add(1));
    }

    fn forget(&mut self, now: i64) {
        let oldest = now.saturating_sub(KEPT);
        while let Some(first) = self.before.front().filter(|second| second.number <= oldest) {
            self.sum_before = self.sum_before.without(first.counts());
            self.before.pop_front();
        }
    }
}

impl Second {
    #[inline]
    fn counts(self) -> Counts {
        Counts { requests: self.requests.into(), throttled: self.throttled.into() }
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
            proptest::prop_assert!(recent.seconds().count() <= 300);
        }
    }
}
