//! The whole judgement: observations and time in, alerts and snapshots out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::{AlertOptions, Alerts};
use crate::extract::{BoundOptions, Bounds};
use crate::model::{Alert, Anomaly, CaptureState, InputCounters, Observation, Snapshot, Timestamp};
use crate::track::{MinuteReport, TrackOptions, Tracker, sooner};

/// Owns all state that outlives an exchange. No clock, no thread: time comes with the observations and the ticks.
pub struct Engine {
    bounds: Bounds,
    tracker: Tracker,
    alerts: Alerts,
    now: Option<Timestamp>,
    late: InputCounters,
    episodes: BTreeMap<(Timestamp, Arc<str>), Alert>,
}

/// How the engine judges.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// The bounds on names that come from the network.
    pub bounds: BoundOptions,
    /// How quotas are tracked.
    pub track: TrackOptions,
    /// When alerts fire and clear.
    pub alert: AlertOptions,
}

/// Where the engine's findings go as they come.
pub trait Sink {
    /// An exchange, judged.
    fn observation(&mut self, observation: &Observation);
    /// An alert fired, changed or ended.
    fn alert(&mut self, alert: &Alert);
    /// A minute is over.
    fn minute(&mut self, report: &MinuteReport);
    /// Whether it still listens; a replay ends where nobody does.
    fn wants_more(&self) -> bool {
        true
    }
}

/// Alert episodes that are kept for the summary of a run; the oldest go first. A run with more has no reader for them.
const MOST_EPISODES: usize = 10_000;

/// Observations may be this much older than what was judged before they count as late: sources differ by some of it, and
/// clients write their logs in portions.
const LATE: Duration = Duration::from_secs(5);

/// Deadlines that are met one by one when time jumps; a longer silence is met at its end only. A day of five-second
/// deadlines is 17,280.
const MOST_DEADLINES: usize = 20_000;

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(options: EngineOptions) -> Self {
        Self {
            bounds: Bounds::new(options.bounds),
            tracker: Tracker::new(options.track),
            alerts: Alerts::new(options.alert),
            now: None,
            late: InputCounters::default(),
            episodes: BTreeMap::new(),
        }
    }

    /// Judges an exchange. Observations come in the order of their time; an older one counts, but cannot turn time back.
    #[inline(always)]
    pub fn handle_observation(&mut self, observation: &mut Observation, sink: &mut dyn Sink) {
        match self.now {
            Some(now) if observation.at < now => {
                if now.since(observation.at) > LATE {
                    self.late.count(Anomaly::TimeRanBack);
                }
            }
            // The tracker and the alerts take the time from the observation, where nothing else is due.
            Some(_) if !self.is_due(observation.at) => self.now = Some(observation.at),
            _ => self.handle_timeout(observation.at, sink),
        }
        let names = self.bounds.settle(observation);
        self.tracker.handle_observation(observation, names);
        self.alerts.handle_observation(observation, &self.tracker);
        sink.observation(observation);
        if self.tracker.has_events() || self.alerts.has_changes() {
            self.drain(sink);
        }
    }

    /// Lets time pass until `now`, meeting each deadline on the way.
    pub fn handle_timeout(&mut self, now: Timestamp, sink: &mut dyn Sink) {
        for _ in 0..MOST_DEADLINES {
            match self.poll_timeout() {
                Some(due) if due < now => self.tick(due, sink),
                _ => break,
            }
        }
        self.tick(now, sink);
    }

    /// Looks at the interfaces.
    pub fn handle_captures(&mut self, captures: &[CaptureState], now: Timestamp, sink: &mut dyn Sink) {
        self.alerts.handle_captures(captures, now);
        self.drain(sink);
    }

    /// The latest moment that was judged.
    pub const fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// The state now; `input` is what the decoders counted.
    pub fn snapshot(&self, input: &InputCounters, captures: &[CaptureState]) -> Snapshot {
        let mut snapshot = self.now.map(|now| self.tracker.snapshot(now)).unwrap_or_default();
        snapshot.at = self.now;
        snapshot.input = input.clone();
        snapshot.input.add(&self.late);
        snapshot.captures = captures.to_vec();
        snapshot.alerts = self.alerts.current();
        snapshot
    }

    /// The alert episodes of the whole run, in the order in which they began.
    pub fn episodes(&self) -> Vec<Alert> {
        self.episodes.values().cloned().collect()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        sooner(self.tracker.poll_timeout(), self.alerts.poll_timeout())
    }

    #[inline]
    fn is_due(&self, now: Timestamp) -> bool {
        self.tracker.is_due(now) || self.alerts.is_due(now)
    }

    fn tick(&mut self, now: Timestamp, sink: &mut dyn Sink) {
        self.now = Some(self.now.map_or(now, |known| known.max(now)));
        self.tracker.handle_timeout(now);
        self.alerts.handle_timeout(now, &self.tracker);
        self.drain(sink);
    }

    fn drain(&mut self, sink: &mut dyn Sink) {
        while let Some(report) = self.tracker.poll_minute() {
            sink.minute(&report);
        }
        while let Some(alert) = self.alerts.poll_alert() {
            sink.alert(&alert);
            self.episodes.insert((alert.started_at, Arc::clone(&alert.id)), alert);
            if self.episodes.len() > MOST_EPISODES {
                self.episodes.pop_first();
            }
        }
    }
}
