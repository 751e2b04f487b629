//! Captures decoded by several threads, each with the connections that their hash gives it.
//!
//! The reader gives each block of frames to all of them, and what they found in a block is taken out together: a round. What
//! comes out is therefore the same for any number of threads, whatever the times of the frames are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::capture_reader::CaptureReader;
use super::disorder::Disorder;
use super::feed::{Context, Feed};
use super::lane::{Batch, Lane, Made};
use super::sequencer;
use crate::decode::Sharder;
use crate::model::{InputCounters, OwnedFrame, Timestamp};
use crate::source::{FrameBatch, SourceError};

/// Blocks of frames that wait for a decode thread, and batches that wait for their round.
const QUEUE: usize = 8;

/// Observations that go back together.
const TOGETHER: usize = 128;

/// A reader and decode threads.
pub(super) struct Threads {
    /// What each decode thread found, block by block.
    workers: Vec<Receiver<Batch>>,
    /// What the reader says.
    reader: Receiver<Told>,
    /// What was judged, on its way back to the thread that made it: its memory is used again there without a lock,
    /// and the counts of names that it shares with others of that thread stay with one core.
    judged: Vec<(Vec<Made>, Sender<Vec<Made>>)>,
    /// The last round, which waits for all that the reader says.
    last: Option<Batch>,
}

/// What the reader says beside the blocks.
enum Told {
    Failed(SourceError),
    Ended(Box<InputCounters>),
}

impl Threads {
    /// Starts them.
    pub(super) fn start(reader: CaptureReader, threads: usize, context: &Context) -> Self {
        let mut inputs = Vec::new();
        let mut workers = Vec::new();
        let mut judged = Vec::new();
        for index in 0..threads {
            let (input, blocks) = bounded::<Arc<Block>>(QUEUE);
            let (output, batches) = bounded(QUEUE);
            inputs.push(input);
            workers.push(batches);
            let (back, used) = bounded(QUEUE);
            judged.push((Vec::new(), back));
            let lane = context.lane(threads).on_thread(index);
            std::thread::spawn(move || decode(index, lane, &blocks, &output, &used));
        }
        // There are no more words of the reader than files.
        let (said, reader_says) = unbounded();
        let disorder = Disorder::up_to(context.decode.reordering);
        std::thread::spawn(move || read(reader, disorder, &inputs, &said));
        Self { workers, reader: reader_says, judged, last: None }
    }

    /// Takes back what was judged.
    pub(super) fn take_back(&mut self, made: Made) {
        let Some((judged, back)) = self.judged.get_mut(made.thread) else { return };
        judged.push(made);
        if judged.len() >= TOGETHER {
            // A thread that is behind, or has ended, is not waited for.
            let _ = back.try_send(std::mem::replace(judged, Vec::with_capacity(TOGETHER)));
        }
    }

    /// Waits for the next round.
    pub(super) fn next(&mut self) -> Feed {
        if let Some(last) = self.last.take() {
            return self.end(last);
        }
        let mut round = Batch { watermark: Timestamp::MAX, ..Batch::default() };
        // All have a batch of each block; one that died gives nothing more.
        let batches: Vec<Batch> = self.workers.iter().filter_map(|worker| worker.recv().ok()).collect();
        if batches.is_empty() {
            return Feed::Ended;
        }
        for batch in batches {
            round.watermark = round.watermark.min(batch.watermark);
            round.counters.add(&batch.counters);
            round.observations.extend(batch.observations);
        }
        // Those of each thread are mostly in order: this merges them.
        round.observations.sort_by(|a, b| sequencer::order(&a.observation, &b.observation));
        if round.watermark == Timestamp::MAX { self.end(round) } else { Feed::Batch(round) }
    }

    /// Gives what the reader says, then the last round.
    fn end(&mut self, mut last: Batch) -> Feed {
        match self.reader.recv() {
            Ok(Told::Failed(error)) => {
                self.last = Some(last);
                return Feed::Failed(error);
            }
            Ok(Told::Ended(counters)) => last.counters.add(&counters),
            Err(_) => {}
        }
        Feed::Batch(last)
    }
}

/// A block of frames, and for each frame the thread that decodes it.
struct Block {
    source: Arc<str>,
    frames: FrameBatch,
    /// How far the time of frames ran back up to their end.
    disorder: Duration,
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

fn read(mut reader: CaptureReader, mut disorder: Disorder, workers: &[Sender<Arc<Block>>], said: &Sender<Told>) {
    let mut counters = InputCounters::default();
    let mut sharder = Sharder::new();
    let (used, free) = bounded(QUEUE);
    let mut frames = FrameBatch::new();
    loop {
        match reader.next_batch(&mut frames, &mut counters) {
            Ok(Some(source)) => {
                let disorder = disorder.see(&frames);
                let (shards, whole) = shards(&frames, &mut sharder, workers.len(), &mut counters);
                let frames = std::mem::replace(&mut frames, free.try_recv().unwrap_or_default());
                let block = Arc::new(Block { source, frames, disorder, used: used.clone(), shards, whole });
                if workers.iter().any(|worker| worker.send(Arc::clone(&block)).is_err()) {
                    break;
                }
            }
            Ok(None) => break,
            // Nobody hears it where the replay was ended early.
            Err(error) => drop(said.send(Told::Failed(error))),
        }
    }
    let _ = said.send(Told::Ended(Box::new(counters)));
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

fn decode(
    index: usize,
    mut lane: Lane,
    blocks: &Receiver<Arc<Block>>,
    batches: &Sender<Batch>,
    used: &Receiver<Vec<Made>>,
) {
    // The file's name is counted with each observation, too: each thread has its own.
    let mut source: Arc<str> = Arc::from("");
    for block in blocks {
        for made in used.try_iter().flatten() {
            lane.take_back(made);
        }
        lane.expect_disorder(block.disorder);
        if source != block.source {
            source = Arc::from(&*block.source);
        }
        let mine = u8::try_from(index).unwrap_or(0);
        // Time passes with each frame, whoever decodes it, so that connections end at the same one for any number of threads.
        let mut passed = None;
        for (position, (frame, shard)) in block.frames.frames().zip(&block.shards).enumerate() {
            let whole = if *shard == NOBODY { block.whole.get(&position) } else { None };
            let whole = whole.filter(|(shard, _)| *shard == mine).map(|(_, whole)| whole.as_frame());
            let Some(own) = whole.or_else(|| (*shard == mine).then_some(frame)) else {
                passed = passed.max(Some(frame.at));
                continue;
            };
            if let Some(passed) = passed.take() {
                lane.handle_timeout(passed);
            }
            lane.handle_frame(&source, &own);
        }
        if let Some(passed) = passed {
            lane.handle_timeout(passed);
        }
        if batches.send(lane.take()).is_err() {
            return;
        }
    }
    lane.finish();
    let _ = batches.send(lane.take());
}
