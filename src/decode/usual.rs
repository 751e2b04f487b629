//! What nearly all frames are: whole, Ethernet, IPv4 without options and fragments, TCP. Read at fixed places.
//!
//! Whatever is not just that is left to the way down header by header, which finds the same.

use std::net::{IpAddr, Ipv4Addr};

use super::flow_key::Ends;
use super::frame::Carrier;
use super::ip::protocol;
use super::link;
use super::part::Part;
use super::segment::Plain;
use super::tcp::Header;
use crate::model::Frame;

const ETHERNET_AND_IPV4: usize = 14 + 20;
/// Where the addresses stand, with the ports behind them.
const ENDS: usize = ETHERNET_AND_IPV4 - 8;

/// A usual frame's headers above TCP, and the packet's payload.
#[inline]
fn read<'a>(frame: &Frame<'a>) -> Option<(&'a [u8; ETHERNET_AND_IPV4], &'a [u8])> {
    let header = frame.octets.first_chunk()?;
    let whole = frame.original_len as usize <= frame.octets.len();
    if frame.link != link::ETHERNET || !whole || !is_unfragmented_tcp(header) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([header[16], header[17]])).checked_sub(20)?;
    Some((header, frame.octets.get(ETHERNET_AND_IPV4..)?.get(..length)?))
}

/// Whether that comes behind an IPv4 header without options.
#[inline]
fn is_unfragmented_tcp(header: &[u8; ETHERNET_AND_IPV4]) -> bool {
    let word =
        |at| header.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |octets| u32::from_be_bytes(*octets));
    // The EtherType, the version and the header's length; then the fragment's flag and offset, and the protocol.
    word(12) & 0xffff_ff00 == 0x0800_4500 && word(20) & 0x3fff_00ff == u32::from(protocol::TCP)
}

/// What carries a usual frame's segment.
pub(super) fn carrier<'a>(frame: &Frame<'a>) -> Option<Carrier<'a>> {
    let (header, octets) = read(frame)?;
    let address = |at| Some(IpAddr::V4(Ipv4Addr::from(*header.get(at..)?.first_chunk::<4>()?)));
    let payload = Part { octets, cut: 0 };
    // Ethernet, its EtherType, IP.
    Some(Carrier {
        source: address(26)?,
        destination: address(30)?,
        protocol: protocol::TCP,
        tunnel: 0,
        depth: 3,
        payload,
    })
}

/// The ends of a usual frame's packet, or of one that says more than it holds.
#[inline]
pub(super) fn ends(frame: &Frame<'_>) -> Option<Ends> {
    let header = frame.octets.first_chunk()?;
    if frame.link != link::ETHERNET || !is_unfragmented_tcp(header) {
        return None;
    }
    Some(Ends::of(frame.octets.get(ENDS..)?.first_chunk()?))
}

/// The segment of a usual frame, if it is a plain one, with the ends of its connection.
#[inline]
pub(super) fn plain<'a>(frame: &Frame<'a>) -> Option<(Ends, Plain<'a>)> {
    /// All of them, without TCP's options.
    const HEADERS: usize = ETHERNET_AND_IPV4 + 20;
    let Frame { at, link, octets, original_len } = *frame;
    let headers: &[u8; HEADERS] = octets.first_chunk()?;
    let (above, tcp) = headers.split_first_chunk()?;
    let tcp = Header::of(tcp.first_chunk()?);
    let whole = original_len as usize <= octets.len();
    let acknowledges_only = tcp.flags(Header::FIN | Header::SYN | Header::RST | Header::ACK) == Header::ACK;
    if link != link::ETHERNET || !whole || !is_unfragmented_tcp(above) || !acknowledges_only || tcp.length() < 20 {
        return None;
    }
    let end = usize::from(u16::from_be_bytes([above[16], above[17]])).saturating_add(14);
    let payload = octets.get(..end)?.get(tcp.length().saturating_add(ETHERNET_AND_IPV4)..)?;
    let ends = Ends::of(headers.get(ENDS..)?.first_chunk()?);
    Some((ends, Plain { at, sequence: tcp.sequence(), acknowledgment: tcp.acknowledgment(), payload }))
}
