//! The classic capture file: one header, then records.
//!
//! Source: draft-ietf-opsawg-pcap.

use super::batch::Record;
use super::record::{Parsed, RECORD, u32_at};
use crate::model::{LinkType, Timestamp};

/// The file header's length.
pub(super) const HEADER: usize = 24;
/// What libpcap writes at most, whatever snaplen the file header says.
const SNAPLEN: usize = 262_144;
/// The distance in time to the last good record that a record may have to be believed after damage.
const DAY: u32 = 86_400;

/// How this file's records are written.
#[derive(Debug, Clone)]
pub(super) struct Pcap {
    big_endian: bool,
    /// Nanoseconds of one unit of a record's fraction.
    unit: i64,
    /// A record's header: 16 octets, 24 in the modified format of some old Linux tools.
    record_header: usize,
    link: LinkType,
    longest: usize,
    /// The seconds of the last record.
    last: Option<u32>,
}

/// Whether a file that starts so is a classic capture file.
pub(super) fn is_pcap(octets: &[u8]) -> bool {
    Pcap::open(octets).is_some()
}

impl Pcap {
    /// Reads the file header.
    pub(super) fn open(octets: &[u8]) -> Option<Self> {
        if octets.len() < HEADER {
            return None;
        }
        let (big_endian, (unit, record_header)) =
            [false, true].into_iter().find_map(|big| Some((big, variant(u32_at(octets, 0, big))?)))?;
        // Versions 2.2 to 2.4 were written; 2.4 since 1998.
        let version = super::record::u16_at(octets, 4, big_endian);
        if version != 2 {
            return None;
        }
        let snaplen = u32_at(octets, 16, big_endian) as usize;
        Some(Self {
            big_endian,
            unit,
            record_header,
            // The upper bits tell of a frame check sequence, which the lengths inside the frame leave out by themselves.
            link: LinkType(u32_at(octets, 20, big_endian) & 0x03ff_ffff),
            longest: snaplen.clamp(SNAPLEN, RECORD),
            last: None,
        })
    }

    /// The record at the start of `octets`, behind which nothing follows if the file has `ended`.
    pub(super) fn parse(&mut self, octets: &[u8], ended: bool) -> Parsed {
        if octets.len() < self.record_header {
            return Parsed::Want(self.record_header);
        }
        let field = |at| u32_at(octets, at, self.big_endian);
        let (seconds, fraction, captured, original_len) = (field(0), field(4), field(8) as usize, field(12));
        if captured > self.longest {
            return Parsed::Lost;
        }
        let used = self.record_header + captured;
        // More captured than there was, or another day: some tool's mistake, a merged file, or damage. Only what follows can
        // tell.
        let leaps = self.last.is_some_and(|last| seconds.abs_diff(last) > DAY);
        if captured > original_len as usize || leaps {
            let behind = used + self.record_header;
            if octets.len() < behind && !ended {
                return Parsed::Want(behind);
            }
            if octets.len() != used
                && !octets.get(used..).is_some_and(|next| self.seems_header(next) || self.follows(next, seconds))
            {
                return Parsed::Lost;
            }
        }
        if octets.len() < used {
            return Parsed::Want(used);
        }
        self.last = Some(seconds);
        let nanos = i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.unit;
        let record = Record {
            at: Timestamp::from_nanos(nanos),
            link: self.link,
            start: self.record_header,
            length: captured,
            original_len,
        };
        Parsed::Frame { record, used }
    }

    /// Whether a record may start at `at`: where the next one would be.
    pub(super) fn plausible(&self, octets: &[u8], at: usize) -> Option<usize> {
        let header = octets.get(at..)?;
        let (captured, original) = self.lengths(header);
        let plausible = self.seems_header(header) && captured > 0 && (captured..=SNAPLEN).contains(&original);
        plausible.then_some(at + self.record_header + captured)
    }

    /// Whether these octets look like a record's header that follows the last good record.
    fn seems_header(&self, octets: &[u8]) -> bool {
        let (seconds, fraction) = (u32_at(octets, 0, self.big_endian), u32_at(octets, 4, self.big_endian));
        octets.len() >= self.record_header
            && self.lengths(octets).0 <= self.longest.min(SNAPLEN)
            && i64::from(fraction) * self.unit < 1_000_000_000
            && self.last.is_none_or(|last| seconds.abs_diff(last) < DAY)
    }

    /// Whether these octets look like a header that follows a record of that second.
    fn follows(&self, octets: &[u8], second: u32) -> bool {
        Self { last: Some(second), ..*self }.seems_header(octets)
    }

    /// The octets captured and those there were.
    fn lengths(&self, header: &[u8]) -> (usize, usize) {
        (u32_at(header, 8, self.big_endian) as usize, u32_at(header, 12, self.big_endian) as usize)
    }
}

/// The unit of a record's fraction in nanoseconds and the length of a record's header, by the file's first number.
fn variant(magic: u32) -> Option<(i64, usize)> {
    match magic {
        0xa1b2_c3d4 => Some((1000, 16)),
        0xa1b2_3c4d => Some((1, 16)),
        0xa1b2_cd34 => Some((1000, 24)),
        _ => None,
    }
}
