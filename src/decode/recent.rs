//! Where connections were found last, so that the keyed hash of their ends is seldom needed.

use super::flow_key::{Ends, Side};
use super::table::Place;

/// A place for each value of a cheap hash of a connection's ends.
///
/// Whoever chooses addresses that collide here only makes the table look them up.
#[derive(Debug)]
pub(crate) struct Recent {
    /// By both ends, whichever side sends. It may be that of another connection: who asks compares the ends.
    places: Box<[Place; SLOTS]>,
    /// By the ends of what one side sends in usual frames: of those that share a slot, the two that were noted last.
    usual: Box<[[Usual; 2]; SLOTS]>,
}

/// Which connection has these ends, and which of its sides sends with them.
#[derive(Debug, Clone, Copy)]
struct Usual {
    ends: Ends,
    place: Place,
    side: Side,
}

/// Few enough to stay in a processor's caches, of which a few hundred connections at a time rarely share one.
const SLOTS: usize = 1 << BITS;
const BITS: u32 = 10;
/// What leaves the upper [`BITS`] of a word.
const SHIFT: u32 = u64::BITS - BITS;

impl Default for Recent {
    #[expect(
        clippy::large_stack_arrays,
        reason = "once for each decoder, and an index needs no check against its length"
    )]
    fn default() -> Self {
        let nothing = Usual { ends: Ends::default(), place: Place::MAX, side: Side::Low };
        Self { places: Box::new([Place::MAX; SLOTS]), usual: Box::new([[nothing; 2]; SLOTS]) }
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

    /// The place of the connection with which somebody sends usual frames with these ends, and who.
    #[inline]
    pub(crate) fn usual(&self, ends: Ends) -> Option<(Place, Side)> {
        let [newer, older] = self.usual.get(slot(ends.directed_word()))?;
        if newer.ends == ends {
            return Some((newer.place, newer.side));
        }
        (older.ends == ends).then_some((older.place, older.side))
    }

    /// Notes where the connection is whose lower side sends usual frames with these ends.
    pub(crate) fn note_usual(&mut self, low: Ends, place: Place) {
        for (ends, side) in [(low, Side::Low), (low.turned(), Side::High)] {
            if let Some([newer, older]) = self.usual.get_mut(slot(ends.directed_word())) {
                if newer.ends != ends {
                    *older = *newer;
                }
                *newer = Usual { ends, place, side };
            }
        }
    }

    /// Forgets it.
    pub(crate) fn forget_usual(&mut self, low: Ends) {
        for ends in [low, low.turned()] {
            let known = self.usual.get_mut(slot(ends.directed_word())).into_iter().flatten();
            for known in known.filter(|known| known.ends == ends) {
                known.place = Place::MAX;
            }
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Ends that all come to the same slot.
    fn ends(ports: u8) -> Ends {
        Ends::of(&[0, 0, 0, 0, 0, 0, 0, 7 ^ ports, 0, 0, 0, ports])
    }

    proptest! {
        /// What was noted last is found, and never what is not so any more.
        #[test]
        fn finds_what_is_so_or_nothing(steps in prop::collection::vec((0u8..4, prop::option::of(0u32..9)), 0..30)) {
            let mut recent = Recent::default();
            let mut model = HashMap::new();
            for (ports, place) in steps {
                let low = ends(ports);
                if let Some(place) = place {
                    recent.note_usual(low, place);
                    model.insert(ports, place);
                    prop_assert_eq!(recent.usual(low), Some((place, Side::Low)));
                    prop_assert_eq!(recent.usual(low.turned()), Some((place, Side::High)));
                } else {
                    recent.forget_usual(low);
                    model.remove(&ports);
                }
                for ports in 0..4 {
                    let known = recent.usual(ends(ports)).filter(|(place, _)| *place != Place::MAX);
                    prop_assert!(known.is_none_or(|(place, side)| side == Side::Low && model.get(&ports) == Some(&place)));
                }
            }
        }
    }
}
