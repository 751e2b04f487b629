//! The agent went blind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{CaptureState, Rule, Subject, Timestamp};

use super::alerts::Outbox;
use super::episode::{About, Episode, Judged};
use super::machine::{Change, Level, Machine, Terms, Verdict};
use super::options::AlertOptions;
use super::summary::{self, Summary};

/// The span that losses are judged over.
const SPAN: Duration = Duration::from_mins(1);
/// Samples kept of it: one a second.
const SAMPLES: usize = 60;

/// The rule on one live interface.
#[derive(Debug, Clone)]
pub(super) struct CaptureWatch {
    interface: Arc<str>,
    watched_since: Timestamp,
    samples: VecDeque<Sample>,
    machine: Machine,
    episode: Option<Box<Episode>>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    received: u64,
    lost: u64,
}

impl CaptureWatch {
    pub(super) fn new(interface: &Arc<str>, now: Timestamp) -> Self {
        Self {
            interface: Arc::clone(interface),
            watched_since: now,
            samples: VecDeque::new(),
            machine: Machine::default(),
            episode: None,
        }
    }

    pub(super) fn judge(&mut self, state: &CaptureState, now: Timestamp, options: &AlertOptions, outbox: &mut Outbox) {
        let lost = state.dropped.saturating_add(state.interface_dropped).saturating_add(state.queue_dropped);
        let loss = self.loss(Sample { at: now, received: state.received, lost }, options);
        let silence = now.since(state.last_frame_at.unwrap_or(self.watched_since).max(self.watched_since));
        let silent = silence >= options.capture_silence;
        let lossy = loss > options.capture_loss;
        let trouble = state.trouble.as_ref();
        let level = if trouble.is_some() || silent || lossy { Level::Fires } else { Level::Clears };
        let verdict = Verdict { level, observed: true, over: None };
        match self.machine.step(now, verdict, options, || Terms::at_once(Duration::ZERO)) {
            Some(Change::Fired(fired)) => {
                let (value, threshold, summary) = if let Some(trouble) = trouble {
                    (
                        silence.as_secs_f64(),
                        options.capture_silence.as_secs_f64(),
                        summary::ended(&self.interface, trouble),
                    )
                } else if silent {
                    (
                        silence.as_secs_f64(),
                        options.capture_silence.as_secs_f64(),
                        summary::silent(&self.interface, silence),
                    )
                } else {
                    (loss, options.capture_loss, summary::lossy(&self.interface, loss))
                };
                let subject = Subject { interface: Some(Arc::clone(&self.interface)), ..Subject::default() };
                let judged = Judged { value, threshold, summary: Summary::Words(summary) };
                let about = About { rule: Rule::CaptureStalled, subject, quota: None };
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
    }

    pub(super) fn firing(&self) -> Option<&Episode> {
        self.episode.as_deref()
    }

    /// The share of packets lost over the last minute; 0 where there were too few to judge by.
    #[expect(clippy::cast_precision_loss, reason = "packets of a minute stay far below 2^53")]
    fn loss(&mut self, sample: Sample, options: &AlertOptions) -> f64 {
        while self.samples.len() > 1 && self.samples.get(1).is_some_and(|second| second.at <= sample.at.before(SPAN)) {
            self.samples.pop_front();
        }
        if self.samples.back().is_none_or(|last| sample.at.since(last.at) >= SPAN / 60) {
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
            self.samples.push_back(sample);
        }
        let Some(first) = self.samples.front() else { return 0.0 };
        let lost = sample.lost.saturating_sub(first.lost);
        let all = sample.received.saturating_sub(first.received).saturating_add(lost);
        if all < options.capture_packets { 0.0 } else { lost as f64 / all as f64 }
    }
}
