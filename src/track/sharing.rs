//! Which endpoints burn one quota together, learned from what remains after each exchange.
//!
//! Two endpoints that share a quota see one sequence: between two answers of the one, what the other said lies between
//! their numbers. Endpoints with a quota each contradict that as soon as both are used in turn.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Amount, Dimension, QuotaKey, Scope, Timestamp, same_scope, same_text};

use super::bounded::Bounded;
use super::quota::QuotaId;
use super::resets::{RESET_JITTER, distance};

/// Callers of hosts whose endpoints are compared; past it the one that was silent the longest is forgotten. A full one takes
/// about 2 KiB, so all of them stay below 8 MiB.
const GROUPS: usize = 4096;
/// Endpoints that are compared with each other in one group: the work for an exchange grows with them, the memory with
/// their square. What comes past it stays alone.
const MEMBERS: usize = 16;
/// Pairs of that many endpoints.
const PAIRS: usize = MEMBERS * (MEMBERS - 1) / 2;
/// Numbers in turn that agree before two endpoints are said to share.
const AGREEING: u16 = 4;
/// Each contradiction doubles what is asked for, up to 256 times.
const DOUBLINGS: u16 = 8;

/// Names a group as long as it is kept; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupId {
    serial: u64,
    slot: u32,
}

impl GroupId {
    /// No group.
    pub(super) const NONE: Self = Self { serial: 0, slot: u32::MAX };
}

/// What one exchange of an endpoint said.
#[derive(Clone, Copy)]
pub(super) struct Stated<'a> {
    pub(super) endpoint: &'a Arc<str>,
    /// The endpoint's own quota.
    pub(super) quota: QuotaId,
    pub(super) limit: Amount,
    pub(super) remaining: Amount,
    pub(super) reset: Timestamp,
    pub(super) at: Timestamp,
    /// How long the answer took, where that is known: answers that overlap may come in any order.
    pub(super) latency: Option<Duration>,
}

/// What an exchange taught.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lesson {
    /// Nothing new.
    None,
    /// These quotas are one.
    Begins(Vec<QuotaId>),
    /// The endpoint's quota is part of that one.
    Joins(QuotaId),
    /// These are several quotas after all.
    Ends(Vec<QuotaId>),
}

/// Compares the endpoints of each host and caller.
pub(super) struct Sharing {
    groups: Bounded<Group>,
    last_serial: u64,
}

struct Group {
    serial: u64,
    owner: Arc<str>,
    scope: Option<Scope>,
    dimension: Dimension,
    window: Option<Duration>,
    members: Vec<Member>,
    pairs: Vec<Pair>,
}

struct Member {
    endpoint: Arc<str>,
    quota: QuotaId,
    last: Option<Last>,
    /// The quota that it was found to share.
    shared: Option<QuotaId>,
}

/// What an endpoint's exchange said last.
#[derive(Clone, Copy)]
pub(super) struct Last {
    pub(super) limit: Amount,
    pub(super) remaining: Amount,
    pub(super) reset: Timestamp,
    pub(super) at: Timestamp,
}

/// What speaks for and against two endpoints being counted together.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    agreeing: u16,
    contradictions: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    Nothing,
    Agrees,
    Contradicts,
}

impl Sharing {
    pub(super) fn new() -> Self {
        Self { groups: Bounded::new(GROUPS), last_serial: 0 }
    }

    /// Takes what the only endpoint of a group says, where it is that: most are alone, and nobody is there to be compared with.
    #[inline]
    pub(super) fn take_alone(&mut self, id: GroupId, stated: &Stated<'_>) -> bool {
        let group = self.groups.get(id.slot).filter(|group| group.serial == id.serial);
        let is_same = group
            .and_then(|group| group.members.first())
            .is_some_and(|member| member.shared.is_none() && same_text(&member.endpoint, stated.endpoint));
        is_same && self.note_alone(id, stated.quota, Last::of(stated))
    }

    /// The same, where the endpoint is known to be that of the quota, and the quota to be its own.
    #[inline]
    pub(super) fn note_alone(&mut self, id: GroupId, quota: QuotaId, last: Last) -> bool {
        let Some(group) = self.groups.get_mut(id.slot).filter(|group| group.serial == id.serial) else { return false };
        let [alone] = group.members.as_mut_slice() else { return false };
        if alone.quota.serial != quota.serial {
            return false;
        }
        alone.last = Some(last);
        self.groups.touch(id.slot);
        true
    }

