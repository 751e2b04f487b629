//! QUIC, which is counted and not read: once for each flow, so that the screen can say that something is unseen.

use std::collections::HashSet;
use std::net::IpAddr;

use super::frame::{Carrier, address_hash, mix};
use super::part::Part;
use crate::model::{Anomaly, Peer, Place};

/// Flows remembered. Past it the set starts anew, so that a long run may count a flow again: the number tells of a gap in
/// the view, it is no bill.
const FLOWS: usize = 4096;

/// The flows that were counted.
#[derive(Debug, Default)]
pub(super) struct QuicFlows {
    seen: HashSet<u64>,
}

impl QuicFlows {
    /// Whether this flow, either direction, was not seen before.
    pub(super) fn is_new(&mut self, carrier: &Carrier<'_>) -> bool {
        let end = |address: IpAddr, at: usize| {
            let port = carrier.payload.u16(at).unwrap_or(0);
            mix(address_hash(address) ^ u64::from(port))
        };
        let flow = end(carrier.source, 0) ^ end(carrier.destination, 2) ^ carrier.tunnel;
        if self.seen.len() >= FLOWS {
            self.seen.clear();
        }
        self.seen.insert(flow)
    }
}

/// Whose traffic a packet hides: that of the end with the port of HTTPS.
pub(super) fn place(carrier: &Carrier<'_>) -> Place {
    let (from, to) = (carrier.payload.u16(0).unwrap_or(0), carrier.payload.u16(2).unwrap_or(0));
    let (address, port) = if to <= from { (carrier.destination, to) } else { (carrier.source, from) };
    Place { cause: Anomaly::QuicUnreadable, peer: Peer::Address(address), port }
}

/// Whether a UDP payload is a QUIC packet with a long header, as each QUIC connection starts.
///
/// Source: RFC 9000 section 17.2: the two highest bits are set; version 0 is a negotiation.
pub(super) fn is_handshake(ports: (u16, u16), part: Part<'_>) -> bool {
    (ports.0 == 443 || ports.1 == 443)
        && part.u8(0).is_some_and(|first| first & 0xc0 == 0xc0)
        && part.u32(1).is_some_and(|version| version != 0)
}
