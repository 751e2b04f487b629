//! Where the endpoint and the route of an exchange were last found, by where its names lie in memory.

use std::sync::Arc;

use crate::model::Observation;

/// Places kept: those of a busy integration's endpoints and callers.
const PLACES: usize = 4096;

/// Remembers slots by where an exchange's names lie in memory, so that a name that comes again in the same allocation is found
/// without hashing its letters.
///
/// A memory, not a table: whoever asks compares what is in the slots, and searches where it is something else. Names in other
/// allocations, or many that meet in one place, cost that search.
pub(super) struct Places(Box<[Place]>);

/// Slots of the endpoint and of the route.
#[derive(Clone, Copy)]
pub(super) struct Place {
    index: usize,
    pub(super) endpoint: u32,
    pub(super) route: u32,
}

impl Places {
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|index| Place { index, endpoint: u32::MAX, route: u32::MAX }).collect())
    }

    /// The place of an exchange, whatever was kept there before.
    #[inline]
    pub(super) fn of(&self, observation: &Observation) -> Place {
        let id = observation.scope.as_ref().and_then(|scope| scope.id.as_ref());
        let index = place_of([observation.endpoint.as_ref(), id, observation.host.as_ref()], PLACES);
        self.0[index]
    }

    /// Keeps what was found for the exchange of a place.
    pub(super) fn keep(&mut self, place: Place) {
        self.0[place.index] = place;
    }
}

/// A number below `places` for three names, the same where they come again in the same allocations: what was found for them
/// is found there again without reading a letter.
///
/// It says nothing of the names: whoever looks there compares.
#[inline]
pub(super) fn place_of(names: [Option<&Arc<str>>; 3], places: usize) -> usize {
    let hash = names.into_iter().fold(0u64, |hash, name| {
        let address = name.map_or(0, |name| Arc::as_ptr(name).cast::<u8>().addr());
        (hash ^ address as u64).wrapping_mul(FACTOR).rotate_left(32)
    });
    hash.checked_rem(places as u64).and_then(|place| usize::try_from(place).ok()).unwrap_or(0)
}

/// The fractional part of the golden ratio: an odd number whose bits look like chance.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_where_they_lay_before() {
        let names: Vec<Arc<str>> = (0..64).map(|number| format!("name {number}").into()).collect();
        let places = |names: &[Arc<str>]| -> Vec<usize> {
            names.iter().map(|name| place_of([names.first(), Some(name), None], 1024)).collect()
        };
        assert_eq!(places(&names), places(&names.clone()));
        let different: std::collections::BTreeSet<usize> = places(&names).into_iter().collect();
        assert!(different.len() > 32 && different.iter().all(|place| *place < 1024), "{different:?}");
        assert_eq!(place_of([None; 3], 0), 0);
    }
}
