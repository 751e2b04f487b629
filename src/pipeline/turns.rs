//! Captures replayed by two threads that take turns.
//!
//! A thread takes a block of frames through all of its stages: it reads it, decodes it and judges what it found. A stage takes
//! the blocks one at a time and in their order, so that what comes out is the same as where one thread does all; while one
//! thread decodes, the other judges and reads. What goes from core to core is a stage's state, and neither frames nor
//! exchanges.

use std::sync::{Arc, Mutex, MutexGuard};

use super::capture_reader::CaptureReader;
use super::disorder::Disorder;
use super::feed::{Context, Feed};
use super::judgement::Judgement;
use super::lane::Batch;
use super::observed::Observed;
use super::stage::{Abandoned, Stage, Turn};
use crate::decode::{Decoder, Exchanges};
use crate::model::InputCounters;
use crate::source::{FrameBatch, SourceError};

/// Threads that take turns: decoding takes a good third of the work, and one thread at a time decodes.
const THREADS: usize = 2;

/// Exchanges that are found before it is seen how much content they have.
const TOGETHER: usize = 32;

/// Content that waits to be looked at is looked at before its block is done, in octets: compressed, a block may hold a thousand
/// times its length.
const CONTENT: usize = 1 << 20;

/// Replays captures, all that there is to judge.
pub(super) fn replay(reader: CaptureReader, context: &Context, judgement: &mut Judgement<'_>) {
    let stages = Stages {
        reading: Mutex::new(Reading { reader, counters: InputCounters::default(), blocks: 0, has_ended: false }),
        decoding: Stage::new(Decoding {
            decoder: Decoder::new(context.decode.clone(), context.key.clone(), context.extractor.interest()),
            disorder: Disorder::up_to(context.decode.reordering),
        }),
        judging: Stage::new(Judging { observed: Observed::new(Arc::clone(&context.extractor)), judgement }),
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(|| stages.take_blocks());
        }
        // Where one was abandoned, another one panicked: this thread panics, too, once all have ended.
        let _ = stages.take_blocks();
    });
}

/// What the threads share.
struct Stages<'a, 'b> {
    reading: Mutex<Reading>,
    decoding: Stage<Decoding>,
    judging: Stage<Judging<'a, 'b>>,
}

/// The first stage, which gives blocks their numbers.
struct Reading {
    reader: CaptureReader,
    counters: InputCounters,
    /// How many were read.
    blocks: u64,
    has_ended: bool,
}

struct Decoding {
    decoder: Decoder,
    disorder: Disorder,
}

struct Judging<'a, 'b> {
    observed: Observed,
    judgement: &'a mut Judgement<'b>,
}

/// A block of frames with its number, in memory that a thread uses for one after the other.
#[derive(Default)]
struct Block {
    number: u64,
    /// The file's name. It is counted with each exchange: each thread has its own.
    source: Arc<str>,
    frames: FrameBatch,
    /// What was found in it. They are dropped when the next block is decoded: the counts of the texts that they share are
    /// the decoder's.
    exchanges: Exchanges,
}

/// What became of reading a block.
enum Read {
    Frames,
    Failed(SourceError),
    /// With what was counted while reading.
    Ended(InputCounters),
}

/// A block's turn to be judged, where it came before all was decoded.
type Early<'s, 'a, 'b> = Option<Turn<'s, Judging<'a, 'b>>>;

impl<'a, 'b> Stages<'a, 'b> {
    /// Takes blocks through all stages until there are no more.
    fn take_blocks(&self) -> Result<(), Abandoned> {
        let _end = Abandon { stages: self };
        let mut block = Block::default();
        while let Some(read) = self.read(&mut block)? {
            self.decode_and_judge(&mut block, read)?;
        }
        Ok(())
    }

