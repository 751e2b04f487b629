//! Frames by the hundred: one allocation, filled by a capture, handed to a worker, given back and filled again.

use crate::model::{Frame, LinkType, Timestamp};

/// Frames in one block of octets. Clearing keeps the memory.
#[derive(Debug, Default)]
pub struct FrameBatch {
    pub(super) octets: Vec<u8>,
    pub(super) records: Vec<Record>,
}

/// Where a frame lies in the block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) at: Timestamp,
    pub(super) link: LinkType,
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) original_len: u32,
}

impl FrameBatch {
    /// Without frames.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies a frame in.
    pub fn push(&mut self, frame: &Frame<'_>) {
        let start = self.octets.len();
        self.octets.extend_from_slice(frame.octets);
        self.records.push(Record {
            at: frame.at,
            link: frame.link,
            start,
            length: frame.octets.len(),
            original_len: frame.original_len,
        });
    }

    /// The frames in their order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
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
    #[inline]
    pub(super) fn frame(self, octets: &[u8]) -> Frame<'_> {
        let end = self.start.saturating_add(self.length);
        Frame {
            at: self.at,
            link: self.link,
            octets: octets.get(self.start..end).unwrap_or_default(),
            original_len: self.original_len,
        }
    }
}
