//! Captures decoded by one other thread.
//!
//! This thread looks at the exchanges that the other one finds, and judges: about as much work. Blocks of frames are read by
//! whichever of the two has nothing else to do. What comes out is the same as where one thread does all, because blocks stay
//! whole and in their order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::capture_reader::CaptureReader;
use super::disorder::Disorder;
use super::feed::{Context, Feed};
use super::lane::Batch;
use super::observed::{Made, Observed};
use crate::decode::{Decoder, Exchanges};
use crate::model::{InputCounters, Timestamp};
use crate::source::{FrameBatch, SourceError};

/// Blocks that are read ahead, of a quarter of a mebibyte each.
const AHEAD: usize = 8;

/// Blocks that are handed over together: waking a thread costs as much as decoding dozens of frames.
const BLOCKS: usize = 4;

/// Hand-overs that wait to be looked at; then the other thread waits.
const FOUND: usize = 4;

/// Exchanges that are found before their content is looked at.
const TOGETHER: usize = 32;

/// Content that waits to be looked at is handed over from there on, in octets: compressed, a block may hold a thousand times
/// its length.
const CONTENT: usize = 1 << 20;

/// A decode thread, and what it finds.
pub(super) struct DecodeThread {
    blocks: Arc<Blocks>,
    output: Receiver<Result<Vec<Block>, SourceError>>,
    decoded: VecDeque<Block>,
    observed: Observed,
}

/// A block of frames, and what was found in it.
#[derive(Default)]
struct Block {
    source: Arc<str>,
    frames: FrameBatch,
    /// What the decode thread found. They go back there once they were looked at: the counts of texts that they share stay with
    /// one core.
    exchanges: Exchanges,
    /// Nothing older than this will be found.
    watermark: Timestamp,
    /// All that the decode thread counted so far.
    counters: InputCounters,
}

impl DecodeThread {
    /// Starts it.
    pub(super) fn start(reader: CaptureReader, context: &Context) -> Self {
        let blocks = Arc::new(Blocks::new(reader));
        let (found, output) = bounded(FOUND);
        let decoding = Decoding {
            decoder: Decoder::new(context.decode.clone(), context.key.clone(), context.extractor.interest()),
            blocks: Arc::clone(&blocks),
            found: Vec::new(),
            content: 0,
            output: found,
            disorder: Disorder::up_to(context.decode.reordering),
            watermark: Timestamp::MIN,
            counters: InputCounters::default(),
        };
        std::thread::spawn(move || decoding.run());
        Self { blocks, output, decoded: VecDeque::new(), observed: Observed::new(Arc::clone(&context.extractor)) }
    }

    /// Takes back what was judged.
    pub(super) fn take_back(&mut self, made: Made) {
        self.observed.take_back(made);
    }

    /// Waits for the next block.
    pub(super) fn next(&mut self) -> Feed {
        match self.next_decoded() {
            Ok(Some(block)) => Feed::Batch(self.look_at(block)),
            Ok(None) => Feed::Ended,
            Err(error) => Feed::Failed(error),
        }
    }

    fn next_decoded(&mut self) -> Result<Option<Block>, SourceError> {
        loop {
            // Who is about to run out of work reads on before, so that the other one does not wait for it.
            if self.decoded.len() < BLOCKS {
                if let Ok(found) = self.output.try_recv() {
                    self.decoded.extend(found?);
                    continue;
                }
                if self.blocks.read_ahead()? {
                    continue;
                }
            }
            if let Some(block) = self.decoded.pop_front() {
                return Ok(Some(block));
            }
            // It has ended, or died: there is nothing more.
            let Ok(found) = self.output.recv() else { return Ok(None) };
            self.decoded.extend(found?);
        }
    }

    /// Looks at what was found in a block.
    fn look_at(&mut self, mut block: Block) -> Batch {
        for exchange in block.exchanges.iter_mut() {
            self.observed.add(exchange);
        }
        let watermark = block.watermark;
        let mut counters = std::mem::take(&mut block.counters);
        if watermark == Timestamp::MAX {
            counters.add(&self.blocks.reading().counters);
        }
        self.blocks.take_back(block);
        Batch { observations: self.observed.take(), watermark, counters }
    }
}

/// The blocks of frames, which both threads read.
struct Blocks {
    reading: Mutex<Reading>,
    ahead: (Sender<Block>, Receiver<Block>),
    /// Those that are done with, whose memory is used again.
    used: (Sender<Block>, Receiver<Block>),
}

/// What is read, by one thread at a time.
struct Reading {
    reader: CaptureReader,
    counters: InputCounters,
    has_ended: bool,
}

impl Blocks {
    fn new(reader: CaptureReader) -> Self {
        Self {
            reading: Mutex::new(Reading { reader, counters: InputCounters::default(), has_ended: false }),
            ahead: bounded(AHEAD),
            used: bounded(AHEAD),
        }
    }

