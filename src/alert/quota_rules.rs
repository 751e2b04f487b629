//! The rules that judge one quota.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Amount, Rule, Timestamp};
use crate::track::{QuotaChange, TrackedQuota};

use super::episode::Judged;
use super::machine::{Level, Verdict};
use super::options::AlertOptions;
use super::short_windows::ShortWindows;
use super::summary;

/// How often a state is judged that time alone changes by no known moment …
const TICK: Duration = Duration::from_secs(5);
/// … or how often within a window that is longer: a day of silence must not cost a replay thousands of judgements.
const TICKS: u32 = 1000;
/// Looks at a silent quota before they become rarer.
const FINE_LOOKS: u128 = 64;
/// What is known of a quota whose window nobody states is history after a day: longer windows state their reset.
const UNSTATED: Duration = Duration::from_hours(24);

/// A moment of judgement.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) now: Timestamp,
    /// The number of the observation that is judged; absent where only time passed.
    pub(super) sequence: Option<u64>,
    pub(super) options: &'a AlertOptions,
}

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

/// A quota at the moment of judgement: what several rules ask for.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    utilization: Option<f64>,
    /// When what is known of it is history; absent for one that the agent counts itself.
    pub(super) history_at: Option<Timestamp>,
    /// Whether nothing remains, as far as that is not history.
    spent: bool,
    /// Whether it refused the exchange that is judged.
    refused: bool,
}

impl Facts {
    pub(super) fn of(quota: &TrackedQuota, moment: Moment<'_>) -> Self {
        Self {
            utilization: quota.utilization(moment.now),
            history_at: history_at(quota),
            spent: is_spent(quota, moment.now),
            refused: moment.sequence.is_some_and(|sequence| quota.refused(sequence)),
        }
    }

    fn is_history(&self, now: Timestamp) -> bool {
        self.history_at.is_some_and(|at| now >= at)
    }
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
    pub(super) fn has_full_windows(&mut self, quota: &TrackedQuota, now: Timestamp) -> bool {
        self.short.share(now, quota.window().unwrap_or(TICK), 64) > 0.0
    }

    /// Notes what an observation showed.
    pub(super) fn note(&mut self, quota: &TrackedQuota, moment: Moment<'_>, facts: Facts) {
        let (now, options) = (moment.now, moment.options);
        let Some(sequence) = moment.sequence else { return };
        if let (Some(window), Some(utilization)) = (short_window(quota, options), facts.utilization) {
            self.short.note(now, window, utilization, options.utilization);
        }
        if quota.change(sequence).is_some() {
            self.changed_at = Some(now);
        }
        if facts.refused || facts.spent {
            let asked = quota.retry_after().filter(|_| facts.refused).unwrap_or_default();
            let until = now.after(options.hit_hold.max(asked));
            self.hit_until = Some(self.hit_until.map_or(until, |known| known.max(until)));
        }
    }

    /// What a rule makes of a quota.
    pub(super) fn judgement(
        &mut self,
        rule: Rule,
        quota: &TrackedQuota,
        moment: Moment<'_>,
        facts: Facts,
    ) -> Judgement {
        let options = moment.options;
        match rule {
            Rule::UtilizationHigh => {
                utilization(quota, moment, facts, options.high, options.high_clear, (Duration::ZERO, 1))
            }
            Rule::LimitHit => self.limit_hit(quota, moment, facts),
            Rule::ThrottledRatio => throttled_ratio(quota, moment, facts),
            Rule::Exhaustion => exhaustion(quota, moment, facts),
            Rule::QuotaChanged => self.quota_changed(quota, moment),
            _ => {
                if let Some(window) = short_window(quota, options) {
                    return self.short_utilization(window, moment);
                }
                let hold = (hold_of(quota, options), options.utilization_sightings);
                utilization(quota, moment, facts, options.utilization, options.utilization_clear, hold)
            }
        }
    }

    fn short_utilization(&mut self, window: Duration, moment: Moment<'_>) -> Judgement {
        let options = moment.options;
        let share = self.short.share(moment.now, window, options.short_windows);
        let level = if share >= options.short_share && share > 0.0 { Level::Fires } else { Level::Clears };
        Judgement {
            verdict: verdict(level, moment, options.clear_hold),
            value: self.short.highest(),
            threshold: options.utilization,
            next: Next::At(Some(moment.now.after(TICK))),
        }
    }

