//! Captures replayed by two threads that take turns.
//!
//! A block of frames is read, decoded, and what was found in it is judged: three stages that take the blocks one at a time and
//! in their order, so that what comes out is the same as where one thread does all. A thread does what is to be done next at
//! whichever stage is free: where one processor is slower than the other, as they are where machines are shared, it does less. It
//! keeps to its own blocks, and takes another one's only rather than sleep: what goes from one processor to another takes long,
//! where they are far apart.

use std::sync::Arc;

use super::capture_reader::CaptureReader;
use super::disorder::Disorder;
use super::feed::{Context, Feed};
use super::judgement::Judgement;
use super::lane::Batch;
use super::observed::{Made, Observed};
use super::stage::{STAGES, Stage, Stages};
use crate::decode::{Decoder, Exchanges};
use crate::extract::Extractor;
use crate::model::{InputCounters, Timestamp};
use crate::source::{FrameBatch, SourceError};

/// Threads that take turns: decoding takes a good third of the work, and one thread at a time decodes.
const THREADS: usize = 2;

/// Decoding comes first: it takes longest, and what follows waits for it.
const ORDER: [usize; STAGES] = [1, 2, 0];

/// Blocks of each thread: one in its hands, and three that it read or decoded ahead, so that a thread that is held up for a moment
/// holds up nobody. Half a mebibyte each.
const BLOCKS: usize = 4;

/// Exchanges that are found before it is seen how much content they have.
const TOGETHER: usize = 32;

/// Content that waits to be looked at is looked at before its block is done, in octets: compressed, a block may hold a thousand
/// times its length.
const CONTENT: usize = 1 << 20;

/// Replays captures, all that there is to judge.
pub(super) fn replay(reader: CaptureReader, context: &Context, judgement: &mut Judgement<'_>) {
    let stages = Stages::new(
        [
            Box::new(Reading { reader, counters: InputCounters::default() }),
            Box::new(Decoding {
                decoder: Decoder::new(context.decode.clone(), context.key.clone(), context.extractor.interest()),
                disorder: Disorder::up_to(context.decode.reordering),
                extractor: Arc::clone(&context.extractor),
                early: None,
            }),
            Box::new(Judging {
                observed: Observed::new(Arc::clone(&context.extractor)),
                judgement,
                limits: Vec::new(),
            }),
        ],
        ORDER,
        (0..BLOCKS * THREADS).map(|block| (Block::default(), block % THREADS)),
    );
    std::thread::scope(|scope| {
        for thread in 1..THREADS {
            let stages = &stages;
            scope.spawn(move || stages.work(thread));
        }
        stages.work(0);
    });
}

/// A block of frames, and what was found in it, in memory that is used again.
#[derive(Default)]
struct Block {
    read: Read,
    /// The file's name. It is counted with each connection: each block has its own.
    source: Arc<str>,
    frames: FrameBatch,
    /// They are dropped when the next block is decoded: the counts of the texts that they share are the decoder's.
    exchanges: Exchanges,
    /// What came of those before them, which had much content.
    early: Vec<Made>,
    /// What is older than this was found.
    watermark: Timestamp,
    counters: InputCounters,
}

/// What became of reading a block.
#[derive(Default)]
enum Read {
    #[default]
    Frames,
    Failed(SourceError),
    /// With what was counted while reading.
    Ended(InputCounters),
}

struct Reading {
    reader: CaptureReader,
    counters: InputCounters,
}

impl Stage<Block> for Reading {
    fn take(&mut self, block: &mut Block) -> bool {
        let Self { reader, counters } = self;
        block.read = match reader.next_batch(&mut block.frames, counters) {
            Ok(Some(source)) => {
                if block.source != source {
                    block.source = Arc::from(&*source);
                }
                Read::Frames
            }
            Ok(None) => Read::Ended(std::mem::take(counters)),
            Err(error) => Read::Failed(error),
        };
        !matches!(block.read, Read::Ended(_))
    }
}

