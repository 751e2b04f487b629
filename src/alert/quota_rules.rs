//! The rules that judge one quota.

use std::time::Duration;

use crate::model::{Rule, Timestamp};
use crate::track::QuotaChange;

use super::episode::Judged;
use super::facts::Facts;
use super::machine::{Level, Verdict};
use super::quota_summary::QuotaSummary;
use super::short_windows::ShortWindows;
use super::summary::Summary;

/// How often a state is judged that time alone changes by no known moment …
const TICK: Duration = Duration::from_secs(5);
/// … or how often within a window that is longer: a day of silence must not cost a replay thousands of judgements.
const TICKS: u32 = 1000;
/// Looks at a silent quota before they become rarer.
const FINE_LOOKS: u128 = 64;

/// What a rule makes of a quota at a moment.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) value: f64,
    pub(super) threshold: f64,
    /// When time alone changes the verdict; asked for only while the rule fires.
    pub(super) next: Next,
}

/// When time alone changes a verdict.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// Then, if ever.
    At(Option<Timestamp>),
    /// When the numbers are history, or bit by bit where the agent counts.
    WithTheNumbers,
}

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
        if let (Some(window), Some(utilization)) = (facts.short_window(), facts.numbers.utilization) {
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

    /// Whether a rule may find that its firing condition holds: cheap, and never a wrong no.
    #[inline]
    pub(super) fn may_fire(&mut self, rule: Rule, facts: &Facts<'_>) -> bool {
        let options = facts.options;
        match rule {
            Rule::UtilizationHigh => facts.reaches(options.high),
            Rule::LimitHit => facts.is_hit(),
            Rule::ThrottledRatio => {
                facts.quota.recent_at_most().throttled >= options.throttled_refusals
                    && facts.quota.recent(facts.now, options.throttled_long).throttled_ratio() > Some(options.throttled)
            }
            Rule::Exhaustion => forecast(facts).is_some_and(|forecast| is_clear(forecast, facts)),
            Rule::QuotaChanged => facts.change.is_some(),
            _ => match facts.short_window() {
                Some(window) => self.short.share(facts.now, window, options.short_windows) >= options.short_share,
                None => facts.reaches(options.utilization),
            },
        }
    }

    /// What a rule makes of a quota.
    #[inline]
    pub(super) fn judgement(&mut self, rule: Rule, facts: &Facts<'_>) -> Judgement {
        let options = facts.options;
        match rule {
            Rule::UtilizationHigh => utilization(facts, options.high, options.high_clear, (Duration::ZERO, 1)),
            Rule::LimitHit => self.limit_hit(facts),
            Rule::ThrottledRatio => throttled_ratio(facts),
            Rule::Exhaustion => exhaustion(facts),
            Rule::QuotaChanged => self.quota_changed(facts),
            _ => {
                if let Some(window) = facts.short_window() {
                    return self.short_utilization(window, facts);
                }
                let hold = (facts.hold(), options.utilization_sightings);
                utilization(facts, options.utilization, options.utilization_clear, hold)
            }
        }
    }

    fn short_utilization(&mut self, window: Duration, facts: &Facts<'_>) -> Judgement {
        let options = facts.options;
        let share = self.short.share(facts.now, window, options.short_windows);
        let level = if share >= options.short_share && share > 0.0 { Level::Fires } else { Level::Clears };
        Judgement {
            verdict: verdict(level, facts, options.clear_hold),
            value: self.short.highest(),
            threshold: options.utilization,
            next: Next::At(Some(facts.now.after(TICK))),
        }
    }

    fn quota_changed(&self, facts: &Facts<'_>) -> Judgement {
        let now = facts.now;
        let seen_until = self.changed_at.map(|at| at.after(facts.options.changed_hold));
        let level = match (facts.change, seen_until) {
            (Some(_), _) => Level::Fires,
            (None, Some(until)) if now < until => Level::Between,
            _ => Level::Clears,
        };
        let (value, threshold) = match facts.change {
            Some(QuotaChange::Limit { from, to }) => (to.value(), from.value()),
            Some(QuotaChange::Reset { from, to }) => (to.since(now).as_secs_f64(), from.since(now).as_secs_f64()),
            Some(QuotaChange::Slides) | None => (0.0, 0.0),
        };
        Judgement { verdict: verdict(level, facts, Duration::ZERO), value, threshold, next: Next::At(seen_until) }
    }

    fn limit_hit(&mut self, facts: &Facts<'_>) -> Judgement {
        let now = facts.now;
        let hit = facts.is_hit();
        let held = self.hit_until.filter(|until| now < *until);
        let level = match (hit, held.is_some() || facts.spent) {
            (true, _) => Level::Fires,
            (false, true) => Level::Between,
            (false, false) => Level::Clears,
        };
        let mut verdict = verdict(level, facts, Duration::ZERO);
        verdict.over = (level == Level::Clears && facts.quota.is_stale(now)).then_some("window_expired");
        let next = if held.is_some() { Next::At(held) } else { Next::WithTheNumbers };
        let refusals = if hit { facts.quota.recent(now, Duration::from_mins(1)).throttled } else { 0 };
        Judgement { verdict, value: count(refusals.max(1)), threshold: 1.0, next }
    }
}

