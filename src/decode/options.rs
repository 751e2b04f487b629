//! The bounds of decoding, each with its reason.

use std::time::Duration;

/// How much of hostile or damaged input a [`Decoder`](super::Decoder) holds, and for how long.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// Connections that are followed at a time; past it the one that was silent longest is forgotten. An idle one costs
    /// about a kilobyte with its place in the tables, so the default stays below 64 MiB even under a flood of SYNs.
    pub connections: usize,
    /// Connections that have ended and are kept for what comes late, so that it does not look like a new connection.
    pub closed_connections: usize,
    /// Out-of-order octets that are kept for one direction of a connection: more than the usual receive window in which
    /// a sender goes on while a hole is filled. Octets of bodies that are stepped over do not count, they are not kept.
    pub out_of_order_octets: usize,
    /// Out-of-order octets that are kept in all, so that many holes at once do not fill the memory.
    pub out_of_order_octets_in_all: usize,
    /// Pieces that are kept out of order for one direction, so that one-octet segments stay cheap.
    pub out_of_order_pieces: usize,
    /// Octets of a message's head: four times what common servers accept by default (16 KiB).
    pub head_octets: usize,
    /// Field lines of a head: twice what common servers accept by default.
    pub field_lines: usize,
    /// Requests of a connection that wait for their responses: more than any client pipelines.
    pub pipelined_requests: usize,
    /// Octets of content that are kept, before and after content decoding: error bodies are far smaller.
    pub body_octets: usize,
    /// For how long of event time something is held back: a hole that nobody acknowledged, content that still comes. It
    /// bounds the delay of an alert and of the watermark.
    pub hold: Duration,
    /// How late a segment may be captured after one that was sent later: capture queues reorder by less. A hole that the
    /// receiver acknowledged is given up after this time, since then the segment arrived, but past the capture.
    pub reordering: Duration,
    /// The same in segments of the connection, whichever comes first.
    pub reordering_segments: u32,
    /// A silent connection is forgotten after this time: longer than servers keep one open by default.
    pub idle: Duration,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            connections: 32_768,
            closed_connections: 4096,
            out_of_order_octets: 1 << 20,
            out_of_order_octets_in_all: 16 << 20,
            out_of_order_pieces: 1024,
            head_octets: 64 << 10,
            field_lines: 200,
            pipelined_requests: 256,
            body_octets: 64 << 10,
            hold: Duration::from_secs(5),
            reordering: Duration::from_millis(100),
            reordering_segments: 16,
            idle: Duration::from_mins(5),
        }
    }
}
