//! Where connections were found last, so that the keyed hash of their ends is seldom needed.

use std::net::SocketAddr;

use super::Segment;
use super::flow_key;
use super::table::Place;

/// A place for each value of a cheap hash of a connection's ends.
///
/// It may be that of another connection: who asks compares the ends. Whoever chooses addresses that collide here only
/// makes the table look them up.
#[derive(Debug)]
pub(crate) struct Recent {
    places: Box<[Place; SLOTS]>,
}

/// 4 KiB of places, of which a few hundred connections at a time rarely share one.
const SLOTS: usize = 1 << 10;

impl Default for Recent {
    fn default() -> Self {
        Self { places: Box::new([Place::MAX; SLOTS]) }
    }
}

impl Recent {
    /// The place where a segment's connection may be.
    #[inline]
    pub(crate) fn place(&self, segment: &Segment<'_>) -> Option<Place> {
        self.places.get(slot(segment.source, segment.destination)).copied()
    }

    /// Notes where the connection between two ends is.
    pub(crate) fn note(&mut self, one: SocketAddr, other: SocketAddr, place: Place) {
        if let Some(known) = self.places.get_mut(slot(one, other)) {
            *known = place;
        }
    }
}

/// The same for both directions. The upper bits of a product depend on all bits of its factors.
///
/// Source: Knuth, "The Art of Computer Programming", volume 3, section 6.4.
#[inline]
fn slot(one: SocketAddr, other: SocketAddr) -> usize {
    let product = (word(one) ^ word(other)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(product >> (u64::BITS - SLOTS.ilog2())).unwrap_or(0)
}

/// An end in one word, which an IPv6 one may have in common with others.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "each half of the address is taken by itself")]
fn word(end: SocketAddr) -> u64 {
    match end {
        SocketAddr::V4(end) => flow_key::word(end),
        SocketAddr::V6(end) => {
            let address = end.ip().to_bits();
            (address as u64 ^ (address >> 64) as u64).rotate_left(16) ^ u64::from(end.port())
        }
    }
}
