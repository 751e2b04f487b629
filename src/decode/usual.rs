//! What nearly all frames are: whole, Ethernet, IPv4 without options and fragments, TCP. Read at fixed places.
//!
//! Whatever is not just that is left to the way down header by header, which finds the same.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use super::flow_key::{FlowKey, Side};
use super::frame::Carrier;
use super::ip::protocol;
use super::link;
use super::part::Part;
use super::segment::Plain;
use super::tcp::Header;
use crate::model::Frame;

/// The addresses and the payload of a usual frame's packet.
struct Usual<'a> {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    payload: Part<'a>,
}

#[inline]
fn read<'a>(frame: &Frame<'a>) -> Option<Usual<'a>> {
    const ETHERNET_AND_IPV4: usize = 14 + 20;
    let header: &[u8; ETHERNET_AND_IPV4] = frame.octets.first_chunk()?;
    let whole = frame.original_len as usize <= frame.octets.len();
    let fragment = u16::from_be_bytes([header[20], header[21]]) & 0x3fff;
    let is_ipv4 = u16::from_be_bytes([header[12], header[13]]) == 0x0800 && header[14] == 0x45;
    let is_tcp = header[23] == protocol::TCP && fragment == 0;
    if frame.link != link::ETHERNET || !whole || !is_ipv4 || !is_tcp {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([header[16], header[17]])).checked_sub(20)?;
    Some(Usual {
        source: [header[26], header[27], header[28], header[29]].into(),
        destination: [header[30], header[31], header[32], header[33]].into(),
        payload: Part { octets: frame.octets.get(ETHERNET_AND_IPV4..)?.get(..length)?, cut: 0 },
    })
}

/// What carries a usual frame's segment.
pub(super) fn carrier<'a>(frame: &Frame<'a>) -> Option<Carrier<'a>> {
    let Usual { source, destination, payload } = read(frame)?;
    let (source, destination) = (IpAddr::V4(source), IpAddr::V4(destination));
    // Ethernet, its EtherType, IP.
    Some(Carrier { source, destination, protocol: protocol::TCP, tunnel: 0, depth: 3, payload })
}

/// The segment of a usual frame, if it is a plain one, with the key of its connection and the side that sent it.
#[inline]
pub(super) fn plain<'a>(frame: &Frame<'a>) -> Option<(FlowKey, Side, Plain<'a>)> {
    let Usual { source, destination, payload } = read(frame)?;
    let (header, payload) = Header::split(payload).ok()?;
    if header.flags(Header::FIN | Header::SYN | Header::RST | Header::ACK) != Header::ACK {
        return None;
    }
    let source = SocketAddrV4::new(source, header.source_port());
    let destination = SocketAddrV4::new(destination, header.destination_port());
    let (key, side) = FlowKey::of_v4(source, destination);
    let (sequence, acknowledgment) = (header.sequence(), header.acknowledgment());
    Some((key, side, Plain { at: frame.at, sequence, acknowledgment, payload: payload.octets }))
}
