//! Frames to TCP segments: through link headers, tunnels and fragments, as deep as they nest.
//!
//! Knows no connections. Checksums are not looked at: where they are computed by the network card, a capture on the
//! sending host shows wrong ones.

use std::net::{IpAddr, SocketAddr};

use super::fragments::Fragments;
use super::ip::{self, Packet, protocol};
use super::link::{self, Layer, Network};
use super::part::Part;
use super::quic::QuicFlows;
use super::segment::{Flags, Segment};
use super::tcp::Header;
use super::tunnel;
use super::usual;
use crate::model::{Anomaly, Frame, InputCounters, Timestamp};

/// Headers in one frame, all kinds together. The deepest real nesting (mirrored, tunnelled, tagged twice) has about 15; past it
/// somebody wants to keep us busy.
const HEADERS: usize = 32;

/// Turns frames into TCP segments. Holds the fragments that wait for their others; one for each worker.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    fragments: Fragments,
    quic: QuicFlows,
}

impl FrameDecoder {
    /// With nothing held.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives each TCP segment of a frame to `sink`: one or none, and what could not be read to `counters`.
    ///
    /// Also counts the frame and its octets.
    pub fn segments(&mut self, frame: &Frame<'_>, counters: &mut InputCounters, sink: &mut impl FnMut(Segment<'_>)) {
        // The fragments of a packet made whole were counted as they came.
        if frame.link != link::REASSEMBLED {
            counters.packets = counters.packets.saturating_add(1);
            counters.bytes = counters.bytes.saturating_add(frame.octets.len() as u64);
        }
        let outcome = descend(frame).and_then(|found| self.deliver(&found, frame.at, counters, sink));
        if let Err(anomaly) = outcome {
            counters.count(anomaly);
        }
    }

    fn deliver(
        &mut self,
        found: &Found<'_>,
        at: Timestamp,
        counters: &mut InputCounters,
        sink: &mut impl FnMut(Segment<'_>),
    ) -> Result<(), Anomaly> {
        match found {
            Found::Nothing => Ok(()),
            Found::Tcp(carrier) => {
                let (header, payload) = Header::split(carrier.payload)?;
                if payload.cut > 0 {
                    counters.count(Anomaly::FrameTruncated);
                }
                sink(segment(carrier, header, payload, at));
                Ok(())
            }
            Found::Quic(carrier) => {
                if self.quic.is_new(carrier) {
                    counters.count_at(super::quic::place(carrier), 1);
                }
                Ok(())
            }
            Found::Fragment(carrier, fragment) => {
                let Some(whole) = self.fragments.add(carrier, *fragment, at, counters) else { return Ok(()) };
                // Fragments inside fragments: each round goes at least one header deeper, so that this ends.
                self.deliver(&descend(&whole.frame())?, at, counters, sink)
            }
        }
    }
}

/// A hash by which the frames of one connection, both directions, come to the same worker, without looking at other frames.
///
/// It covers the innermost two IP addresses, not the ports, since a fragment shows none. A fragment of a tunnel's packet
/// shows only the tunnel's addresses: where that matters, [`super::Sharder`] puts fragments together first.
pub fn flow_hash(frame: &Frame<'_>) -> u64 {
    match descend(frame) {
        Ok(Found::Tcp(carrier) | Found::Quic(carrier) | Found::Fragment(carrier, _)) => {
            address_hash(carrier.source) ^ address_hash(carrier.destination)
        }
        Ok(Found::Nothing) | Err(_) => 0,
    }
}

/// Mixes an address so that the exclusive or of two is symmetric and still spreads.
#[expect(clippy::cast_possible_truncation, reason = "each half of the address is taken by itself")]
pub(super) fn address_hash(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => mix(u64::from(address.to_bits())),
        IpAddr::V6(address) => mix(address.to_bits() as u64 ^ mix((address.to_bits() >> 64) as u64)),
    }
}

/// The finalizer of `SplitMix64`: each bit of the input changes each bit of the output with even odds.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[inline]
pub(super) const fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// What carries a transport payload, and how deep it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carrier<'a> {
    /// Who sent it.
    pub(super) source: IpAddr,
    /// To whom.
    pub(super) destination: IpAddr,
    /// The IANA protocol number.
    pub(super) protocol: u8,
    /// The hash of the networks around it.
    pub(super) tunnel: u64,
    /// The headers above it.
    pub(super) depth: usize,
    /// What it carries.
    pub(super) payload: Part<'a>,
}

/// Where the way down ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Tcp(Carrier<'a>),
    Quic(Carrier<'a>),
    Fragment(Carrier<'a>, ip::Fragment),
    /// A frame without TCP, which is no fault.
    Nothing,
}

/// Goes down through all headers to TCP, to a fragment, or to something else.
pub(super) fn descend<'a>(frame: &Frame<'a>) -> Result<Found<'a>, Anomaly> {
    match usual::carrier(frame) {
        Some(carrier) => Ok(Found::Tcp(carrier)),
        None => descend_by_headers(frame),
    }
}

