//! Live traffic: a thread for each source, one that owns the engine, and the edges.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::sync::watch;

use super::lane::Batch;
use super::recorder::Recorder;
use super::source_lane::{self, LaneContext};
use super::{Engine, EngineOptions, Sequencer, Sink};
use crate::clock;
use crate::decode::DecodeOptions;
use crate::export::Exporter;
use crate::extract::Extractor;
use crate::model::{Alert, CaptureState, HashKey, InputCounters, Observation, OwnedFrame, Snapshot, Timestamp};
use crate::source::{LiveCapture, Tail};
use crate::track::MinuteReport;

/// Where live traffic comes from.
pub enum LiveSource {
    /// An open interface.
    Interface(LiveCapture),
    /// A file that is read once; `-` is stdin.
    File(PathBuf),
    /// A growing file that is followed, from where it ended when it was opened.
    Tail(Tail),
    /// Frames that somebody else makes.
    Frames(Arc<str>, Receiver<OwnedFrame>),
}

/// How live traffic is judged.
pub struct LiveOptions {
    /// The sources; at least one.
    pub sources: Vec<LiveSource>,
    /// What exchanges mean.
    pub extractor: Arc<Extractor>,
    /// Bounds of decoding.
    pub decode: DecodeOptions,
    /// Under which credentials are hashed.
    pub key: HashKey,
    /// How the engine judges.
    pub engine: EngineOptions,
    /// Where time series go.
    pub recorder: Option<Recorder>,
    /// When it ends by itself.
    pub seconds: Option<u64>,
    /// Whether the state stays to be looked at when all sources have ended.
    pub linger: bool,
    /// Whether an exporter will come by [`Live::export_by`]: nothing is judged before, so that it hears of every alert.
    pub exports: bool,
    /// Set by anybody to end.
    pub stop: Arc<AtomicBool>,
}

/// Live traffic under watch.
pub struct Live {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    engine: JoinHandle<Summary>,
    exporters: Sender<Exporter>,
}

/// What a run came to.
pub struct Summary {
    /// The state at the end.
    pub snapshot: Snapshot,
    /// All alert episodes.
    pub episodes: Vec<Alert>,
    /// Sources that failed, with the reason.
    pub failures: Vec<String>,
    /// What the store said at its end, where it failed.
    pub store_failure: Option<String>,
}

/// What a lane tells the engine.
pub(super) enum Message {
    /// Observations, and how far the lane is.
    Batch(Batch, Option<CaptureState>),
    /// The lane has ended, perhaps by a failure.
    Ended(Option<String>),
}

/// Batches that wait for the engine.
const QUEUE: usize = 1_024;

/// How often time passes while nothing comes in, and how often the state is published.
const TICK: Duration = Duration::from_millis(250);

/// How often the interfaces' counts are judged.
const CAPTURE_CHECK: Duration = Duration::from_secs(5);

/// How long sources are waited for when the end was asked for: one that reads stdin may never hear of it.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// How long the last export may take.
const EXPORT_PATIENCE: Duration = Duration::from_secs(3);

impl Live {
    /// Starts the threads. `sink` hears of each exchange and alert, on the engine's thread.
    ///
    /// # Errors
    /// Where a thread cannot be started.
    pub fn start(options: LiveOptions, sink: Box<dyn Sink + Send>) -> std::io::Result<Self> {
        let stop = options.stop;
        let (publisher, snapshots) = watch::channel(Arc::new(Snapshot::default()));
        let (messages, inbox) = bounded(QUEUE);
        let lanes = options.sources.len();
        let timed = options.sources.iter().any(|source| !matches!(source, LiveSource::File(_)));
        let context = LaneContext {
            extractor: options.extractor,
            decode: options.decode,
            key: options.key,
            stop: Arc::clone(&stop),
            messages,
        };
        for (index, source) in options.sources.into_iter().enumerate() {
            source_lane::start(index, source, &context)?;
        }
        drop(context);
        let (exporters, exporter_inbox) = bounded(1);
        let watcher = Watcher {
            engine: Engine::new(options.engine),
            sequencer: if lanes == 1 { Sequencer::for_one_lane() } else { Sequencer::new(lanes) },
            edges: Edges { sink, recorder: options.recorder, exporter: None },
            exporters: exporter_inbox,
            exports: options.exports,
            inputs: vec![InputCounters::default(); lanes],
            captures: vec![None; lanes],
            failures: Vec::new(),
            publisher,
            timed,
            deadline: options.seconds.map(|seconds| clock::now().after(Duration::from_secs(seconds))),
            stop,
            linger: options.linger,
        };
        let engine = std::thread::Builder::new().name("engine".to_owned()).spawn(move || watcher.run(&inbox))?;
        Ok(Self { snapshots, engine, exporters })
    }

    /// The state, anew four times a second.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Gives the exporter, which needs [`Live::snapshots`] to start.
    pub fn export_by(&self, exporter: Exporter) {
        // The engine waits for it.
        let _ = self.exporters.try_send(exporter);
    }

    /// Waits for the end, and gives what came of it.
    pub fn join(self) -> Summary {
        drop(self.exporters);
        self.engine.join().unwrap_or_else(|_| Summary {
            snapshot: Snapshot::default(),
            episodes: Vec::new(),
            failures: vec!["the engine's thread died; this is a bug, please report the lines above".to_owned()],
            store_failure: None,
        })
    }
}