struct Decoding {
    decoder: Decoder,
    disorder: Disorder,
    extractor: Arc<Extractor>,
    /// Looks at content that cannot wait to be judged; hardly a capture has so much of it.
    early: Option<Observed>,
}

impl Stage<Block> for Decoding {
    fn take(&mut self, block: &mut Block) -> bool {
        block.exchanges.clear();
        std::mem::swap(self.decoder.exchanges_mut(), &mut block.exchanges);
        match block.read {
            Read::Frames => self.decode(block),
            Read::Ended(_) => self.decoder.finish(),
            Read::Failed(_) => {}
        }
        std::mem::swap(self.decoder.exchanges_mut(), &mut block.exchanges);
        block.early = self.early.as_mut().map(Observed::take).unwrap_or_default();
        block.watermark = self.decoder.watermark(self.disorder.note(self.decoder.ran_back()));
        block.counters = self.decoder.counters();
        !matches!(block.read, Read::Ended(_))
    }
}

impl Decoding {
    /// Decodes the frames of a block. What comes to much content is looked at before its end.
    fn decode(&mut self, block: &Block) {
        let decoder = &mut self.decoder;
        let mut frames = block.frames.frames();
        let mut content = 0;
        while frames.len() > 0 {
            let known = decoder.exchanges().len();
            decoder.handle_frames(&block.source, &mut frames, known + TOGETHER);
            let bodies = decoder.exchanges().iter().skip(known).filter_map(|new| new.response.body.as_ref());
            content += bodies.map(|body| body.octets.len()).sum::<usize>();
            if content > CONTENT {
                let early = self.early.get_or_insert_with(|| Observed::new(Arc::clone(&self.extractor)));
                early.add_all(decoder.exchanges_mut());
                content = 0;
            }
        }
    }
}

struct Judging<'a, 'b> {
    observed: Observed,
    judgement: &'a mut Judgement<'b>,
    /// For each exchange of a block, the last one first: when those behind it were at the earliest.
    limits: Vec<Timestamp>,
}

impl Stage<Block> for Judging<'_, '_> {
    fn take(&mut self, block: &mut Block) -> bool {
        if let Some(stream) = self.judgement.next_stream() {
            self.judge_exchanges(stream, block);
        }
        let mut counters = std::mem::take(&mut block.counters);
        let last = match std::mem::take(&mut block.read) {
            Read::Frames => None,
            Read::Failed(error) => Some(Feed::Failed(error)),
            Read::Ended(read) => {
                counters.add(&read);
                Some(Feed::Ended)
            }
        };
        self.judge(Feed::Batch(Batch { observations: Vec::new(), watermark: block.watermark, counters }));
        if let Some(last) = last {
            self.judge(last);
        }
        self.judgement.next_stream().is_some()
    }
}

impl Judging<'_, '_> {
    /// Looks at the exchanges of a block. Each is judged as soon as it is known to be older than all that is to come, as nearly
    /// all are at once: what one says goes no further than a cache. Others wait for their turn.
    fn judge_exchanges(&mut self, stream: usize, block: &mut Block) {
        let Self { observed, judgement, limits } = self;
        for made in std::mem::take(&mut block.early) {
            judgement.wait(stream, made);
        }
        let mut limit = block.watermark;
        limits.clear();
        limits.extend(block.exchanges.iter().rev().map(|exchange| {
            let behind = limit;
            limit = limit.min(exchange.response.at);
            behind
        }));
        for exchange in block.exchanges.iter_mut() {
            judgement.take_due(limit, |made| observed.take_back(made));
            limit = limits.pop().unwrap_or(limit);
            let made = observed.look_at(exchange);
            if let Some(made) = judgement.take_now(stream, made, limit) {
                observed.take_back(made);
            }
        }
    }

    /// Judges it, as long as anybody listens.
    fn judge(&mut self, feed: Feed) {
        let Self { observed, judgement, .. } = self;
        if let Some(stream) = judgement.next_stream() {
            judgement.take(stream, feed, |_, made| observed.take_back(made));
        }
    }
}
