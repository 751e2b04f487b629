//! The door of decoding: frames and segments in, exchanges out.

use std::sync::Arc;
use std::time::Duration;

use super::exchanges::Exchanges;
use super::frame::FrameDecoder;
use super::options::DecodeOptions;
use super::segment::Segment;
use super::streams::{Pause, Streams};
use crate::model::{Exchange, Frame, HashKey, InputCounters, Interest, Timestamp};

/// Turns frames into exchanges. Knows no clock: time is what the frames carry and what [`Decoder::handle_timeout`] says.
///
/// After each input take the exchanges out with [`Decoder::poll_exchange`]; at the end of all input call
/// [`Decoder::finish`]. All frames of a connection must come to the same decoder, see [`flow_hash`](super::flow_hash).
#[derive(Debug)]
pub struct Decoder {
    frames: FrameDecoder,
    /// What the way down to TCP header by header counted; the streams count for themselves.
    counted: InputCounters,
    streams: Streams,
}

impl Decoder {
    /// A decoder without any connection.
    pub fn new(options: DecodeOptions, key: HashKey, interest: Arc<dyn Interest>) -> Self {
        Self {
            frames: FrameDecoder::new(),
            counted: InputCounters::default(),
            streams: Streams::new(options, key, interest),
        }
    }

    /// Takes one frame, which was captured on `source`.
    pub fn handle_frame(&mut self, source: &Arc<str>, frame: &Frame<'_>) {
        self.handle_frames(source, &mut std::iter::once(*frame), usize::MAX);
    }

    /// Takes frames, which were captured on `source`, up to the last one, or until so many exchanges wait to be taken.
    pub fn handle_frames<'a>(
        &mut self,
        source: &Arc<str>,
        frames: &mut (impl ExactSizeIterator<Item = Frame<'a>> + Clone),
        enough: usize,
    ) {
        loop {
            match self.streams.handle_usual(frames, enough) {
                Pause::Ended => return,
                Pause::Due(at) => self.streams.advance(at),
                Pause::Waits(place) => self.streams.settle(place),
                Pause::Other(frame) => self.descend(source, frame),
            }
            if self.exchanges().len() >= enough {
                return;
            }
        }
    }

    /// Takes the frame header by header.
    #[cold]
    fn descend(&mut self, source: &Arc<str>, frame: Frame<'_>) {
        let Self { frames, counted, streams } = self;
        frames.segments(&frame, counted, &mut |segment| streams.handle_segment(source, &segment));
    }

    /// Takes one TCP segment, which was seen on `source`.
    pub fn handle_segment(&mut self, source: &Arc<str>, segment: &Segment<'_>) {
        self.streams.advance(segment.at);
        self.streams.handle_segment(source, segment);
    }

    /// Ends what has waited long enough at `now`: missing octets, content, silent connections.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.streams.advance(now);
    }

    /// The next exchange, if there is one; those behind it move up.
    pub fn poll_exchange(&mut self) -> Option<Exchange> {
        self.exchanges_mut().take_first()
    }

    /// All exchanges that wait to be taken.
    #[inline]
    pub const fn exchanges(&self) -> &Exchanges {
        self.streams.exchanges()
    }

    /// All exchanges that wait to be taken, in their order: for whoever reads them where they lie, and clears them.
    #[inline]
    pub const fn exchanges_mut(&mut self) -> &mut Exchanges {
        self.streams.exchanges_mut()
    }

    /// No later exchange will carry an earlier `response.at`, as long as the time of the frames runs back by less than
    /// `disorder`. It stays behind the last frame by that, and by at most [`DecodeOptions::hold`].
    pub fn watermark(&self, disorder: Duration) -> Timestamp {
        self.streams.watermark(disorder)
    }

    /// How far the time of the frames ran back so far, behind the latest.
    pub const fn ran_back(&self) -> Duration {
        self.streams.ran_back()
    }

    /// The input has ended: everything that waits is given out.
    pub fn finish(&mut self) {
        self.streams.finish();
    }

    /// What came in so far.
    pub fn counters(&self) -> InputCounters {
        let mut counters = self.streams.counters().clone();
        counters.add(&self.counted);
        counters
    }
}
