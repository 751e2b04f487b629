//! How fast a quota burns.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Timestamp;

/// Steps of the trailing span: enough to place its old edge to 3 %. Any two samples in a row lie further apart than one, so
/// there are at most twice as many samples.
const STEPS: u32 = 32;
/// The longest span.
const LONGEST: Duration = Duration::from_mins(5);
/// Points that a rate needs: two make a line through any accident.
const POINTS_NEEDED: u32 = 3;

/// Exchanges and what remained, over a trailing span of a quarter of the window, at most five minutes.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    samples: VecDeque<Sample>,
    exchanges: f64,
    /// Points since the last restart.
    points: u32,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    exchanges: f64,
    remaining: Option<f64>,
}

/// Units a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Exchanges that the agent saw.
    pub(super) exchanges: f64,
    /// What vanished of the remaining units, net of what was given back; absent where nothing is known to remain.
    pub(super) net: Option<f64>,
}

impl Pace {
    /// The span that is looked back on, for a window of that length; one minute where the window is not known.
    #[inline]
    pub(super) fn span(window: Option<Duration>) -> Duration {
        window.map_or(Duration::from_mins(1), |window| window.min(LONGEST * 4) / 4)
    }

    /// Forgets what was before: a new window has begun.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Counts an exchange, and what remains after it.
    pub(super) fn add(&mut self, now: Timestamp, remaining: Option<f64>, span: Duration) {
        self.exchanges += 1.0;
        self.points = self.points.saturating_add(1);
        let sample = Sample { at: now, exchanges: self.exchanges, remaining };
        let before_last = self.samples.len().checked_sub(2).and_then(|index| self.samples.get(index));
        let close = before_last.is_some_and(|before| now.since(before.at) < span / STEPS);
        match self.samples.back_mut().filter(|_| close) {
            Some(last) => *last = sample,
            None => self.samples.push_back(sample),
        }
        let oldest = now.before(span);
        while self.samples.front().is_some_and(|first| first.at < oldest) {
            self.samples.pop_front();
        }
    }

    /// The rates of the trailing span; absent where less than three points or too short a time say something of it.
    pub(super) fn rates(&self, now: Timestamp, span: Duration) -> Option<Rates> {
        if self.points < POINTS_NEEDED {
            return None;
        }
        // Three seconds, so that a minute is not judged by one burst; a tenth of the span, so that an hour is not judged by
        // three seconds.
        let too_short = |covered: Duration| covered < span.min(Duration::from_secs(3)) || covered.is_zero();
        let front = self.samples.front().filter(|sample| !too_short(now.since(sample.at)))?;
        let oldest = now.before(span);
        let front = Some(front).filter(|sample| sample.at >= oldest);
        let first = front.or_else(|| self.samples.iter().find(|sample| sample.at >= oldest))?;
        let covered = now.since(first.at);
        if too_short(covered) || covered < span / 10 {
            return None;
        }
        let last = self.samples.back()?;
        let seconds = covered.as_secs_f64();
        let net = first.remaining.zip(last.remaining).map(|(before, after)| (before - after) / seconds);
        Some(Rates { exchanges: (last.exchanges - first.exchanges) / seconds, net })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_points_and_time_and_forgets_old_ones() {
        let start = Timestamp::from_secs(1_800_000_000);
        let span = Pace::span(Some(Duration::from_mins(1)));
        assert_eq!(span, Duration::from_secs(15));
        let mut pace = Pace::default();
        for (second, remaining) in [(0u64, 100.0), (1, 98.0), (2, 96.0)] {
            pace.add(start.after(Duration::from_secs(second)), Some(remaining), span);
            assert_eq!(pace.rates(start.after(Duration::from_secs(second)), span), None);
        }
        let rates = pace.rates(start.after(Duration::from_secs(4)), span).unwrap();
        assert_eq!(rates, Rates { exchanges: 0.5, net: Some(1.0) });
        assert_eq!(pace.rates(start.after(Duration::from_mins(1)), span), None);
        for tenth in 0..10_000u32 {
            let at = start.after(Duration::from_mins(1) + Duration::from_millis(100) * tenth);
            pace.add(at, Some(2000.0 - f64::from(tenth) / 5.0), span);
            assert!(pace.samples.len() <= 2 * STEPS as usize + 2);
        }
        let rates = pace.rates(start.after(Duration::from_millis(1_060_000 - 100)), span).unwrap();
        assert!((rates.exchanges - 10.0).abs() < 0.1 && (rates.net.unwrap() - 2.0).abs() < 0.02, "{rates:?}");
    }
}
