//! Files, read once: the same judgement as live, in event time.
//!
//! The captures are one stream of frames in the order of their time; each file of lines is a stream of its own. The
//! streams are merged by the time of the responses. Decoding may be spread over threads by connection; what comes out is
//! the same for any number of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::capture_reader::CaptureReader;
use super::feed::{Feed, Stream};
use super::{Engine, EngineOptions, Sequencer, Sink};
use crate::decode::DecodeOptions;
use crate::extract::Extractor;
use crate::model::{Alert, HashKey, InputCounters, Snapshot};
use crate::source::detect::{self, Format};
use crate::source::{CaptureFile, SourceError};

/// How files are replayed.
pub struct ReplayOptions {
    /// The files; `-` is stdin.
    pub files: Vec<PathBuf>,
    /// What exchanges mean.
    pub extractor: Arc<Extractor>,
    /// Bounds of decoding, for all threads together.
    pub decode: DecodeOptions,
    /// Under which credentials are hashed.
    pub key: HashKey,
    /// How the engine judges.
    pub engine: EngineOptions,
    /// Threads in all, at least 1: the first one judges, and decodes where it is the only one.
    pub threads: usize,
}

/// What a replay came to.
pub struct Replayed {
    /// The state at the end.
    pub snapshot: Snapshot,
    /// All alert episodes.
    pub episodes: Vec<Alert>,
    /// Files that could not be read to their end, with the reason; what was read before counts.
    pub failures: Vec<SourceError>,
}

/// Replays files; `sink` hears of each exchange and alert as they come.
///
/// # Errors
/// Where a file cannot be opened or is of no known format; then nothing was read.
pub fn replay(options: ReplayOptions, sink: &mut dyn Sink) -> Result<Replayed, SourceError> {
    let mut counters = InputCounters::default();
    let mut captures = Vec::new();
    let mut streams = Vec::new();
    let context = super::feed::Context { extractor: options.extractor, decode: options.decode, key: options.key };
    for path in &options.files {
        let input = detect::open(path)?;
        counters.files = counters.files.saturating_add(1);
        match input.format {
            Format::Pcap | Format::Pcapng => {
                captures.push((CaptureFile::new(Arc::clone(&input.name), input.octets), input.damage));
            }
            Format::ExchangeLines => streams.push(Stream::of_lines(input, &context)),
        }
    }
    if !captures.is_empty() {
        streams.push(Stream::of_captures(CaptureReader::new(captures), options.threads.max(1), &context));
    }
    Ok(judge(streams, Engine::new(options.engine), counters, sink))
}

fn judge(mut streams: Vec<Stream>, mut engine: Engine, files: InputCounters, sink: &mut dyn Sink) -> Replayed {
    let mut sequencer = Sequencer::new(streams.len());
    let mut inputs = vec![InputCounters::default(); streams.len()];
    let mut failures = Vec::new();
    while sink.wants_more() {
        // Only the stream that is furthest behind is read on, so that what waits stays bounded.
        let Some(index) = sequencer.slowest() else { break };
        let (Some(stream), Some(input)) = (streams.get_mut(index), inputs.get_mut(index)) else { break };
        match stream.next() {
            Feed::Batch(batch) => {
                for observation in batch.observations {
                    sequencer.push(observation, index);
                }
                sequencer.advance(index, batch.watermark);
                *input = batch.counters;
            }
            Feed::Failed(error) => failures.push(error),
            Feed::Ended => sequencer.end(index),
        }
        while let Some((mut made, from)) = sequencer.pop() {
            engine.handle_observation(&mut made.observation, sink);
            if let Some(stream) = streams.get_mut(from) {
                stream.take_back(made);
            }
        }
    }
    let mut input = files;
    for counters in &inputs {
        input.add(counters);
    }
    Replayed { snapshot: engine.snapshot(&input, &[]), episodes: engine.episodes(), failures }
}
