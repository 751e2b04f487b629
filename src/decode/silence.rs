//! Which connections were silent for longest, without a list that each segment would have to change.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::table::Place;

/// Places by the turn in which they were used last.
///
/// What is noted of a place may be older than its last use, never newer, and is brought up to date only where the place
/// would be found by it.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    noted: BinaryHeap<Reverse<(u64, Place)>>,
    /// Whether a place is among them, so that each is only once.
    is_noted: Vec<bool>,
}

impl Silence {
    /// Adds a place that is used in this turn, later than all before.
    pub(crate) fn add(&mut self, place: Place, turn: u64) {
        let Ok(index) = usize::try_from(place) else { return };
        if self.is_noted.len() <= index {
            self.is_noted.resize(index.saturating_add(1), false);
        }
        // One that left, and was not found since, is still there.
        if let Some(is_noted) = self.is_noted.get_mut(index).filter(|is_noted| !**is_noted) {
            *is_noted = true;
            self.noted.push(Reverse((turn, place)));
        }
    }

    /// The place whose last use is longest ago. `last_use` says in which turn that was; `None` for one that has left.
    pub(crate) fn longest(&mut self, last_use: impl Fn(Place) -> Option<u64>) -> Option<Place> {
        while let Some(mut first) = self.noted.peek_mut() {
            let Reverse((noted, place)) = *first;
            match last_use(place) {
                Some(turn) if turn == noted => return Some(place),
                Some(turn) => *first = Reverse((turn, place)),
                None => {
                    PeekMut::pop(first);
                    if let Some(is_noted) = usize::try_from(place).ok().and_then(|index| self.is_noted.get_mut(index)) {
                        *is_noted = false;
                    }
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The model: a list from which a place is taken out, and put behind all others, at each use.
        #[test]
        fn finds_what_a_list_in_order_of_use_finds(steps in prop::collection::vec((0u8..4, 0u32..6), 0..60)) {
            let mut silence = Silence::default();
            let mut last_uses = [None; 6];
            let mut list = Vec::new();
            for (turn, (act, place)) in (1u64..).zip(steps) {
                let last_use = &mut last_uses[place as usize];
                list.retain(|other| *other != place);
                if act == 0 {
                    *last_use = None;
                } else {
                    if last_use.is_none() {
                        silence.add(place, turn);
                    }
                    *last_use = Some(turn);
                    list.push(place);
                }
                if act == 1 {
                    prop_assert_eq!(silence.longest(|place| last_uses[place as usize]), list.first().copied());
                }
                prop_assert!(silence.noted.len() <= last_uses.len());
            }
        }
    }
}
