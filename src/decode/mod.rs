//! Bytes to exchanges.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::panic)]

mod fragments;
mod frame;
mod ip;
mod link;
mod part;
mod quic;
mod segment;
mod tunnel;

pub use frame::{FrameDecoder, flow_hash};
pub use segment::{Flags, Segment};
