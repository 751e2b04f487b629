//! The connections that are followed: found by key, forgotten when silent for longest.

use std::collections::{BTreeSet, HashMap};
use std::hash::RandomState;

use super::connection::Connection;
use super::flow_key::FlowKey;
use crate::model::Timestamp;

/// The place of a connection in the table.
pub(crate) type Place = u32;

/// No place: the end of a list.
const NONE: Place = Place::MAX;

/// The connections that are followed, bounded by the caller.
///
/// The map's hash is keyed at random, so that nobody can choose addresses that collide.
#[derive(Debug, Default)]
pub(crate) struct Table {
    places: HashMap<FlowKey, Place, RandomState>,
    slots: Vec<Slot>,
    free: Vec<Place>,
    /// The least and the most recently used connection.
    oldest: Option<Place>,
    newest: Option<Place>,
    /// What the last segment's connection was: segments come in trains.
    last: Option<(FlowKey, Place)>,
    /// When the connections that hold something back must let go.
    deadlines: BTreeSet<(Timestamp, Place)>,
    /// Since when they hold it back.
    holding: BTreeSet<(Timestamp, Place)>,
}

#[derive(Debug)]
struct Slot {
    key: Option<FlowKey>,
    connection: Option<Connection>,
    older: Place,
    newer: Place,
    deadline: Option<Timestamp>,
    held_since: Option<Timestamp>,
    octets_kept: usize,
}

impl Table {
    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Where a connection is.
    pub(crate) fn find(&mut self, key: &FlowKey) -> Option<Place> {
        if let Some((last, place)) = &self.last
            && last == key
        {
            return Some(*place);
        }
        let place = *self.places.get(key)?;
        self.last = Some((*key, place));
        Some(place)
    }

    /// Adds a connection.
    pub(crate) fn insert(&mut self, key: FlowKey, connection: Connection) -> Place {
        let slot = Slot {
            key: Some(key),
            connection: Some(connection),
            older: NONE,
            newer: NONE,
            deadline: None,
            held_since: None,
            octets_kept: 0,
        };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(free) = self.slot_mut(place) {
                    *free = slot;
                }
                place
            }
            None => {
                self.slots.push(slot);
                Place::try_from(self.slots.len().saturating_sub(1)).unwrap_or(NONE)
            }
        };
        self.places.insert(key, place);
        self.last = Some((key, place));
        self.append(place);
        place
    }

    /// The connection at a place.
    pub(crate) fn connection_mut(&mut self, place: Place) -> Option<&mut Connection> {
        self.slot_mut(place)?.connection.as_mut()
    }

    /// Notes that a connection was used just now.
    pub(crate) fn touch(&mut self, place: Place) {
        if self.newest != Some(place) {
            self.detach(place);
            self.append(place);
        }
    }

    /// Takes a connection out.
    pub(crate) fn remove(&mut self, place: Place) -> Option<Connection> {
        self.schedule(place, None, None, 0);
        self.detach(place);
        let slot = self.slot_mut(place)?;
        let key = slot.key.take()?;
        let connection = slot.connection.take();
        self.places.remove(&key);
        self.free.push(place);
        self.last = None;
        connection
    }

    /// The connection that was silent for longest.
    pub(crate) const fn oldest(&self) -> Option<Place> {
        self.oldest
    }

    /// When the connection that was silent for longest had its last segment.
    pub(crate) fn oldest_at(&self) -> Option<Timestamp> {
        let slot = self.slots.get(usize::try_from(self.oldest?).ok()?)?;
        slot.connection.as_ref().map(Connection::last_at)
    }

    /// Notes since when a connection holds something back, when it must let go, and how many octets it keeps; returns
    /// how many it kept before.
    pub(crate) fn schedule(
        &mut self,
        place: Place,
        held_since: Option<Timestamp>,
        deadline: Option<Timestamp>,
        octets_kept: usize,
    ) -> usize {
        let Some(slot) = self.slot_mut(place) else { return 0 };
        let (held_before, deadline_before) = (slot.held_since, slot.deadline);
        slot.held_since = held_since;
        slot.deadline = deadline;
        let kept_before = std::mem::replace(&mut slot.octets_kept, octets_kept);
        if held_before != held_since {
            held_before.map(|at| self.holding.remove(&(at, place)));
            held_since.map(|at| self.holding.insert((at, place)));
        }
        if deadline_before != deadline {
            deadline_before.map(|at| self.deadlines.remove(&(at, place)));
            deadline.map(|at| self.deadlines.insert((at, place)));
        }
        kept_before
    }

    /// The next connection that must let go, and when.
    pub(crate) fn next_deadline(&self) -> Option<(Timestamp, Place)> {
        self.deadlines.first().copied()
    }

    /// Since when something is held back.
    pub(crate) fn held_since(&self) -> Option<(Timestamp, Place)> {
        self.holding.first().copied()
    }

    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(place).ok()?)
    }

    fn append(&mut self, place: Place) {
        let newest = self.newest.replace(place);
        if let Some(slot) = self.slot_mut(place) {
            slot.older = newest.unwrap_or(NONE);
            slot.newer = NONE;
        }
        match newest.and_then(|newest| self.slot_mut(newest)) {
            Some(newest) => newest.newer = place,
            None => self.oldest = Some(place),
        }
    }

    fn detach(&mut self, place: Place) {
        let Some((older, newer)) = self.slot_mut(place).map(|slot| (slot.older, slot.newer)) else { return };
        match self.slot_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = (newer != NONE).then_some(newer),
        }
        match self.slot_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = (older != NONE).then_some(older),
        }
    }
}
