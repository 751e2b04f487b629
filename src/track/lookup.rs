//! Which of the known quotas it is.

use std::time::Duration;

use crate::model::{Amount, Observation, Timestamp};

use super::identity::Identity;
use super::quota::{QuotaId, TrackedQuota};
use super::tracker::Tracker;

impl Tracker {
    /// Finds the quota of an identity and window, see [`Self::same_quota`], or begins a new one.
    #[inline]
    pub(super) fn find_or_insert(
        &mut self,
        identity: Identity<'_>,
        window: Option<Duration>,
        limit: Option<Amount>,
        observation: &Observation,
        now: Timestamp,
    ) -> QuotaId {
        let known = self.of_route(&identity);
        if let Some(quota) = known.filter(|quota| quota.is_beyond_doubt(window, limit)) {
            return quota.id;
        }
        let hash = known.and_then(|quota| self.quotas.hash_of(quota.id.slot));
        let hash = hash.unwrap_or_else(|| identity.hash(&self.hashing));
        self.search(hash, identity, window, limit, observation, now)
    }

    fn search(
        &mut self,
        hash: u64,
        identity: Identity<'_>,
        window: Option<Duration>,
        limit: Option<Amount>,
        observation: &Observation,
        now: Timestamp,
    ) -> QuotaId {
        if let Some(quota) = self.same_quota(hash, &identity, window, limit).and_then(|slot| self.quotas.get(slot)) {
            return quota.id;
        }
        let host = observation.host.as_ref().unwrap_or(&self.unknown);
        let host = std::sync::Arc::clone(host);
        self.insert_quota(hash, identity, window, &host, now)
    }

    /// A quota of the current route that is called so: an exchange rarely burns others than the one before.
    #[inline]
    fn of_route(&self, identity: &Identity<'_>) -> Option<&TrackedQuota> {
        let route = self.routes.get(self.route)?;
        route.quotas().iter().filter_map(|id| self.quotas.get(id.slot)).find(|quota| quota.is(identity))
    }

    /// Begins a new quota.
    pub(super) fn insert_quota(
        &mut self,
        hash: u64,
        identity: Identity<'_>,
        window: Option<Duration>,
        host: &std::sync::Arc<str>,
        now: Timestamp,
    ) -> QuotaId {
        let mut alike: Vec<(Timestamp, u32, u32)> = Vec::new();
        let mut twin = false;
        for slot in self.quotas.candidates(hash) {
            if let Some(quota) = self.quotas.get(slot).filter(|quota| quota.is(&identity)) {
                twin |= quota.key.window == window;
                alike.push((quota.seen_at, slot, quota.ordinal));
            }
        }
        // Two quotas whose names say the same are told apart by the lowest number that is free.
        let ordinal = if twin { 1 + Self::lowest_free(&alike) } else { 0 };
        self.courses.forget();
        self.next_serial += 1;
        let mut id = QuotaId { serial: self.next_serial, slot: u32::MAX };
        let mut fresh = TrackedQuota::new(id, identity, window, ordinal, host, now);
        fresh.namesakes = alike.len();
        for (_, slot, _) in &alike {
            if let Some(quota) = self.quotas.get_mut(*slot) {
                quota.namesakes = quota.namesakes.saturating_add(1);
                quota.turns += 1;
            }
        }
        let forgotten = if alike.len() < self.options.alike {
            let (slot, forgotten) = self.quotas.insert(hash, fresh);
            id.slot = slot;
            forgotten
        } else {
            let (_, slot, _) = alike.iter().min().copied().unwrap_or_default();
            id.slot = slot;
            self.cuts.alike += 1;
            self.quotas.get_mut(slot).map(|quota| std::mem::replace(quota, fresh))
        };
        if let Some((at, forgotten)) = forgotten.and_then(|quota| Some((quota.wakes_at?, quota.id))) {
            self.expiries.remove(at, forgotten);
        }
        if let Some(quota) = self.quotas.get_mut(id.slot) {
            quota.id = id;
        }
        id
    }

    /// The same window is the same quota; where no other is called so, see [`TrackedQuota::is_beyond_doubt`]. A window that is stated on one side only does not split a quota; but two readings
    /// of one response whose limits differ are two quotas.
    fn same_quota(
        &self,
        hash: u64,
        identity: &Identity<'_>,
        window: Option<Duration>,
        limit: Option<Amount>,
    ) -> Option<u32> {
        // By how well it fits: same window and limit, same window, the only one whose window is open. Of several alike the
        // lowest slot, so that a response's readings find their quotas in the order in which they began.
        let (mut exact, mut same, mut open, mut several, mut taken) = (None, None, None, false, false);
        let lower = |known: Option<u32>, slot: u32| Some(known.map_or(slot, |known| known.min(slot)));
        for slot in self.quotas.candidates(hash) {
            let ours = |quota: &&TrackedQuota| quota.is(identity) && !quota.learned_sharing;
            let Some(quota) = self.quotas.get(slot).filter(ours) else { continue };
            let fresh = !self.touched.contains(&quota.id);
            let agrees = quota.agrees_with(limit);
            if quota.key.window == window {
                taken = true;
                if agrees {
                    exact = lower(exact, slot);
                } else if fresh {
                    same = lower(same, slot);
                }
            } else if (window.is_none() || quota.key.window.is_none()) && (agrees || (fresh && window.is_none())) {
                several |= open.is_some();
                open = Some(slot);
            }
        }
        let adoptable = !several && (window.is_none() || !taken);
        exact.or(same).or_else(|| open.filter(|_| adoptable))
    }

    /// The lowest number from 0 such that the one after it is no ordinal of these.
    fn lowest_free(alike: &[(Timestamp, u32, u32)]) -> u32 {
        let mut taken: Vec<u32> = alike.iter().map(|(_, _, ordinal)| *ordinal).filter(|ordinal| *ordinal > 0).collect();
        taken.sort_unstable();
        taken.dedup();
        let in_order = taken.iter().zip(1u32..).take_while(|(taken, number)| *taken == number).count();
        u32::try_from(in_order).unwrap_or(u32::MAX - 1)
    }
}
