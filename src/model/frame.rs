//! Frames as a capture hands them over.

use super::Timestamp;

/// How a frame starts: a `LINKTYPE_` number of <https://www.tcpdump.org/linktypes.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

/// One captured frame, borrowed from the capture's own buffer.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// How it starts.
    pub link: LinkType,
    /// The captured octets; fewer than `original_len` where the capture's snaplen cut it.
    pub octets: &'a [u8],
    /// Its length on the wire.
    pub original_len: u32,
}

/// A frame with octets of its own.
#[derive(Debug, Clone)]
pub struct OwnedFrame {
    /// When it was captured.
    pub at: Timestamp,
    /// How it starts.
    pub link: LinkType,
    /// All of its octets.
    pub octets: Vec<u8>,
}

impl OwnedFrame {
    /// The frame, borrowed.
    pub fn as_frame(&self) -> Frame<'_> {
        let original_len = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
        Frame { at: self.at, link: self.link, octets: &self.octets, original_len }
    }
}
