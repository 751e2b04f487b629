//! The rules on one quota over time: what fires, what waits, when it is looked at next.

use std::sync::Arc;

use crate::model::{Alert, Amount, Rule, Severity, Subject, Timestamp};
use crate::track::TrackedQuota;

use super::alerts::Outbox;
use super::episode::{About, Episode};
use super::machine::{Change, Level, Machine, Verdict};
use super::options::AlertOptions;
use super::quota_rules::{self, Facts, Judgement, Moment, Remembered};

/// In the order in which changes at one moment are told: what is worse first.
const RULES: [Rule; 6] = [
    Rule::ThrottledRatio,
    Rule::LimitHit,
    Rule::UtilizationHigh,
    Rule::Utilization,
    Rule::Exhaustion,
    Rule::QuotaChanged,
];
/// The rules on one quota.
#[derive(Debug, Clone, Default)]
pub(super) struct QuotaWatch {
    slots: [Slot; RULES.len()],
    remembered: Remembered,
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
        self.remembered.note(quota, moment, facts);
        let mut deadline: Option<Timestamp> = None;
        let (mut changed, mut waits) = (false, false);
        for (index, rule) in RULES.into_iter().enumerate() {
            let judgement = self.remembered.judgement(rule, quota, moment, facts);
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
                    facts.history_at.filter(|at| *at > now).unwrap_or_else(|| quota_rules::next_tick(quota, now))
                };
                deadline = Some(deadline.map_or(next, |earliest| earliest.min(next)));
            }
        }
        // Whatever waits for another sight is looked at again when that can no longer come.
        let again = now.after(moment.options.flapping_span);
        let short = self.remembered.has_full_windows(quota, now);
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
