//! Files, read once: the same judgement as live, in event time.
//!
//! The captures are one stream of frames in the order of their time; each file of lines is a stream of its own. The
//! streams are merged by the time of the responses. Threads may share the work by blocks of frames, or by connection; what
//! comes out is the same for any number of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::capture_reader::CaptureReader;
use super::feed::Stream;
use super::judgement::Judgement;
use super::{Engine, EngineOptions, Sink, turns};
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
    /// Threads in all, at least 1. Two take turns at whole blocks, where captures are all there is; of more, one judges and the
    /// others decode.
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
pub fn replay(options: ReplayOptions, sink: &mut (dyn Sink + Send)) -> Result<Replayed, SourceError> {
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
    let threads = options.threads.max(1);
    let is_all = streams.is_empty();
    let of_captures = usize::from(!captures.is_empty());
    let mut judgement = Judgement::new(streams.len() + of_captures, Engine::new(options.engine), sink);
    if !captures.is_empty() {
        let reader = CaptureReader::new(captures);
        if is_all && threads == 2 {
            turns::replay(reader, &context, &mut judgement);
        } else {
            streams.push(Stream::of_captures(reader, threads, &context));
        }
    }
    while let Some(index) = judgement.next_stream() {
        let Some(stream) = streams.get_mut(index) else { break };
        let feed = stream.next();
        judgement.take(index, feed, |from, made| {
            if let Some(stream) = streams.get_mut(from) {
                stream.take_back(made);
            }
        });
    }
    Ok(judgement.end(counters))
}
