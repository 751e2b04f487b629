//! TCP segments to streams of octets, one for each direction.
//!
//! Works with stream offsets of 64 bits, so that nothing above it knows of wrapping sequence numbers. Octets are handed
//! on in order, straight from the segment; only what came too early is copied. What the reader above has no need for (the
//! rest of a body of known length) is stepped over: it is neither waited for nor kept. Source: RFC 9293 section 3.

mod half;
mod header;
mod out_of_order;

pub(crate) use half::{Half, Origin};
pub(crate) use header::Header;
pub(crate) use out_of_order::{OutOfOrder, Piece};
