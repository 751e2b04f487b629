//! What tells one connection from another, and how it is found among thousands.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use super::Segment;

/// The two ends of a connection in a fixed order, so that both directions have the same key.
///
/// Tags and tunnels are not part of it: the table tells connections apart that have these ends in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlowKey {
    /// Each end in one word, the address before the port: compared as quickly as a number.
    V4([u64; 2]),
    /// Ends of which one at least has an IPv6 address.
    Other([(IpAddr, u16); 2]),
}

/// The two ends of an IPv4 packet in the order of its headers: the sender's first.
///
/// Of two packets of one connection these are the same, or [turned](Self::turned): found without a key's order, and compared
/// as they stand in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ends {
    addresses: u64,
    ports: u32,
}

/// Which of a connection's two ends sent something: an index into the ends of its [`FlowKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Low,
    High,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Low, Self::High];

    #[inline]
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

    #[inline]
    pub(crate) const fn of(&self, side: Side) -> &T {
        match side {
            Side::Low => &self.low,
            Side::High => &self.high,
        }
    }

    #[inline]
    pub(crate) const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }

    /// That of a side, then that of the other one.
    #[inline]
    pub(crate) const fn both_mut(&mut self, side: Side) -> (&mut T, &mut T) {
        match side {
            Side::Low => (&mut self.low, &mut self.high),
            Side::High => (&mut self.high, &mut self.low),
        }
    }
}

impl Ends {
    /// The ends in the octets where an IPv4 header without options meets a TCP header.
    #[inline]
    pub(crate) const fn of(octets: &[u8; 12]) -> Self {
        let [addresses @ .., s0, s1, d0, d1] = *octets;
        Self { addresses: u64::from_ne_bytes(addresses), ports: u32::from_ne_bytes([s0, s1, d0, d1]) }
    }

    /// The ends of what the other side sends.
    #[inline]
    pub(crate) const fn turned(self) -> Self {
        Self { addresses: self.addresses.rotate_left(32), ports: self.ports.rotate_left(16) }
    }

    /// Both ends in one word, the same for both sides.
    #[inline]
    pub(crate) fn word(self) -> u64 {
        let turned = self.turned();
        (self.addresses ^ turned.addresses) ^ u64::from(self.ports ^ turned.ports)
    }

    /// Both ends in one word, another one for each side.
    #[inline]
    pub(crate) const fn directed_word(self) -> u64 {
        self.addresses ^ self.ports as u64
    }
}

impl FlowKey {
    /// The key of a segment's connection, and which side of it sent the segment.
    pub(crate) fn of(segment: &Segment<'_>) -> (Self, Side) {
        Self::between(segment.source, segment.destination)
    }

    /// The same for any packet.
    pub(crate) fn between(source: SocketAddr, destination: SocketAddr) -> (Self, Side) {
        if let (SocketAddr::V4(source), SocketAddr::V4(destination)) = (source, destination) {
            let (ends, side) = in_order(word(source), word(destination));
            return (Self::V4(ends), side);
        }
        let end = |address: SocketAddr| (address.ip(), address.port());
        let (ends, side) = in_order(end(source), end(destination));
        (Self::Other(ends), side)
    }

    /// Both ends in one word, which others may have in common with them: that of [`Ends`] where they are of IPv4.
    pub(crate) fn word(&self) -> u64 {
        match *self {
            Self::V4([low, high]) => ends(low, high).word(),
            Self::Other(ends) => ends.into_iter().fold(0, |word, (address, port)| {
                let bits = match address {
                    IpAddr::V4(address) => u64::from(address.to_bits()),
                    IpAddr::V6(address) => halves(address.to_bits()),
                };
                word ^ bits.rotate_left(16) ^ u64::from(port)
            }),
        }
    }

    /// The ends of what the lower side sends, where both are of IPv4.
    pub(crate) fn ends(&self) -> Option<Ends> {
        let Self::V4([low, high]) = *self else { return None };
        Some(ends(low, high))
    }

    /// The addresses of both sides.
    pub(crate) fn addresses(&self) -> Sides<SocketAddr> {
        match *self {
            Self::V4([low, high]) => Sides::new(address(low), address(high)),
            Self::Other([low, high]) => Sides::new(low.into(), high.into()),
        }
    }
}

/// Two ends in their order, and the place of the source.
#[inline]
fn in_order<T: PartialOrd>(source: T, destination: T) -> ([T; 2], Side) {
    if source <= destination { ([source, destination], Side::Low) } else { ([destination, source], Side::High) }
}

/// An IPv4 end in one word.
#[inline]
fn word(end: SocketAddrV4) -> u64 {
    u64::from(end.ip().to_bits()) << 16 | u64::from(end.port())
}

/// The ends of what the first of two ends sends, each in a word.
#[expect(clippy::cast_possible_truncation, reason = "the port is the word's lower part")]
fn ends(from: u64, to: u64) -> Ends {
    let (addresses, ports) = (from >> 16 << 32 | to >> 16, u32::from(from as u16) << 16 | u32::from(to as u16));
    Ends { addresses: addresses.to_be(), ports: ports.to_be() }
}

/// An IPv6 address folded.
#[expect(clippy::cast_possible_truncation, reason = "each half of the address is taken by itself")]
const fn halves(address: u128) -> u64 {
    address as u64 ^ (address >> 64) as u64
}

/// The end in a word.
fn address(word: u64) -> SocketAddr {
    let [_, _, a, b, c, d, port @ ..] = word.to_be_bytes();
    SocketAddr::from(([a, b, c, d], u16::from_be_bytes(port)))
}

impl Hash for FlowKey {
    /// Writes few whole words: a keyed hash runs over this for many packets.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(ends) => ends.iter().for_each(|end| state.write_u64(*end)),
            Self::Other(ends) => {
                for (address, port) in ends {
                    match address {
                        IpAddr::V4(v4) => state.write_u32(v4.to_bits()),
                        IpAddr::V6(v6) => state.write_u128(v6.to_bits()),
                    }
                    state.write_u16(*port);
                }
            }
        }
    }
}
