//! How fast a quota burns.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Timestamp;

/// Steps of the trailing span: enough to place its old edge to 3 %. Any two samples in a row lie further apart than one, so
/// there are at most twice as many samples.
const STEPS: i64 = 32;
/// The longest span.
const LONGEST: Duration = Duration::from_mins(5);
/// The shortest time that says something, in nanoseconds: three seconds.
const LEAST: i64 = 3_000_000_000;
/// Points that a rate needs: two make a line through any accident.
const POINTS_NEEDED: f64 = 3.0;

/// Exchanges and what remained, over a trailing span of a quarter of the window, at most five minutes.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// The last sample, where anything came, and those before it.
    last: Sample,
    before: VecDeque<Sample>,
    /// Exchanges since the last restart.
    exchanges: f64,
    /// Until when another sample takes the last one's place, and none leaves the span.
    replaces_until: Timestamp,
    span: Span,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    at: Timestamp,
    exchanges: f64,
    remaining: Option<f64>,
}

/// The span that is looked back on, for a window of some length; one minute where the window is not known.
#[derive(Debug, Clone, Copy)]
struct Span {
    window: Option<Duration>,
    /// In nanoseconds: at most those of five minutes.
    nanos: i64,
}

/// Units a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Exchanges that the agent saw.
    pub(super) exchanges: f64,
    /// What vanished of the remaining units, net of what was given back; absent where nothing is known to remain.
    pub(super) net: Option<f64>,
}

impl Default for Pace {
    fn default() -> Self {
        let (last, span) = (Sample::default(), Span::of(None));
        Self { last, before: VecDeque::new(), exchanges: 0.0, replaces_until: Timestamp::MIN, span }
    }
}

impl Pace {
    /// Forgets what was before: a new window has begun.
    pub(super) fn restart(&mut self) {
        *self = Self { span: self.span, ..Self::default() };
    }

    /// Counts an exchange, and what remains after it.
    pub(super) fn add(&mut self, now: Timestamp, remaining: Option<f64>, window: Option<Duration>) {
        if self.span.window != window {
            self.span = Span::of(window);
            self.replaces_until = Timestamp::MIN;
        }
        self.add_again(now, remaining);
    }

    /// The same, where the window is as it was.
    #[inline]
    pub(super) fn add_again(&mut self, now: Timestamp, remaining: Option<f64>) {
        if now >= self.replaces_until {
            self.make_room(now);
        }
        self.exchanges += 1.0;
        self.last = Sample { at: now, exchanges: self.exchanges, remaining };
    }

    /// Keeps the last sample among the others, where it lies far enough from the one before it, and lets go of what is too old.
    fn make_room(&mut self, now: Timestamp) {
        let step = self.span.nanos / STEPS;
        let close = |before: &Sample| nanos_between(before.at, now) < step;
        if self.exchanges > 0.0 && !self.before.back().is_some_and(close) {
            self.before.push_back(self.last);
        }
        let oldest = self.span.begin(now);
        while self.before.front().is_some_and(|first| first.at < oldest) {
            self.before.pop_front();
        }
        let later = |sample: &Sample, nanos| Timestamp::from_nanos(sample.at.as_nanos().saturating_add(nanos));
        self.replaces_until = match (self.before.front(), self.before.back()) {
            (Some(first), Some(before)) => later(before, step).min(later(first, self.span.nanos)),
            _ => Timestamp::MIN,
        };
    }

    /// Until when it has no rates whatever comes, as far as that is known.
    pub(super) fn silent_until(&self, window: Option<Duration>) -> Option<Timestamp> {
        let front = self.first()?;
        Some(Timestamp::from_nanos(front.at.as_nanos().saturating_add(Span::of(window).least())))
    }

    /// The rates of the trailing span; absent where less than three points or too short a time say something of it.
    #[inline]
    pub(super) fn rates(&self, now: Timestamp, window: Option<Duration>) -> Option<Rates> {
        let front = self.first().filter(|_| self.exchanges >= POINTS_NEEDED)?;
        let span = if self.span.window == window { self.span } else { Span::of(window) };
        let least = span.least();
        if nanos_between(front.at, now) < least {
            return None;
        }
        let oldest = span.begin(now);
        let mut samples = self.before.iter().chain(Some(&self.last));
        let first = samples.find(|sample| sample.at >= oldest)?;
        let covered = nanos_between(first.at, now);
        // Three seconds, so that a minute is not judged by one burst; a tenth of the span, so that an hour is not judged by
        // three seconds.
        if covered < least.max(span.nanos / 10) {
            return None;
        }
        let last = &self.last;
        let seconds = now.since(first.at).as_secs_f64();
        let net = first.remaining.zip(last.remaining).map(|(before, after)| (before - after) / seconds);
        Some(Rates { exchanges: (last.exchanges - first.exchanges) / seconds, net })
    }

    fn first(&self) -> Option<&Sample> {
        self.before.front().or(Some(&self.last)).filter(|_| self.exchanges > 0.0)
    }
}

impl Span {
    fn of(window: Option<Duration>) -> Self {
        let span = window.map_or(Duration::from_mins(1), |window| window.min(LONGEST * 4) / 4);
        Self { window, nanos: i64::try_from(span.as_nanos()).unwrap_or(i64::MAX) }
    }

    /// The shortest time that says something of it, in nanoseconds.
    #[inline]
    fn least(self) -> i64 {
        self.nanos.clamp(1, LEAST)
    }

    /// When it began that ends now.
    #[inline]
    const fn begin(self, now: Timestamp) -> Timestamp {
        Timestamp::from_nanos(now.as_nanos().saturating_sub(self.nanos))
    }
}

/// The nanoseconds from one moment to another; none where that is earlier.
#[inline]
const fn nanos_between(from: Timestamp, to: Timestamp) -> i64 {
    let nanos = to.as_nanos().saturating_sub(from.as_nanos());
    if nanos > 0 { nanos } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_points_and_time_and_forgets_old_ones() {
        let start = Timestamp::from_secs(1_800_000_000);
        let window = Some(Duration::from_mins(1));
        assert_eq!(Span::of(window).nanos, 15_000_000_000);
        let mut pace = Pace::default();
        for (second, remaining) in [(0u64, 100.0), (1, 98.0), (2, 96.0)] {
            pace.add(start.after(Duration::from_secs(second)), Some(remaining), window);
            assert_eq!(pace.rates(start.after(Duration::from_secs(second)), window), None);
        }
        let rates = pace.rates(start.after(Duration::from_secs(4)), window).unwrap();
        assert_eq!(rates, Rates { exchanges: 0.5, net: Some(1.0) });
        assert_eq!(pace.rates(start.after(Duration::from_mins(1)), window), None);
        for tenth in 0..10_000u32 {
            let at = start.after(Duration::from_mins(1) + Duration::from_millis(100) * tenth);
            pace.add(at, Some(2000.0 - f64::from(tenth) / 5.0), window);
            assert!(pace.before.len() <= 2 * usize::try_from(STEPS).unwrap() + 2);
        }
        let rates = pace.rates(start.after(Duration::from_millis(1_060_000 - 100)), window).unwrap();
        assert!((rates.exchanges - 10.0).abs() < 0.1 && (rates.net.unwrap() - 2.0).abs() < 0.02, "{rates:?}");
    }
}
