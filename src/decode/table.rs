//! The connections that are followed: found by their ends, forgotten when silent for longest.

use std::collections::BTreeSet;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::RandomState;

use super::connection::Connection;
use super::flow_key::{Ends, FlowKey, Side};
use super::recent::Recent;
use super::silence::Silence;
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
    slots: Vec<Option<Box<Slot>>>,
    free: Vec<Place>,
    open: Members,
    over: Members,
    /// Counts the uses of connections.
    turn: u64,
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

/// The connections of a stage.
#[derive(Debug, Default)]
struct Members {
    len: usize,
    silence: Silence,
}

/// When a connection was used last.
#[derive(Debug, Clone, Copy)]
struct LastUse {
    turn: u64,
    /// The decoder's time, which never runs back as the segments' own may.
    at: Timestamp,
}

/// A connection, and what is noted of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) connection: Connection,
    place: Place,
    key: FlowKey,
    tunnel: u64,
    stage: Stage,
    last_use: LastUse,
    /// The next connection with the same ends.
    same_ends: Place,
    deadline: Option<Timestamp>,
    held_since: Option<Timestamp>,
    footprint: usize,
    /// Whether something of the last three is noted.
    is_scheduled: bool,
}

impl Slot {
    /// The ends of what the lower side sends in usual frames: those of IPv4 and in no tunnel.
    fn ends(&self) -> Option<Ends> {
        self.key.ends().filter(|_| self.tunnel == 0)
    }

    #[inline]
    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    /// Whether the connection waits for something, or did when that was noted last.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.is_scheduled || !self.connection.is_calm()
    }
}

impl Table {
    /// How many connections there are.
    pub(crate) const fn len(&self, stage: Stage) -> usize {
        match stage {
            Stage::Open => self.open.len,
            Stage::Over => self.over.len,
        }
    }

    /// The connections between the ends of a key, with the tunnel of each.
    pub(crate) fn with_ends(&mut self, key: &FlowKey) -> impl Iterator<Item = (Place, u64, &Connection)> {
        let mut next = self.places.get(key).copied().unwrap_or(NONE);
        self.recent.note(key.word(), next);
        let slots = &self.slots;
        std::iter::from_fn(move || {
            let place = next;
            let slot = slots.get(usize::try_from(place).ok()?)?.as_deref()?;
            next = slot.same_ends;
            Some((place, slot.tunnel, &slot.connection))
        })
    }

    /// The connection in no tunnel between these ends, if it was looked up lately, and which side sends with them: it is used
    /// now.
    #[inline(always)]
    pub(crate) fn use_usual(&mut self, ends: Ends, now: Timestamp) -> Option<(&mut Slot, Side)> {
        let (place, side) = self.recent.usual(ends)?;
        let slot = self.slots.get_mut(usize::try_from(place).ok()?)?.as_deref_mut()?;
        self.turn = self.turn.wrapping_add(1);
        slot.last_use = LastUse { turn: self.turn, at: now };
        Some((slot, side))
    }

    /// The connection in a tunnel between the ends of a key, if it was looked up lately and is the first with these ends.
    pub(crate) fn recent(&mut self, key: &FlowKey, tunnel: u64) -> Option<&mut Slot> {
        let Self { recent, slots, .. } = self;
        let place = recent.place(key.word())?;
        let slot = slots.get_mut(usize::try_from(place).ok()?)?.as_deref_mut()?;
        if slot.tunnel != tunnel || slot.key != *key {
            return None;
        }
        // Another connection may have taken its place there.
        if let Some(ends) = slot.ends() {
            recent.note_usual(ends, place);
        }
        Some(slot)
    }

    /// Adds a connection.
    pub(crate) fn insert(&mut self, key: FlowKey, tunnel: u64, connection: Connection, now: Timestamp) -> Place {
        let place = self.free.pop().unwrap_or_else(|| Place::try_from(self.slots.len()).unwrap_or(NONE));
        let slot = Box::new(Slot {
            connection,
            place,
            key,
            tunnel,
            stage: Stage::Open,
            last_use: self.use_now(now),
            same_ends: NONE,
            deadline: None,
            held_since: None,
            footprint: 0,
            is_scheduled: false,
        });
        let ends = slot.ends();
        match usize::try_from(place).ok().and_then(|index| self.slots.get_mut(index)) {
            Some(free) => *free = Some(slot),
            None => self.slots.push(Some(slot)),
        }
        self.recent.note(key.word(), place);
        if let Some(ends) = ends {
            self.recent.note_usual(ends, place);
        }
        if let Some(first) = self.places.insert(key, place)
            && let Some(slot) = self.slot_mut(place)
        {
            slot.same_ends = first;
        }
        self.enter(place, Stage::Open);
        place
    }

