//! Where the endpoint and the route of an exchange were last found.

use crate::model::{Observation, place_of};

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
