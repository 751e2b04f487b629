//! The connections that are followed: found by their ends, forgotten when silent for longest.

use std::collections::{BTreeSet, HashMap};
use std::hash::RandomState;

use super::connection::Connection;
use super::flow_key::{Ends, FlowKey, Side};
use super::recent::Recent;
use crate::model::Timestamp;

/// The place of a connection in the table.
pub(crate) type Place = u32;

/// No place: the end of a list.
const NONE: Place = Place::MAX;

/// What connections usually hold, a request that waits and a piece that came early, stays below.
const BIG: usize = 4 << 10;

/// Connections with the same ends that are told apart by tags or tunnels; more are an attack on the search among them.
pub(crate) const SAME_ENDS: usize = 8;

/// The connections that are followed, bounded by the caller.
///
/// The map's hash is keyed at random, so that nobody can choose addresses that collide.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The first connection between two ends; the others are behind it.
    places: HashMap<FlowKey, Place, RandomState>,
    /// What of that was looked up last.
    recent: Recent,
    slots: Vec<Slot>,
    free: Vec<Place>,
    open: List,
    over: List,
    /// When the connections that hold something back must let go.
    deadlines: BTreeSet<(Timestamp, Place)>,
    /// Since when they hold it back.
    holding: BTreeSet<(Timestamp, Place)>,
    /// The connections that take more than [`BIG`] octets beyond their record.
    big: BTreeSet<(usize, Place)>,
}

/// Which connections: those that go on, or those that have ended and are kept only for what comes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    Over,
}

/// The ends of a list in the order of the last use.
#[derive(Debug)]
struct List {
    oldest: Place,
    newest: Place,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE, len: 0 }
    }
}

#[derive(Debug)]
struct Slot {
    /// The ends of what the lower side sends in usual frames: those of IPv4 and in no tunnel.
    ends: Option<Ends>,
    key: FlowKey,
    tunnel: u64,
    connection: Option<Box<Connection>>,
    stage: Stage,
    /// The decoder's time at its last segment, which never runs back as the segments' own may.
    used_at: Timestamp,
    older: Place,
    newer: Place,
    /// The next connection with the same ends.
    same_ends: Place,
    deadline: Option<Timestamp>,
    held_since: Option<Timestamp>,
    footprint: usize,
}

impl Table {
    /// How many connections there are.
    pub(crate) const fn len(&self, stage: Stage) -> usize {
        self.list(stage).len
    }

    /// The connections between the ends of a key, with the tunnel of each.
    pub(crate) fn with_ends(&mut self, key: &FlowKey) -> impl Iterator<Item = (Place, u64, &Connection)> {
        let mut next = self.places.get(key).copied().unwrap_or(NONE);
        self.recent.note(key.word(), next);
        let slots = &self.slots;
        std::iter::from_fn(move || {
            let place = next;
            let slot = slots.get(usize::try_from(place).ok()?)?;
            next = slot.same_ends;
            Some((place, slot.tunnel, slot.connection.as_deref()?))
        })
    }

    /// The connection in no tunnel between these ends, if it was looked up lately and is the first with them; and the side
    /// that sent a packet with them.
    #[inline]
    pub(crate) fn recent_usual(&mut self, ends: Ends) -> Option<(Place, Side, &mut Connection)> {
        let place = self.recent.place(ends.word())?;
        let slot = self.slot_mut(place)?;
        let low = slot.ends?;
        let side = if low == ends {
            Side::Low
        } else if low == ends.turned() {
            Side::High
        } else {
            return None;
        };
        Some((place, side, slot.connection.as_deref_mut()?))
    }

    /// The connection in a tunnel between the ends of a key, if it was looked up lately and is the first with these ends.
    pub(crate) fn recent(&mut self, key: &FlowKey, tunnel: u64) -> Option<(Place, &mut Connection)> {
        let place = self.recent.place(key.word())?;
        let slot = self.slot_mut(place).filter(|slot| slot.tunnel == tunnel && slot.key == *key)?;
        Some((place, slot.connection.as_deref_mut()?))
    }

    /// Adds a connection.
    pub(crate) fn insert(&mut self, key: FlowKey, tunnel: u64, connection: Connection, now: Timestamp) -> Place {
        let slot = Slot {
            ends: key.ends().filter(|_| tunnel == 0),
            key,
            tunnel,
            connection: Some(Box::new(connection)),
            stage: Stage::Open,
            used_at: now,
            older: NONE,
            newer: NONE,
            same_ends: NONE,
            deadline: None,
            held_since: None,
            footprint: 0,
        };
        let place = if let Some(place) = self.free.pop() {
            if let Some(free) = self.slot_mut(place) {
                *free = slot;
            }
            place
        } else {
            self.slots.push(slot);
            Place::try_from(self.slots.len().saturating_sub(1)).unwrap_or(NONE)
        };
        self.recent.note(key.word(), place);
        if let Some(first) = self.places.insert(key, place)
            && let Some(slot) = self.slot_mut(place)
        {
            slot.same_ends = first;
        }
        self.append(place);
        place
    }

    /// The connection at a place.
    pub(crate) fn connection(&self, place: Place) -> Option<&Connection> {
        self.slot(place)?.connection.as_deref()
    }

