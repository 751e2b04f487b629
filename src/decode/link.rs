//! Link layers: from a frame's first octet to the network packet inside.
//!
//! Source: <https://www.tcpdump.org/linktypes.html>, and the standards named at each function.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::part::Part;
use super::tunnel;
use crate::model::{Anomaly, LinkType};

/// A packet that was put together before it came here: the hash of its networks, the number of headers that were above it,
/// then IP. No capture can carry this number: files have at most 26 bits for it.
pub(super) const REASSEMBLED: LinkType = LinkType(u32::MAX);

/// Ethernet, from the destination address on.
pub(super) const ETHERNET: LinkType = LinkType(1);

/// What the next header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// An Ethernet frame, from its destination address.
    Ethernet,
    /// What follows an `EtherType`.
    EtherType(u16),
    /// An IPv4 or IPv6 packet; its first four bits say which.
    Ip,
    /// A PPP frame, from its protocol field (or the address and control octets before it).
    Ppp,
    /// Nothing that carries TCP.
    Other,
}

/// A step down: what comes next, what is left, and the identifier that was stepped over where it tells networks apart.
pub(super) type Step<'a> = (Layer, Part<'a>, Option<Network>);

/// An identifier of one network among several that may use the same addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// An IEEE 802.1Q VLAN identifier.
    Vlan(u16),
    /// A VXLAN or GENEVE network identifier.
    Virtual(u32),
}

/// Steps over a frame's own link header. `None`: it is too short for its header.
///
/// # Errors
/// [`Anomaly::LinkTypeUnknown`] for a link type that is not read here.
pub(super) fn open(link: LinkType, part: Part<'_>) -> Result<Option<Step<'_>>, Anomaly> {
    Ok(match link.0 {
        1 => Some((Layer::Ethernet, part, None)),
        // BSD loopback: an address family in the capturing host's order (0), in network order (108). Only the IP families
        // come with an IP header, and that header says by itself which one it is.
        0 | 108 => part.skip(4).map(|rest| (Layer::Ip, rest, None)),
        12 | 14 | 101 | 228 | 229 => Some((Layer::Ip, part, None)),
        9 | 50 => Some((Layer::Ppp, part, None)),
        51 => pppoe(part),
        // Cisco HDLC: address, control, EtherType.
        104 => part.u16(2).and_then(|ether_type| Some((Layer::EtherType(ether_type), part.skip(4)?, None))),
        // Linux "cooked" captures, version 1 and 2: the protocol stands at the end, or at the start.
        113 => part.u16(14).and_then(|protocol| Some((Layer::EtherType(protocol), part.skip(16)?, None))),
        276 => part.u16(0).and_then(|protocol| Some((Layer::EtherType(protocol), part.skip(20)?, None))),
        239 => nflog(part),
        _ => return Err(Anomaly::LinkTypeUnknown),
    })
}

/// Steps over an Ethernet II or an IEEE 802.3 header.
pub(super) fn ethernet(part: Part<'_>) -> Option<Step<'_>> {
    let header = Ethernet2HeaderSlice::from_slice(part.octets).ok()?;
    Some((Layer::EtherType(header.ether_type().0), part.skip(14)?, None))
}

/// Steps over what an `EtherType` announces. `None`: too short.
pub(super) fn ether_type(ether_type: u16, part: Part<'_>) -> Option<Step<'_>> {
    match ether_type {
        0x0800 | 0x86dd => Some((Layer::Ip, part, None)),
        // IEEE 802.1Q, 802.1ad, and the numbers that were used before 802.1ad.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
            let header = SingleVlanHeaderSlice::from_slice(part.octets).ok()?;
            let id = header.vlan_identifier().value();
            // Identifier 0 is a priority tag: no VLAN.
            let network = (id != 0).then_some(Network::Vlan(id));
            Some((Layer::EtherType(header.ether_type().0), part.skip(4)?, network))
        }
        0x8847 | 0x8848 => tunnel::mpls(part),
        0x8864 => pppoe(part),
        0x880b => Some((Layer::Ppp, part, None)),
        // Transparent Ethernet bridging, RFC 1701.
        0x6558 => Some((Layer::Ethernet, part, None)),
        // Cisco VN-Tag and MetaData: four and six octets before the next EtherType.
        0x8926 => part.u16(4).and_then(|next| Some((Layer::EtherType(next), part.skip(6)?, None))),
        0x8909 => part.u16(6).and_then(|next| Some((Layer::EtherType(next), part.skip(8)?, None))),
        // IEEE 802.3: a length, then LLC; SNAP (RFC 1042) names an EtherType again.
        0..=1500 => match part.octets.first_chunk::<8>() {
            Some([0xaa, 0xaa, 3, 0, 0, 0, high, low]) => {
                Some((Layer::EtherType(u16::from_be_bytes([*high, *low])), part.skip(8)?, None))
            }
            _ => Some((Layer::Other, part, None)),
        },
        _ => Some((Layer::Other, part, None)),
    }
}

/// Steps over a PPP header; address and control, and the protocol's upper octet, may be compressed away.
///
/// Source: RFC 1661 section 2, RFC 1662 section 3.1.
pub(super) fn ppp(part: Part<'_>) -> Option<Step<'_>> {
    let part = if part.octets.starts_with(&[0xff, 3]) { part.skip(2)? } else { part };
    let first = part.u8(0)?;
    let (protocol, rest) =
        if first & 1 == 1 { (u16::from(first), part.skip(1)?) } else { (part.u16(0)?, part.skip(2)?) };
    Some(match protocol {
        0x21 | 0x57 => (Layer::Ip, rest, None),
        0x281 | 0x283 => return tunnel::mpls(rest),
        _ => (Layer::Other, rest, None),
    })
}

/// PPP over Ethernet: version and type, code 0 in a session, session, length.
///
/// Source: RFC 2516 section 4.
fn pppoe(part: Part<'_>) -> Option<Step<'_>> {
    let (code, length) = (part.u8(1)?, part.u16(4)?);
    let rest = part.skip(6)?.limit(usize::from(length));
    Some((if code == 0 { Layer::Ppp } else { Layer::Other }, rest, None))
}

/// Linux netfilter log: a family, a version, a group, then attributes in the capturing host's byte order.
///
/// Source: <https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html>
fn nflog(part: Part<'_>) -> Option<Step<'_>> {
    /// More attributes than netfilter has.
    const ATTRIBUTES: usize = 64;
    const PAYLOAD: u16 = 9;
    let mut rest = part.skip(4)?;
    for _ in 0..ATTRIBUTES {
        let head = rest.octets.first_chunk::<4>()?;
        let [l0, l1, t0, t1] = *head;
        let little = (u16::from_le_bytes([l0, l1]), u16::from_le_bytes([t0, t1]));
        let big = (u16::from_be_bytes([l0, l1]), u16::from_be_bytes([t0, t1]));
        // Types are small numbers, so that the order with the smaller type is the right one.
        let (length, kind) = if little.1 & 0xff00 == 0 { little } else { big };
        let length = usize::from(length);
        if length < 4 {
            return None;
        }
        if kind & 0x7fff == PAYLOAD {
            return Some((Layer::Ip, rest.skip(4)?.limit(length.saturating_sub(4)), None));
        }
        rest = rest.skip(length.next_multiple_of(4))?;
    }
    None
}
