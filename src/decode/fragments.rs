//! IP fragments to whole packets.
//!
//! Where fragments overlap with different octets the whole packet is dropped (RFC 5722 demands it of IPv6, and no honest
//! sender of IPv4 does it): to guess which copy the receiver took would be to make up data. Exact repeats are ignored.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::frame::Carrier;
use super::ip::Fragment;
use super::link::REASSEMBLED;
use crate::model::{Anomaly, Frame, InputCounters, Timestamp};

/// Packets being put together at once. Honest traffic has a few; each holds at most [`PAYLOAD`] octets.
const PACKETS: usize = 256;
/// Octets held in all, so that an attack with full packets stays small.
const OCTETS: usize = 4 << 20;
/// The largest payload of an IP packet.
const PAYLOAD: usize = 65_535;
/// Pieces of one packet: 65,535 octets in pieces of the smallest honest size (68 octet MTU) are about 1,365.
const PIECES: usize = 2048;
/// How long the first piece waits for the last: Linux' `ipfrag_time`; RFC 8200 section 4.5 says 60 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pieces that wait for their others.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    packets: HashMap<Key, Pieces>,
    /// The packets by the time of their first piece, to drop the oldest.
    ages: BTreeMap<(Timestamp, u64), Key>,
    octets: usize,
    born: u64,
}

/// A packet whose last missing piece came, as a frame of its own.
#[derive(Debug)]
pub(super) struct Whole {
    at: Timestamp,
    octets: Vec<u8>,
}

impl Whole {
    /// The packet, with what was around it in front: see [`REASSEMBLED`].
    pub(super) fn frame(&self) -> Frame<'_> {
        let original_len = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
        Frame { at: self.at, link: REASSEMBLED, octets: &self.octets, original_len }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    /// IPv4 counts identifications for each protocol; IPv6 takes the first fragment's protocol, so that 0 stands here.
    protocol: u8,
    tunnel: u64,
}

#[derive(Debug)]
struct Pieces {
    age: (Timestamp, u64),
    /// The protocol that the first piece names.
    protocol: u8,
    depth: usize,
    /// The pieces by their offset; none overlaps another.
    by_offset: BTreeMap<usize, Vec<u8>>,
    /// Octets in `by_offset`.
    held: usize,
    /// The payload's length, once the last piece was seen.
    length: Option<usize>,
}

impl Fragments {
    /// Takes a piece; gives the packet where it was the last one missing.
    pub(super) fn add(
        &mut self,
        carrier: &Carrier<'_>,
        fragment: Fragment,
        at: Timestamp,
        counters: &mut InputCounters,
    ) -> Option<Whole> {
        self.expire(at, counters);
        let key = Key {
            source: carrier.source,
            destination: carrier.destination,
            identification: fragment.identification,
            protocol: if carrier.source.is_ipv4() { carrier.protocol } else { 0 },
            tunnel: carrier.tunnel,
        };
        if !self.packets.contains_key(&key) {
            self.begin(key, carrier, at, counters);
        }
        let pieces = self.packets.get_mut(&key)?;
        let held = pieces.held;
        match pieces.insert(carrier, fragment) {
            Outcome::Waiting => {
                self.octets = self.octets.saturating_add(pieces.held.saturating_sub(held));
                while self.octets > OCTETS {
                    self.drop_oldest(counters);
                }
                None
            }
            Outcome::Refused => {
                self.forget(&key);
                counters.count(Anomaly::FragmentDropped);
                None
            }
            Outcome::Complete => {
                let pieces = self.forget(&key)?;
                Some(Whole { at, octets: pieces.whole(&key) })
            }
        }
    }