    /// The connection at a place.
    pub(crate) fn connection(&self, place: Place) -> Option<&Connection> {
        self.slot(place).map(|slot| &slot.connection)
    }

    /// The connection at a place, with what is noted of it.
    #[inline]
    pub(crate) fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(place).ok()?)?.as_deref_mut()
    }

    /// Notes that a connection was used just now, and in which stage it is.
    pub(crate) fn touch(&mut self, place: Place, stage: Stage, now: Timestamp) {
        let last_use = self.use_now(now);
        let Some(slot) = self.slot_mut(place) else { return };
        slot.last_use = last_use;
        let before = std::mem::replace(&mut slot.stage, stage);
        if before != stage {
            self.leave(before);
            self.enter(place, stage);
        }
    }

    /// Takes a connection out.
    pub(crate) fn remove(&mut self, place: Place) {
        self.schedule(place, None, None, 0);
        let slot = usize::try_from(place).ok().and_then(|index| self.slots.get_mut(index)?.take());
        let Some(slot) = slot else { return };
        let (key, behind) = (slot.key, slot.same_ends);
        if let Some(ends) = slot.ends() {
            self.recent.forget_usual(ends);
        }
        let mut before = NONE;
        if let Entry::Occupied(mut first) = self.places.entry(key) {
            before = *first.get();
            if before == place {
                self.recent.note(key.word(), behind);
                if behind == NONE {
                    first.remove();
                } else {
                    first.insert(behind);
                }
            }
        }
        while before != place
            && let Some(slot) = self.slot_mut(before)
        {
            if slot.same_ends == place {
                slot.same_ends = behind;
                break;
            }
            before = slot.same_ends;
        }
        self.leave(slot.stage);
        self.free.push(place);
    }

    /// All places with a connection: those that are over first, and of either stage those that were silent for longest.
    pub(crate) fn by_last_use(&self) -> Vec<Place> {
        let used = self.slots.iter().zip(0..).filter_map(|(slot, place)| Some((slot.as_deref()?, place)));
        let mut places: Vec<_> =
            used.map(|(slot, place)| (slot.stage == Stage::Open, slot.last_use.turn, place)).collect();
        places.sort_unstable();
        places.into_iter().map(|(.., place)| place).collect()
    }

    /// The connection of a stage that was silent for longest, and when it had its last segment.
    pub(crate) fn oldest(&mut self, stage: Stage) -> Option<(Place, Timestamp)> {
        let slots = &self.slots;
        let slot = |place| slots.get(usize::try_from(place).ok()?)?.as_deref();
        let members = match stage {
            Stage::Open => &mut self.open,
            Stage::Over => &mut self.over,
        };
        let is_member = |slot: &&Slot| slot.stage == stage;
        let place = members.silence.longest(|place| Some(slot(place).filter(is_member)?.last_use.turn))?;
        Some((place, slot(place)?.last_use.at))
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
        slot.is_scheduled = held_since.is_some() || deadline.is_some() || footprint > 0;
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

    fn slot(&self, place: Place) -> Option<&Slot> {
        self.slots.get(usize::try_from(place).ok()?)?.as_deref()
    }

    const fn members_mut(&mut self, stage: Stage) -> &mut Members {
        match stage {
            Stage::Open => &mut self.open,
            Stage::Over => &mut self.over,
        }
    }

    /// The next use of a connection.
    const fn use_now(&mut self, at: Timestamp) -> LastUse {
        self.turn = self.turn.wrapping_add(1);
        LastUse { turn: self.turn, at }
    }

    fn enter(&mut self, place: Place, stage: Stage) {
        let turn = self.turn;
        let members = self.members_mut(stage);
        members.len = members.len.saturating_add(1);
        members.silence.add(place, turn);
    }

    const fn leave(&mut self, stage: Stage) {
        let members = self.members_mut(stage);
        members.len = members.len.saturating_sub(1);
    }
}
