//! What came in, and what of it could not be used.

use std::collections::BTreeMap;

use super::{Losses, Place};

/// A fault of the input, not of ours: a closed set, so that each is a counter's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anomaly {
    /// A capture file ends inside a record.
    FileCutShort,
    /// A capture file's record has an impossible length or type.
    FileRecordDamaged,
    /// A compressed file's stream is broken.
    FileCompressionDamaged,
    /// The capture's link type is not one we read.
    LinkTypeUnknown,
    /// A frame is shorter than its headers say (snaplen, or a forged length).
    FrameTruncated,
    /// A header breaks its own format.
    HeaderMalformed,
    /// Tunnels or tags nest deeper than we follow.
    NestedTooDeep,
    /// An IP fragment was dropped: incomplete in time, overlapping, or past a bound.
    FragmentDropped,
    /// Octets of a connection never arrived.
    StreamGap,
    /// Octets that came again differ from the first ones.
    OverlapConflict,
    /// A hole was given up because too much waited behind it.
    OutOfOrderDropped,
    /// What a connection held was given up early to keep the bound on memory, or so that others need not wait for it.
    HeldPastBound,
    /// A connection was forgotten to keep the bound.
    ConnectionEvicted,
    /// A connection whose start was not captured.
    JoinedMidStream,
    /// A message head had a gap inside and was dropped.
    HeadWithGap,
    /// A head past the size or field-count bound.
    HeadTooLarge,
    /// A head that is no HTTP.
    HeadMalformed,
    /// A chunk or length that contradicts itself.
    FramingMalformed,
    /// A response that no request was seen for.
    ResponseUnmatched,
    /// A request that no response was seen for.
    RequestUnmatched,
    /// Requests waiting for their responses past the bound.
    PipelineOverflow,
    /// A body that may explain a refusal but could not be decoded or was incomplete.
    BodyUndecodable,
    /// The connection became a tunnel (CONNECT) or another protocol (Upgrade).
    ProtocolSwitched,
    /// TLS without keys.
    TlsUnreadable,
    /// HTTP/2 in the clear, which this build does not read.
    Http2Unreadable,
    /// QUIC, which this build does not read.
    QuicUnreadable,
    /// A line that is no exchange.
    LineMalformed,
    /// A line longer than the bound.
    LineTooLong,
    /// A record older than what has been judged already; it counts, but raises nothing.
    TimeRanBack,
}

impl Anomaly {
    /// The label of the counter and the key in `input.damaged`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::FileCutShort => "file_cut_short",
            Self::FileRecordDamaged => "file_record_damaged",
            Self::FileCompressionDamaged => "file_compression_damaged",
            Self::LinkTypeUnknown => "link_type_unknown",
            Self::FrameTruncated => "frame_truncated",
            Self::HeaderMalformed => "header_malformed",
            Self::NestedTooDeep => "nested_too_deep",
            Self::FragmentDropped => "fragment_dropped",
            Self::StreamGap => "stream_gap",
            Self::OverlapConflict => "overlap_conflict",
            Self::OutOfOrderDropped => "out_of_order_dropped",
            Self::HeldPastBound => "held_past_bound",
            Self::ConnectionEvicted => "connection_evicted",
            Self::JoinedMidStream => "joined_mid_stream",
            Self::HeadWithGap => "head_with_gap",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadMalformed => "head_malformed",
            Self::FramingMalformed => "framing_malformed",
            Self::ResponseUnmatched => "response_unmatched",
            Self::RequestUnmatched => "request_unmatched",
            Self::PipelineOverflow => "pipeline_overflow",
            Self::BodyUndecodable => "body_undecodable",
            Self::ProtocolSwitched => "protocol_switched",
            Self::TlsUnreadable => "tls_unreadable",
            Self::Http2Unreadable => "http2_unreadable",
            Self::QuicUnreadable => "quic_unreadable",
            Self::LineMalformed => "line_malformed",
            Self::LineTooLong => "line_too_long",
            Self::TimeRanBack => "time_ran_back",
        }
    }
}

/// What came in so far. Counters only grow; all of one run add up with [`InputCounters::add`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct InputCounters {
    /// Files read.
    pub files: u64,
    /// Octets of files, lines and frames.
    pub bytes: u64,
    /// Frames.
    pub packets: u64,
    /// TCP connections.
    pub connections: u64,
    /// Request heads.
    pub requests: u64,
    /// Response heads, interim ones too.
    pub responses: u64,
    /// Requests with their final response, and responses whose request was lost.
    pub exchanges: u64,
    /// What could not be used, by cause ([`Anomaly::label`]).
    pub damaged: BTreeMap<&'static str, u64>,
    /// Of that, what is known to have been lost of somebody's traffic: connections that cannot be read, halves of
    /// exchanges, heads and contents.
    pub lost: Losses,
}

impl InputCounters {
    /// Counts a fault.
    pub fn count(&mut self, anomaly: Anomaly) {
        self.count_many(anomaly, 1);
    }

    /// Counts a fault `times` over.
    pub fn count_many(&mut self, anomaly: Anomaly, times: u64) {
        if times > 0 {
            let counter = self.damaged.entry(anomaly.label()).or_default();
            *counter = counter.saturating_add(times);
        }
    }

    /// Counts a fault `times` over, and where it was.
    pub fn count_at(&mut self, place: Place, times: u64) {
        if times > 0 {
            self.count_many(place.cause, times);
            self.lost.count(place, times);
        }
    }

    /// How often a fault was counted.
    pub fn damage(&self, anomaly: Anomaly) -> u64 {
        self.damaged.get(anomaly.label()).copied().unwrap_or(0)
    }

    /// Adds what another part of the same run counted.
    pub fn add(&mut self, other: &Self) {
        self.files = self.files.saturating_add(other.files);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.packets = self.packets.saturating_add(other.packets);
        self.connections = self.connections.saturating_add(other.connections);
        self.requests = self.requests.saturating_add(other.requests);
        self.responses = self.responses.saturating_add(other.responses);
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.lost.add(&other.lost);
        for (label, count) in &other.damaged {
            let counter = self.damaged.entry(label).or_default();
            *counter = counter.saturating_add(*count);
        }
    }
}