/// The engine's thread.
struct Watcher {
    engine: Engine,
    sequencer: Sequencer,
    edges: Edges,
    exporters: Receiver<Exporter>,
    exports: bool,
    inputs: Vec<InputCounters>,
    captures: Vec<Option<CaptureState>>,
    failures: Vec<String>,
    publisher: watch::Sender<Arc<Snapshot>>,
    /// Whether time passes by the clock; else it passes by what files say.
    timed: bool,
    deadline: Option<Timestamp>,
    stop: Arc<AtomicBool>,
    linger: bool,
}

/// Where findings go.
struct Edges {
    sink: Box<dyn Sink + Send>,
    recorder: Option<Recorder>,
    exporter: Option<Exporter>,
}

impl Sink for Edges {
    fn observation(&mut self, observation: &Observation) {
        if let Some(exporter) = &self.exporter {
            exporter.handle_retry_after(observation);
        }
        self.sink.observation(observation);
    }

    fn alert(&mut self, alert: &Alert) {
        if let Some(recorder) = &self.recorder {
            recorder.record_alert(alert);
        }
        if let Some(exporter) = &self.exporter {
            exporter.emit(alert);
        }
        self.sink.alert(alert);
    }

    fn minute(&mut self, report: &MinuteReport) {
        self.sink.minute(report);
    }
}

impl Watcher {
    fn run(mut self, inbox: &Receiver<(usize, Message)>) -> Summary {
        if self.exports {
            // Whoever promised an exporter and failed has dropped its end.
            self.edges.exporter = self.exporters.recv().ok();
        }
        let mut published_at = Timestamp::MIN;
        let mut checked_at = clock::now();
        let mut stopping_since = None;
        loop {
            let wall = clock::now();
            if self.stop.load(Ordering::Relaxed) && wall.since(*stopping_since.get_or_insert(wall)) >= STOP_PATIENCE {
                break;
            }
            if self.deadline.is_some_and(|deadline| wall >= deadline) {
                self.stop.store(true, Ordering::Relaxed);
            }
            match inbox.recv_timeout(TICK) {
                Ok((lane, message)) => {
                    self.handle_message(lane, message);
                    // The others that wait are taken together: publishing costs more than judging.
                    for (lane, message) in inbox.try_iter().take(QUEUE) {
                        self.handle_message(lane, message);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if self.linger && !self.stop.load(Ordering::Relaxed) => {
                    std::thread::sleep(TICK);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.judge();
            let wall = clock::now();
            if wall.since(checked_at) >= CAPTURE_CHECK {
                checked_at = wall;
                let captures = self.captures();
                if !captures.is_empty() {
                    self.engine.handle_captures(&captures, wall, &mut self.edges);
                }
            }
            if wall.since(published_at) >= TICK {
                published_at = wall;
                self.publish();
            }
        }
        self.finish()
    }

    fn handle_message(&mut self, lane: usize, message: Message) {
        match message {
            Message::Batch(batch, capture) => {
                for observation in batch.observations {
                    self.sequencer.push(observation, lane);
                }
                self.sequencer.advance(lane, batch.watermark);
                if let Some(counters) = self.inputs.get_mut(lane) {
                    *counters = batch.counters;
                }
                if let (Some(capture), Some(known)) = (capture, self.captures.get_mut(lane)) {
                    *known = Some(capture);
                }
            }
            Message::Ended(failure) => {
                self.sequencer.end(lane);
                self.failures.extend(failure);
            }
        }
    }

    fn judge(&mut self) {
        while let Some((mut made, _)) = self.sequencer.pop() {
            self.engine.handle_observation(&mut made.observation, &mut self.edges);
        }
        let watermark = self.sequencer.watermark();
        let passed = self.engine.now().is_none_or(|now| watermark > now);
        if self.timed && passed && watermark != Timestamp::MAX && watermark != Timestamp::MIN {
            self.engine.handle_timeout(watermark, &mut self.edges);
        }
    }

    fn captures(&self) -> Vec<CaptureState> {
        self.captures.iter().flatten().cloned().collect()
    }

    fn snapshot(&self) -> Snapshot {
        let mut input = InputCounters::default();
        for counters in &self.inputs {
            input.add(counters);
        }
        let mut snapshot = self.engine.snapshot(&input, &self.captures());
        snapshot.export_trouble = self.edges.exporter.as_ref().and_then(Exporter::trouble);
        snapshot.store_trouble = self.edges.recorder.as_ref().and_then(Recorder::trouble);
        snapshot
    }

    fn publish(&self) {
        let snapshot = Arc::new(self.snapshot());
        if let Some(recorder) = &self.edges.recorder {
            recorder.record(&snapshot);
            if let Some(exporter) = &self.edges.exporter {
                exporter.handle_store_size(recorder.size());
            }
        }
        self.publisher.send_replace(snapshot);
    }

    fn finish(mut self) -> Summary {
        self.judge();
        self.publish();
        let snapshot = self.snapshot();
        if let Some(exporter) = self.edges.exporter.take()
            && let Err(error) = exporter.shutdown(EXPORT_PATIENCE)
        {
            tracing::warn!(%error, "the last export failed");
        }
        let store_failure = self.edges.recorder.take().and_then(|recorder| recorder.close().err());
        Summary {
            snapshot,
            episodes: self.engine.episodes(),
            failures: self.failures,
            store_failure: store_failure.map(|error| error.to_string()),
        }
    }
}
