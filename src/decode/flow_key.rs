//! What tells one connection from another, and how it is found among thousands.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use super::Segment;

/// The two ends of a connection in a fixed order, so that both directions have the same key.
///
/// Tags and tunnels are not part of it: the table tells connections apart that have these ends in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowKey {
    ends: [(IpAddr, u16); 2],
}

/// Which of a connection's two ends sent something: an index into the ends of its [`FlowKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Low,
    High,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Low, Self::High];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// One value for each side of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sides<T> {
    low: T,
    high: T,
}

impl<T> Sides<T> {
    pub(crate) const fn new(low: T, high: T) -> Self {
        Self { low, high }
    }

    pub(crate) const fn of(&self, side: Side) -> &T {
        match side {
            Side::Low => &self.low,
            Side::High => &self.high,
        }
    }

    pub(crate) const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }
}

impl FlowKey {
    /// The key of a segment's connection, and which side of it sent the segment.
    pub(crate) fn of(segment: &Segment<'_>) -> (Self, Side) {
        let source = (segment.source.ip(), segment.source.port());
        let destination = (segment.destination.ip(), segment.destination.port());
        if source <= destination {
            (Self { ends: [source, destination] }, Side::Low)
        } else {
            (Self { ends: [destination, source] }, Side::High)
        }
    }

    /// The addresses of both sides.
    pub(crate) fn addresses(&self) -> Sides<SocketAddr> {
        let [low, high] = self.ends;
        Sides::new(low.into(), high.into())
    }
}

impl Hash for FlowKey {
    /// Writes few whole words: a keyed hash runs over this once for each packet.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [(low, low_port), (high, high_port)] = self.ends;
        if let (IpAddr::V4(low), IpAddr::V4(high)) = (low, high) {
            state.write_u64(u64::from(low.to_bits()) << 32 | u64::from(high.to_bits()));
        } else {
            for address in [low, high] {
                match address {
                    IpAddr::V4(v4) => state.write_u32(v4.to_bits()),
                    IpAddr::V6(v6) => state.write_u128(v6.to_bits()),
                }
            }
        }
        state.write_u32(u32::from(low_port) << 16 | u32::from(high_port));
    }
}
