//! IPv4 and IPv6 packets: whom they are between, what they carry, and whether that is only a fragment of it.
//!
//! Source: RFC 791, RFC 8200.

use std::net::IpAddr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::part::Part;
use crate::model::Anomaly;

/// The transport protocols and tunnels that are followed.
pub(super) mod protocol {
    pub(in crate::decode) const IPV4: u8 = 4;
    pub(in crate::decode) const TCP: u8 = 6;
    pub(in crate::decode) const UDP: u8 = 17;
    pub(in crate::decode) const IPV6: u8 = 41;
    pub(in crate::decode) const GRE: u8 = 47;
    pub(in crate::decode) const ETHERNET: u8 = 143;
    pub(in crate::decode) const MPLS: u8 = 137;
}

/// One IP packet, or one fragment of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    /// Who sent it.
    pub(super) source: IpAddr,
    /// To whom.
    pub(super) destination: IpAddr,
    /// What the payload is: an IANA protocol number.
    pub(super) protocol: u8,
    /// What it carries.
    pub(super) payload: Part<'a>,
    /// Where this belongs, if it is a fragment.
    pub(super) fragment: Option<Fragment>,
}

/// Where a fragment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The packet's identification; 16 bits of it in IPv4.
    pub(super) identification: u32,
    /// The first octet's place in the payload.
    pub(super) offset: usize,
    /// Whether more follow.
    pub(super) more: bool,
}

/// Reads an IP packet of either version.
///
/// # Errors
/// [`Anomaly::FrameTruncated`] where the capture cut its header off, [`Anomaly::HeaderMalformed`] where that breaks its own
/// format.
pub(super) fn packet(part: Part<'_>) -> Result<Packet<'_>, Anomaly> {
    match part.u8(0).map(|first| first >> 4) {
        Some(4) => ipv4(part).ok_or_else(|| too_short(part)),
        Some(6) => ipv6(part).ok_or_else(|| too_short(part)),
        Some(_) => Err(Anomaly::HeaderMalformed),
        None => Err(too_short(part)),
    }
}

/// What to call a header that does not fit in what is there.
pub(super) fn too_short(part: Part<'_>) -> Anomaly {
    if part.cut > 0 { Anomaly::FrameTruncated } else { Anomaly::HeaderMalformed }
}

fn ipv4(part: Part<'_>) -> Option<Packet<'_>> {
    let header = Ipv4HeaderSlice::from_slice(part.octets).ok()?;
    let header_length = header.slice().len();
    let payload = part.skip(header_length)?;
    let payload = match usize::from(header.total_len()) {
        // The sending kernel left the length to the network card (segmentation offload), so that all that is there counts.
        0 => payload,
        total => payload.limit(total.checked_sub(header_length)?),
    };
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        identification: u32::from(header.identification()),
        offset: usize::from(header.fragments_offset().value()).saturating_mul(8),
        more: header.more_fragments(),
    });
    Some(Packet {
        source: IpAddr::V4(header.source_addr()),
        destination: IpAddr::V4(header.destination_addr()),
        protocol: header.protocol().0,
        payload,
        fragment,
    })
}

fn ipv6(part: Part<'_>) -> Option<Packet<'_>> {
    /// RFC 8200 section 4.1 allows seven; more are a way to be slow.
    const EXTENSIONS: usize = 16;
    let header = Ipv6HeaderSlice::from_slice(part.octets).ok()?;
    let payload = part.skip(40)?;
    let mut payload = match usize::from(header.payload_length()) {
        // A jumbogram (RFC 2675), or segmentation offload: all that is there counts.
        0 => payload,
        length => payload.limit(length),
    };
    let mut protocol = header.next_header().0;
    let mut fragment = None;
    for _ in 0..EXTENSIONS {
        let length = match protocol {
            // Hop-by-hop options, routing, destination options, mobility, HIP, Shim6: eight octets and as many again.
            0 | 43 | 60 | 135 | 139 | 140 => usize::from(payload.u8(1)?).saturating_mul(8).saturating_add(8),
            // Authentication counts in words of four.
            51 => usize::from(payload.u8(1)?).saturating_mul(4).saturating_add(8),
            44 => {
                let place = payload.u16(2)?;
                let (offset, more) = (usize::from(place & 0xfff8), place & 1 != 0);
                // An atomic fragment (RFC 6946) is a whole packet.
                if offset != 0 || more {
                    fragment = Some(Fragment { identification: payload.u32(4)?, offset, more });
                }
                8
            }
            _ => break,
        };
        let next = payload.u8(0)?;
        payload = payload.skip(length)?;
        protocol = next;
        if fragment.is_some() {
            break;
        }
    }
    Some(Packet {
        source: IpAddr::V6(header.source_addr()),
        destination: IpAddr::V6(header.destination_addr()),
        protocol,
        payload,
        fragment,
    })
}
