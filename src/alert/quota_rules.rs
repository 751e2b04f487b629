//! The rules that judge one quota.

use std::ops::Range;
use std::time::Duration;

use crate::model::{Rule, Timestamp};
use crate::track::{QuotaChange, TrackedQuota};

use super::episode::Judged;
use super::facts::Facts;
use super::gauge;
use super::machine::{Level, Terms};
use super::options::AlertOptions;
use super::outlook::Outlook;
use super::quota_summary::QuotaSummary;
use super::rule_set::RuleSet;
use super::short_windows::ShortWindows;
use super::summary::Summary;

/// In the order in which changes at one moment are told: what is worse first.
pub(super) const RULES: [Rule; 6] = [
    Rule::ThrottledRatio,
    Rule::LimitHit,
    Rule::UtilizationHigh,
    Rule::Utilization,
    Rule::Exhaustion,
    Rule::QuotaChanged,
];
/// The places of those that watch how much of a quota is used.
pub(super) const GAUGES: Range<usize> = 2..4;
/// How often a state is judged that time alone changes by no known moment …
pub(super) const TICK: Duration = Duration::from_secs(5);
/// … or how often within a window that is longer: a day of silence must not cost a replay thousands of judgements.
const TICKS: u32 = 1000;
const MINUTE: Duration = Duration::from_mins(1);
/// Looks at a silent quota before they become rarer.
const FINE_LOOKS: u128 = 64;

/// What earlier exchanges leave to judge by.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered {
    /// Until when the last hit of the limit keeps its alert firing.
    hit_until: Option<Timestamp>,
    /// When the provider last changed how it counts.
    changed_at: Option<Timestamp>,
    short: ShortWindows,
}

impl Remembered {
    /// Whether one of the last short windows reached the level.
    pub(super) fn has_full_windows(&mut self, facts: &Facts<'_>) -> bool {
        self.short.has_reached() && self.short.share(facts.now, facts.quota.window().unwrap_or(TICK), 64) > 0.0
    }

    /// Notes what an observation showed.
    pub(super) fn note(&mut self, facts: &Facts<'_>) {
        if !facts.is_observed() {
            return;
        }
        let (now, options) = (facts.now, facts.options);
        if let (Some(window), Some(utilization)) = (facts.short_window, facts.numbers.utilization) {
            self.short.note(now, window, utilization, options.utilization);
        }
        if facts.change.is_some() {
            self.changed_at = Some(now);
        }
        if facts.is_hit() {
            let asked = facts.quota.retry_after().filter(|_| facts.refused).unwrap_or_default();
            let until = now.after(options.hit_hold.max(asked));
            self.hit_until = Some(self.hit_until.map_or(until, |known| known.max(until)));
        }
    }

    /// Which of [`RULES`] may fire: never a wrong no.
    #[inline]
    pub(super) fn may_fire(&self, facts: &Facts<'_>) -> RuleSet {
        let options = facts.options;
        let is_short = facts.short_window.is_some();
        RuleSet::from([
            facts.has_refusals(),
            facts.is_hit(),
            facts.reaches(options.high),
            if is_short { self.short.has_reached() } else { facts.reaches(options.utilization) },
            facts.reaches(options.exhaustion_utilization),
            facts.change.is_some(),
        ])
    }

    /// What a rule makes of a quota.
    #[inline]
    pub(super) fn level(&mut self, rule: Rule, facts: &Facts<'_>) -> Level {
        let options = facts.options;
        match rule {
            Rule::ThrottledRatio => throttled_ratio(facts),
            Rule::LimitHit => self.limit_hit(facts),
            Rule::UtilizationHigh => utilization(facts, options.high, options.high_clear),
            Rule::Exhaustion => exhaustion(facts),
            Rule::QuotaChanged => self.quota_changed(facts),
            _ => match facts.short_window {
                Some(window) => self.short_utilization(window, facts),
                None => utilization(facts, options.utilization, options.utilization_clear),
            },
        }
    }

    /// What a rule makes of an exchange that hits nothing and by which nothing is foreseen, where the last one had it at a level.
    pub(super) fn level_at_rest(&self, rule: Rule, level: Level, now: Timestamp) -> Level {
        match rule {
            Rule::LimitHit if self.is_held(now) => Level::Between,
            Rule::LimitHit | Rule::Exhaustion => Level::Clears,
            _ => level,
        }
    }

    /// When time alone changes the level of a rule that fires.
    pub(super) fn look_ahead(&self, rule: Rule, level: Level, facts: &Facts<'_>, outlook: &mut Outlook) {
        let now = facts.now;
        let at = match rule {
            Rule::LimitHit => self.hit_until.filter(|until| now < *until),
            // While there were exchanges their share changes by the second; in silence only what ends it counts.
            Rule::ThrottledRatio if level != Level::Unknown => return outlook.ticks(),
            Rule::ThrottledRatio => {
                let (quota, ahead) = (facts.quota, |at: &Timestamp| *at > now);
                let end = quota.expires_at().or_else(|| quota.blocked_until(now)).filter(ahead);
                Some(end.unwrap_or_else(|| next_tick(facts)))
            }
            Rule::QuotaChanged => {
                if let Some(until) = self.changed_until(facts) {
                    outlook.at(until, now);
                }
                return;
            }
            Rule::UtilizationHigh | Rule::Exhaustion => None,
            _ if facts.short_window.is_some() => return outlook.ticks(),
            _ => None,
        };
        match at {
            Some(at) => outlook.at(at, now),
            None => outlook.with_the_numbers(),
        }
    }

