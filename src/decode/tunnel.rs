//! Tunnels: what IP, UDP, GRE and MPLS carry besides TCP.

use super::link::{Layer, Network, Step};
use super::part::Part;

/// Steps over an MPLS label stack (RFC 3032) and looks at what is below it, as routers do: the stack does not say.
pub(super) fn mpls(part: Part<'_>) -> Option<Step<'_>> {
    /// Deeper stacks are not built: hardware pushes far fewer.
    const LABELS: usize = 16;
    let mut rest = part;
    for _ in 0..LABELS {
        let entry = rest.u32(0)?;
        rest = rest.skip(4)?;
        if entry & 0x100 != 0 {
            return Some(match rest.u8(0)? >> 4 {
                4 | 6 => (Layer::Ip, rest, None),
                // A pseudowire's control word (RFC 4385) before an Ethernet frame.
                0 => (Layer::Ethernet, rest.skip(4)?, None),
                _ => (Layer::Ethernet, rest, None),
            });
        }
    }
    Some((Layer::Other, rest, None))
}

/// Steps over a GRE header, and an ERSPAN one behind it.
///
/// Source: RFC 2784, RFC 2890 (key, sequence), RFC 2637 (version 1: PPP), draft-foschiano-erspan.
pub(super) fn gre(part: Part<'_>) -> Option<Step<'_>> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    let (flags, protocol) = (part.u16(0)?, part.u16(2)?);
    let version = flags & 7;
    let words = [
        flags & (CHECKSUM | ROUTING) != 0,
        flags & KEY != 0,
        flags & SEQUENCE != 0,
        version == 1 && flags & ACKNOWLEDGMENT != 0,
    ];
    let present = words.iter().filter(|present| **present).count();
    let rest = part.skip(present.saturating_mul(4).saturating_add(4))?;
    Some(match (version, protocol) {
        (1, _) => (Layer::Ppp, rest, None),
        (0, 0x88be) if flags & SEQUENCE != 0 => (Layer::Ethernet, rest.skip(8)?, None),
        (0, 0x88be) => (Layer::Ethernet, rest, None),
        (0, 0x22eb) => {
            // ERSPAN type III: twelve octets, and eight more where its last bit says so.
            let optional = rest.u8(11)? & 1 != 0;
            (Layer::Ethernet, rest.skip(if optional { 20 } else { 12 })?, None)
        }
        (0, ether_type) => (Layer::EtherType(ether_type), rest, None),
        _ => (Layer::Other, rest, None),
    })
}

/// Steps over a UDP payload that is a tunnel, recognized by its port and its own header. `None`: no tunnel.
pub(super) fn udp(ports: (u16, u16), part: Part<'_>) -> Option<Step<'_>> {
    match ports.1 {
        // VXLAN (RFC 7348), its number before there was a registered one, and VXLAN-GPE.
        4789 | 8472 => {
            let network = vxlan_network(part)?;
            Some((Layer::Ethernet, part.skip(8)?, Some(network)))
        }
        4790 => {
            let network = vxlan_network(part)?;
            let layer = match part.u8(3)? {
                1 | 2 => Layer::Ip,
                0 | 3 => Layer::Ethernet,
                _ => Layer::Other,
            };
            Some((layer, part.skip(8)?, Some(network)))
        }
        // GENEVE, RFC 8926 section 3.4.
        6081 => {
            let options = usize::from(part.u8(0)? & 0x3f).saturating_mul(4);
            if part.u8(0)? >> 6 != 0 {
                return None;
            }
            let network = Network::Virtual(part.u32(4)? >> 8);
            Some((Layer::EtherType(part.u16(2)?), part.skip(options.saturating_add(8))?, Some(network)))
        }
        // MPLS in UDP, RFC 7510.
        6635 => mpls(part),
        2152 => gtp_user(part),
        _ if ports.1 == 3544 || ports.0 == 3544 => teredo(part),
        _ => None,
    }
}

/// A VXLAN header's network identifier, where its flag says that there is one.
fn vxlan_network(part: Part<'_>) -> Option<Network> {
    (part.u8(0)? & 0x08 != 0).then_some(())?;
    Some(Network::Virtual(part.u32(4)? >> 8))
}

/// Teredo: optional authentication and origin indications before an IPv6 packet.
///
/// Source: RFC 4380 section 5.1.1.
fn teredo(part: Part<'_>) -> Option<Step<'_>> {
    let mut rest = part;
    if rest.u16(0)? == 1 {
        let (client, authentication) = (usize::from(rest.u8(2)?), usize::from(rest.u8(3)?));
        rest = rest.skip(client.saturating_add(authentication).saturating_add(13))?;
    }
    if rest.u16(0)? == 0 {
        rest = rest.skip(8)?;
    }
    (rest.u8(0)? >> 4 == 6).then_some((Layer::Ip, rest, None))
}

/// GTP-U: a G-PDU carries an IP packet behind the header and its extensions.
///
/// Source: 3GPP TS 29.281 section 5.
fn gtp_user(part: Part<'_>) -> Option<Step<'_>> {
    /// More extension headers than the specification has kinds.
    const EXTENSIONS: usize = 8;
    let (flags, kind) = (part.u8(0)?, part.u8(1)?);
    if flags >> 4 != 3 || kind != 0xff {
        return None;
    }
    let mut rest = part.skip(8)?;
    if flags & 7 != 0 {
        let mut next = rest.u8(3)?;
        rest = rest.skip(4)?;
        for _ in 0..EXTENSIONS {
            if next == 0 || flags & 4 == 0 {
                break;
            }
            let length = usize::from(rest.u8(0)?).saturating_mul(4);
            next = rest.u8(length.checked_sub(1)?)?;
            rest = rest.skip(length)?;
        }
    }
    matches!(rest.u8(0)? >> 4, 4 | 6).then_some((Layer::Ip, rest, None))
}
