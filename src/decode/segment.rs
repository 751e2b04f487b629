//! The seam between packets and streams: one TCP segment.

use std::net::SocketAddr;

use crate::model::Timestamp;

/// One TCP segment, borrowed from a frame.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// When its frame was captured.
    pub at: Timestamp,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// A hash of the VLAN, VXLAN and tunnel identifiers around it, which keeps equal five-tuples apart; 0 for none.
    /// Both directions of a connection carry the same one.
    pub tunnel: u64,
    /// The sequence number of the first octet (of the SYN, where it is set).
    pub sequence: u32,
    /// The acknowledgment number, where the ACK flag is set.
    pub acknowledgment: Option<u32>,
    /// The flags that change a connection's state.
    pub flags: Flags,
    /// The payload, as far as it was captured.
    pub payload: &'a [u8],
    /// Payload octets that the snaplen cut off behind `payload`.
    pub missing: u32,
}

/// What nearly all segments are: one that neither opens, closes nor resets, acknowledges, and was captured whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) at: Timestamp,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The segment, if it is a plain one.
    pub(crate) fn plain(&self) -> Option<Plain<'a>> {
        let Self { at, sequence, payload, .. } = *self;
        let acknowledgment = self.acknowledgment?;
        let is_plain = self.flags == Flags::default() && self.missing == 0;
        is_plain.then_some(Plain { at, sequence, acknowledgment, payload })
    }
}

/// The flags of a segment that change a connection's state.
///
/// Source: RFC 9293 section 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// The sender opens its half.
    pub syn: bool,
    /// The sender closes its half.
    pub fin: bool,
    /// The sender gives the connection up.
    pub rst: bool,
}
