//! Captures decoded by one other thread.
//!
//! This thread reads blocks of frames, looks at the exchanges that the other one finds in them, and judges: about half of the
//! work. What comes out is the same as where one thread does all, because blocks stay whole and in their order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::capture_reader::CaptureReader;
use super::disorder::Disorder;
use super::feed::{Context, Feed};
use super::lane::Batch;
use super::observed::{Made, Observed};
use crate::decode::Decoder;
use crate::model::{Exchange, InputCounters, Timestamp};
use crate::source::{FrameBatch, SourceError};

/// Blocks that are handed over together: waking a thread costs as much as decoding dozens of frames.
const BLOCKS: usize = 4;

/// How often that many are on their way, so that no thread waits for the other while it works.
const AHEAD: usize = 3;

/// Exchanges that are found before their content is looked at.
const TOGETHER: usize = 32;

/// Content that waits to be looked at goes ahead of its block from there on, in octets: compressed, a block may hold a thousand
/// times its length.
const CONTENT: usize = 1 << 20;

/// A decode thread, and what is read for it.
pub(super) struct DecodeThread {
    reader: CaptureReader,
    counters: InputCounters,
    /// Gone once there are no more blocks.
    input: Option<Sender<Vec<Block>>>,
    output: Receiver<Found>,
    /// How many hand-overs have not come back; the last one is the end, once there are no more blocks.
    on_their_way: usize,
    decoded: VecDeque<Block>,
    observed: Observed,
    /// Blocks that are done with, whose memory is used again.
    used: Vec<Block>,
}

/// A block of frames, and what was found in it.
#[derive(Default)]
struct Block {
    source: Arc<str>,
    frames: FrameBatch,
    /// What the decode thread found. They go back there once they were looked at: the counts of texts that they share stay with
    /// one core.
    exchanges: VecDeque<Exchange>,
    /// Nothing older than this will be found.
    watermark: Timestamp,
    /// All that the decode thread counted so far.
    counters: InputCounters,
}

/// What was found in a hand-over, or in its first part.
#[derive(Default)]
struct Found {
    blocks: Vec<Block>,
    is_part: bool,
}

impl DecodeThread {
    /// Starts it.
    pub(super) fn start(reader: CaptureReader, context: &Context) -> Self {
        let (input, blocks) = unbounded();
        // A thread that finds too much ahead waits.
        let (found, output) = bounded(AHEAD);
        let decoding = Decoding {
            decoder: Decoder::new(context.decode.clone(), context.key.clone(), context.extractor.interest()),
            output: found,
            disorder: Disorder::up_to(context.decode.reordering),
            watermark: Timestamp::MIN,
            counters: InputCounters::default(),
        };
        std::thread::spawn(move || decoding.run(&blocks));
        Self {
            reader,
            counters: InputCounters::default(),
            input: Some(input),
            output,
            on_their_way: 0,
            decoded: VecDeque::new(),
            observed: Observed::new(Arc::clone(&context.extractor), 0),
            used: Vec::new(),
        }
    }

    /// Takes back what was judged.
    pub(super) fn take_back(&mut self, made: Made) {
        self.observed.take_back(made);
    }

    /// Waits for the next block.
    pub(super) fn next(&mut self) -> Feed {
        loop {
            if let Some(block) = self.decoded.pop_front() {
                return Feed::Batch(self.look_at(block));
            }
            if let Err(error) = self.hand_over() {
                return Feed::Failed(error);
            }
            if self.on_their_way == 0 {
                return Feed::Ended;
            }
            // A thread that died gives nothing more.
            let found = self.output.recv().unwrap_or_default();
            self.on_their_way -= usize::from(!found.is_part);
            self.decoded.extend(found.blocks);
        }
    }