    /// The number that a rule judged, and the one that it was compared with.
    pub(super) fn measure(&self, rule: Rule, facts: &Facts<'_>) -> (f64, f64) {
        let Facts { quota, now, options, .. } = *facts;
        let utilization = facts.numbers.utilization.unwrap_or_default();
        match rule {
            Rule::UtilizationHigh => (utilization, options.high),
            Rule::LimitHit => {
                let refusals = if facts.is_hit() { quota.recent(now, MINUTE).throttled } else { 0 };
                (count(refusals.max(1)), 1.0)
            }
            Rule::ThrottledRatio => {
                let ratio = quota.recent(now, options.throttled_long).throttled_ratio();
                (ratio.unwrap_or_default(), options.throttled)
            }
            Rule::Exhaustion => {
                let share = options.exhaustion_share;
                forecast(facts).map_or((0.0, 0.0), |(left, reset)| (left.as_secs_f64(), share * reset.as_secs_f64()))
            }
            Rule::QuotaChanged => match facts.change {
                Some(QuotaChange::Limit { from, to }) => (to.value(), from.value()),
                Some(QuotaChange::Reset { from, to }) => (to.since(now).as_secs_f64(), from.since(now).as_secs_f64()),
                Some(QuotaChange::Slides) | None => (0.0, 0.0),
            },
            _ if facts.short_window.is_some() => (self.short.highest(), options.utilization),
            _ => (utilization, options.utilization),
        }
    }

    /// What there is to say of what a rule judged.
    pub(super) fn judged(&self, rule: Rule, facts: &Facts<'_>) -> Judged {
        let (quota, now) = (facts.quota, facts.now);
        let (value, threshold) = self.measure(rule, facts);
        let summary = match rule {
            Rule::LimitHit => QuotaSummary::hit(quota, facts.refused, now),
            Rule::ThrottledRatio => QuotaSummary::throttled(quota, value, facts.options.throttled_long, now),
            Rule::Exhaustion => match quota.forecast(now) {
                Some(forecast) => {
                    QuotaSummary::exhaustion(quota, forecast.exhausts_at.since(now), forecast.time_to_reset, now)
                }
                None => QuotaSummary::used(quota, facts.numbers.utilization.unwrap_or_default(), now),
            },
            Rule::QuotaChanged => QuotaSummary::changed(quota, facts.change, now),
            _ => QuotaSummary::used(quota, value, now),
        };
        Judged { value, threshold, summary: Summary::OfQuota(summary) }
    }

    fn short_utilization(&mut self, window: Duration, facts: &Facts<'_>) -> Level {
        let options = facts.options;
        let share = self.short.share(facts.now, window, options.short_windows);
        if share >= options.short_share && share > 0.0 { Level::Fires } else { Level::Clears }
    }

    fn quota_changed(&self, facts: &Facts<'_>) -> Level {
        match facts.change {
            Some(_) => Level::Fires,
            None if self.changed_until(facts).is_some_and(|until| facts.now < until) => Level::Between,
            None => Level::Clears,
        }
    }

    /// Until when the last change is to be seen.
    fn changed_until(&self, facts: &Facts<'_>) -> Option<Timestamp> {
        self.changed_at.map(|at| at.after(facts.options.changed_hold))
    }

    fn limit_hit(&self, facts: &Facts<'_>) -> Level {
        match facts.is_hit() {
            true => Level::Fires,
            false if facts.spent || self.is_held(facts.now) => Level::Between,
            false => Level::Clears,
        }
    }

    /// Whether the last hit of the limit keeps its alert firing.
    fn is_held(&self, now: Timestamp) -> bool {
        self.hit_until.is_some_and(|until| now < until)
    }
}

