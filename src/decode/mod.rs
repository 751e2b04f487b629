//! Bytes to exchanges.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::panic)]

pub mod exchange_line;
mod fragments;
mod frame;
mod ip;
mod link;
mod part;
mod quic;
mod segment;
mod shard;
mod tunnel;
mod url;

pub use frame::{FrameDecoder, flow_hash};
pub use segment::{Flags, Segment};
pub use shard::Sharder;
