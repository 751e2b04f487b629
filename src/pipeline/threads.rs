//! Captures decoded by several other threads, each with the connections that their hash gives it.
//!
//! This thread reads the blocks of frames, gives each to all of them and judges what they found. That of a block is taken out
//! together: a round. What comes out is therefore the same for any number of threads, whatever the times of the frames are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::capture_reader::CaptureReader;
use super::disorder::Disorder;
use super::feed::{Context, Feed};
use super::lane::{Batch, Lane};
use super::observed::Made;
use super::sequencer;
use crate::decode::Sharder;
use crate::model::{InputCounters, OwnedFrame, Timestamp};
use crate::source::{FrameBatch, SourceError};

/// Blocks that are handed over together: waking a thread costs as much as decoding dozens of frames.
const BLOCKS: usize = 4;

/// How often that many are on their way, so that no thread waits for this one while it judges.
const AHEAD: usize = 3;

/// Observations that go back together.
const TOGETHER: usize = 128;

/// Packs of them that may wait to be taken back.
const BACK: usize = 8;

/// Decode threads, and what is read for them.
pub(super) struct Threads {
    workers: Vec<Worker>,
    blocks: Blocks,
    /// How many hand-overs of blocks have not come back; the last one is the end, once there are no more blocks.
    on_their_way: usize,
    rounds: VecDeque<Batch>,
}

/// A decode thread, seen from here.
struct Worker {
    /// Gone once there are no more blocks.
    blocks: Option<Sender<Vec<Arc<Block>>>>,
    /// What it found, block by block.
    batches: Receiver<Vec<Batch>>,
    /// What was judged of it, on its way back: its memory is used again there without a lock, and the counts of names that
    /// it shares with others of that thread stay with one core.
    judged: Vec<Made>,
    back: Sender<Vec<Made>>,
}

impl Threads {
    /// Starts so many.
    pub(super) fn start(reader: CaptureReader, threads: usize, context: &Context) -> Self {
        let workers = (0..threads).map(|index| {
            let (blocks, input) = unbounded();
            let (output, batches) = unbounded();
            let (back, used) = bounded(BACK);
            let lane = context.lane(threads).on_thread(index);
            std::thread::spawn(move || decode(index, lane, &input, &output, &used));
            Worker { blocks: Some(blocks), batches, judged: Vec::new(), back }
        });
        Self {
            workers: workers.collect(),
            blocks: Blocks::new(reader, threads, Disorder::up_to(context.decode.reordering)),
            on_their_way: 0,
            rounds: VecDeque::new(),
        }
    }

    /// Takes back what was judged.
    pub(super) fn take_back(&mut self, made: Made) {
        let Some(worker) = self.workers.get_mut(made.thread) else { return };
        worker.judged.push(made);
        if worker.judged.len() >= TOGETHER {
            // A thread that is behind, or has ended, is not waited for.
            let _ = worker.back.try_send(std::mem::replace(&mut worker.judged, Vec::with_capacity(TOGETHER)));
        }
    }

    /// Waits for the next round.
    pub(super) fn next(&mut self) -> Feed {
        loop {
            if let Some(round) = self.rounds.pop_front() {
                return Feed::Batch(round);
            }
            if let Err(error) = self.hand_over() {
                return Feed::Failed(error);
            }
            if self.on_their_way == 0 {
                return Feed::Ended;
            }
            self.on_their_way -= 1;
            self.take_rounds();
        }
    }

    /// Gives the threads blocks to go on with.
    fn hand_over(&mut self) -> Result<(), SourceError> {
        while self.on_their_way < AHEAD && self.workers.iter().any(|worker| worker.blocks.is_some()) {
            let mut blocks = Vec::with_capacity(BLOCKS);
            let read = self.blocks.read(&mut blocks);
            let ended = blocks.is_empty() && read.is_ok();
            for worker in &mut self.workers {
                if ended {
                    worker.blocks = None;
                } else if let Some(sender) = &worker.blocks {
                    // One that died takes nothing, and gives nothing.
                    let _ = sender.send(blocks.clone());
                }
            }
            self.on_their_way += 1;
            read?;
        }
        Ok(())
    }

    /// Takes what all threads found in the blocks of a hand-over; one that died gives nothing more.
    fn take_rounds(&mut self) {
        let found = self.workers.iter().filter_map(|worker| worker.batches.recv().ok());
        let mut found: Vec<_> = found.map(Vec::into_iter).collect();
        loop {
            let batches: Vec<Batch> = found.iter_mut().filter_map(Iterator::next).collect();
            if batches.is_empty() {
                return;
            }
            let mut round = Batch { watermark: Timestamp::MAX, ..Batch::default() };
            for batch in batches {
                round.watermark = round.watermark.min(batch.watermark);
                round.counters.add(&batch.counters);
                round.observations.extend(batch.observations);
            }
            if round.watermark == Timestamp::MAX {
                round.counters.add(&self.blocks.counters);
            }
            // Those of each thread are mostly in order: this merges them.
            round.observations.sort_by(|a, b| sequencer::order(&a.observation, &b.observation));
            self.rounds.push_back(round);
        }
    }
}

