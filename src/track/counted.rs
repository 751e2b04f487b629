//! Counting exchanges against a declared limit, as the provider would.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Timestamp, WindowKind};

/// Exchanges of a sliding window whose time is kept exactly.
const EXACT: usize = 128;
/// Steps of a sliding window past that.
const STEPS: u32 = 240;

/// A window that the agent counts itself.
///
/// A sliding window is exact up to 128 exchanges; past that, exchanges of one 240th of the window leave it together with
/// the youngest of them: the count is never too low, and too high at most by what came within one such step.
#[derive(Debug, Clone)]
pub(super) struct CountedWindow {
    kind: WindowKind,
    window: Duration,
    limit: f64,
    count: Count,
}

#[derive(Debug, Clone)]
enum Count {
    /// The entries, oldest first, and the sum of their counts.
    Sliding { entries: VecDeque<(Timestamp, u32)>, sum: u64 },
    /// The window's end, whether the provider said it, and the exchanges in it.
    Fixed { end: Option<Timestamp>, said: bool, count: u64 },
    /// Units in the bucket at a time.
    Bucket { level: f64, at: Option<Timestamp> },
}

impl CountedWindow {
    pub(super) fn new(kind: WindowKind, window: Duration, limit: f64) -> Self {
        let count = match kind {
            WindowKind::Sliding => Count::Sliding { entries: VecDeque::new(), sum: 0 },
            WindowKind::Fixed => Count::Fixed { end: None, said: false, count: 0 },
            WindowKind::TokenBucket => Count::Bucket { level: limit, at: None },
        };
        Self { kind, window, limit, count }
    }

    /// A fixed window that runs until then, if it does; `said` where those that follow stand beside it.
    pub(super) fn running(window: Duration, end: Option<Timestamp>, said: bool, count: u64) -> Self {
        Self { kind: WindowKind::Fixed, window, limit: f64::MAX, count: Count::Fixed { end, said, count } }
    }

    /// Whether it counts what the declaration says; otherwise it must start anew.
    pub(super) fn fits(&self, kind: WindowKind, window: Duration, limit: f64) -> bool {
        self.kind == kind && self.window == window && self.limit.total_cmp(&limit).is_eq()
    }

    /// Counts an exchange; `now` never runs back.
    pub(super) fn add(&mut self, now: Timestamp) {
        let window = self.window;
        match &mut self.count {
            Count::Sliding { entries, sum } => {
                while let Some((_, count)) = entries.pop_front_if(|(at, _)| at.after(window) <= now) {
                    *sum = sum.saturating_sub(u64::from(count));
                }
                // Two entries closer than a step are one, kept at the later time.
                let full = entries.len() >= EXACT;
                let step = window / STEPS;
                let close = full && entries.iter().rev().nth(1).is_some_and(|(at, _)| now.since(*at) < step);
                match entries.back_mut().filter(|(at, _)| close || *at == now) {
                    Some(last) => *last = (now, last.1.saturating_add(1)),
                    None => entries.push_back((now, 1)),
                }
                *sum = sum.saturating_add(1);
            }
            Count::Fixed { end, said, count } => match *end {
                Some(ends) if now < ends => *count = count.saturating_add(1),
                _ => {
                    // A window whose place the provider once said goes on from there; any other begins with a request.
                    let aligned = end.filter(|_| *said).map(|ends| next_end(ends, window, now));
                    *end = Some(aligned.unwrap_or_else(|| now.after(window)));
                    *count = 1;
                }
            },
            Count::Bucket { level, at } => {
                let full = refilled(*level, *at, now, self.limit, window);
                *level = (full - 1.0).max(-self.limit);
                *at = Some(now);
            }
        }
    }

