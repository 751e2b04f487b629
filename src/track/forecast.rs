//! Where the current pace of a quota leads.

use std::time::Duration;

use crate::model::{Amount, Timestamp, WindowKind};

use super::pace::Rates;
use super::quota::TrackedQuota;

/// Where the current pace leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// When the quota runs out.
    pub exhausts_at: Timestamp,
    /// The time that is left until it is whole again: until its reset, or the length of a window that moves.
    pub time_to_reset: Duration,
}

impl TrackedQuota {
    /// Units a second at the current pace.
    pub fn consumption_rate(&self, now: Timestamp) -> Option<f64> {
        let rates = self.rates(now)?;
        match (rates.net, self.counts_requests()) {
            (net, true) => Some(net.unwrap_or(0.0).max(rates.exchanges)),
            (Some(net), false) => (net >= 0.0).then_some(net),
            (None, false) => None,
        }
    }

    /// When the quota runs out at the current pace; absent where that is not before its reset, or not known.
    pub fn forecast(&self, now: Timestamp) -> Option<Forecast> {
        self.forecast_of(self.remaining(now)?, now)
    }

    /// The same, where what remains is at hand.
    #[inline]
    pub fn forecast_of(&self, remaining: Amount, now: Timestamp) -> Option<Forecast> {
        let remaining = Some(remaining.value()).filter(|remaining| *remaining > 0.0)?;
        let net = self.rates(now)?.net.filter(|net| *net > 0.0)?;
        self.forecast_at(net, remaining, now)
    }

    /// Until when there is no forecast, however much remains; absent where that is not known.
    pub fn unforeseen_until(&self) -> Option<Timestamp> {
        self.pace.silent_until(self.window_at_least())
    }

    fn forecast_at(&self, net: f64, remaining: f64, now: Timestamp) -> Option<Forecast> {
        let time_to_reset = match (self.window_kind, self.window()) {
            (Some(WindowKind::Sliding | WindowKind::TokenBucket), Some(window)) => {
                // What a moving window gives back keeps up with any pace that fits into it.
                let limit = self.limit?.value();
                if self.consumption_rate(now)? * window.as_secs_f64() <= limit {
                    return None;
                }
                window
            }
            _ => self.reset_at(now).filter(|reset| *reset > now)?.since(now),
        };
        let seconds = remaining / net;
        // Most quotas last: that shows without exact arithmetic, but for what is too close to tell.
        if seconds > time_to_reset.as_secs_f64() + 1.0 {
            return None;
        }
        let left = Duration::try_from_secs_f64(seconds).ok()?;
        let exhausts_at = now.after(left);
        (left < time_to_reset).then_some(Forecast { exhausts_at, time_to_reset })
    }

    /// The delay between requests that spends what remains evenly until the reset, in seconds; where the window moves, the
    /// delay that it sustains. Absent where nothing remains.
    pub fn pace(&self, now: Timestamp) -> Option<f64> {
        let remaining = self.remaining(now).map(Amount::value).filter(|remaining| *remaining > 0.0)?;
        let moving = matches!(self.window_kind, Some(WindowKind::Sliding | WindowKind::TokenBucket));
        match (moving, self.window(), self.limit.map(Amount::value)) {
            (true, Some(window), Some(limit)) if limit > 0.0 => Some(window.as_secs_f64() / limit),
            _ => {
                let left = self.reset_at(now).filter(|reset| *reset > now)?.since(now);
                Some(left.as_secs_f64() / remaining)
            }
        }
        .filter(|pace| pace.is_finite())
    }

    #[inline]
    fn rates(&self, now: Timestamp) -> Option<Rates> {
        self.pace.rates(now, self.window_at_least())
    }
}