    fn quota_changed(&self, quota: &TrackedQuota, moment: Moment<'_>) -> Judgement {
        let change = moment.sequence.and_then(|sequence| quota.change(sequence));
        let seen_until = self.changed_at.map(|at| at.after(moment.options.changed_hold));
        let level = match (change, seen_until) {
            (Some(_), _) => Level::Fires,
            (None, Some(until)) if moment.now < until => Level::Between,
            _ => Level::Clears,
        };
        let (value, threshold) = match change {
            Some(QuotaChange::Limit { from, to }) => (to.value(), from.value()),
            Some(QuotaChange::Reset { from, to }) => {
                (to.since(moment.now).as_secs_f64(), from.since(moment.now).as_secs_f64())
            }
            Some(QuotaChange::Slides) | None => (0.0, 0.0),
        };
        Judgement { verdict: verdict(level, moment, Duration::ZERO), value, threshold, next: Next::At(seen_until) }
    }

    fn limit_hit(&mut self, quota: &TrackedQuota, moment: Moment<'_>, facts: Facts) -> Judgement {
        let now = moment.now;
        let hit = moment.sequence.is_some() && (facts.refused || facts.spent);
        let held = self.hit_until.filter(|until| now < *until);
        let level = match (hit, held.is_some() || facts.spent) {
            (true, _) => Level::Fires,
            (false, true) => Level::Between,
            (false, false) => Level::Clears,
        };
        let mut verdict = verdict(level, moment, Duration::ZERO);
        verdict.over = (level == Level::Clears && quota.is_stale(now)).then_some("window_expired");
        let next = if held.is_some() { Next::At(held) } else { Next::WithTheNumbers };
        let refusals = if hit { quota.recent(now, Duration::from_mins(1)).throttled } else { 0 };
        Judgement { verdict, value: count(refusals.max(1)), threshold: 1.0, next }
    }
}

impl Judgement {
    /// The same in words.
    pub(super) fn judged(&self, rule: Rule, quota: &TrackedQuota, moment: Moment<'_>) -> Judged {
        let now = moment.now;
        let summary = match rule {
            Rule::LimitHit => {
                let refused = moment.sequence.is_some_and(|sequence| quota.refused(sequence));
                summary::hit(quota, refused, now)
            }
            Rule::ThrottledRatio => {
                let over = moment.options.throttled_long;
                summary::throttled(quota, quota.recent(now, over), self.value, over)
            }
            Rule::Exhaustion => match quota.forecast(now) {
                Some(forecast) => {
                    summary::exhaustion(quota, forecast.exhausts_at.since(now), forecast.time_to_reset, now)
                }
                None => summary::used(quota, quota.utilization(now).unwrap_or_default(), now),
            },
            Rule::QuotaChanged => match quota.change(moment.sequence.unwrap_or(0)) {
                Some(change) => summary::changed(quota, change),
                None => Arc::from(summary::subject_of(quota)),
            },
            _ => summary::used(quota, self.value, now),
        };
        Judged { value: self.value, threshold: self.threshold, summary }
    }
}

impl Next {
    /// The moment that is meant.
    pub(super) fn of(self, quota: &TrackedQuota, facts: Facts, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => at,
            Self::WithTheNumbers => facts.history_at.or_else(|| Some(next_tick(quota, now))),
        }
    }
}

fn utilization(
    quota: &TrackedQuota,
    moment: Moment<'_>,
    facts: Facts,
    fires: f64,
    clears: f64,
    hold: (Duration, u32),
) -> Judgement {
    let level = match facts.utilization {
        Some(ratio) if ratio >= fires => Level::Fires,
        Some(ratio) if ratio < clears => Level::Clears,
        Some(_) => Level::Between,
        None => Level::Unknown,
    };
    let (hold, sightings) = hold;
    let verdict = Verdict {
        over: over(quota, moment, facts, level),
        hold,
        sightings,
        ..verdict(level, moment, moment.options.clear_hold)
    };
    let value = facts.utilization.unwrap_or_default();
    Judgement { verdict, value, threshold: fires, next: Next::WithTheNumbers }
}