    /// The connection at a place, and whether something is noted of it, see [`Self::schedule`].
    #[inline]
    pub(crate) fn connection_mut(&mut self, place: Place) -> Option<(&mut Connection, bool)> {
        let slot = self.slot_mut(place)?;
        let is_scheduled = slot.deadline.is_some() || slot.held_since.is_some() || slot.footprint > 0;
        Some((slot.connection.as_deref_mut()?, is_scheduled))
    }

    /// Notes that a connection was used just now, and in which stage it is.
    #[inline]
    pub(crate) fn touch(&mut self, place: Place, stage: Stage, now: Timestamp) {
        if let Some(slot) = self.slot_mut(place) {
            slot.used_at = now;
        }
        if self.list(stage).newest != place {
            self.move_to_newest(place, stage);
        }
    }

    #[inline(never)]
    fn move_to_newest(&mut self, place: Place, stage: Stage) {
        self.detach(place);
        if let Some(slot) = self.slot_mut(place) {
            slot.stage = stage;
        }
        self.append(place);
    }

    /// Takes a connection out.
    pub(crate) fn remove(&mut self, place: Place) {
        self.schedule(place, None, None, 0);
        self.detach(place);
        let Some(slot) = self.slot_mut(place) else { return };
        slot.connection = None;
        let (key, behind) = (slot.key, slot.same_ends);
        let mut before = self.places.get(&key).copied().unwrap_or(NONE);
        if before == place {
            self.recent.note(key.word(), behind);
            if behind == NONE {
                self.places.remove(&key);
            } else {
                self.places.insert(key, behind);
            }
        } else {
            while let Some(slot) = self.slot_mut(before) {
                if slot.same_ends == place {
                    slot.same_ends = behind;
                    break;
                }
                before = slot.same_ends;
            }
        }
        self.free.push(place);
    }

    /// The connection of a stage that was silent for longest, and when it had its last segment.
    pub(crate) fn oldest(&self, stage: Stage) -> Option<(Place, Timestamp)> {
        let place = self.list(stage).oldest;
        Some((place, self.slot(place)?.used_at))
    }

    /// Notes since when a connection holds something back, when it must let go, and how much memory it takes beyond its
    /// record; returns how much it took before.
    pub(crate) fn schedule(
        &mut self,
        place: Place,
        held_since: Option<Timestamp>,
        deadline: Option<Timestamp>,
        footprint: usize,
    ) -> usize {
        let Some(slot) = self.slot_mut(place) else { return 0 };
        let (held_before, deadline_before) = (slot.held_since, slot.deadline);
        slot.held_since = held_since;
        slot.deadline = deadline;
        let footprint_before = std::mem::replace(&mut slot.footprint, footprint);
        if footprint_before != footprint && footprint_before.max(footprint) > BIG {
            self.big.remove(&(footprint_before, place));
            if footprint > BIG {
                self.big.insert((footprint, place));
            }
        }
        if held_before != held_since {
            held_before.map(|at| self.holding.remove(&(at, place)));
            held_since.map(|at| self.holding.insert((at, place)));
        }
        if deadline_before != deadline {
            deadline_before.map(|at| self.deadlines.remove(&(at, place)));
            deadline.map(|at| self.deadlines.insert((at, place)));
        }
        footprint_before
    }

    /// The connection that takes most beyond its record, if one takes much.
    pub(crate) fn biggest(&self) -> Option<Place> {
        self.big.last().map(|(_, place)| *place)
    }

    /// The connection that has held something back for longest.
    pub(crate) fn holding_longest(&self) -> Option<(Timestamp, Place)> {
        self.holding.first().copied()
    }

    /// The next connection that must let go, and when.
    pub(crate) fn next_deadline(&self) -> Option<(Timestamp, Place)> {
        self.deadlines.first().copied()
    }

    /// Since when something is held back.
    pub(crate) fn held_since(&self) -> Option<Timestamp> {
        self.holding.first().map(|(at, _)| *at)
    }

    #[inline]
    fn slot(&self, place: Place) -> Option<&Slot> {
        self.slots.get(usize::try_from(place).ok()?)
    }

    #[inline]
    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(place).ok()?)
    }

    #[inline]
    const fn list(&self, stage: Stage) -> &List {
        match stage {
            Stage::Open => &self.open,
            Stage::Over => &self.over,
        }
    }

    const fn list_mut(&mut self, stage: Stage) -> &mut List {
        match stage {
            Stage::Open => &mut self.open,
            Stage::Over => &mut self.over,
        }
    }

    fn append(&mut self, place: Place) {
        let Some(stage) = self.slot(place).map(|slot| slot.stage) else { return };
        let list = self.list_mut(stage);
        let newest = std::mem::replace(&mut list.newest, place);
        list.len = list.len.saturating_add(1);
        if newest == NONE {
            list.oldest = place;
        }
        if let Some(slot) = self.slot_mut(newest) {
            slot.newer = place;
        }
        if let Some(slot) = self.slot_mut(place) {
            slot.older = newest;
            slot.newer = NONE;
        }
    }

    fn detach(&mut self, place: Place) {
        let Some((stage, older, newer)) = self.slot(place).map(|slot| (slot.stage, slot.older, slot.newer)) else {
            return;
        };
        if let Some(slot) = self.slot_mut(older) {
            slot.newer = newer;
        }
        if let Some(slot) = self.slot_mut(newer) {
            slot.older = older;
        }
        let list = self.list_mut(stage);
        list.len = list.len.saturating_sub(1);
        if list.oldest == place {
            list.oldest = newer;
        }
        if list.newest == place {
            list.newest = older;
        }
    }
}
