//! What a capture file's format says of the next octets.

use super::batch::Record;

/// Larger records than any capture tool writes (libpcap's own bound is 256 KiB) are damage, not data.
pub(super) const RECORD: usize = 16 << 20;

/// The next record.
pub(super) enum Parsed {
    /// A frame; `start` counts from the record's first octet.
    Frame {
        /// Where it lies.
        record: Record,
        /// The record's length.
        used: usize,
    },
    /// A record without a frame, of that length.
    Other(usize),
    /// A record that contradicts itself; its length is known, so that reading goes on behind it.
    DamagedRecord(usize),
    /// The record is that long and not all there yet.
    Want(usize),
    /// This is no record: its length is not to be believed.
    Lost,
}

/// A number of four octets in the file's byte order; 0 where the octets end, which callers rule out.
#[inline]
pub(super) fn u32_at(octets: &[u8], at: usize, big_endian: bool) -> u32 {
    let bytes = octets.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// A number of two octets, likewise.
pub(super) fn u16_at(octets: &[u8], at: usize, big_endian: bool) -> u16 {
    let bytes = octets.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
    if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
}