    /// Learns from an exchange; `alive` says whether a shared quota is still known. What it taught, and the quota that the
    /// endpoint now shares.
    pub(super) fn learn(
        &mut self,
        id: GroupId,
        stated: Stated<'_>,
        alive: impl Fn(QuotaId) -> bool,
    ) -> (Lesson, Option<QuotaId>) {
        let Some(group) = self.groups.get_mut(id.slot) else { return (Lesson::None, None) };
        for member in &mut group.members {
            member.shared = member.shared.filter(|id| alive(*id));
        }
        let Some(own) = group.member(stated) else { return (Lesson::None, None) };
        let lesson = group.learn(own, stated);
        (lesson, group.members.get(own).and_then(|member| member.shared))
    }

    /// Notes under which quota endpoints share.
    pub(super) fn name(&mut self, hashing: &impl BuildHasher, key: &QuotaKey, members: &[QuotaId], shared: QuotaId) {
        let id = self.group(hashing, key, GroupId::NONE);
        let Some(group) = self.groups.get_mut(id.slot) else { return };
        for member in group.members.iter_mut().filter(|member| members.contains(&member.quota)) {
            member.shared = Some(shared);
        }
    }

    /// The group that a quota belongs to; `before` is what it was found to be before.
    #[inline]
    pub(super) fn group(&mut self, hashing: &impl BuildHasher, key: &QuotaKey, before: GroupId) -> GroupId {
        let kept = self.groups.get(before.slot).is_some_and(|group| group.serial == before.serial);
        let id = if kept { before } else { self.find_or_begin(hashing, key) };
        self.groups.touch(id.slot);
        id
    }

    fn find_or_begin(&mut self, hashing: &impl BuildHasher, key: &QuotaKey) -> GroupId {
        let hash = Group::hash(hashing, key);
        let known = self.groups.find(hash, |group| group.is(key));
        let known = known.and_then(|slot| Some(GroupId { serial: self.groups.get(slot)?.serial, slot }));
        known.unwrap_or_else(|| {
            self.last_serial = self.last_serial.saturating_add(1);
            let serial = self.last_serial;
            GroupId { serial, slot: self.groups.insert(hash, Group::new(key, serial)).0 }
        })
    }
}

impl Group {
    fn new(key: &QuotaKey, serial: u64) -> Self {
        Self {
            serial,
            owner: Arc::clone(&key.owner),
            scope: key.scope.clone(),
            dimension: key.dimension.clone(),
            window: key.window,
            members: Vec::new(),
            pairs: Vec::new(),
        }
    }

    fn hash(state: &impl BuildHasher, key: &QuotaKey) -> u64 {
        state.hash_one((&key.owner, &key.scope, &key.dimension, key.window))
    }

    #[inline]
    fn is(&self, key: &QuotaKey) -> bool {
        same_text(&self.owner, &key.owner)
            && same_scope(self.scope.as_ref(), key.scope.as_ref())
            && same_text(&self.dimension.0, &key.dimension.0)
            && self.window == key.window
    }

    fn learn(&mut self, own: usize, stated: Stated<'_>) -> Lesson {
        let now = Last::of(&stated);
        if self.members.len() == 1 {
            self.members[own].last = Some(now);
            return Lesson::None;
        }
        let before = self.members[own].last.replace(now);
        let asked = stated.latency.map(|latency| stated.at.before(latency));
        let (mut joins, mut contradicted) = (None, None);
        for other in (0..self.members.len()).filter(|other| *other != own) {
            let Some(last) = self.members[other].last else { continue };
            let evidence = judge(before, now, last, asked);
            let Some(pair) = self.pairs.get_mut(pair_of(own, other)) else { continue };
            match evidence {
                Evidence::Nothing => {}
                Evidence::Agrees => {
                    pair.agreeing = pair.agreeing.saturating_add(1);
                    if pair.is_convincing() && self.may_join(own, other) {
                        joins = joins.or(Some(other));
                    }
                }
                Evidence::Contradicts => {
                    *pair = Pair { agreeing: 0, contradictions: pair.contradictions.saturating_add(1) };
                    let shared = self.members[own].shared.filter(|id| self.members[other].shared == Some(*id));
                    contradicted = contradicted.or(shared);
                }
            }
        }
        if let Some(shared) = contradicted {
            self.part(&[shared]);
            return Lesson::Ends(vec![shared]);
        }
        let Some(other) = joins else { return Lesson::None };
        match (self.members[own].shared, self.members[other].shared) {
            (Some(known), Some(shared)) if known == shared => Lesson::None,
            // Two that turn out to be one begin anew together: the evidence stands, so that takes one exchange each.
            (Some(known), Some(shared)) => {
                self.part(&[known, shared]);
                Lesson::Ends(vec![known, shared])
            }
            (None, Some(shared)) => {
                self.members[own].shared = Some(shared);
                Lesson::Joins(shared)
            }
            (Some(_), None) => Lesson::None,
            (None, None) => Lesson::Begins(vec![self.members[own].quota, self.members[other].quota]),
        }
    }

