//! The threads of live sources: each reads, decodes and extracts, and gives batches to the engine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};

use super::capture_reader::CaptureReader;
use super::feed::{Context, Feed, Stream};
use super::lane::Lane;
use super::live::{LiveSource, Message};
use crate::clock;
use crate::decode::{DecodeOptions, exchange_line};
use crate::extract::Extractor;
use crate::model::{CaptureState, HashKey, InputCounters, OwnedFrame};
use crate::source::detect::{self, Format};
use crate::source::{CaptureFile, FrameBatch, LiveCapture, SourceError, Tail};

/// What the threads share.
pub(super) struct LaneContext {
    pub(super) extractor: Arc<Extractor>,
    pub(super) decode: DecodeOptions,
    pub(super) key: HashKey,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) messages: Sender<(usize, Message)>,
}

/// How often a lane tells what its interface counted, and how far it is where nothing comes.
const SILENCE: Duration = Duration::from_millis(250);

/// What was captured may still be on its way to us for so long: libpcap's read timeout, and some more.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// How long a followed file is left alone when nothing was added to it.
const POLL: Duration = Duration::from_millis(100);

/// Starts the thread of a source.
pub(super) fn start(index: usize, source: LiveSource, context: &LaneContext) -> std::io::Result<()> {
    let link = Link { index, stop: Arc::clone(&context.stop), messages: context.messages.clone(), lost: 0 };
    let decoding =
        Context { extractor: Arc::clone(&context.extractor), decode: context.decode.clone(), key: context.key.clone() };
    let name = match &source {
        LiveSource::Interface(capture) => capture.interface().to_string(),
        LiveSource::File(path) => path.display().to_string(),
        LiveSource::Tail(tail) => tail.path().display().to_string(),
        LiveSource::Frames(name, _) => name.to_string(),
    };
    let thread = std::thread::Builder::new().name(name.chars().take(15).collect());
    thread.spawn(move || {
        let mut link = link;
        let ended = match source {
            LiveSource::Interface(capture) => watch_interface(capture, decoding.lane(1), &mut link),
            LiveSource::File(path) => read_file(&path, &decoding, &mut link),
            LiveSource::Tail(tail) => follow(tail, &decoding, &mut link),
            LiveSource::Frames(name, frames) => {
                take_frames(&name, &frames, decoding.lane(1), &link);
                Ok(())
            }
        };
        link.end(ended.err().map(|error| error.to_string()));
    })?;
    Ok(())
}

/// A lane's way to the engine.
struct Link {
    index: usize,
    stop: Arc<AtomicBool>,
    messages: Sender<(usize, Message)>,
    /// Exchanges that were lost because the engine was behind.
    lost: u64,
}

impl Link {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Gives a batch, or counts it where the engine is behind: capture never waits.
    fn offer(&mut self, lane: &mut Lane, capture: Option<CaptureState>) {
        let batch = lane.take();
        let count = batch.observations.len() as u64;
        let capture = capture.map(|capture| CaptureState { queue_dropped: self.lost, ..capture });
        if let Err(TrySendError::Full(_)) = self.messages.try_send((self.index, Message::Batch(batch, capture))) {
            self.lost = self.lost.saturating_add(count);
        }
    }

    /// Gives a batch and waits until there is room.
    fn give(&self, batch: super::lane::Batch) {
        // The engine is gone only where everything ends.
        let _ = self.messages.send((self.index, Message::Batch(batch, None)));
    }

    fn end(&self, failure: Option<String>) {
        let _ = self.messages.send((self.index, Message::Ended(failure)));
    }
}

