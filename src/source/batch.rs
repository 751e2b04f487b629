//! Frames by the hundred: one allocation, filled by a capture, handed to a worker, given back and filled again.

use crate::model::{Frame, LinkType, Timestamp};

/// Frames in one block of octets. Clearing keeps the memory.
#[derive(Debug, Default)]
pub struct FrameBatch {
    pub(super) octets: Vec<u8>,
    pub(super) records: Vec<Record>,
}

/// Where a frame lies in the block, in few octets: a block has a thousand of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) at: Timestamp,
    pub(super) link: LinkType,
    pub(super) original_len: u32,
    start: u32,
    length: u32,
}

impl FrameBatch {
    /// Without frames.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies a frame in.
    pub fn push(&mut self, frame: &Frame<'_>) {
        let Frame { at, link, octets, original_len } = *frame;
        self.records.push(Record::new(at, link, original_len, self.octets.len(), octets.len()));
        self.octets.extend_from_slice(octets);
    }

    /// The frames in their order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> + Clone {
        self.records.iter().map(|record| record.frame(&self.octets))
    }

    /// When each was captured.
    pub fn times(&self) -> impl DoubleEndedIterator<Item = Timestamp> {
        self.records.iter().map(|record| record.at)
    }

    /// The frame at `index`.
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        self.records.get(index).map(|record| record.frame(&self.octets))
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many octets the block holds.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Forgets the frames and keeps the memory.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.records.clear();
    }
}

impl Record {
    /// Of a frame whose octets start there and are so many.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a block is far shorter than 4 GiB")]
    pub(super) fn new(at: Timestamp, link: LinkType, original_len: u32, start: usize, length: usize) -> Self {
        Self { at, link, original_len, start: start as u32, length: length as u32 }
    }

    /// The same frame in a block where its record starts at `position`.
    pub(super) fn moved(self, position: usize) -> Self {
        Self::new(self.at, self.link, self.original_len, position + self.start as usize, self.length as usize)
    }

    #[inline]
    pub(super) fn frame(self, octets: &[u8]) -> Frame<'_> {
        let start = self.start as usize;
        Frame {
            at: self.at,
            link: self.link,
            octets: octets.get(start..start + self.length as usize).unwrap_or_else(outside),
            original_len: self.original_len,
        }
    }
}

/// What a record that lies outside its block holds. It does not happen: the hint keeps that out of the way.
#[cold]
fn outside<'a>() -> &'a [u8] {
    &[]
}