impl Judgement {
    /// The same with what there is to say of it.
    pub(super) fn judged(&self, rule: Rule, facts: &Facts<'_>) -> Judged {
        let (quota, now) = (facts.quota, facts.now);
        let summary = match rule {
            Rule::LimitHit => QuotaSummary::hit(quota, facts.refused, now),
            Rule::ThrottledRatio => QuotaSummary::throttled(quota, self.value, facts.options.throttled_long, now),
            Rule::Exhaustion => match quota.forecast(now) {
                Some(forecast) => {
                    QuotaSummary::exhaustion(quota, forecast.exhausts_at.since(now), forecast.time_to_reset, now)
                }
                None => QuotaSummary::used(quota, facts.numbers.utilization.unwrap_or_default(), now),
            },
            Rule::QuotaChanged => QuotaSummary::changed(quota, facts.change, now),
            _ => QuotaSummary::used(quota, self.value, now),
        };
        Judged { value: self.value, threshold: self.threshold, summary: Summary::OfQuota(summary) }
    }
}

impl Next {
    /// The moment that is meant.
    #[inline]
    pub(super) fn of(self, facts: &Facts<'_>) -> Option<Timestamp> {
        match self {
            Self::At(at) => at,
            Self::WithTheNumbers => facts.history_at.or_else(|| Some(next_tick(facts))),
        }
    }
}

fn utilization(facts: &Facts<'_>, fires: f64, clears: f64, hold: (Duration, u32)) -> Judgement {
    let utilization = facts.numbers.utilization;
    let level = match utilization {
        Some(ratio) if ratio >= fires => Level::Fires,
        Some(ratio) if ratio < clears => Level::Clears,
        Some(_) => Level::Between,
        None => Level::Unknown,
    };
    let (hold, sightings) = hold;
    let verdict =
        Verdict { over: over(facts, level), hold, sightings, ..verdict(level, facts, facts.options.clear_hold) };
    Judgement { verdict, value: utilization.unwrap_or_default(), threshold: fires, next: Next::WithTheNumbers }
}

fn throttled_ratio(facts: &Facts<'_>) -> Judgement {
    let Facts { quota, now, options, .. } = *facts;
    let long = quota.recent(now, options.throttled_long);
    // A quota whose exchanges were refused for another quota's sake has nothing to answer for.
    let refused = || quota.refused_at().is_some_and(|at| now < at.after(options.throttled_long));
    let enough = long.requests >= options.throttled_exchanges && long.throttled >= options.throttled_refusals;
    let short = || quota.recent(now, options.throttled_short).throttled_ratio();
    let much = |ratio: Option<f64>| ratio.is_some_and(|ratio| ratio > options.throttled);
    let ratio = long.throttled_ratio();
    let level = match ratio {
        Some(_) if much(ratio) && enough && refused() && much(short()) => Level::Fires,
        Some(long) if long < options.throttled_clear => Level::Clears,
        Some(_) => Level::Between,
        None => Level::Unknown,
    };
    let silent = long.requests == 0;
    let mut verdict = verdict(level, facts, options.clear_hold);
    // While there were exchanges their share changes by the second; in silence only what ends it counts.
    let mut next = Next::At(Some(now.after(TICK)));
    if silent {
        let gone = match quota.expires_at() {
            Some(expires) => now >= expires,
            None => quota.blocked_until(now).is_none() && !facts.spent,
        };
        verdict.over = gone.then_some("window_expired");
        let end = quota.expires_at().or_else(|| quota.blocked_until(now)).filter(|at| *at > now);
        next = Next::At(Some(end.unwrap_or_else(|| next_tick(facts))));
    }
    Judgement { verdict, value: ratio.unwrap_or_default(), threshold: options.throttled, next }
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

fn exhaustion(facts: &Facts<'_>) -> Judgement {
    let options = facts.options;
    let forecast = forecast(facts);
    let level = match forecast.filter(|forecast| is_clear(*forecast, facts)) {
        Some(_) => Level::Fires,
        // Silence is no sign of a slower pace, and what has run out has not recovered.
        None if !facts.is_observed() || facts.spent => Level::Unknown,
        None => Level::Clears,
    };
    let verdict = Verdict {
        over: over(facts, level),
        hold: facts.hold(),
        sightings: options.utilization_sightings,
        ..verdict(level, facts, options.clear_hold)
    };
    let (value, threshold) = forecast
        .map_or((0.0, 0.0), |(left, reset)| (left.as_secs_f64(), options.exhaustion_share * reset.as_secs_f64()));
    Judgement { verdict, value, threshold, next: Next::WithTheNumbers }
}

/// A verdict that fires at once.
const fn verdict(level: Level, facts: &Facts<'_>, clear_hold: Duration) -> Verdict {
    Verdict { level, observed: facts.is_observed(), over: None, hold: Duration::ZERO, sightings: 1, clear_hold }
}

/// Whether the window that was judged is gone.
fn over(facts: &Facts<'_>, level: Level) -> Option<&'static str> {
    if facts.is_history() {
        return Some("window_expired");
    }
    (facts.is_reset() && level != Level::Fires).then_some("window_reset")
}

/// What is refused stays so until the provider's wait is over, however long that is.
pub(super) fn next_tick(facts: &Facts<'_>) -> Timestamp {
    let (quota, now) = (facts.quota, facts.now);
    let tick = tick_since(quota.seen_at(), now, TICK.max(quota.window().unwrap_or_default() / TICKS));
    quota.blocked_until(now).filter(|_| facts.spent).map_or(tick, |until| until.max(tick))
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
