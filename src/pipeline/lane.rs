//! One source's way from octets to observations.

use std::sync::Arc;
use std::time::Duration;

use super::observed::{Made, Observed};
use crate::decode::{DecodeOptions, Decoder};
use crate::extract::Extractor;
use crate::model::{Exchange, Frame, HashKey, InputCounters, Timestamp};
use crate::source::FrameBatch;

/// Decodes and extracts what one source gives; knows no thread and no clock.
pub(super) struct Lane {
    decoder: Decoder,
    observed: Observed,
    /// How far the time of its frames may run back.
    disorder: Duration,
    /// What did not come through the decoder: lines.
    lines: InputCounters,
    newest_line: Option<Timestamp>,
}

/// What a lane gives to the engine at a time.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// In the order in which they came.
    pub(super) observations: Vec<Made>,
    /// Nothing older than this will come from the lane.
    pub(super) watermark: Timestamp,
    /// All that the lane counted so far.
    pub(super) counters: InputCounters,
}

/// How far behind the newest line an older one may come before it is taken out of order: logs are written when an exchange
/// ends, and several writers share a file.
const LINE_DISORDER: Duration = Duration::from_secs(5);

/// Exchanges that are looked at one after the other, so that the code for it is fetched once for all of them: frames and
/// exchanges in turn drive each other's code out of a processor's first cache.
const TOGETHER: usize = 32;

impl Lane {
    pub(super) fn new(extractor: Arc<Extractor>, options: DecodeOptions, key: HashKey) -> Self {
        Self {
            disorder: options.reordering,
            decoder: Decoder::new(options, key, extractor.interest()),
            observed: Observed::new(extractor),
            lines: InputCounters::default(),
            newest_line: None,
        }
    }

    /// The same on the decode thread of that number.
    pub(super) fn on_thread(mut self, thread: usize) -> Self {
        self.observed = self.observed.on_thread(thread);
        self
    }

    /// Takes a frame.
    pub(super) fn handle_frame(&mut self, source: &Arc<str>, frame: &Frame<'_>) {
        self.decoder.handle_frame(source, frame);
        if self.decoder.exchanges().len() >= TOGETHER {
            self.drain();
        }
    }

    /// Lets time run on to that of a frame that another lane takes.
    #[inline]
    pub(super) fn let_pass(&mut self, at: Timestamp) {
        self.decoder.handle_timeout(at);
    }

    /// Takes frames one after the other.
    pub(super) fn handle_frames(&mut self, source: &Arc<str>, frames: &FrameBatch) {
        let mut frames = frames.frames();
        while frames.len() > 0 {
            self.decoder.handle_frames(source, &mut frames, TOGETHER);
            if self.decoder.exchanges().len() >= TOGETHER {
                self.drain();
            }
        }
    }

    /// Says how far the time of the frames runs back.
    pub(super) fn expect_disorder(&mut self, disorder: Duration) {
        self.disorder = disorder;
    }

    /// How far the time of its frames ran back so far.
    pub(super) const fn ran_back(&self) -> Duration {
        self.decoder.ran_back()
    }

    /// Takes back what was judged.
    #[inline(always)]
    pub(super) fn take_back(&mut self, made: Made) {
        self.observed.take_back(made);
    }

    /// Takes an exchange that a line held.
    pub(super) fn handle_exchange(&mut self, mut exchange: Exchange) {
        self.lines.requests = self.lines.requests.saturating_add(u64::from(exchange.request.is_some()));
        self.lines.responses = self.lines.responses.saturating_add(1);
        self.lines.exchanges = self.lines.exchanges.saturating_add(1);
        let at = exchange.response.at;
        self.newest_line = Some(self.newest_line.map_or(at, |newest| newest.max(at)));
        self.observed.add(&mut exchange);
    }

    /// The counters of lines and files, to add to.
    pub(super) fn counters_mut(&mut self) -> &mut InputCounters {
        &mut self.lines
    }

    /// Lets time pass while nothing comes in.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        self.decoder.handle_timeout(now);
        self.drain();
    }

    /// The input has ended.
    pub(super) fn finish(&mut self) {
        self.decoder.finish();
        self.drain();
        self.newest_line = None;
    }

    /// How many exchanges wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.observed.waiting().saturating_add(self.decoder.exchanges().len())
    }

    /// Takes out what has come together.
    pub(super) fn take(&mut self) -> Batch {
        self.drain();
        let watermark = match self.newest_line {
            Some(newest) => newest.before(LINE_DISORDER),
            None => self.decoder.watermark(self.disorder),
        };
        let mut counters = self.decoder.counters();
        counters.add(&self.lines);
        Batch { observations: self.observed.take(), watermark, counters }
    }

    /// Most frames end no exchange.
    #[inline]
    fn drain(&mut self) {
        let exchanges = self.decoder.exchanges_mut();
        if !exchanges.is_empty() {
            self.observed.add_all(exchanges);
        }
    }
}