fn descend_by_headers<'a>(frame: &Frame<'a>) -> Result<Found<'a>, Anomaly> {
    let captured = u32::try_from(frame.octets.len()).unwrap_or(u32::MAX);
    let part = Part { octets: frame.octets, cut: frame.original_len.saturating_sub(captured) };
    let (mut step, mut tunnel, mut depth) = if frame.link == link::REASSEMBLED {
        reassembled(part).ok_or(Anomaly::HeaderMalformed)?
    } else {
        (link::open(frame.link, part)?.ok_or_else(|| ip::too_short(part))?, 0, 0)
    };
    while depth < HEADERS {
        depth = depth.saturating_add(1);
        let (layer, part, network) = step;
        tunnel = match network {
            None => tunnel,
            Some(Network::Vlan(id)) => mix(tunnel ^ u64::from(id)),
            Some(Network::Virtual(id)) => mix(tunnel ^ u64::from(id) ^ (1 << 32)),
        };
        let next = match layer {
            Layer::Ethernet => link::ethernet(part),
            Layer::EtherType(ether_type) => link::ether_type(ether_type, part),
            Layer::Ppp => link::ppp(part),
            Layer::Other => return Ok(Found::Nothing),
            Layer::Ip => {
                let Packet { source, destination, protocol, payload, fragment } = ip::packet(part)?;
                let carrier = Carrier { source, destination, protocol, tunnel, depth, payload };
                if let Some(fragment) = fragment {
                    return Ok(Found::Fragment(carrier, fragment));
                }
                match inside(&carrier)? {
                    Ok(step) => Some(step),
                    Err(found) => return Ok(found),
                }
            }
        };
        step = next.ok_or_else(|| ip::too_short(part))?;
    }
    Err(Anomaly::NestedTooDeep)
}

/// Where to go on in a packet that was made whole.
fn reassembled(part: Part<'_>) -> Option<(link::Step<'_>, u64, usize)> {
    let tunnel = u64::from_be_bytes(*part.octets.first_chunk()?);
    Some(((Layer::Ip, part.skip(9)?, None), tunnel, usize::from(part.u8(8)?)))
}

/// What an IP packet carries: the next step down, or the end of the way.
fn inside<'a>(carrier: &Carrier<'a>) -> Result<Result<link::Step<'a>, Found<'a>>, Anomaly> {
    let payload = carrier.payload;
    Ok(match carrier.protocol {
        protocol::TCP => Err(Found::Tcp(*carrier)),
        protocol::UDP => {
            let ports = payload.u16(0).zip(payload.u16(2)).ok_or_else(|| ip::too_short(payload))?;
            let Some(inner) = payload.skip(8) else { return Ok(Err(Found::Nothing)) };
            match tunnel::udp(ports, inner) {
                Some(step) => Ok(step),
                None if super::quic::is_handshake(ports, inner) => Err(Found::Quic(*carrier)),
                None => Err(Found::Nothing),
            }
        }
        protocol::IPV4 | protocol::IPV6 => Ok((Layer::Ip, payload, None)),
        protocol::GRE => Ok(tunnel::gre(payload).ok_or_else(|| ip::too_short(payload))?),
        protocol::MPLS => Ok(tunnel::mpls(payload).ok_or_else(|| ip::too_short(payload))?),
        // Ethernet in IP: RFC 3378 puts two octets before the frame.
        97 => Ok((Layer::Ethernet, payload.skip(2).ok_or_else(|| ip::too_short(payload))?, None)),
        protocol::ETHERNET => Ok((Layer::Ethernet, payload, None)),
        _ => Err(Found::Nothing),
    })
}

/// What a TCP header says of its payload.
fn segment<'a>(carrier: &Carrier<'a>, header: Header<'_>, payload: Part<'a>, at: Timestamp) -> Segment<'a> {
    let is_set = |flag| header.flags(flag) != 0;
    Segment {
        at,
        source: SocketAddr::new(carrier.source, header.source_port()),
        destination: SocketAddr::new(carrier.destination, header.destination_port()),
        tunnel: carrier.tunnel,
        sequence: header.sequence(),
        acknowledgment: is_set(Header::ACK).then(|| header.acknowledgment()),
        flags: Flags { fin: is_set(Header::FIN), syn: is_set(Header::SYN), rst: is_set(Header::RST) },
        payload: payload.octets,
        missing: payload.cut,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::flow_key::{FlowKey, Side};
    use crate::model::LinkType;

    proptest! {
        /// Fixed places and the way down header by header find the same, whatever is wrong with a frame.
        #[test]
        fn the_usual_frame_is_read_as_any_other(
            payload in prop::collection::vec(any::<u8>(), 0..80),
            changes in prop::collection::vec((0usize..60, any::<u8>()), 0..3),
            captured in 0usize..120,
            total in prop::option::of(0u16..100),
            link in prop::sample::select(vec![1u32, 1, 1, 101, 113]),
        ) {
            let mut octets = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
            let length = u16::try_from(payload.len().saturating_add(20)).unwrap_or(u16::MAX);
            octets.extend(total.unwrap_or(length).to_be_bytes());
            octets.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 0, 2, 10]);
            octets.extend(&payload);
            for (at, octet) in changes {
                if let Some(place) = octets.get_mut(at) {
                    *place = octet;
                }
            }
            let original_len = u32::try_from(octets.len()).unwrap_or(u32::MAX);
            octets.truncate(captured);
            let frame = Frame { at: Timestamp::default(), link: LinkType(link), octets: &octets, original_len };
            prop_assert_eq!(descend(&frame), descend_by_headers(&frame));
            if let Some((ends, plain)) = usual::plain(&frame) {
                let mut found = Vec::new();
                FrameDecoder::new().segments(&frame, &mut InputCounters::default(), &mut |segment| {
                    let (key, side) = FlowKey::of(&segment);
                    let low = key.ends().unwrap();
                    let own = if side == Side::Low { low } else { low.turned() };
                    assert_eq!(own.word(), key.word());
                    found.push(format!("{own:?} {:?} {}", segment.plain(), segment.tunnel));
                });
                prop_assert_eq!(found, [format!("{ends:?} {:?} 0", Some(plain))]);
            }
        }
    }
}
