//! Frames to exchanges: link layers, IP, TCP streams, HTTP.
//!
//! Knows no file, no device and no clock. All input is hostile: every buffer has a bound in [`DecodeOptions`], every fault
//! becomes an [`Anomaly`](crate::model::Anomaly) in the counters, and where a value is not certain there is none.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::panic)]

mod connection;
mod content;
mod decoder;
pub mod exchange_line;
mod exchanges;
mod flow_key;
mod fragments;
mod frame;
mod http1;
mod ip;
mod json_field_lines;
mod json_scalar;
mod link;
mod options;
mod part;
mod quic;
mod recent;
pub mod response_text;
mod segment;
mod shard;
mod silence;
mod streams;
mod table;
mod tcp;
mod tls;
mod tunnel;
mod url;
mod usual;

pub use decoder::Decoder;
pub use exchanges::Exchanges;
pub use frame::{FrameDecoder, flow_hash};
pub use options::DecodeOptions;
pub use segment::{Flags, Segment};
pub use shard::Sharder;