    /// Units used at a moment.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(super) fn used(&self, now: Timestamp) -> f64 {
        match &self.count {
            Count::Sliding { entries, sum } => {
                let gone = entries.iter().take_while(|(at, _)| at.after(self.window) <= now);
                sum.saturating_sub(gone.map(|(_, count)| u64::from(*count)).sum()) as f64
            }
            Count::Fixed { end, count, .. } => {
                if end.is_some_and(|end| now < end) {
                    *count as f64
                } else {
                    0.0
                }
            }
            Count::Bucket { level, at } => self.limit - refilled(*level, *at, now, self.limit, self.window),
        }
    }

    /// The end of the running window, where the provider gave evidence of it.
    pub(super) fn reset_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.count {
            Count::Fixed { end, said: true, .. } => end.filter(|end| now < *end),
            _ => None,
        }
    }

    /// Takes the provider's word for when the running fixed window ends, if that can be: within one window from now.
    pub(super) fn anchor(&mut self, ends: Timestamp, now: Timestamp) {
        if let Count::Fixed { end, said, .. } = &mut self.count
            && ends > now
            && ends <= now.after(self.window)
        {
            *end = Some(ends);
            *said = true;
        }
    }
}

/// The first end after `now` of windows that stand side by side.
pub(super) fn next_end(end: Timestamp, window: Duration, now: Timestamp) -> Timestamp {
    let passed = now.since(end).as_nanos();
    let whole = passed.checked_div(window.as_nanos()).unwrap_or(0).saturating_add(1);
    let nanos = whole.saturating_mul(window.as_nanos());
    end.after(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

fn refilled(level: f64, at: Option<Timestamp>, now: Timestamp, limit: f64, window: Duration) -> f64 {
    let Some(at) = at else { return limit };
    let seconds = window.as_secs_f64();
    if seconds <= 0.0 {
        return limit;
    }
    (level + now.since(at).as_secs_f64() * limit / seconds).min(limit)
}

#[cfg(test)]
#[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "counts are whole and small")]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000).after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_fixed_window_ends_where_the_provider_says() {
        let mut counted = CountedWindow::new(WindowKind::Fixed, MINUTE, 100.0);
        counted.add(at(0));
        counted.add(at(59));
        assert_eq!((counted.used(at(59)), counted.reset_at(at(59))), (2.0, None));
        assert_eq!(counted.used(at(60)), 0.0);
        counted.add(at(70));
        counted.anchor(at(80), at(70));
        counted.anchor(at(500), at(70));
        assert_eq!((counted.used(at(79)), counted.reset_at(at(79))), (1.0, Some(at(80))));
        counted.add(at(215));
        assert_eq!((counted.used(at(215)), counted.reset_at(at(215))), (1.0, Some(at(260))));
    }

    #[test]
    fn a_bucket_refills_at_an_even_rate() {
        let mut counted = CountedWindow::new(WindowKind::TokenBucket, MINUTE, 60.0);
        for _ in 0..60 {
            counted.add(at(0));
        }
        assert_eq!(counted.used(at(0)), 60.0);
        assert_eq!(counted.used(at(20)), 40.0);
        assert_eq!(counted.used(at(90)), 0.0);
    }

    proptest::proptest! {
        // The model is quadratic: a few long runs say more than many short ones.
        #![proptest_config(proptest::test_runner::Config { cases: 24, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_sliding_window_equals_a_naive_count(gaps in proptest::collection::vec(0u64..2_000, 1..900)) {
            let step = MINUTE / STEPS;
            let mut counted = CountedWindow::new(WindowKind::Sliding, MINUTE, 100.0);
            let mut times = Vec::new();
            let mut now = at(0);
            for gap in gaps {
                now = now.after(Duration::from_millis(gap / 4));
                counted.add(now);
                times.push(now);
                let inside = |window| times.iter().filter(|t: &&Timestamp| t.after(window) > now).count() as f64;
                let (exact, most) = (inside(MINUTE), inside(MINUTE + step));
                let used = counted.used(now);
                proptest::prop_assert!(used >= exact && used <= most, "{} not in {}..={}", used, exact, most);
                if exact <= EXACT as f64 {
                    // Once everything in the window was kept exactly, so is the count.
                    let was_coarse = times.len() > EXACT;
                    proptest::prop_assert!(was_coarse || used == exact);
                }
            }
            if let Count::Sliding { entries, .. } = &counted.count {
                proptest::prop_assert!(entries.len() <= EXACT + STEPS as usize + 2);
            }
        }
    }
}