    fn begin(&mut self, key: Key, carrier: &Carrier<'_>, at: Timestamp, counters: &mut InputCounters) {
        while self.packets.len() >= PACKETS {
            self.drop_oldest(counters);
        }
        let age = (at, self.born);
        self.born = self.born.wrapping_add(1);
        self.ages.insert(age, key);
        let pieces = Pieces {
            age,
            protocol: carrier.protocol,
            depth: carrier.depth,
            by_offset: BTreeMap::new(),
            held: 0,
            length: None,
        };
        self.packets.insert(key, pieces);
    }

    /// Drops what waited too long, in the frames' own time.
    fn expire(&mut self, now: Timestamp, counters: &mut InputCounters) {
        while self.ages.first_key_value().is_some_and(|((since, _), _)| now.since(*since) > PATIENCE) {
            self.drop_oldest(counters);
        }
    }

    fn drop_oldest(&mut self, counters: &mut InputCounters) {
        if let Some((_, key)) = self.ages.pop_first() {
            self.forget(&key);
            counters.count(Anomaly::FragmentDropped);
        } else {
            self.octets = 0;
        }
    }

    fn forget(&mut self, key: &Key) -> Option<Pieces> {
        let pieces = self.packets.remove(key)?;
        self.ages.remove(&pieces.age);
        self.octets = self.octets.saturating_sub(pieces.held);
        Some(pieces)
    }
}

enum Outcome {
    Waiting,
    Complete,
    Refused,
}

impl Pieces {
    /// The networks and the number of headers that were around the packet, an IP header, the payload. The header's length
    /// field is 0, which stands for all that is there: a payload of 65,535 octets leaves no room for the true one.
    fn whole(&self, key: &Key) -> Vec<u8> {
        let mut packet = Vec::with_capacity(self.held.saturating_add(49));
        packet.extend(key.tunnel.to_be_bytes());
        packet.push(u8::try_from(self.depth).unwrap_or(u8::MAX));
        match (key.source, key.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                packet.extend([0x45, 0, 0, 0, 0, 0, 0, 0, 64, self.protocol, 0, 0]);
                packet.extend(source.octets());
                packet.extend(destination.octets());
            }
            (source, destination) => {
                packet.extend([0x60, 0, 0, 0, 0, 0, self.protocol, 64]);
                for address in [source, destination] {
                    packet.extend(match address {
                        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                        IpAddr::V6(address) => address.octets(),
                    });
                }
            }
        }
        packet.extend(self.by_offset.values().flatten());
        packet
    }

    fn insert(&mut self, carrier: &Carrier<'_>, fragment: Fragment) -> Outcome {
        let octets = carrier.payload.octets;
        let start = fragment.offset;
        let Some(end) = start.checked_add(octets.len()).filter(|end| *end <= PAYLOAD) else { return Outcome::Refused };
        // A cut piece leaves a hole that nothing can fill, and a piece in the middle is a multiple of eight octets long.
        if carrier.payload.cut > 0 || octets.is_empty() || (fragment.more && !octets.len().is_multiple_of(8)) {
            return Outcome::Refused;
        }
        if start == 0 {
            (self.protocol, self.depth) = (carrier.protocol, carrier.depth);
        }
        if !fragment.more && self.length.replace(end).is_some_and(|length| length != end) {
            return Outcome::Refused;
        }
        let last_end = self.by_offset.last_key_value().map_or(0, |(at, piece)| at.saturating_add(piece.len()));
        if self.length.is_some_and(|length| end.max(last_end) > length) {
            return Outcome::Refused;
        }
        if self.by_offset.get(&start).is_some_and(|piece| piece == octets) {
            return Outcome::Waiting;
        }
        let before = self.by_offset.range(..end).next_back().map(|(at, piece)| at.saturating_add(piece.len()));
        if before.is_some_and(|before| before > start) || self.by_offset.len() >= PIECES {
            return Outcome::Refused;
        }
        self.by_offset.insert(start, octets.to_vec());
        self.held = self.held.saturating_add(octets.len());
        if self.length == Some(self.held) { Outcome::Complete } else { Outcome::Waiting }
    }
}