    /// Reads a block for the decode thread; `false` where there are enough, or no more, or that thread reads one itself.
    fn read_ahead(&self) -> Result<bool, SourceError> {
        let (ahead, _) = &self.ahead;
        if ahead.is_full() {
            return Ok(false);
        }
        let mut reading = match self.reading.try_lock() {
            Ok(reading) => reading,
            Err(TryLockError::Poisoned(reading)) => reading.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        // It is handed over before the other thread may read the next one.
        let Some(block) = self.read(&mut reading)? else { return Ok(false) };
        Ok(ahead.try_send(block).is_ok())
    }

    /// The next block that was read ahead.
    fn next_ahead(&self) -> Option<Block> {
        self.ahead.1.try_recv().ok()
    }

    /// The next block, read now where none was read ahead; `None` at the end.
    fn next(&self) -> Result<Option<Block>, SourceError> {
        let mut reading = self.reading();
        // The other thread may have read one meanwhile.
        match self.next_ahead() {
            Some(block) => Ok(Some(block)),
            None => self.read(&mut reading),
        }
    }

    fn read(&self, reading: &mut Reading) -> Result<Option<Block>, SourceError> {
        if reading.has_ended {
            return Ok(None);
        }
        let mut block = self.used.1.try_recv().unwrap_or_default();
        let Some(source) = reading.reader.next_batch(&mut block.frames, &mut reading.counters)? else {
            reading.has_ended = true;
            return Ok(None);
        };
        if block.source != source {
            // The name is counted with each exchange: the decode thread has one of its own.
            block.source = Arc::from(&*source);
        }
        Ok(Some(block))
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_back(&self, block: Block) {
        // Where there are enough to go on with, this one is freed.
        let _ = self.used.0.try_send(block);
    }
}

/// What runs on the other thread.
struct Decoding {
    decoder: Decoder,
    blocks: Arc<Blocks>,
    /// What is handed over next, and how many octets of content are in it.
    found: Vec<Block>,
    content: usize,
    output: Sender<Result<Vec<Block>, SourceError>>,
    disorder: Disorder,
    /// Of the last block that is done.
    watermark: Timestamp,
    counters: InputCounters,
}

impl Decoding {
    /// Decodes until there are no more blocks, or nobody takes what is found.
    fn run(mut self) -> Option<()> {
        while let Some(block) = self.next() {
            self.decode(block)?;
            if self.found.len() >= BLOCKS {
                self.hand_over()?;
            }
        }
        self.decoder.finish();
        let exchanges = std::mem::take(self.decoder.exchanges_mut());
        (self.watermark, self.counters) = (self.decoder.watermark(Duration::ZERO), self.decoder.counters());
        self.find(Block { exchanges, ..Block::default() });
        self.hand_over()
    }

    /// The next block; `None` at the end, or where nobody takes what is found.
    fn next(&mut self) -> Option<Block> {
        if let Some(block) = self.blocks.next_ahead() {
            return Some(block);
        }
        // The other thread had no time to read ahead: it is awake, and soon takes what is found.
        self.hand_over()?;
        loop {
            match self.blocks.next() {
                Ok(block) => return block,
                Err(error) => self.output.send(Err(error)).ok()?,
            }
        }
    }

    fn decode(&mut self, mut block: Block) -> Option<()> {
        block.exchanges.clear();
        std::mem::swap(self.decoder.exchanges_mut(), &mut block.exchanges);
        let mut frames = block.frames.frames();
        while frames.len() > 0 {
            let known = self.decoder.exchanges().len();
            self.decoder.handle_frames(&block.source, &mut frames, known + TOGETHER);
            let bodies = self.decoder.exchanges().iter().skip(known).filter_map(|new| new.response.body.as_ref());
            self.content += bodies.map(|body| body.octets.len()).sum::<usize>();
            if self.content > CONTENT {
                // A part of a block lets nothing pass: what comes out does not depend on where it is parted.
                let exchanges = std::mem::take(self.decoder.exchanges_mut());
                self.find(Block { exchanges, ..Block::default() });
                self.hand_over()?;
            }
        }
        drop(frames);
        std::mem::swap(self.decoder.exchanges_mut(), &mut block.exchanges);
        let disorder = self.disorder.note(self.decoder.ran_back());
        (self.watermark, self.counters) = (self.decoder.watermark(disorder), self.decoder.counters());
        self.find(block);
        Some(())
    }

    /// Puts a block to the others that were found, as of what is done so far.
    fn find(&mut self, block: Block) {
        self.found.push(Block { watermark: self.watermark, counters: self.counters.clone(), ..block });
    }

    /// Hands over what was found.
    fn hand_over(&mut self) -> Option<()> {
        if self.found.is_empty() {
            return Some(());
        }
        self.content = 0;
        let blocks = std::mem::replace(&mut self.found, Vec::with_capacity(BLOCKS));
        self.output.send(Ok(blocks)).ok()
    }
}
