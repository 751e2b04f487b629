//! The owner of all alerts.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use crate::model::{Alert, CaptureState, Observation, Timestamp};
use crate::track::{Deadlines, QuotaId, Tracker, sooner};

use super::captures::CaptureWatch;
use super::episode::Episode;
use super::error_codes::{CodeKey, CodeWatch};
use super::facts::Moment;
use super::options::AlertOptions;
use super::quota_watch::QuotaWatch;
use super::watches::Watches;

/// Live interfaces under watch; a host has a handful.
const INTERFACES: usize = 64;

/// Raises and clears alerts in event time.
pub struct Alerts {
    options: AlertOptions,
    now: Option<Timestamp>,
    quotas: Watches,
    codes: BTreeMap<CodeKey, CodeWatch>,
    captures: BTreeMap<Arc<str>, CaptureWatch>,
    /// When quotas and codes are looked at: at their deadline, or before it where that has moved on since.
    quota_deadlines: Deadlines<QuotaId>,
    code_deadlines: Deadlines<CodeKey>,
    outbox: Outbox,
    unwatched: u64,
}

/// Changes that wait to be polled, and the last resolved alerts.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    changes: VecDeque<Alert>,
    resolved: VecDeque<Alert>,
    dropped: u64,
    changes_bound: usize,
    resolved_bound: usize,
}

impl Outbox {
    /// Tells a change.
    pub(super) fn push(&mut self, alert: Alert) {
        if self.changes.len() >= self.changes_bound {
            self.changes.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.changes.push_back(alert);
    }

    /// Keeps an alert that is over, and tells it where its firing was told.
    pub(super) fn resolve(&mut self, alert: Alert, told: bool) {
        if self.resolved.len() >= self.resolved_bound {
            self.resolved.pop_back();
        }
        self.resolved.push_front(alert.clone());
        if told {
            self.push(alert);
        }
    }
}

impl Alerts {
    /// Nothing fires yet.
    pub fn new(options: AlertOptions) -> Self {
        let outbox = Outbox {
            changes_bound: options.changes.max(1),
            resolved_bound: options.resolved.max(1),
            ..Outbox::default()
        };
        Self {
            options,
            now: None,
            quotas: Watches::default(),
            codes: BTreeMap::new(),
            captures: BTreeMap::new(),
            quota_deadlines: Deadlines::new(),
            code_deadlines: Deadlines::new(),
            outbox,
            unwatched: 0,
        }
    }

    /// Judges what an observation changed. Called right after the tracker took it.
    pub fn handle_observation(&mut self, observation: &Observation, tracker: &Tracker) {
        let now = self.advance(tracker.now().unwrap_or(observation.at));
        if tracker.is_late() {
            return;
        }
        for id in tracker.retired() {
            if self.quotas.contains(*id) {
                self.judge_quota(*id, tracker, now, None);
            }
        }
        if observation.throttled.is_some() {
            self.judge_code(observation, tracker, now);
        }
        for quota in tracker.touched() {
            let moment = Moment { now, sequence: Some(tracker.sequence()), options: &self.options };
            let Some(watch) = self.quotas.get_mut(quota.id()) else {
                if QuotaWatch::concerns(quota, moment) {
                    self.begin_to_watch(quota.id(), tracker, now);
                }
                continue;
            };
            let is_set = watch.judge(quota, moment, &mut self.outbox);
            if is_set && !watch.waits(quota.id(), moment, &mut self.quota_deadlines) {
                self.forget(quota.id());
            }
        }
    }

    /// Judges the live interfaces.
    pub fn handle_captures(&mut self, captures: &[CaptureState], now: Timestamp) {
        let now = self.advance(now);
        for state in captures.iter().take(INTERFACES) {
            let watch = self
                .captures
                .entry(Arc::clone(&state.interface))
                .or_insert_with(|| CaptureWatch::new(&state.interface, now));
            watch.judge(state, now, &self.options, &mut self.outbox);
        }
    }

    /// Lets time pass: judges everything whose deadline has come, each at its deadline.
    pub fn handle_timeout(&mut self, now: Timestamp, tracker: &Tracker) {
        while let Some(due) = self.poll_timeout().filter(|due| *due <= now) {
            if let Some((at, id)) = self.quota_deadlines.pop_due(due) {
                let Some(watch) = self.quotas.get_mut(id) else { continue };
                watch.looks_at = None;
                if watch.deadline.is_some_and(|deadline| deadline <= at) {
                    let at = self.advance(at);
                    self.judge_quota(id, tracker, at, None);
                } else {
                    self.settle(id, at);
                }
            } else if let Some((at, key)) = self.code_deadlines.pop_due(due) {
                let Some(watch) = self.codes.get_mut(&key) else { continue };
                watch.looks_at = None;
                if watch.deadline.is_some_and(|deadline| deadline <= at) {
                    let at = self.advance(at);
                    self.rejudge_code(&key, at, false);
                } else {
                    watch.waits(&mut self.code_deadlines);
                }
            }
        }
        self.advance(now);
    }

