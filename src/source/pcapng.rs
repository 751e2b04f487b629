//! The block structured capture file: sections, each with its own byte order and interfaces.
//!
//! Source: draft-ietf-opsawg-pcapng.

use pcap_parser::pcapng::{
    OptionCode, PcapNGOption, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};

use super::batch::Record;
use super::record::{Parsed, RECORD, u16_at, u32_at};
use crate::model::{LinkType, Timestamp};

/// The type of a section header, the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
/// The number by which a section header tells its byte order.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// The shortest block: type, length, length again.
const SHORTEST: usize = 12;
/// Interfaces of one section. The largest captures known have some hundred; each costs 32 octets.
const INTERFACES: usize = 65_536;

/// The section that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// The time of the last frame: a simple packet block has none of its own.
    last: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    /// 0: not limited.
    snaplen: usize,
    clock: Clock,
    /// Nanoseconds to add.
    offset: i64,
}

/// How an interface counts time.
#[derive(Debug, Clone, Copy)]
enum Clock {
    /// So many nanoseconds a tick.
    Nanos(u64),
    /// So many ticks a second.
    Ticks(u64),
}

/// Whether a file that starts so is of this kind.
pub(super) fn is_pcapng(octets: &[u8]) -> bool {
    octets.len() >= SHORTEST
        && u32_at(octets, 0, false) == SECTION
        && [false, true].into_iter().any(|big| u32_at(octets, 8, big) == BYTE_ORDER)
}

impl Pcapng {
    /// The block at the start of `octets`.
    pub(super) fn parse(&mut self, octets: &[u8]) -> Parsed {
        if octets.len() < SHORTEST {
            return Parsed::Want(SHORTEST);
        }
        let kind = u32_at(octets, 0, self.big_endian);
        if kind == SECTION {
            match [false, true].into_iter().find(|big| u32_at(octets, 8, *big) == BYTE_ORDER) {
                Some(big_endian) => self.big_endian = big_endian,
                None => return Parsed::Lost,
            }
        }
        let length = u32_at(octets, 4, self.big_endian) as usize;
        if !(SHORTEST..=RECORD).contains(&length) || !length.is_multiple_of(4) {
            return Parsed::Lost;
        }
        let Some(block) = octets.get(..length) else { return Parsed::Want(length) };
        if u32_at(block, length - 4, self.big_endian) as usize != length {
            return Parsed::Lost;
        }
        match kind {
            SECTION => {
                self.interfaces.clear();
                Parsed::Other(length)
            }
            1 => self.interface(block),
            2 | 6 => self.packet(kind, block),
            3 => self.simple_packet(block),
            _ => Parsed::Other(length),
        }
    }

    /// Whether a block may start at `at`: where the next one would be.
    pub(super) fn plausible(&self, octets: &[u8], at: usize) -> Option<usize> {
        let kind = u32_at(octets.get(at..)?.get(..SHORTEST)?, 0, self.big_endian);
        let length = u32_at(octets, at.checked_add(4)?, self.big_endian) as usize;
        let known = matches!(kind, 1..=11 | SECTION) || kind & 0x7fff_ffff == 0xbad;
        let end = at.checked_add(length)?;
        let last = u32_at(octets.get(end.checked_sub(4)?..end)?, 0, self.big_endian) as usize;
        (known && length >= SHORTEST && length.is_multiple_of(4) && last == length).then_some(end)
    }

    fn interface(&mut self, block: &[u8]) -> Parsed {
        if block.len() < 20 || self.interfaces.len() >= INTERFACES {
            return Parsed::DamagedRecord(block.len());
        }
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        // The parser's own readings of both options are not used: it takes no power of two for a resolution, and each
        // offset for little endian.
        let option = |wanted| {
            let options = parsed.as_ref().map(|(_, parsed)| parsed.options.as_slice()).unwrap_or_default();
            options.iter().find(|option| option.code == wanted).map(PcapNGOption::value)
        };
        let ticks = match option(OptionCode::IfTsresol) {
            None => Some(1_000_000),
            Some(value) => value.first().and_then(|exponent| ticks_per_second(*exponent)),
        };
        let offset = match option(OptionCode::IfTsoffset).and_then(|value| value.first_chunk()) {
            Some(bytes) if self.big_endian => i64::from_be_bytes(*bytes),
            Some(bytes) => i64::from_le_bytes(*bytes),
            None => 0,
        };
        let damaged = parsed.is_err() || ticks.is_none();
        // The interface counts even where its options are damaged: the packets name it by its number.
        self.interfaces.push(Interface {
            link: LinkType(u32::from(u16_at(block, 8, self.big_endian))),
            snaplen: u32_at(block, 12, self.big_endian) as usize,
            clock: Clock::new(ticks.unwrap_or(1_000_000)),
            offset: offset.saturating_mul(1_000_000_000),
        });
        if damaged { Parsed::DamagedRecord(block.len()) } else { Parsed::Other(block.len()) }
    }

    /// An enhanced packet block (6), or the packet block (2) that it replaced.
    fn packet(&mut self, kind: u32, block: &[u8]) -> Parsed {
        const HEAD: usize = 28;
        let field = |at| u32_at(block, at, self.big_endian);
        let interface = if kind == 6 { field(8) } else { u32::from(u16_at(block, 8, self.big_endian)) };
        let captured = field(20) as usize;
        let Some(interface) = self.interfaces.get(interface as usize) else {
            return Parsed::DamagedRecord(block.len());
        };
        if block.len() < HEAD + 4 || captured > block.len() - HEAD - 4 {
            return Parsed::DamagedRecord(block.len());
        }
        let ticks = u64::from(field(12)) << 32 | u64::from(field(16));
        self.last = interface.time(ticks);
        let record = Record::new(self.last, interface.link, field(24), HEAD, captured);
        Parsed::Frame { record, used: block.len() }
    }

    fn simple_packet(&mut self, block: &[u8]) -> Parsed {
        const HEAD: usize = 12;
        let Some(interface) = self.interfaces.first().filter(|_| block.len() >= HEAD + 4) else {
            return Parsed::DamagedRecord(block.len());
        };
        let original_len = u32_at(block, 8, self.big_endian);
        let snaplen = if interface.snaplen == 0 { usize::MAX } else { interface.snaplen };
        let length = (original_len as usize).min(snaplen).min(block.len() - HEAD - 4);
        let record = Record::new(self.last, interface.link, original_len, HEAD, length);
        Parsed::Frame { record, used: block.len() }
    }
}

/// What the option `if_tsresol` means: a negative power of ten, or of two where the highest bit is set.
fn ticks_per_second(exponent: u8) -> Option<u64> {
    match exponent & 0x7f {
        power if exponent & 0x80 == 0 => 10u64.checked_pow(u32::from(power)),
        power => 1u64.checked_shl(u32::from(power)),
    }
}

impl Clock {
    fn new(ticks_per_second: u64) -> Self {
        match 1_000_000_000 / ticks_per_second {
            nanos if nanos > 0 && nanos * ticks_per_second == 1_000_000_000 => Self::Nanos(nanos),
            _ => Self::Ticks(ticks_per_second),
        }
    }
}

impl Interface {
    fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.clock {
            Clock::Nanos(nanos) => ticks.saturating_mul(nanos),
            Clock::Ticks(per_second) => {
                u64::try_from(u128::from(ticks) * 1_000_000_000 / u128::from(per_second)).unwrap_or(u64::MAX)
            }
        };
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX).saturating_add(self.offset))
    }
}
