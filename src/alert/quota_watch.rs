//! The rules on one quota over time: what fires, what waits, when it is looked at next.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Rule, Severity, Subject, Timestamp};
use crate::track::{Deadlines, QuotaId, TrackedQuota, sooner};

use super::alerts::Outbox;
use super::episode::{About, Episode};
use super::facts::{Facts, Moment};
use super::gauge::Gauge;
use super::machine::{Change, Level, Machine, Terms, Verdict};
use super::options::AlertOptions;
use super::outlook::Outlook;
use super::quota_rules::{GAUGES, RULES, Remembered, held, next_tick, over, terms};
use super::rest::Rest;
use super::rule_set::RuleSet;

/// The rules on one quota.
#[derive(Debug, Clone, Default)]
pub(super) struct QuotaWatch {
    slots: [Slot; RULES.len()],
    /// The rules whose machines are not as they were made: the others wait for nothing but to fire.
    active: RuleSet,
    remembered: Remembered,
    /// What would leave everything as it is.
    rest: Option<Rest>,
    /// When it is to be judged next.
    pub(super) deadline: Option<Timestamp>,
    /// When it is looked at next: no later.
    pub(super) looks_at: Option<Timestamp>,
    /// Firing alerts on error codes that this quota's refusals carried.
    pub(super) codes_firing: u32,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    pub(super) machine: Machine,
    pub(super) episode: Option<Box<Episode>>,
}

impl QuotaWatch {
    /// Whether a quota that is not under watch has something to say: never a wrong no.
    pub(super) fn concerns(quota: &TrackedQuota, moment: Moment<'_>) -> bool {
        let facts = Facts::of(quota, moment);
        if facts.are_calm() {
            return false;
        }
        let mut remembered = Remembered::default();
        remembered.note(&facts);
        let mut may_fire = remembered.may_fire(&facts).into_iter();
        may_fire.any(|index| remembered.level(RULES[index], &facts) == Level::Fires)
            || remembered.has_full_windows(&facts)
    }

    /// Judges a quota, and sets the next deadline; gives whether that may be another one than before. Most exchanges are like the
    /// one before, and change little.
    #[inline(always)]
    pub(super) fn judge(&mut self, quota: &TrackedQuota, moment: Moment<'_>, outbox: &mut Outbox) -> bool {
        let rest = self.rest.as_ref().filter(|rest| rest.covers(quota, moment));
        let covered = rest.zip(quota.latest_numbers().utilization);
        if let Some((rest, ratio)) = covered
            && rest.is_steady(ratio)
        {
            if !rest.moves() {
                return false;
            }
            self.deadline = rest.next(moment.now, moment.options);
        } else if !covered.map(|(_, ratio)| ratio).is_some_and(|ratio| self.sways(ratio, moment)) {
            self.judge_all(&Facts::of(quota, moment), outbox);
        }
        true
    }

    /// Lets the gauges take a utilization, unless that begins or ends an alert, or makes it worse; whether they did.
    #[inline(always)]
    fn sways(&mut self, ratio: f64, Moment { now, options, .. }: Moment<'_>) -> bool {
        let Some(rest) = &mut self.rest else { return false };
        let mut gauges = gauges(&mut self.slots, rest.hold, options);
        // One that fires at once may be judged again by the same exchange: it takes that as it did.
        if !gauges.iter_mut().all(|gauge| gauge.sways(ratio, now)) {
            return false;
        }
        rest.await_gauges(&gauges, now, options);
        self.deadline = rest.next(now, options);
        for (place, gauge) in GAUGES.zip(&gauges) {
            self.active.set(place, !gauge.slot.machine.is_blank());
        }
        true
    }

    /// Judges every rule that is active or may fire.
    #[cold]
    fn judge_all(&mut self, facts: &Facts<'_>, outbox: &mut Outbox) {
        let Facts { now, options, .. } = *facts;
        self.remembered.note(facts);
        let mut levels = [Level::Clears; RULES.len()];
        let (mut rests, mut changed) = (true, false);
        for index in self.active.with(self.remembered.may_fire(facts)) {
            let (rule, slot) = (RULES[index], &mut self.slots[index]);
            let level = self.remembered.level(rule, facts);
            levels[index] = level;
            if !slot.stays(rule, level, facts) {
                changed |= slot.step(rule, level, &self.remembered, facts, outbox);
                self.active.set(index, !slot.machine.is_blank());
            } else if level == Level::Fires {
                slot.worsen(rule, &self.remembered, facts);
            }
            let at_rest = self.remembered.level_at_rest(rule, level, now);
            rests &= if GAUGES.contains(&index) { slot.machine.may_sway() } else { slot.stays(rule, at_rest, facts) };
        }
        let [others, of_gauges] = self.look_ahead(levels, facts);
        let is_short = self.remembered.has_full_windows(facts);
        let short = is_short.then(|| now.after(options.flapping_span));
        let next = others.with(of_gauges).next(now, facts.becomes_history_at(), || next_tick(facts), options);
        self.deadline = sooner(next, short).filter(|at| *at > now);
        self.rest = if rests && !is_short { Rest::of(facts, &self.slots[0].machine, others) } else { None };
        if let Some(rest) = &mut self.rest {
            rest.await_gauges(&gauges(&mut self.slots, rest.hold, options), now, options);
        }
        if changed {
            self.tell(outbox);
        }
    }

