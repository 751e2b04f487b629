//! The rules that judge one quota.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Alert, Amount, Rule, Severity, Subject, Timestamp};
use crate::track::{QuotaChange, TrackedQuota};

use super::alerts::Outbox;
use super::episode::{About, Episode, Judged};
use super::machine::{Change, Level, Machine, Verdict};
use super::options::AlertOptions;
use super::short_windows::ShortWindows;
use super::summary;

/// In the order in which changes at one moment are told: what is worse first.
const RULES: [Rule; 6] = [
    Rule::ThrottledRatio,
    Rule::LimitHit,
    Rule::UtilizationHigh,
    Rule::Utilization,
    Rule::Exhaustion,
    Rule::QuotaChanged,
];
/// How often a state is judged that time alone changes by no known moment …
const TICK: Duration = Duration::from_secs(5);
/// … or how often within a window that is longer: a day of silence must not cost a replay thousands of judgements.
const TICKS: u32 = 1000;
/// Looks at a silent quota before they become rarer.
const FINE_LOOKS: u128 = 64;
/// What is known of a quota whose window nobody states is history after a day: longer windows state their reset.
const UNSTATED: Duration = Duration::from_hours(24);

/// The rules on one quota.
#[derive(Debug, Clone, Default)]
pub(super) struct QuotaWatch {
    slots: [Slot; RULES.len()],
    /// Until when the last hit of the limit keeps its alert firing.
    hit_until: Option<Timestamp>,
    /// When the provider last changed how it counts.
    changed_at: Option<Timestamp>,
    short: ShortWindows,
    /// When it is to be judged next.
    pub(super) deadline: Option<Timestamp>,
    /// When it is looked at next: no later.
    pub(super) looks_at: Option<Timestamp>,
    /// Firing alerts on error codes that this quota's refusals carried.
    pub(super) codes_firing: u32,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    machine: Machine,
    episode: Option<Box<Episode>>,
}

/// A moment of judgement.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) now: Timestamp,
    /// The number of the observation that is judged; absent where only time passed.
    pub(super) sequence: Option<u64>,
    pub(super) options: &'a AlertOptions,
}

struct Judgement {
    verdict: Verdict,
    value: f64,
    threshold: f64,
    /// When time alone changes the verdict; asked for only while the rule fires.
    next: Next,
}

/// When time alone changes a verdict.
#[derive(Clone, Copy)]
enum Next {
    /// Then, if ever.
    At(Option<Timestamp>),
    /// When the numbers are history, or bit by bit where the agent counts.
    WithTheNumbers,
}

/// A quota at the moment of judgement: what several rules ask for.
#[derive(Clone, Copy)]
struct Facts {
    utilization: Option<f64>,
    /// When what is known of it is history; absent for one that the agent counts itself.
    history_at: Option<Timestamp>,
    /// Whether nothing remains, as far as that is not history.
    spent: bool,
    /// Whether it refused the exchange that is judged.
    refused: bool,
}

