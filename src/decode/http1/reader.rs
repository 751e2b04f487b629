//! One direction of a conversation: where in a message it stands.

use super::lenient::EndSearch;
use super::shapes::ShapeId;
use crate::model::Timestamp;

/// What a run of octets came with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// When it was captured.
    pub(crate) at: Timestamp,
    /// The stream offset of its first octet.
    pub(crate) offset: u64,
    /// How far its sender had heard the other side, as an offset of the other side's stream.
    pub(crate) heard: Option<u64>,
}

/// Where in a message a direction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// At the start of a stream, before anything was recognized.
    #[default]
    Opening,
    /// Before or inside a head; `found` where framing was lost and the head is not proven yet.
    Head { found: bool },
    /// Inside a body of known length; `doubtful` where there may be none, since the request may have been HEAD.
    Length { left: u64, doubtful: bool },
    /// Inside a chunked body.
    Chunked(Chunk),
    /// Inside a body that ends with the stream.
    UntilClose,
    /// Framing is lost: only a segment that starts with a head helps.
    Lost,
    /// Nothing more to read: a tunnel, another protocol, or encrypted.
    Opaque,
}

/// Where in a chunked body a direction stands. Source: RFC 9112 section 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// In the digits of a chunk's size.
    Size { size: u64, digits: u8 },
    /// Behind the digits: extensions, up to the line's end.
    Extension { size: u64 },
    /// In the data.
    Data { left: u64 },
    /// In the line's end behind the data.
    DataEnd,
    /// In the trailer section.
    Trailer,
}

/// One direction of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) state: State,
    /// The start of a head or of a trailer section that is not whole yet.
    pub(crate) partial: Vec<u8>,
    /// The mark of its first octet.
    pub(crate) partial_mark: Option<Mark>,
    /// The search for its end.
    pub(crate) search: EndSearch,
    /// The shape of the last head.
    pub(crate) shape: ShapeId,
    /// Where the last heads started: where framing was lost, a copy of a segment looks like another head.
    heads: [u64; COPIES],
}

/// Heads behind which a copy of a segment may still come: capture points that see all twice do so at once.
const COPIES: usize = 4;

impl Reader {
    /// The shape that the next head likely has, where a stream that begins has the one that came `last`.
    #[inline]
    pub(crate) fn likely_shape(&self, last: ShapeId) -> ShapeId {
        if matches!(self.state, State::Opening) { last } else { self.shape }
    }

    /// Notes that a head starts at this offset.
    #[inline]
    pub(crate) fn note_head(&mut self, start: u64) {
        let [newest, second, third, _] = self.heads;
        self.heads = [start, newest, second, third];
    }

    /// Whether the head that starts at this offset was read before.
    pub(crate) fn has_read(&self, start: u64) -> bool {
        self.heads.contains(&start)
    }

    /// Forgets an unfinished head; returns whether there was one.
    pub(crate) fn drop_partial(&mut self) -> bool {
        let was = !self.partial.is_empty();
        // The buffer of a big head is not kept for the life of a connection.
        self.partial = Vec::new();
        self.partial_mark = None;
        self.search = EndSearch::default();
        was
    }
}

/// A step through the framing of a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many octets belong to the framing, and this is where it stands behind them.
    Framing(usize, Chunk),
    /// So many octets are data.
    Data(usize, Chunk),
    /// So many octets belong to the framing, and the trailer section starts behind them.
    Trailer(usize),
    /// The framing is broken.
    Broken,
}

/// A chunk's size has at most 16 digits; leading zeros are bounded too.
const SIZE_DIGITS: u8 = 20;

/// The next step through a chunked body; `octets` is not empty, and the place is not the trailer section.
pub(crate) fn step(chunk: Chunk, octets: &[u8]) -> Step {
    let (Some(first), length) = (octets.first(), octets.len()) else { return Step::Broken };
    match chunk {
        Chunk::Size { size, digits } => match char::from(*first).to_digit(16) {
            Some(digit) => {
                let grown = size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
                match grown.filter(|size| *size < 1 << 62 && digits < SIZE_DIGITS) {
                    Some(size) => Step::Framing(1, Chunk::Size { size, digits: digits.saturating_add(1) }),
                    None => Step::Broken,
                }
            }
            None if digits == 0 && matches!(first, b' ' | b'\t') => Step::Framing(1, chunk),
            None if digits > 0 && matches!(first, b'\r' | b'\n' | b';' | b' ' | b'\t') => {
                Step::Framing(0, Chunk::Extension { size })
            }
            None => Step::Broken,
        },
        Chunk::Extension { size } => match octets.iter().position(|octet| *octet == b'\n') {
            None => Step::Framing(length, chunk),
            Some(newline) if size == 0 => Step::Trailer(newline.saturating_add(1)),
            Some(newline) => Step::Framing(newline.saturating_add(1), Chunk::Data { left: size }),
        },
        Chunk::Data { left } => {
            let taken = length.min(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left.saturating_sub(taken as u64);
            Step::Data(taken, if left == 0 { Chunk::DataEnd } else { Chunk::Data { left } })
        }
        Chunk::DataEnd => match first {
            b'\r' => Step::Framing(1, chunk),
            b'\n' => Step::Framing(1, Chunk::Size { size: 0, digits: 0 }),
            _ => Step::Broken,
        },
        Chunk::Trailer => Step::Broken,
    }
}