fn watch_interface(mut capture: LiveCapture, mut lane: Lane, link: &mut Link) -> Result<(), SourceError> {
    let source = Arc::clone(capture.interface());
    let mut frames = FrameBatch::new();
    let mut state = CaptureState { interface: Arc::clone(&source), ..CaptureState::default() };
    let mut told_at = clock::now();
    let ended = loop {
        let over = link.is_over();
        frames.clear();
        let count = match capture.next_batch(&mut frames) {
            Ok(count) => count,
            Err(error) => break Err(error),
        };
        lane.handle_frames(&source, &frames);
        state.last_frame_at = frames.times().next_back().or(state.last_frame_at);
        let now = clock::now();
        if count == 0 {
            // What the kernel still held when the end was asked for has been read by now.
            if over {
                break Ok(());
            }
            lane.handle_timeout(now.before(ON_ITS_WAY));
        }
        if now.since(told_at) >= SILENCE {
            told_at = now;
            read_statistics(&mut capture, &mut state);
            link.offer(&mut lane, Some(state.clone()));
        } else if lane.waiting() > 0 {
            link.offer(&mut lane, None);
        }
    };
    read_statistics(&mut capture, &mut state);
    if let Err(error) = &ended {
        state.trouble = Some(error.to_string().into());
    }
    lane.finish();
    link.offer(&mut lane, Some(state));
    ended
}

/// Brings the kernel's counts up to date; an interface that is gone keeps its last ones.
fn read_statistics(capture: &mut LiveCapture, state: &mut CaptureState) {
    if let Ok(statistics) = capture.statistics() {
        state.received = statistics.received;
        state.dropped = statistics.dropped;
        state.interface_dropped = statistics.interface_dropped;
    }
}

fn read_file(path: &Path, context: &Context, link: &mut Link) -> Result<(), SourceError> {
    let input = detect::open(path)?;
    let mut stream = match input.format {
        Format::Pcap | Format::Pcapng => {
            let file = CaptureFile::new(Arc::clone(&input.name), input.octets);
            Stream::of_captures(CaptureReader::new(vec![(file, input.damage)]), 1, context)
        }
        Format::ExchangeLines => Stream::of_lines(input, context),
    };
    while !link.is_over() {
        match stream.next() {
            Feed::Batch(mut batch) => {
                batch.counters.files = 1;
                link.give(batch);
            }
            Feed::Ended => break,
            Feed::Failed(error) => return Err(error),
        }
    }
    Ok(())
}

fn follow(mut tail: Tail, context: &Context, link: &mut Link) -> Result<(), SourceError> {
    let source: Arc<str> = tail.path().display().to_string().into();
    let interest = context.extractor.interest();
    let mut lane = context.lane(1);
    lane.counters_mut().files = 1;
    loop {
        // What was written before the end was asked for is still read.
        let over = link.is_over();
        let mut counters = InputCounters::default();
        let mut damaged = InputCounters::default();
        let grew = tail.poll(&mut counters, &mut |line| {
            if line.trim_ascii().is_empty() {
                return;
            }
            match exchange_line::parse(line, &source, &*interest, &context.key) {
                Ok(exchange) => lane.handle_exchange(exchange),
                Err(anomaly) => damaged.count(anomaly),
            }
        })?;
        lane.counters_mut().add(&counters);
        lane.counters_mut().add(&damaged);
        let mut batch = lane.take();
        // A line is written after its exchange, and the clock goes on where nothing is written.
        batch.watermark = clock::now().before(ON_ITS_WAY);
        link.give(batch);
        if over && !grew {
            break;
        }
        if !grew {
            std::thread::sleep(POLL);
        }
    }
    Ok(())
}

fn take_frames(source: &Arc<str>, frames: &Receiver<OwnedFrame>, mut lane: Lane, link: &Link) {
    while !link.is_over() {
        match frames.recv_timeout(POLL) {
            Ok(frame) => {
                lane.handle_frame(source, &frame.as_frame());
                for frame in frames.try_iter() {
                    lane.handle_frame(source, &frame.as_frame());
                }
            }
            Err(RecvTimeoutError::Timeout) => lane.handle_timeout(clock::now().before(ON_ITS_WAY)),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        link.give(lane.take());
    }
    lane.finish();
    link.give(lane.take());
}
