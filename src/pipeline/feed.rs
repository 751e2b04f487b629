//! What gives a replay its observations: lanes, on this thread or on others.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::capture_reader::CaptureReader;
use super::lane::{Batch, Lane};
use crate::decode::{DecodeOptions, Sharder, exchange_line};
use crate::extract::Extractor;
use crate::model::{HashKey, InputCounters, Interest, OwnedFrame};
use crate::source::detect::{CompressionDamage, Input};
use crate::source::{FrameBatch, Lines, SourceError};

/// What a lane is made of.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) extractor: Arc<Extractor>,
    pub(super) decode: DecodeOptions,
    pub(super) key: HashKey,
}

/// The next thing that a group of lanes gives; lanes are counted within their group.
pub(super) enum Feed {
    Batch(usize, Batch),
    Ended(usize),
    Failed(SourceError),
}

/// Lanes that are fed by one reader, so that none can be read on without the others.
pub(super) enum Group {
    Captures(Box<Captures>),
    Lines(Box<LineFile>),
    Threads(Threads),
}

/// Blocks of frames that wait for a decode thread, and batches that wait for the engine.
const QUEUE: usize = 8;

/// Lines that are read before the engine hears of them.
const LINES_AT_A_TIME: usize = 4_096;

impl Group {
    /// Capture files, decoded by so many threads; by this one where it is one.
    pub(super) fn of_captures(reader: CaptureReader, threads: usize, context: &Context) -> Self {
        if threads > 1 {
            return Self::Threads(Threads::start(reader, threads, context));
        }
        Self::Captures(Box::new(Captures { reader, block: FrameBatch::new(), lane: context.lane(1), ended: false }))
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

    /// How many lanes there are.
    pub(super) const fn lanes(&self) -> usize {
        match self {
            Self::Captures(_) | Self::Lines(_) => 1,
            Self::Threads(threads) => threads.lanes,
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
    lane: Lane,
    ended: bool,
}

impl Captures {
    fn next(&mut self) -> Feed {
        if self.ended {
            return Feed::Ended(0);
        }
        match self.reader.next_batch(&mut self.block, self.lane.counters_mut()) {
            Ok(Some(source)) => {
                for frame in self.block.frames() {
                    self.lane.handle_frame(&source, &frame);
                }
            }
            Ok(None) => {
                self.lane.finish();
                self.ended = true;
            }
            Err(error) => return Feed::Failed(error),
        }
        Feed::Batch(0, self.lane.take())
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
            return Feed::Ended(0);
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
        Feed::Batch(0, self.lane.take())
    }
}

/// A reader and decode threads, each with the connections that their hash gives it.
pub(super) struct Threads {
    lanes: usize,
    feeds: Receiver<Feed>,
}

/// A block of frames, and for each frame the thread that decodes it.
struct Block {
    source: Arc<str>,
    frames: FrameBatch,
    /// Where the frames' memory goes back to, so that not each block is made anew.
    used: Sender<FrameBatch>,
    shards: Vec<u8>,
    /// Packets put together from fragments, each in place of the frame that completed it.
    whole: BTreeMap<usize, (u8, OwnedFrame)>,
}

impl Drop for Block {
    fn drop(&mut self) {
        // Where there are enough to go on with, or nobody reads any more, this one is freed.
        let _ = self.used.try_send(std::mem::take(&mut self.frames));
    }
}

/// A frame that no thread decodes: a fragment, which is part of a whole packet elsewhere.
const NOBODY: u8 = u8::MAX;

impl Threads {
    fn start(reader: CaptureReader, threads: usize, context: &Context) -> Self {
        let (sender, feeds) = bounded(QUEUE * threads);
        let mut workers = Vec::new();
        for index in 0..threads {
            let (blocks_in, blocks) = bounded::<Arc<Block>>(QUEUE);
            workers.push(blocks_in);
            let (sender, lane) = (sender.clone(), context.lane(threads));
            std::thread::spawn(move || decode(index, lane, &blocks, &sender));
        }
        // The reader is a lane too: it has counters, and nothing comes from it.
        std::thread::spawn(move || read(reader, &workers, threads, &sender));
        Self { lanes: threads + 1, feeds }
    }

    fn next(&mut self) -> Feed {
        // A thread that died has dropped its sender; the lanes that are left end with the channel.
        self.feeds.recv().unwrap_or_else(|_| {
            self.lanes = self.lanes.saturating_sub(1);
            Feed::Ended(self.lanes)
        })
    }
}

fn read(mut reader: CaptureReader, workers: &[Sender<Arc<Block>>], threads: usize, feeds: &Sender<Feed>) {
    let watermark = crate::model::Timestamp::MAX;
    let mut counters = InputCounters::default();
    // Nothing ever comes from this lane: said at once, or all that the others give would wait for it.
    if feeds.send(Feed::Batch(threads, Batch { watermark, ..Batch::default() })).is_err() {
        return;
    }
    let mut sharder = Sharder::new();
    let (used, free) = bounded(QUEUE);
    let mut frames = FrameBatch::new();
    loop {
        match reader.next_batch(&mut frames, &mut counters) {
            Ok(Some(source)) => {
                let (shards, whole) = shards(&frames, &mut sharder, threads, &mut counters);
                let frames = std::mem::replace(&mut frames, free.try_recv().unwrap_or_default());
                let block = Arc::new(Block { source, frames, used: used.clone(), shards, whole });
                if workers.iter().any(|worker| worker.send(Arc::clone(&block)).is_err()) {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                if feeds.send(Feed::Failed(error)).is_err() {
                    break;
                }
            }
        }
    }
    // Nobody hears it where the replay was ended early. The decode threads end after this, so that it is heard before them.
    let _ = feeds.send(Feed::Batch(threads, Batch { observations: Vec::new(), watermark, counters }));
    let _ = feeds.send(Feed::Ended(threads));
}

/// Says for each frame which thread decodes it.
fn shards(
    frames: &FrameBatch,
    sharder: &mut Sharder,
    threads: usize,
    counters: &mut InputCounters,
) -> (Vec<u8>, BTreeMap<usize, (u8, OwnedFrame)>) {
    let mut shards = Vec::with_capacity(frames.len());
    let mut whole = BTreeMap::new();
    for (index, frame) in frames.frames().enumerate() {
        let shard = match sharder.route(&frame, counters) {
            None => NOBODY,
            Some((hash, routed)) => {
                let shard = u8::try_from(hash % threads as u64).unwrap_or(0);
                if std::ptr::eq(routed.octets, frame.octets) {
                    shard
                } else {
                    let owned = OwnedFrame { at: routed.at, link: routed.link, octets: routed.octets.to_vec() };
                    whole.insert(index, (shard, owned));
                    NOBODY
                }
            }
        };
        shards.push(shard);
    }
    (shards, whole)
}

fn decode(index: usize, mut lane: Lane, blocks: &Receiver<Arc<Block>>, feeds: &Sender<Feed>) {
    for block in blocks {
        let mine = u8::try_from(index).unwrap_or(0);
        for (position, (frame, shard)) in block.frames.frames().zip(&block.shards).enumerate() {
            if *shard == mine {
                lane.handle_frame(&block.source, &frame);
            } else if *shard == NOBODY
                && let Some((_, whole)) = block.whole.get(&position).filter(|(shard, _)| *shard == mine)
            {
                lane.handle_frame(&block.source, &whole.as_frame());
            } else {
                // Time passes with each frame, whoever decodes it, so that connections end at the same one for any number
                // of threads.
                lane.handle_timeout(frame.at);
            }
        }
        if feeds.send(Feed::Batch(index, lane.take())).is_err() {
            return;
        }
    }
    lane.finish();
    let _ = feeds.send(Feed::Batch(index, lane.take()));
    let _ = feeds.send(Feed::Ended(index));
}