    /// Reads the next block, where the end was not read before.
    fn read(&self, block: &mut Block) -> Result<Option<Read>, Abandoned> {
        let mut reading = self.reading()?;
        let Reading { reader, counters, blocks, has_ended } = &mut *reading;
        if *has_ended {
            return Ok(None);
        }
        block.number = *blocks;
        *blocks += 1;
        Ok(Some(match reader.next_batch(&mut block.frames, counters) {
            Ok(Some(source)) => {
                if block.source != source {
                    block.source = Arc::from(&*source);
                }
                Read::Frames
            }
            Ok(None) => {
                *has_ended = true;
                Read::Ended(std::mem::take(counters))
            }
            Err(error) => Read::Failed(error),
        }))
    }

    fn decode_and_judge(&self, block: &mut Block, read: Read) -> Result<(), Abandoned> {
        let mut decoding = self.decoding.turn(block.number)?;
        let Decoding { decoder, disorder } = &mut *decoding;
        block.exchanges.clear();
        std::mem::swap(decoder.exchanges_mut(), &mut block.exchanges);
        let mut judging = None;
        match read {
            Read::Frames => judging = self.decode(block, decoder)?,
            Read::Ended(_) => decoder.finish(),
            Read::Failed(_) => {}
        }
        std::mem::swap(decoder.exchanges_mut(), &mut block.exchanges);
        let watermark = decoder.watermark(disorder.note(decoder.ran_back()));
        let mut counters = decoder.counters();
        drop(decoding);

        let mut judging = match judging {
            Some(judging) => judging,
            None => self.judging.turn(block.number)?,
        };
        judging.look_at(&mut block.exchanges);
        if let Read::Ended(read) = &read {
            counters.add(read);
        }
        let observations = judging.observed.take();
        judging.judge(Feed::Batch(Batch { observations, watermark, counters }));
        match read {
            Read::Frames => {}
            Read::Failed(error) => judging.judge(Feed::Failed(error)),
            Read::Ended(_) => judging.judge(Feed::Ended),
        }
        if judging.judgement.next_stream().is_none() {
            self.reading()?.has_ended = true;
        }
        Ok(())
    }

    /// Decodes the frames of a block. What comes to much content is looked at before its end: then it is the block's turn to be
    /// judged.
    fn decode(&self, block: &Block, decoder: &mut Decoder) -> Result<Early<'_, 'a, 'b>, Abandoned> {
        let mut judging: Early<'_, 'a, 'b> = None;
        let mut frames = block.frames.frames();
        let mut content = 0;
        while frames.len() > 0 {
            let known = decoder.exchanges().len();
            decoder.handle_frames(&block.source, &mut frames, known + TOGETHER);
            let bodies = decoder.exchanges().iter().skip(known).filter_map(|new| new.response.body.as_ref());
            content += bodies.map(|body| body.octets.len()).sum::<usize>();
            if content > CONTENT {
                let judging = match &mut judging {
                    Some(judging) => judging,
                    None => judging.insert(self.judging.turn(block.number)?),
                };
                judging.look_at(decoder.exchanges_mut());
                decoder.exchanges_mut().clear();
                content = 0;
            }
        }
        Ok(judging)
    }

    fn reading(&self) -> Result<MutexGuard<'_, Reading>, Abandoned> {
        Ok(self.reading.lock()?)
    }
}

impl Judging<'_, '_> {
    /// Looks at what was found.
    fn look_at(&mut self, exchanges: &mut Exchanges) {
        for exchange in exchanges.iter_mut() {
            self.observed.add(exchange);
        }
    }

    /// Judges it, as long as anybody listens.
    fn judge(&mut self, feed: Feed) {
        let Self { observed, judgement } = self;
        if let Some(stream) = judgement.next_stream() {
            judgement.take(stream, feed, |_, made| observed.take_back(made));
        }
    }
}

/// A thread that panics takes no more blocks through the stages: the others need not wait for it.
struct Abandon<'s, 'a, 'b> {
    stages: &'s Stages<'a, 'b>,
}

impl Drop for Abandon<'_, '_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stages.decoding.abandon();
            self.stages.judging.abandon();
        }
    }
}