    /// Gives the thread blocks to go on with.
    fn hand_over(&mut self) -> Result<(), SourceError> {
        while self.on_their_way < AHEAD
            && let Some(input) = self.input.take()
        {
            let mut blocks = Vec::with_capacity(BLOCKS);
            let read = self.read(&mut blocks);
            if !blocks.is_empty() || read.is_err() {
                // One that died takes nothing.
                let _ = input.send(blocks);
                self.input = Some(input);
            }
            self.on_their_way += 1;
            read?;
        }
        Ok(())
    }

    /// Reads the blocks of a hand-over; fewer at the end of all.
    fn read(&mut self, blocks: &mut Vec<Block>) -> Result<(), SourceError> {
        while blocks.len() < BLOCKS {
            let mut block = self.used.pop().unwrap_or_default();
            let Some(source) = self.reader.next_batch(&mut block.frames, &mut self.counters)? else { break };
            if block.source != source {
                // The name is counted with each exchange: the other thread has one of its own.
                block.source = Arc::from(&*source);
            }
            blocks.push(block);
        }
        Ok(())
    }

    /// Looks at what was found in a block.
    fn look_at(&mut self, mut block: Block) -> Batch {
        for exchange in &mut block.exchanges {
            self.observed.add(exchange);
        }
        let watermark = block.watermark;
        let mut counters = std::mem::take(&mut block.counters);
        if watermark == Timestamp::MAX {
            counters.add(&self.counters);
        }
        if self.used.len() < BLOCKS * AHEAD {
            self.used.push(block);
        }
        Batch { observations: self.observed.take(), watermark, counters }
    }
}

/// What runs on the other thread.
struct Decoding {
    decoder: Decoder,
    output: Sender<Found>,
    disorder: Disorder,
    /// Of the last block that is done.
    watermark: Timestamp,
    counters: InputCounters,
}

impl Decoding {
    /// Decodes until there are no more blocks, or nobody takes what is found.
    fn run(mut self, input: &Receiver<Vec<Block>>) -> Option<()> {
        for blocks in input {
            let mut found = Vec::with_capacity(BLOCKS);
            for mut block in blocks {
                block.exchanges.clear();
                std::mem::swap(self.decoder.exchanges_mut(), &mut block.exchanges);
                self.decode(&block.source, &block.frames, &mut found)?;
                std::mem::swap(self.decoder.exchanges_mut(), &mut block.exchanges);
                let disorder = self.disorder.note(self.decoder.ran_back());
                (self.watermark, self.counters) = (self.decoder.watermark(disorder), self.decoder.counters());
                (block.watermark, block.counters) = (self.watermark, self.counters.clone());
                found.push(block);
            }
            self.output.send(Found { blocks: found, is_part: false }).ok()?;
        }
        self.decoder.finish();
        let exchanges = std::mem::take(self.decoder.exchanges_mut());
        let (watermark, counters) = (self.decoder.watermark(Duration::ZERO), self.decoder.counters());
        let last = Block { exchanges, watermark, counters, ..Block::default() };
        self.output.send(Found { blocks: vec![last], is_part: false }).ok()
    }

    /// Decodes a block; sends what was `found` before, and in it so far, where that holds too much content.
    fn decode(&mut self, source: &Arc<str>, frames: &FrameBatch, found: &mut Vec<Block>) -> Option<()> {
        let mut frames = frames.frames();
        let mut content = 0;
        while frames.len() > 0 {
            let known = self.decoder.exchanges().len();
            self.decoder.handle_frames(source, &mut frames, known + TOGETHER);
            let bodies = self.decoder.exchanges().iter().skip(known).filter_map(|new| new.response.body.as_ref());
            content += bodies.map(|body| body.octets.len()).sum::<usize>();
            if content > CONTENT {
                content = 0;
                let exchanges = std::mem::take(self.decoder.exchanges_mut());
                // It lets nothing pass: what comes out does not depend on where a block is parted.
                let (watermark, counters) = (self.watermark, self.counters.clone());
                found.push(Block { exchanges, watermark, counters, ..Block::default() });
                self.output.send(Found { blocks: std::mem::take(found), is_part: true }).ok()?;
            }
        }
        Some(())
    }
}
