//! One throttling error code that comes too often.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Observation, QuotaKey, Rule, Scope, Subject, Timestamp};
use crate::track::{Deadlines, QuotaId};

use super::alerts::Outbox;
use super::episode::{About, Episode, Judged};
use super::machine::{Change, Level, Machine, Terms, Verdict};
use super::options::AlertOptions;
use super::summary::{self, Summary};

/// The span that codes are counted over.
const MINUTE: Duration = Duration::from_mins(1);

/// Provider or host, scope, code.
pub(super) type CodeKey = (Arc<str>, Option<Scope>, Arc<str>);

/// The rule on one code.
#[derive(Debug, Clone)]
pub(super) struct CodeWatch {
    key: CodeKey,
    provider: Option<Arc<str>>,
    host: Option<Arc<str>>,
    /// When it came, the last times only: one more than it takes to fire.
    times: VecDeque<Timestamp>,
    machine: Machine,
    episode: Option<Box<Episode>>,
    /// The quota that last refused with it.
    pub(super) quota: Option<(QuotaId, QuotaKey)>,
    /// When it is to be judged next.
    pub(super) deadline: Option<Timestamp>,
    /// When it is looked at next: no later.
    pub(super) looks_at: Option<Timestamp>,
}

impl CodeWatch {
    pub(super) fn new(key: CodeKey) -> Self {
        Self {
            key,
            provider: None,
            host: None,
            times: VecDeque::new(),
            machine: Machine::default(),
            episode: None,
            quota: None,
            deadline: None,
            looks_at: None,
        }
    }

    /// Notes that it came.
    pub(super) fn note(&mut self, observation: &Observation, now: Timestamp, options: &AlertOptions) {
        self.provider.clone_from(&observation.provider);
        self.host.clone_from(&observation.host);
        self.times.push_back(now);
        while self.times.len() > usize::try_from(options.error_codes).unwrap_or(usize::MAX).saturating_add(1) {
            self.times.pop_front();
        }
    }

    /// Judges it; whether it began or ceased to fire.
    pub(super) fn judge(
        &mut self,
        now: Timestamp,
        observed: bool,
        options: &AlertOptions,
        outbox: &mut Outbox,
    ) -> bool {
        let count = self.count(now);
        let level = match count {
            count if count > options.error_codes => Level::Fires,
            count if count <= options.error_codes_clear => Level::Clears,
            _ => Level::Between,
        };
        let verdict = Verdict { level, observed, over: None };
        let terms = || Terms::at_once(options.error_codes_hold);
        let change = self.machine.step(now, verdict, options, terms);
        match change {
            Some(Change::Fired(fired)) => {
                let (owner, scope, code) = &self.key;
                let judged = Judged {
                    value: f64::from(count),
                    threshold: f64::from(options.error_codes),
                    summary: Summary::Words(summary::error_code(owner, scope.as_ref(), code, count)),
                };
                let quota = self.quota.as_ref().map(|(_, key)| key.clone());
                let about = About { rule: Rule::ErrorCode, subject: self.subject(), quota };
                let mut episode = Episode::begin(about, judged, fired, now);
                if let Some(alert) = episode.tell(false) {
                    outbox.push(alert);
                }
                self.episode = Some(Box::new(episode));
            }
            Some(Change::Resolved(reason)) => {
                if let Some(episode) = self.episode.take() {
                    let (alert, told) = episode.end(reason, now);
                    outbox.resolve(alert, told);
                }
            }
            None => {}
        }
        // What time alone changes: codes leave the minute, calm lasts, the whole is forgotten.
        let leaves = self.times.iter().map(|at| at.after(MINUTE)).find(|at| *at > now);
        let held = self.machine.deadline(now, options, terms).filter(|at| *at > now);
        self.deadline = leaves.into_iter().chain(held).min();
        change.is_some()
    }

    /// Sees to it that it is looked at in time.
    pub(super) fn waits(&mut self, deadlines: &mut Deadlines<CodeKey>) {
        // A deadline moves on with almost every refusal: it is put off when it would have been due.
        let earlier = self.deadline.filter(|at| self.looks_at.is_none_or(|known| *at < known));
        if let Some(at) = earlier {
            if let Some(before) = self.looks_at.replace(at) {
                deadlines.remove(before, self.key.clone());
            }
            deadlines.insert(at, self.key.clone());
        }
    }

    pub(super) fn firing(&self) -> Option<&Episode> {
        self.episode.as_deref()
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_idle(&self, now: Timestamp, options: &AlertOptions) -> bool {
        self.machine.is_idle(now, options) && self.count(now) == 0
    }

    /// How often it came within the last minute, up to one more than it takes to fire.
    fn count(&self, now: Timestamp) -> u32 {
        let count = self.times.iter().rev().take_while(|at| at.after(MINUTE) > now).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn subject(&self) -> Subject {
        let (_, scope, code) = &self.key;
        Subject {
            provider: self.provider.clone(),
            host: self.host.clone(),
            policy: None,
            scope: scope.clone(),
            dimension: None,
            error_code: Some(Arc::clone(code)),
            interface: None,
        }
    }
}
