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
use super::part::Part;
use crate::model::{Anomaly, InputCounters, Timestamp};

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

/// A packet whose last missing piece came.
#[derive(Debug)]
pub(super) struct Whole {
    /// What carried it; the payload is in `octets`.
    pub(super) carrier: Carrier<'static>,
    /// The payload.
    pub(super) octets: Vec<u8>,
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
                let carrier = Carrier {
                    source: carrier.source,
                    destination: carrier.destination,
                    protocol: pieces.protocol,
                    tunnel: carrier.tunnel,
                    depth: pieces.depth,
                    payload: Part { octets: &[], cut: 0 },
                };
                Some(Whole { carrier, octets: pieces.by_offset.into_values().flatten().collect() })
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