    /// When time alone changes something: of the gauges last.
    fn look_ahead(&self, levels: [Level; RULES.len()], facts: &Facts<'_>) -> [Outlook; 2] {
        let Facts { now, options, .. } = *facts;
        let (mut others, mut gauges) = (Outlook::default(), Outlook::default());
        for index in self.active {
            let (rule, machine) = (RULES[index], &self.slots[index].machine);
            let outlook = if GAUGES.contains(&index) { &mut gauges } else { &mut others };
            if machine.is_firing() {
                self.remembered.look_ahead(rule, levels[index], facts, outlook);
            }
            outlook.of_machine(machine, now, options, || terms(rule, facts));
        }
        [others, gauges]
    }

    /// Sees to it that it is looked at in time; not where nothing waits any more, so that it may be forgotten.
    #[inline]
    pub(super) fn waits(&mut self, id: QuotaId, moment: Moment<'_>, deadlines: &mut Deadlines<QuotaId>) -> bool {
        // A deadline moves on with almost every exchange: it is put off when it would have been due.
        let earlier = self.deadline.filter(|at| self.looks_at.is_none_or(|known| *at < known));
        if let Some(at) = earlier {
            self.look_earlier(at, id, deadlines);
        }
        self.deadline.is_some() || !self.is_idle(moment.now, moment.options)
    }

    #[cold]
    fn look_earlier(&mut self, at: Timestamp, id: QuotaId, deadlines: &mut Deadlines<QuotaId>) {
        if let Some(before) = self.looks_at.replace(at) {
            deadlines.remove(before, id);
        }
        deadlines.insert(at, id);
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
            .map(Episode::alert)
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

    /// Judges the next exchange as if none before it had been like it.
    #[cfg(test)]
    pub(super) fn forget_rest(&mut self) {
        self.rest = None;
    }

    /// What fires.
    pub(super) fn firing(&self) -> impl Iterator<Item = &Episode> {
        self.slots.iter().filter_map(|slot| slot.episode.as_deref())
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_idle(&self, now: Timestamp, options: &AlertOptions) -> bool {
        self.codes_firing == 0
            && self.deadline.is_none()
            && self.slots.iter().all(|slot| slot.machine.is_idle(now, options))
    }
}

impl Slot {
    /// Whether a judgement leaves the machine as it is.
    #[inline]
    fn stays(&self, rule: Rule, level: Level, facts: &Facts<'_>) -> bool {
        // Each change is an episode of its own.
        let is_over = || rule == Rule::QuotaChanged || over(rule, level, facts).is_some();
        self.machine.stays(facts.now, level, is_over)
    }

    /// Takes a judgement that does not leave the machine as it is; whether it began or ceased to fire.
    fn step(
        &mut self,
        rule: Rule,
        level: Level,
        remembered: &Remembered,
        facts: &Facts<'_>,
        outbox: &mut Outbox,
    ) -> bool {
        let Facts { now, options, .. } = *facts;
        let terms = || terms(rule, facts);
        let verdict = Verdict { level, observed: facts.is_observed(), over: over(rule, level, facts) };
        if rule == Rule::QuotaChanged && level == Level::Fires && self.machine.is_firing() {
            let over = Verdict { level: Level::Clears, over: Some("superseded"), ..verdict };
            if let Some(change) = self.machine.step(now, over, options, terms) {
                self.turn(rule, change, remembered, facts, outbox);
            }
        }
        if let Some(change) = self.machine.step(now, verdict, options, terms) {
            self.turn(rule, change, remembered, facts, outbox);
            return true;
        }
        if level == Level::Fires {
            self.worsen(rule, remembered, facts);
        }
        false
    }

    /// Begins an episode, or ends it.
    #[cold]
    fn turn(&mut self, rule: Rule, change: Change, remembered: &Remembered, facts: &Facts<'_>, outbox: &mut Outbox) {
        match change {
            Change::Fired(fired) => {
                let judged = remembered.judged(rule, facts);
                let quota = facts.quota;
                let about = About { rule, subject: subject(quota), quota: Some(quota.key().clone()) };
                self.episode = Some(Box::new(Episode::begin(about, judged, fired, facts.now)));
            }
            Change::Resolved(reason) => {
                if let Some(episode) = self.episode.take() {
                    let (alert, told) = episode.end(reason, facts.now);
                    outbox.resolve(alert, told);
                }
            }
        }
    }

    /// An alert shows the worst of its episode; of forecasts and changes, what first fired it.
    #[inline]
    fn worsen(&mut self, rule: Rule, remembered: &Remembered, facts: &Facts<'_>) {
        let grows = !matches!(rule, Rule::Exhaustion | Rule::QuotaChanged);
        if let Some(episode) = self.episode.as_mut().filter(|_| grows)
            && remembered.measure(rule, facts).0 > episode.alert().value
        {
            episode.worsen(remembered.judged(rule, facts));
        }
    }
}

/// The rules that watch how much of the quota is used, where its windows are not short.
#[inline]
fn gauges<'a>(slots: &'a mut [Slot; RULES.len()], hold: Duration, options: &AlertOptions) -> [Gauge<'a>; 2] {
    let [_, _, high, used, ..] = slots;
    let (at_once, held) = (Terms::at_once(options.clear_hold), held(hold, options));
    [
        Gauge { slot: high, fires: options.high, clears: options.high_clear, terms: at_once },
        Gauge { slot: used, fires: options.utilization, clears: options.utilization_clear, terms: held },
    ]
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