fn throttled_ratio(quota: &TrackedQuota, moment: Moment<'_>, facts: Facts) -> Judgement {
    let (now, options) = (moment.now, moment.options);
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
    let mut verdict = verdict(level, moment, options.clear_hold);
    // While there were exchanges their share changes by the second; in silence only what ends it counts.
    let mut next = Next::At(Some(now.after(TICK)));
    if silent {
        let gone = match quota.expires_at() {
            Some(expires) => now >= expires,
            None => quota.blocked_until(now).is_none() && !facts.spent,
        };
        verdict.over = gone.then_some("window_expired");
        let end = quota.expires_at().or_else(|| quota.blocked_until(now)).filter(|at| *at > now);
        next = Next::At(Some(end.unwrap_or_else(|| next_tick(quota, now))));
    }
    Judgement { verdict, value: ratio.unwrap_or_default(), threshold: options.throttled, next }
}

fn exhaustion(quota: &TrackedQuota, moment: Moment<'_>, facts: Facts) -> Judgement {
    let (now, options) = (moment.now, moment.options);
    let used_enough = facts.utilization.is_some_and(|ratio| ratio >= options.exhaustion_utilization);
    let forecast = if used_enough { quota.forecast(now) } else { None };
    let forecast = forecast.map(|f| (f.exhausts_at.since(now), f.time_to_reset));
    let clearly = forecast.filter(|(left, reset)| left.as_secs_f64() < options.exhaustion_share * reset.as_secs_f64());
    let observed = moment.sequence.is_some();
    let level = match clearly {
        Some(_) => Level::Fires,
        // Silence is no sign of a slower pace, and what has run out has not recovered.
        None if !observed || facts.spent => Level::Unknown,
        None => Level::Clears,
    };
    let verdict = Verdict {
        over: over(quota, moment, facts, level),
        hold: hold_of(quota, options),
        sightings: options.utilization_sightings,
        ..verdict(level, moment, options.clear_hold)
    };
    let (value, threshold) = forecast
        .map_or((0.0, 0.0), |(left, reset)| (left.as_secs_f64(), options.exhaustion_share * reset.as_secs_f64()));
    Judgement { verdict, value, threshold, next: Next::WithTheNumbers }
}

/// A verdict that fires at once.
const fn verdict(level: Level, moment: Moment<'_>, clear_hold: Duration) -> Verdict {
    Verdict { level, observed: moment.sequence.is_some(), over: None, hold: Duration::ZERO, sightings: 1, clear_hold }
}

/// Whether the window that was judged is gone.
fn over(quota: &TrackedQuota, moment: Moment<'_>, facts: Facts, level: Level) -> Option<&'static str> {
    if facts.is_history(moment.now) {
        return Some("window_expired");
    }
    let reset = moment.sequence.is_some_and(|sequence| quota.was_reset(sequence));
    (reset && level != Level::Fires).then_some("window_reset")
}

/// When what is known of a quota is history; absent for one that the agent counts itself.
fn history_at(quota: &TrackedQuota) -> Option<Timestamp> {
    quota.expires_at().or_else(|| (!quota.is_counted()).then(|| quota.seen_at().after(UNSTATED)))
}

/// What is refused stays so until the provider's wait is over, however long that is.
pub(super) fn next_tick(quota: &TrackedQuota, now: Timestamp) -> Timestamp {
    let tick = tick_since(quota.seen_at(), now, TICK.max(quota.window().unwrap_or_default() / TICKS));
    quota.blocked_until(now).filter(|_| is_spent(quota, now)).map_or(tick, |until| until.max(tick))
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

fn hold_of(quota: &TrackedQuota, options: &AlertOptions) -> Duration {
    quota.window_at_least().map_or(options.utilization_hold, |window| options.utilization_hold.min(window / 20))
}

fn short_window(quota: &TrackedQuota, options: &AlertOptions) -> Option<Duration> {
    quota.window().filter(|window| *window < options.short_window)
}

/// Whether nothing remains, as far as that is not history.
fn is_spent(quota: &TrackedQuota, now: Timestamp) -> bool {
    let known = history_at(quota).is_none_or(|at| now < at);
    known && quota.remaining(now).is_some_and(|remaining| remaining == Amount::ZERO)
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