/// Why the alert of a rule is over at once: the window that was judged is gone.
#[inline]
pub(super) fn over(rule: Rule, level: Level, facts: &Facts<'_>) -> Option<&'static str> {
    if facts.is_history() || facts.is_reset() || level == Level::Unknown { past(rule, level, facts) } else { None }
}

fn past(rule: Rule, level: Level, facts: &Facts<'_>) -> Option<&'static str> {
    let is_expired = match rule {
        Rule::QuotaChanged => false,
        Rule::LimitHit => level == Level::Clears && facts.quota.is_stale(facts.now),
        // Nothing is known of the share where there were no exchanges.
        Rule::ThrottledRatio => level == Level::Unknown && is_gone(facts),
        Rule::Utilization if facts.short_window.is_some() => false,
        _ if facts.is_history() => true,
        _ => return (facts.is_reset() && level != Level::Fires).then_some("window_reset"),
    };
    is_expired.then_some("window_expired")
}

/// What a rule asks for before it fires, and before it is over.
pub(super) fn terms(rule: Rule, facts: &Facts<'_>) -> Terms {
    let options = facts.options;
    let at_once = Terms::at_once(options.clear_hold);
    match rule {
        Rule::LimitHit | Rule::QuotaChanged => Terms::at_once(Duration::ZERO),
        Rule::UtilizationHigh | Rule::ThrottledRatio => at_once,
        Rule::Utilization if facts.short_window.is_some() => at_once,
        _ => held(facts.hold(), options),
    }
}

/// What is asked for where the firing condition must hold.
pub(super) const fn held(hold: Duration, options: &AlertOptions) -> Terms {
    Terms { hold, sightings: options.utilization_sightings, clear_hold: options.clear_hold }
}

#[inline]
fn utilization(facts: &Facts<'_>, fires: f64, clears: f64) -> Level {
    facts.numbers.utilization.map_or(Level::Unknown, |ratio| gauge::level(ratio, fires, clears))
}

#[inline]
pub(super) fn throttled_ratio(facts: &Facts<'_>) -> Level {
    let Facts { quota, now, options, .. } = *facts;
    let long = quota.recent(now, options.throttled_long);
    // A quota whose exchanges were refused for another quota's sake has nothing to answer for.
    let refused = || quota.refused_at().is_some_and(|at| now < at.after(options.throttled_long));
    let enough = long.requests >= options.throttled_exchanges && long.throttled >= options.throttled_refusals;
    let short = || quota.recent(now, options.throttled_short).throttled_ratio();
    let much = |ratio: Option<f64>| ratio.is_some_and(|ratio| ratio > options.throttled);
    match long.throttled_ratio() {
        Some(ratio) if much(Some(ratio)) && enough && refused() && much(short()) => Level::Fires,
        Some(ratio) if ratio < options.throttled_clear => Level::Clears,
        Some(_) => Level::Between,
        None => Level::Unknown,
    }
}

/// Whether a quota without exchanges has nothing left to wait for.
fn is_gone(facts: &Facts<'_>) -> bool {
    match facts.quota.expires_at() {
        Some(expires) => facts.now >= expires,
        None => facts.quota.blocked_until(facts.now).is_none() && !facts.spent,
    }
}

/// The time until a quota that is used enough runs out, and the time to its reset.
fn forecast(facts: &Facts<'_>) -> Option<(Duration, Duration)> {
    let now = facts.now;
    if !facts.reaches(facts.options.exhaustion_utilization) {
        return None;
    }
    let forecast = facts.quota.forecast_of(facts.numbers.remaining?, now)?;
    Some((forecast.exhausts_at.since(now), forecast.time_to_reset))
}

/// Whether a quota runs out clearly before its reset.
fn is_clear((left, to_reset): (Duration, Duration), facts: &Facts<'_>) -> bool {
    left.as_secs_f64() < facts.options.exhaustion_share * to_reset.as_secs_f64()
}

#[inline]
pub(super) fn exhaustion(facts: &Facts<'_>) -> Level {
    match forecast(facts).filter(|forecast| is_clear(*forecast, facts)) {
        Some(_) => Level::Fires,
        // Silence is no sign of a slower pace, and what has run out has not recovered.
        None if !facts.is_observed() || facts.spent => Level::Unknown,
        None => Level::Clears,
    }
}

/// What is refused stays so until the provider's wait is over, however long that is.
pub(super) fn next_tick(facts: &Facts<'_>) -> Timestamp {
    let (quota, now) = (facts.quota, facts.now);
    let tick = tick_since(quota.seen_at(), now, tick(quota));
    quota.blocked_until(now).filter(|_| facts.spent).map_or(tick, |until| until.max(tick))
}

/// How often a quota is looked at that was seen lately.
pub(super) fn tick(quota: &TrackedQuota) -> Duration {
    TICK.max(quota.window().unwrap_or_default() / TICKS)
}

/// The next point of a grid that starts with the last sight and doubles its step with each doubling of the silence, so that
/// years of silence are a few hundred looks. The grid does not depend on when it was looked before.
fn tick_since(seen_at: Timestamp, now: Timestamp, step: Duration) -> Timestamp {
    let silence = now.since(seen_at).as_nanos();
    if silence == 0 {
        return seen_at.after(step.max(Duration::from_nanos(1)));
    }
    let fine = step.as_nanos().max(1);
    let doublings = (silence / (fine * FINE_LOOKS)).checked_ilog2().map_or(0, |log| log + 1);
    let step = fine << doublings;
    let next = (silence / step + 1) * step;
    seen_at.after(Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute stay far below 2^53")]
const fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_of_silence_are_a_few_hundred_looks() {
        let seen = Timestamp::from_secs(1_800_000_000);
        let (mut now, mut looks) = (seen, 0);
        while now < seen.after(Duration::from_hours(10 * 365 * 24)) {
            let next = tick_since(seen, now, TICK);
            assert!(next > now);
            assert_eq!(tick_since(seen, now.after(next.since(now) / 2), TICK), next, "a look between changes nothing");
            (now, looks) = (next, looks + 1);
        }
        assert!((64..2_000).contains(&looks), "{looks}");
    }
}
