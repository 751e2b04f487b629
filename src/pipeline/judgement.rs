//! What the streams of a replay give, judged in the order of its time.

use super::feed::Feed;
use super::observed::Made;
use super::{Engine, Replayed, Sequencer, Sink};
use crate::model::{InputCounters, Timestamp};
use crate::source::SourceError;

/// The judging end of a replay.
pub(super) struct Judgement<'a> {
    sequencer: Sequencer,
    engine: Engine,
    /// What each stream counted so far.
    inputs: Vec<InputCounters>,
    failures: Vec<SourceError>,
    sink: &'a mut (dyn Sink + Send),
}

impl<'a> Judgement<'a> {
    /// Of so many streams, none of which gave anything yet.
    pub(super) fn new(streams: usize, engine: Engine, sink: &'a mut (dyn Sink + Send)) -> Self {
        Self {
            sequencer: Sequencer::new(streams),
            engine,
            inputs: vec![InputCounters::default(); streams],
            failures: Vec::new(),
            sink,
        }
    }

    /// The stream to read on: the one that is furthest behind, so that what waits stays bounded; `None` where all have ended,
    /// or nobody listens any more.
    pub(super) fn next_stream(&self) -> Option<usize> {
        if self.sink.wants_more() { self.sequencer.slowest() } else { None }
    }

    /// Takes what a stream gives, and judges what is due then. What was judged goes back to its stream.
    pub(super) fn take(&mut self, stream: usize, feed: Feed, mut take_back: impl FnMut(usize, Made)) {
        match feed {
            Feed::Batch(batch) => {
                for observation in batch.observations {
                    self.sequencer.push(observation, stream);
                }
                self.sequencer.advance(stream, batch.watermark);
                if let Some(input) = self.inputs.get_mut(stream) {
                    *input = batch.counters;
                }
            }
            Feed::Failed(error) => self.failures.push(error),
            Feed::Ended => self.sequencer.end(stream),
        }
        while let Some((mut made, from)) = self.sequencer.pop() {
            self.engine.handle_observation(&mut made.observation, self.sink);
            take_back(from, made);
        }
    }

    /// Takes what is to be judged in its turn.
    pub(super) fn wait(&mut self, stream: usize, made: Made) {
        self.sequencer.push(made, stream);
    }

    /// Judges what waits and is older than `limit`, as all that is to come is not.
    #[inline(always)]
    pub(super) fn take_due(&mut self, limit: Timestamp, mut take_back: impl FnMut(Made)) {
        while !self.sequencer.is_empty()
            && let Some((mut made, _)) = self.sequencer.pop_before(limit)
        {
            self.engine.handle_observation(&mut made.observation, self.sink);
            take_back(made);
        }
    }

    /// Judges an observation at once and gives it back, if it comes before all that waits and is older than `limit`, as all that
    /// is to come is not; else it waits for its turn.
    #[inline(always)]
    pub(super) fn take_now(&mut self, stream: usize, mut made: Made, limit: Timestamp) -> Option<Made> {
        if self.sequencer.is_empty() && made.observation.at < limit {
            self.engine.handle_observation(&mut made.observation, self.sink);
            return Some(made);
        }
        self.wait(stream, made);
        None
    }

    /// What it all came to, with what was counted where the files were opened.
    pub(super) fn end(self, mut input: InputCounters) -> Replayed {
        for counters in &self.inputs {
            input.add(counters);
        }
        Replayed {
            snapshot: self.engine.snapshot(&input, &[]),
            episodes: self.engine.episodes(),
            failures: self.failures,
        }
    }
}