    /// When time alone next changes something.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        sooner(self.quota_deadlines.next(), self.code_deadlines.next())
    }

    /// Whether that has come.
    #[inline]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.quota_deadlines.is_due(now) || self.code_deadlines.is_due(now)
    }

    /// Whether changes wait.
    #[inline]
    pub fn has_changes(&self) -> bool {
        !self.outbox.changes.is_empty()
    }

    /// The next change of an alert.
    pub fn poll_alert(&mut self) -> Option<Alert> {
        self.outbox.changes.pop_front()
    }

    /// What fires, the worst first, then what was resolved last.
    pub fn current(&self) -> Vec<Alert> {
        let mut quotas: Vec<_> = self.quotas.iter().collect();
        quotas.sort_unstable_by_key(|(id, _)| *id);
        let quotas = quotas.into_iter().flat_map(|(_, watch)| watch.firing());
        let codes = self.codes.values().filter_map(CodeWatch::firing);
        let captures = self.captures.values().filter_map(CaptureWatch::firing);
        let mut firing: Vec<&Episode> = quotas.chain(codes).chain(captures).collect();
        firing.sort_by(|a, b| {
            let (a, b) = (a.alert(), b.alert());
            let worse = b.severity.cmp(&a.severity);
            worse.then_with(|| (a.started_at, a.rule, &a.subject).cmp(&(b.started_at, b.rule, &b.subject)))
        });
        firing.into_iter().map(Episode::shown).chain(self.outbox.resolved.iter().cloned()).collect()
    }

    /// Changes that nobody polled in time.
    pub const fn dropped(&self) -> u64 {
        self.outbox.dropped
    }

    /// Judgements left out because too many quotas and codes were under watch.
    pub const fn unwatched(&self) -> u64 {
        self.unwatched
    }

    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        now
    }

    #[cold]
    fn begin_to_watch(&mut self, id: QuotaId, tracker: &Tracker, now: Timestamp) {
        if self.quotas.len() >= self.options.watched {
            self.sweep(tracker, now);
        }
        if self.quotas.len() < self.options.watched {
            self.judge_quota(id, tracker, now, Some(tracker.sequence()));
        } else {
            self.unwatched = self.unwatched.saturating_add(1);
        }
    }

    #[cold]
    fn judge_quota(&mut self, id: QuotaId, tracker: &Tracker, now: Timestamp, sequence: Option<u64>) {
        let watch = self.quotas.get_or_begin(id);
        let Some(quota) = tracker.quota(id) else {
            watch.abandon(now, &mut self.outbox);
            self.forget(id);
            return;
        };
        watch.judge(quota, Moment { now, sequence, options: &self.options }, &mut self.outbox);
        self.settle(id, now);
    }

    /// Makes sure that a quota is looked at in time, or no longer where nothing waits.
    fn settle(&mut self, id: QuotaId, now: Timestamp) {
        let Some(watch) = self.quotas.get_mut(id) else { return };
        let moment = Moment { now, sequence: None, options: &self.options };
        if !watch.waits(id, moment, &mut self.quota_deadlines) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: QuotaId) {
        if let Some(at) = self.quotas.remove(id).and_then(|watch| watch.looks_at) {
            self.quota_deadlines.remove(at, id);
        }
    }

    /// Forgets the quotas that the tracker forgot. It keeps fewer than are watched here, so that this frees many at once.
    fn sweep(&mut self, tracker: &Tracker, now: Timestamp) {
        let mut gone: Vec<QuotaId> =
            self.quotas.iter().map(|(id, _)| id).filter(|id| tracker.quota(*id).is_none()).collect();
        gone.sort_unstable();
        for id in gone {
            self.judge_quota(id, tracker, now, None);
        }
    }

    /// Judges the error code that an exchange was refused with.
    #[cold]
    fn judge_code(&mut self, observation: &Observation, tracker: &Tracker, now: Timestamp) {
        let Some(code) = &observation.error_code else { return };
        let Some(owner) = observation.provider.as_ref().or(observation.host.as_ref()) else { return };
        let key = (Arc::clone(owner), observation.scope.clone(), Arc::clone(code));
        let is_full = self.codes.len() >= self.options.watched;
        let watch = match self.codes.entry(key.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_full => {
                self.unwatched = self.unwatched.saturating_add(1);
                return;
            }
            Entry::Vacant(room) => room.insert(CodeWatch::new(key.clone())),
        };
        watch.note(observation, now, &self.options);
        if watch.firing().is_none() {
            let refusing = tracker.touched().find(|quota| quota.refused(tracker.sequence()));
            watch.quota = refusing.map(|quota| (quota.id(), quota.key().clone()));
        }
        self.rejudge_code(&key, now, true);
    }

    fn rejudge_code(&mut self, key: &CodeKey, now: Timestamp, observed: bool) {
        let Some(watch) = self.codes.get_mut(key) else { return };
        let changed = watch.judge(now, observed, &self.options, &mut self.outbox);
        watch.waits(&mut self.code_deadlines);
        let (fires, quota) = (watch.firing().is_some(), watch.quota.as_ref().map(|(id, _)| *id));
        if watch.is_idle(now, &self.options) {
            if let Some(at) = watch.looks_at {
                self.code_deadlines.remove(at, key.clone());
            }
            self.codes.remove(key);
        }
        // A code that fires speaks for the lesser alerts of the quota that refused with it.
        let Some(id) = quota.filter(|_| changed) else { return };
        let watch = self.quotas.get_or_begin(id);
        watch.codes_firing =
            if fires { watch.codes_firing.saturating_add(1) } else { watch.codes_firing.saturating_sub(1) };
        watch.tell(&mut self.outbox);
        if watch.is_idle(now, &self.options) {
            self.forget(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use crate::model::{Amount, Reading, ThrottleCause};
    use crate::track::TrackOptions;

    use super::*;

    fn observation(at: Timestamp, remaining: f64, refused: bool, reset: i64) -> Observation {
        let hour = at.as_secs().div_euclid(reset).saturating_add(1).saturating_mul(reset);
        let reading = Reading {
            limit: Amount::new(1000.0),
            remaining: Amount::new(if refused { 0.0 } else { remaining }),
            reset_at: (reset > 1).then(|| Timestamp::from_secs(hour)),
            ..Reading::default()
        };
        Observation {
            at,
            host: Some("api.example.com".into()),
            endpoint: Some("GET /a".into()),
            status: if refused { 429 } else { 200 },
            readings: vec![reading],
            throttled: refused.then_some(ThrottleCause::Quota),
            ..Observation::default()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_exchange_like_the_one_before_changes_nothing(
            all in proptest::collection::vec(
                (
                    prop_oneof![4 => 0u64..100, 2 => 100u64..9000, 1 => 0u64..400_000],
                    prop_oneof![0u32..1000, 700u32..1000, 0u32..300, Just(150u32)],
                    prop_oneof![3 => 1usize..4, 1 => 1usize..20],
                    proptest::bool::weighted(0.1),
                ),
                1..120,
            ),
            reset in prop_oneof![Just(3600i64), Just(600), Just(30), Just(1)],
        ) {
            let mut tracker = Tracker::new(TrackOptions::default());
            let mut both = [Alerts::new(AlertOptions::default()), Alerts::new(AlertOptions::default())];
            let mut at = Timestamp::from_secs(1_795_320_000);
            for (gap, remaining, times, refused) in all {
                for time in 0..times {
                    at = at.after(Duration::from_millis(gap));
                    while let Some(due) = sooner(tracker.poll_timeout(), both[0].poll_timeout()).filter(|due| *due <= at) {
                        tracker.handle_timeout(due);
                        for alerts in &mut both {
                            alerts.handle_timeout(due, &tracker);
                        }
                    }
                    let remaining = f64::from(remaining.saturating_sub(u32::try_from(time).unwrap()));
                    tracker.handle_observation(&observation(at, remaining, refused, reset), None);
                    both[1].quotas.values_mut().for_each(QuotaWatch::forget_rest);
                    for alerts in &mut both {
                        alerts.handle_timeout(at, &tracker);
                        alerts.handle_observation(&observation(at, remaining, refused, reset), &tracker);
                    }
                    let [told, plainly] = both.each_mut().map(|alerts| {
                        let changes: Vec<Alert> = std::iter::from_fn(|| alerts.poll_alert()).collect();
                        format!("{changes:?} {:?} {:?}", alerts.current(), alerts.poll_timeout())
                    });
                    prop_assert_eq!(told, plainly);
                }
            }
        }
    }
}
