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

/// What a record's header says.
#[derive(Debug, Clone, Copy)]
struct Header {
    seconds: u32,
    fraction: u32,
    captured: usize,
    original_len: u32,
}

/// Whether a file that starts so is a classic capture file.
pub(super) fn is_pcap(octets: &[u8]) -> bool {
    Pcap::open(octets).is_some()
}

impl Header {
    #[inline]
    fn of(octets: &[u8; 16], number: impl Fn([u8; 4]) -> u32) -> Self {
        let [s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, o0, o1, o2, o3] = *octets;
        Self {
            seconds: number([s0, s1, s2, s3]),
            fraction: number([f0, f1, f2, f3]),
            captured: number([c0, c1, c2, c3]) as usize,
            original_len: number([o0, o1, o2, o3]),
        }
    }
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
        let header = self.header(octets);
        let Header { seconds, captured, original_len, .. } = header;
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
        Parsed::Frame { record: self.record(&header, 0), used }
    }

    /// Takes the records from `start` of a block on that follow one another without anything to doubt; returns where they
    /// end. [`Self::parse`] finds the same of them, and whatever is wrong with the next one.
    pub(super) fn parse_run(&mut self, block: &[u8], start: usize, records: &mut Vec<Record>) -> usize {
        let Some(mut last) = self.last else { return start };
        let Self { unit, record_header, link, longest, .. } = *self;
        let mut second = nanos(last);
        let mut rest = block.get(start..).unwrap_or_default();
        while let Some(header) = rest.first_chunk() {
            let Header { seconds, fraction, captured, original_len } = self.fields(header);
            if captured > original_len as usize || captured > longest {
                break;
            }
            // Most records are of the same second as the one before.
            if seconds != last {
                if seconds.abs_diff(last) > DAY {
                    break;
                }
                second = nanos(seconds);
            }
            let Some(behind) = rest.get(record_header + captured..) else { break };
            let at = Timestamp::from_nanos(second + i64::from(fraction) * unit);
            records.push(Record::new(at, link, original_len, block.len() - rest.len() + record_header, captured));
            last = seconds;
            rest = behind;
        }
        self.last = Some(last);
        block.len() - rest.len()
    }

    /// The header at the start of these octets; all 0 where they end inside it.
    fn header(&self, octets: &[u8]) -> Header {
        self.fields(octets.first_chunk().unwrap_or(&[0; 16]))
    }

    #[inline]
    fn fields(&self, octets: &[u8; 16]) -> Header {
        if self.big_endian { Header::of(octets, u32::from_be_bytes) } else { Header::of(octets, u32::from_le_bytes) }
    }

    /// The record whose header starts at `at`.
    #[inline]
    fn record(&self, header: &Header, at: usize) -> Record {
        let at_nanos = nanos(header.seconds) + i64::from(header.fraction) * self.unit;
        let start = at + self.record_header;
        Record::new(Timestamp::from_nanos(at_nanos), self.link, header.original_len, start, header.captured)
    }

    /// Whether a record may start at `at`: where the next one would be.
    pub(super) fn plausible(&self, octets: &[u8], at: usize) -> Option<usize> {
        let octets = octets.get(at..)?;
        let Header { captured, original_len, .. } = self.header(octets);
        let original_lens = captured..=SNAPLEN;
        let plausible = self.seems_header(octets) && captured > 0 && original_lens.contains(&(original_len as usize));
        plausible.then_some(at + self.record_header + captured)
    }

    /// Whether these octets look like a record's header that follows the last good record.
    fn seems_header(&self, octets: &[u8]) -> bool {
        let header = self.header(octets);
        octets.len() >= self.record_header
            && header.captured <= self.longest.min(SNAPLEN)
            && i64::from(header.fraction) * self.unit < 1_000_000_000
            && self.last.is_none_or(|last| header.seconds.abs_diff(last) < DAY)
    }

    /// Whether these octets look like a header that follows a record of that second.
    fn follows(&self, octets: &[u8], second: u32) -> bool {
        Self { last: Some(second), ..*self }.seems_header(octets)
    }
}

/// A moment without its fraction, in nanoseconds.
const fn nanos(seconds: u32) -> i64 {
    seconds as i64 * 1_000_000_000
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
