//! What gives a replay its observations: files, decoded on this thread or on others.

use std::sync::Arc;

use super::capture_reader::CaptureReader;
use super::disorder::Disorder;
use super::lane::{Batch, Lane};
use super::observed::Made;
use super::threads::Threads;
use crate::decode::{DecodeOptions, exchange_line};
use crate::extract::Extractor;
use crate::model::{HashKey, InputCounters, Interest};
use crate::source::detect::{CompressionDamage, Input};
use crate::source::{FrameBatch, Lines, SourceError};

/// What a lane is made of.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) extractor: Arc<Extractor>,
    pub(super) decode: DecodeOptions,
    pub(super) key: HashKey,
}

/// The next thing that a stream gives.
pub(super) enum Feed {
    Batch(Batch),
    Failed(SourceError),
    Ended,
}

/// What is read as one stream: all captures together, or one file of lines.
pub(super) enum Stream {
    Captures(Box<Captures>),
    Lines(Box<LineFile>),
    Threads(Box<Threads>),
}

/// Lines that are read before the engine hears of them.
const LINES_AT_A_TIME: usize = 4_096;

impl Stream {
    /// Capture files, read and judged by this thread; where there are so many in all, decoded by the others.
    pub(super) fn of_captures(reader: CaptureReader, threads: usize, context: &Context) -> Self {
        match threads {
            0 | 1 => Self::Captures(Box::new(Captures {
                reader,
                block: FrameBatch::new(),
                disorder: Disorder::up_to(context.decode.reordering),
                lane: context.lane(1),
                ended: false,
            })),
            _ => Self::Threads(Box::new(Threads::start(reader, threads - 1, context))),
        }
    }

    /// A file of lines.
    pub(super) fn of_lines(input: Input, context: &Context) -> Self {
        Self::Lines(Box::new(LineFile {
            source: input.name,
            lines: Lines::new(input.octets),
            damage: input.damage,
            interest: context.extractor.interest(),
            key: context.key.clone(),
            lane: context.lane(1),
            failure: None,
            ended: false,
        }))
    }

    /// Takes back what was judged.
    #[inline(always)]
    pub(super) fn take_back(&mut self, made: Made) {
        match self {
            Self::Captures(captures) => captures.lane.take_back(made),
            Self::Lines(lines) => lines.lane.take_back(made),
            Self::Threads(threads) => threads.take_back(made),
        }
    }

    /// Waits for what comes next.
    pub(super) fn next(&mut self) -> Feed {
        match self {
            Self::Captures(captures) => captures.next(),
            Self::Lines(lines) => lines.next(),
            Self::Threads(threads) => threads.next(),
        }
    }
}

impl Context {
    /// One of so many lanes, with its share of the bounds.
    pub(super) fn lane(&self, of: usize) -> Lane {
        let mut decode = self.decode.clone();
        decode.connections = (decode.connections / of).max(1);
        decode.held_octets_in_all /= of;
        decode.exchanges_behind /= of;
        Lane::new(Arc::clone(&self.extractor), decode, self.key.clone())
    }
}

/// Capture files that are decoded on this thread.
pub(super) struct Captures {
    reader: CaptureReader,
    block: FrameBatch,
    disorder: Disorder,
    lane: Lane,
    ended: bool,
}

impl Captures {
    fn next(&mut self) -> Feed {
        if self.ended {
            return Feed::Ended;
        }
        match self.reader.next_batch(&mut self.block, self.lane.counters_mut()) {
            Ok(Some(source)) => {
                self.lane.handle_frames(&source, &self.block);
                // What has been read so far waits until it is taken: it is early enough to learn this now.
                self.lane.expect_disorder(self.disorder.note(self.lane.ran_back()));
            }
            Ok(None) => {
                self.lane.finish();
                self.ended = true;
            }
            Err(error) => return Feed::Failed(error),
        }
        Feed::Batch(self.lane.take())
    }
}

/// A file of exchange lines.
pub(super) struct LineFile {
    source: Arc<str>,
    lines: Lines,
    damage: CompressionDamage,
    interest: Arc<dyn Interest>,
    key: HashKey,
    lane: Lane,
    /// What ended the reading; told after what was read.
    failure: Option<SourceError>,
    ended: bool,
}

impl LineFile {
    fn next(&mut self) -> Feed {
        if self.ended {
            return Feed::Ended;
        }
        if let Some(error) = self.failure.take() {
            self.ended = true;
            return Feed::Failed(error);
        }
        let mut counters = InputCounters::default();
        while !self.ended && self.failure.is_none() && self.lane.waiting() < LINES_AT_A_TIME {
            match self.lines.next_line(&mut counters) {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => match exchange_line::parse(line, &self.source, &*self.interest, &self.key) {
                    Ok(exchange) => self.lane.handle_exchange(exchange),
                    Err(anomaly) => counters.count(anomaly),
                },
                Ok(None) => self.ended = true,
                Err(reason) => self.failure = Some(SourceError::Read { name: self.source.to_string(), reason }),
            }
        }
        if self.ended {
            self.damage.count(&mut counters);
            self.lane.finish();
        }
        self.lane.counters_mut().add(&counters);
        Feed::Batch(self.lane.take())
    }
}