/// What is read, block by block.
struct Blocks {
    reader: CaptureReader,
    counters: InputCounters,
    disorder: Disorder,
    sharder: Sharder,
    threads: usize,
    /// Memory of blocks that all threads are done with.
    used: Sender<FrameBatch>,
    free: Receiver<FrameBatch>,
}

impl Blocks {
    fn new(reader: CaptureReader, threads: usize, disorder: Disorder) -> Self {
        let (used, free) = bounded(BLOCKS * (AHEAD + 1));
        Self { reader, counters: InputCounters::default(), disorder, sharder: Sharder::new(), threads, used, free }
    }

    /// Reads the blocks of a hand-over; fewer at the end of all.
    fn read(&mut self, blocks: &mut Vec<Arc<Block>>) -> Result<(), SourceError> {
        while blocks.len() < BLOCKS {
            let mut frames = self.free.try_recv().unwrap_or_default();
            let Some(source) = self.reader.next_batch(&mut frames, &mut self.counters)? else { break };
            let mut block = Block {
                source,
                disorder: self.disorder.see(&frames),
                frames,
                whole: Vec::new(),
                own: Vec::new(),
                newest: Timestamp::MIN,
                used: self.used.clone(),
            };
            block.share_out(self.threads, &mut self.sharder, &mut self.counters);
            blocks.push(Arc::new(block));
        }
        Ok(())
    }
}

/// A block of frames, and for each thread those that it decodes.
struct Block {
    source: Arc<str>,
    frames: FrameBatch,
    /// Packets put together from fragments.
    whole: Vec<OwnedFrame>,
    own: Vec<Vec<Own>>,
    /// The time of its newest frame.
    newest: Timestamp,
    /// How far the time of frames ran back up to their end.
    disorder: Duration,
    /// Where the frames' memory goes back to, so that not each block is made anew.
    used: Sender<FrameBatch>,
}

/// A frame that a thread decodes.
struct Own {
    place: Place,
    /// The time of the newest frame before it, whoever decodes that.
    passed: Timestamp,
}

/// Where a frame lies in its block.
enum Place {
    Captured(usize),
    Whole(usize),
}

impl Block {
    /// Gives a lane the frames that are a thread's own.
    fn decode(&self, thread: usize, lane: &mut Lane, source: &Arc<str>) {
        lane.expect_disorder(self.disorder);
        for own in self.own.get(thread).into_iter().flatten() {
            let frame = match own.place {
                Place::Captured(index) => self.frames.frame(index),
                Place::Whole(index) => self.whole.get(index).map(OwnedFrame::as_frame),
            };
            // Time passes with each frame, whoever decodes it, so that connections end at the same one for any number of threads.
            lane.let_pass(own.passed);
            if let Some(frame) = frame {
                lane.handle_frame(source, &frame);
            }
        }
        lane.let_pass(self.newest);
    }

    /// Says which thread decodes which frame.
    fn share_out(&mut self, threads: usize, sharder: &mut Sharder, counters: &mut InputCounters) {
        self.own.resize_with(threads, || Vec::with_capacity(self.frames.len() / threads));
        for (index, frame) in self.frames.frames().enumerate() {
            let passed = self.newest;
            self.newest = passed.max(frame.at);
            // A fragment is decoded by nobody: it is part of a whole packet, in place of the frame that completes it.
            let Some((hash, routed)) = sharder.route(&frame, counters) else { continue };
            let place = if std::ptr::eq(routed.octets, frame.octets) {
                Place::Captured(index)
            } else {
                self.whole.push(OwnedFrame { at: routed.at, link: routed.link, octets: routed.octets.to_vec() });
                Place::Whole(self.whole.len() - 1)
            };
            let thread = usize::try_from(hash % threads as u64).unwrap_or(0);
            if let Some(own) = self.own.get_mut(thread) {
                own.push(Own { place, passed });
            }
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // Where there are enough to go on with, or nobody reads any more, this one is freed.
        let _ = self.used.try_send(std::mem::take(&mut self.frames));
    }
}

fn decode(
    index: usize,
    mut lane: Lane,
    input: &Receiver<Vec<Arc<Block>>>,
    output: &Sender<Vec<Batch>>,
    used: &Receiver<Vec<Made>>,
) {
    // The file's name is counted with each observation, too: each thread has its own.
    let mut source: Arc<str> = Arc::from("");
    for blocks in input {
        for made in used.try_iter().flatten() {
            lane.take_back(made);
        }
        let mut batches = Vec::with_capacity(BLOCKS);
        for block in blocks {
            if source != block.source {
                source = Arc::from(&*block.source);
            }
            block.decode(index, &mut lane, &source);
            batches.push(lane.take());
        }
        if output.send(batches).is_err() {
            return;
        }
    }
    lane.finish();
    let _ = output.send(vec![lane.take()]);
}
