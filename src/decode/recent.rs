//! Where connections were found last, so that the keyed hash of their ends is seldom needed.

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
const SLOTS: usize = 1 << BITS;
const BITS: u32 = 10;
/// What leaves the upper [`BITS`] of a word.
const SHIFT: u32 = u64::BITS - BITS;

impl Default for Recent {
    fn default() -> Self {
        Self { places: Box::new([Place::MAX; SLOTS]) }
    }
}

impl Recent {
    /// The place where the connection may be whose ends come to this word.
    #[inline]
    pub(crate) fn place(&self, ends: u64) -> Option<Place> {
        self.places.get(slot(ends)).copied()
    }

    /// Notes where it is.
    pub(crate) fn note(&mut self, ends: u64, place: Place) {
        if let Some(known) = self.places.get_mut(slot(ends)) {
            *known = place;
        }
    }
}

/// The upper bits of a product depend on all bits of its factors.
///
/// Source: Knuth, "The Art of Computer Programming", volume 3, section 6.4.
#[inline]
fn slot(ends: u64) -> usize {
    let product = ends.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(product >> SHIFT).unwrap_or(0)
}
