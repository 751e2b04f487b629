//! What leaves the rules on a quota as they are, or all but the gauges.

use std::ops::Range;
use std::time::Duration;

use crate::model::{Amount, Timestamp};
use crate::track::{TrackedQuota, sooner};

use super::facts::{Facts, Moment};
use super::gauge::Gauge;
use super::machine::{Level, Machine};
use super::options::AlertOptions;
use super::outlook::Outlook;
use super::quota_rules::{exhaustion, throttled_ratio, tick};

/// What exchanges have in common that begin and end nothing, and by which no rule but the gauges changes its state.
///
/// It is found out once a judgement left nothing else to be done, and holds until a moment or until the quota turns: an
/// exchange that it covers is not judged by each rule.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// The quota's turns so far.
    turns: u64,
    /// When time changes something that no rule waits for.
    ends: Timestamp,
    /// The same, or what a rule waits for.
    until: Timestamp,
    /// Below so many exchanges of five minutes the share of refusals does what it did.
    requests_below: u64,
    /// Until when nothing is foreseen, whatever remains.
    unforeseen_until: Timestamp,
    /// The utilizations by which no gauge changes either.
    band: Range<f64>,
    /// How long a gauge must be high before it fires.
    pub(super) hold: Duration,
    /// What the other rules wait for.
    pub(super) others: Outlook,
    /// What all rules wait for.
    outlook: Outlook,
    history_at: Option<Timestamp>,
    /// How long after an exchange the numbers are looked at that change bit by bit.
    tick: Duration,
}

impl Rest {
    /// What is like a judgement that every rule but the gauges stays at; `share` is the state of the share of refusals, `others`
    /// what they wait for.
    pub(super) fn of(facts: &Facts<'_>, share: &Machine, others: Outlook) -> Option<Self> {
        let quota = facts.quota;
        let is_ordinary = facts.is_observed() && !facts.is_history() && facts.change.is_none() && !facts.is_reset();
        if !is_ordinary || facts.short_window.is_some() || !quota.expires_at_reset() {
            return None;
        }
        let has_refusals = quota.recent_at_most().throttled > 0;
        let leaves = if has_refusals { Some(quota.recent_until()?) } else { None };
        let ends = sooner(facts.history_at, leaves).unwrap_or(Timestamp::MAX);
        Some(Self {
            turns: quota.turns(),
            ends,
            until: ends,
            requests_below: if has_refusals { requests_below(facts, share) } else { u64::MAX },
            unforeseen_until: quota.unforeseen_until().unwrap_or(facts.now),
            band: Range::default(),
            hold: facts.hold(),
            others,
            outlook: others,
            history_at: facts.history_at,
            tick: tick(quota),
        })
    }

    /// Whether an exchange is one of those.
    #[inline]
    pub(super) fn covers(&self, quota: &TrackedQuota, moment: Moment<'_>) -> bool {
        moment.now < self.until
            && quota.turns() == self.turns
            && moment.sequence.is_some()
            && quota.latest_numbers().remaining != Some(Amount::ZERO)
            && quota.recent_at_most().requests < self.requests_below
            && (moment.now < self.unforeseen_until || exhaustion(&Facts::of(quota, moment)) != Level::Fires)
    }

    /// Whether a utilization leaves the gauges as they are.
    #[inline]
    pub(super) fn is_steady(&self, ratio: f64) -> bool {
        self.band.contains(&ratio)
    }

    /// Lasts until a gauge is to be judged: by a utilization out of a band, or by time.
    #[inline(always)]
    pub(super) fn await_gauges(&mut self, gauges: &[Gauge<'_>; 2], now: Timestamp, options: &AlertOptions) {
        let mut outlook = self.others;
        let (mut from, mut below) = (f64::NEG_INFINITY, f64::INFINITY);
        for gauge in gauges {
            gauge.look_ahead(now, options, &mut outlook);
            let band = gauge.band();
            from = if band.start > from { band.start } else { from };
            below = if band.end < below { band.end } else { below };
        }
        self.band = from..below;
        self.until = outlook.fixed().map_or(self.ends, |at| at.min(self.ends));
        self.outlook = outlook;
    }

    /// Whether each exchange puts off the next judgement.
    #[inline]
    pub(super) const fn moves(&self) -> bool {
        self.outlook.moves(self.history_at)
    }

    /// When the quota is to be judged next, after an exchange that it covers.
    #[inline]
    pub(super) fn next(&self, now: Timestamp, options: &AlertOptions) -> Option<Timestamp> {
        self.outlook.next(now, self.history_at, || now.after(self.tick), options)
    }
}

/// The number of exchanges from which on the share of refusals may come to do something else, as long as no refusal comes and
/// nothing leaves the spans that it is taken over: the share falls then.
fn requests_below(facts: &Facts<'_>, share: &Machine) -> u64 {
    let options = facts.options;
    let long = facts.quota.recent(facts.now, options.throttled_long);
    // It begins to be judged where there were too few exchanges so far, and to clear where it fires.
    let is_early = long.throttled >= options.throttled_refusals && long.requests < options.throttled_exchanges;
    let early = if is_early { options.throttled_exchanges.saturating_sub(1) } else { u64::MAX };
    let holds = share.is_firing() && throttled_ratio(facts) != Level::Clears;
    let held = if holds { most_requests(long.throttled, options.throttled_clear) } else { u64::MAX };
    let most = early.min(held);
    let more = most.saturating_add(1).saturating_sub(long.requests);
    facts.quota.recent_at_most().requests.saturating_add(more)
}

/// The most exchanges of which so many refused ones are surely no smaller a share than that.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn most_requests(refused: u64, share: f64) -> u64 {
    // One less than exact arithmetic allows: this is not exact.
    if share > 0.0 { ((refused as f64 / share) as u64).saturating_sub(1) } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::Counts;

    #[test]
    fn the_most_exchanges_keep_the_share() {
        for refused in 0..2000 {
            for share in [0.03, 0.05, 0.1, 1.0 / 3.0, 0.7, 1.0] {
                let requests = most_requests(refused, share);
                let ratio = Counts { requests, throttled: refused }.throttled_ratio();
                assert!(ratio.is_none_or(|ratio| ratio >= share), "{refused} {share} {requests}");
            }
        }
        assert_eq!(most_requests(3, 0.0), u64::MAX);
    }
}
