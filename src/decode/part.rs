//! What is left of a frame: the octets that were captured, and how many more there were on the wire.

/// The rest of a frame, read from the front. Reading past its end gives `None`, never a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// What was captured.
    pub(super) octets: &'a [u8],
    /// How many octets followed on the wire that the capture cut off.
    pub(super) cut: u32,
}

impl Part<'_> {
    /// Everything behind the first `count` octets.
    #[inline]
    pub(super) fn skip(self, count: usize) -> Option<Self> {
        Some(Self { octets: self.octets.get(count..)?, cut: self.cut })
    }

    /// As much as a length field says: padding behind it is dropped, and what was not captured of it is counted.
    pub(super) fn limit(self, length: usize) -> Self {
        match self.octets.get(..length) {
            Some(octets) => Self { octets, cut: 0 },
            None => Self {
                octets: self.octets,
                cut: u32::try_from(length.saturating_sub(self.octets.len())).unwrap_or(u32::MAX),
            },
        }
    }

    /// The octet at `at`.
    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.octets.get(at).copied()
    }

    /// The 16-bit number at `at`, in network order.
    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.octets.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// The 32-bit number at `at`, in network order.
    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.octets.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }
}
