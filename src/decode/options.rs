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
    /// Octets that connections hold beyond their own record, in all: what waits for a hole, parts of heads, content,
    /// requests that wait. Past it the connection that holds most lets go, so that one that holds little loses nothing.
    pub held_octets_in_all: usize,
    /// Exchanges that may wait behind what is held back on other connections, since all are given out in the order of
    /// their time; about a kilobyte each. Past it, what holds them up is given out as far as it came.
    pub exchanges_behind: usize,
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
        Self::within(Self::MEMORY)
    }
}

impl DecodeOptions {
    /// What decoding takes of the memory at most, unless the user says otherwise.
    pub const MEMORY: usize = 64 << 20;

    /// The bounds that keep decoding within so many octets of memory: half of it for the records of connections, a
    /// quarter for what they hold, an eighth for exchanges that wait for their turn; what is left is for fragments and
    /// for connections that have ended.
    pub const fn within(memory: usize) -> Self {
        /// A connection's record with its places in the tables, or an exchange with what is made of it.
        const RECORD: usize = 1 << 10;
        let connections = memory / 2 / RECORD;
        Self {
            connections,
            closed_connections: connections / 8,
            out_of_order_octets: 1 << 20,
            out_of_order_pieces: 1024,
            held_octets_in_all: memory / 4,
            exchanges_behind: memory / 8 / RECORD,
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