impl Facts {
    fn of(quota: &TrackedQuota, moment: Moment<'_>) -> Self {
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

impl QuotaWatch {
    /// Whether a quota that is not under watch may have something to say: cheap, and never a wrong no.
    pub(super) fn concerns(quota: &TrackedQuota, moment: Moment<'_>) -> bool {
        let options = moment.options;
        let least = options.exhaustion_utilization.min(options.utilization);
        let sequence = moment.sequence.unwrap_or(0);
        quota.refused(sequence)
            || quota.change(sequence).is_some()
            || quota.recent_at_most().throttled >= options.throttled_refusals
            || quota.utilization(moment.now).is_some_and(|ratio| ratio >= least)
            || quota.remaining(moment.now).is_some_and(|remaining| remaining == Amount::ZERO)
    }

    /// Judges every rule, and sets the next deadline.
    pub(super) fn judge(&mut self, quota: &TrackedQuota, moment: Moment<'_>, outbox: &mut Outbox) {
        let now = moment.now;
        let facts = Facts::of(quota, moment);
        self.note(quota, moment, facts);
        let mut deadline: Option<Timestamp> = None;
        let (mut changed, mut waits) = (false, false);
        for (index, rule) in RULES.into_iter().enumerate() {
            let judgement = self.judgement(rule, quota, moment, facts);
            let slot = &mut self.slots[index];
            if judgement.verdict.level != Level::Fires && slot.machine.is_blank() {
                continue;
            }
            if rule == Rule::QuotaChanged && judgement.verdict.level == Level::Fires && slot.machine.is_firing() {
                // Each change is an episode of its own.
                let over = Verdict { level: Level::Clears, over: Some("superseded"), ..judgement.verdict };
                let change = slot.machine.step(now, &over, moment.options);
                slot.apply(rule, change, &judgement, quota, moment, outbox);
            }
            let change = slot.machine.step(now, &judgement.verdict, moment.options);
            changed |= change.is_some();
            slot.apply(rule, change, &judgement, quota, moment, outbox);
            let of_rule = if slot.machine.is_firing() { judgement.next.of(quota, facts, now) } else { None };
            let of_machine = slot.machine.deadline(now, &judgement.verdict, moment.options);
            waits |= !slot.machine.is_idle(now, moment.options);
            for next in [of_rule, of_machine].into_iter().flatten() {
                let next = if next > now {
                    next
                } else {
                    facts.history_at.filter(|at| *at > now).unwrap_or_else(|| next_tick(quota, now))
                };
                deadline = Some(deadline.map_or(next, |earliest| earliest.min(next)));
            }
        }
        // Whatever waits for another sight is looked at again when that can no longer come.
        let again = now.after(moment.options.flapping_span);
        let short = self.short.share(now, quota.window().unwrap_or(TICK), 64) > 0.0;
        let forgets = waits.then(|| facts.history_at.filter(|at| *at > now).unwrap_or(again));
        deadline = deadline.into_iter().chain(forgets).chain(short.then_some(again)).min();
        // At the end of time nothing is later.
        self.deadline = deadline.filter(|at| *at > now);
        if changed {
            self.tell(outbox);
        }
    }

    /// Ends everything: the quota is no longer known.
    pub(super) fn abandon(&mut self, now: Timestamp, outbox: &mut Outbox) {
        for slot in &mut self.slots {
            if let Some(episode) = slot.episode.take() {
                let (alert, told) = episode.end("window_expired", now);
                outbox.resolve(alert, told);
            }
        }
    }

    /// Tells what fires and is not spoken for by something worse.
    pub(super) fn tell(&mut self, outbox: &mut Outbox) {
        let elsewhere = (self.codes_firing > 0).then_some(Severity::Critical);
        let worst = self
            .firing()
            .filter(|alert| alert.rule != Rule::QuotaChanged)
            .map(|alert| alert.severity)
            .max()
            .max(elsewhere);
        for episode in self.slots.iter_mut().filter_map(|slot| slot.episode.as_mut()) {
            let alert = episode.alert();
            let muted = alert.rule != Rule::QuotaChanged && worst.is_some_and(|worst| worst > alert.severity);
            if let Some(alert) = episode.tell(muted) {
                outbox.push(alert);
            }
        }
    }

    /// What fires.
    pub(super) fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.slots.iter().filter_map(|slot| slot.episode.as_ref()).map(|episode| episode.alert())
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_idle(&self, now: Timestamp, options: &AlertOptions) -> bool {
        self.codes_firing == 0
            && self.deadline.is_none()
            && self.slots.iter().all(|slot| slot.machine.is_idle(now, options))
    }

    /// Notes what an observation showed.
    fn note(&mut self, quota: &TrackedQuota, moment: Moment<'_>, facts: Facts) {
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

    fn judgement(&mut self, rule: Rule, quota: &TrackedQuota, moment: Moment<'_>, facts: Facts) -> Judgement {
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

impl Slot {
    fn apply(
        &mut self,
        rule: Rule,
        change: Option<Change>,
        judgement: &Judgement,
        quota: &TrackedQuota,
        moment: Moment<'_>,
        outbox: &mut Outbox,
    ) {
        let now = moment.now;
        match change {
            Some(Change::Fired(fired)) => {
                let judged = judgement.judged(rule, quota, moment);
                let about = About { rule, subject: subject(quota), quota: Some(quota.key().clone()) };
                self.episode = Some(Box::new(Episode::begin(about, judged, fired, now)));
            }
            Some(Change::Resolved(reason)) => {
                if let Some(episode) = self.episode.take() {
                    let (alert, told) = episode.end(reason, now);
                    outbox.resolve(alert, told);
                }
            }
            None => {
                // An alert shows the worst of its episode; of forecasts and changes, what first fired it.
                let grows = !matches!(rule, Rule::Exhaustion | Rule::QuotaChanged);
                if let Some(episode) =
                    self.episode.as_mut().filter(|_| grows && judgement.verdict.level == Level::Fires)
                    && judgement.value > episode.alert().value
                {
                    episode.worsen(judgement.judged(rule, quota, moment));
                }
            }
        }
    }
}

impl Judgement {
    fn judged(&self, rule: Rule, quota: &TrackedQuota, moment: Moment<'_>) -> Judged {
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
    fn of(self, quota: &TrackedQuota, facts: Facts, now: Timestamp) -> Option<Timestamp> {
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
fn next_tick(quota: &TrackedQuota, now: Timestamp) -> Timestamp {
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

fn subject(quota: &TrackedQuota) -> Subject {
    let key = quota.key();
    let name = quota.policy().unwrap_or_else(|| quota.endpoint());
    let present = |text: &Arc<str>| (!text.is_empty()).then(|| Arc::clone(text));
    Subject {
        provider: quota.provider().cloned(),
        host: present(quota.host()),
        policy: present(name),
        scope: key.scope.clone(),
        dimension: Some(key.dimension.clone()),
        error_code: None,
        interface: None,
    }
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