    /// Whether nothing speaks against taking two endpoints, and those that each shares with, together.
    fn may_join(&self, own: usize, other: usize) -> bool {
        let with = |index: usize| {
            let shared = self.members[index].shared;
            (0..self.members.len()).filter(move |at| *at == index || shared.is_some_and(|id| self.is_in(*at, id)))
        };
        with(own).all(|a| {
            with(other).filter(|b| a != *b).all(|b| {
                let pair = self.pairs.get(pair_of(a, b)).copied().unwrap_or_default();
                pair.contradictions == 0 || pair.is_convincing()
            })
        })
    }

    fn is_in(&self, index: usize, shared: QuotaId) -> bool {
        self.members[index].shared == Some(shared)
    }

    fn part(&mut self, shared: &[QuotaId]) {
        for member in &mut self.members {
            member.shared = member.shared.filter(|id| !shared.contains(id));
        }
    }

    fn member(&mut self, stated: Stated<'_>) -> Option<usize> {
        let known = self.members.iter().position(|member| same_text(&member.endpoint, stated.endpoint));
        let index = match known {
            Some(index) => index,
            None if self.members.len() < MEMBERS => {
                let endpoint = Arc::clone(stated.endpoint);
                self.members.push(Member { endpoint, quota: stated.quota, last: None, shared: None });
                let pairs = self.members.len() * (self.members.len() - 1) / 2;
                self.pairs.resize(pairs.min(PAIRS), Pair::default());
                self.members.len() - 1
            }
            None => return None,
        };
        self.members[index].quota = stated.quota;
        Some(index)
    }
}

impl Last {
    const fn of(stated: &Stated<'_>) -> Self {
        Self { limit: stated.limit, remaining: stated.remaining, reset: stated.reset, at: stated.at }
    }
}

impl Pair {
    const fn is_convincing(self) -> bool {
        let doublings = if self.contradictions < DOUBLINGS { self.contradictions } else { DOUBLINGS };
        self.agreeing >= AGREEING << doublings
    }
}

/// The place of an unordered pair among all pairs.
const fn pair_of(a: usize, b: usize) -> usize {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high * high.saturating_sub(1) / 2 + low
}

/// What an endpoint's numbers now, and before, say against what another one said last.
fn judge(before: Option<Last>, now: Last, other: Last, asked: Option<Timestamp>) -> Evidence {
    // The request was on its way while the other was answered: either may have been counted first.
    if asked.is_some_and(|asked| asked < other.at) || other.at > now.at {
        return Evidence::Nothing;
    }
    let before_other = before.filter(|before| before.at <= other.at);
    if other.limit != now.limit {
        // Whoever changed its limit may be followed by the other; who says the old one again has its own.
        let own = before_other.is_some_and(|before| before.limit == now.limit);
        return if own { Evidence::Contradicts } else { Evidence::Nothing };
    }
    if distance(other.reset, now.reset) > RESET_JITTER {
        // A window that began later, and still runs, is not this one.
        let runs = other.reset > now.reset && other.reset > now.at && now.reset > now.at;
        return if runs { Evidence::Contradicts } else { Evidence::Nothing };
    }
    let before = before.filter(|b| b.limit == now.limit && distance(b.reset, now.reset) <= RESET_JITTER);
    // What rises within a window gives back, as a sliding one does: that says nothing of others.
    if before.is_some_and(|before| now.remaining > before.remaining) {
        return Evidence::Nothing;
    }
    if now.remaining < other.remaining {
        let between = before.is_some_and(|before| before.remaining > other.remaining);
        let next = before.is_none() && (other.remaining.value() - now.remaining.value() - 1.0).abs() < 1e-9;
        let spent = now.remaining == Amount::ZERO;
        return if (between || next) && !spent { Evidence::Agrees } else { Evidence::Nothing };
    }
    // Refusals say that nothing is left, however often.
    if now.remaining == Amount::ZERO { Evidence::Nothing } else { Evidence::Contradicts }
}
