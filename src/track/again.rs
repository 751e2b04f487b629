//! A quota of which an exchange says again what is known, but for how much remains.

use std::sync::Arc;

use crate::model::{Amount, Observation, Reading, Timestamp, WindowKind};

use super::learned::Learning;
use super::numbers::Numbers;
use super::quota::TrackedQuota;
use super::sharing::Last;
use super::update::stated_window;

impl TrackedQuota {
    /// Takes a reading that names no policy and no bucket, and says nothing new but what remains of a window that still runs, as
    /// [`Self::apply`] would; whether it was such a one. Most are.
    #[inline]
    pub(super) fn take_again(&mut self, reading: &Reading, at: Timestamp) -> bool {
        let Some(said) = self.says_again(reading, at).filter(|_| self.is_plain()) else { return false };
        // One that was seen later has seen no longer wait.
        if at < self.seen_at || !(self.moves() || self.resets.note_again(said.reset, at)) {
            return false;
        }
        self.take_numbers(reading, at);
        true
    }

    /// What an exchange that was accepted, and is the newest of all, says of a quota that was found to be steady, where it says
    /// no more: nothing is looked at that cannot have changed since.
    #[inline(always)]
    pub(super) fn says_steady(&self, observation: &Observation, reading: &Reading) -> Option<Last> {
        let is_steady = self.steady_in == self.turns
            && self.minute.requests > 0
            && self.endpoints.first().is_some_and(|(first, _)| is_at(observation.endpoint.as_ref(), first))
            && is_at(observation.host.as_ref(), &self.host)
            && match (&observation.provider, &self.provider) {
                (Some(provider), Some(known)) => Arc::ptr_eq(provider, known),
                (provider, known) => provider.is_none() && known.is_none(),
            };
        if is_steady { self.says_again(reading, observation.at) } else { None }
    }

    /// Takes what such an exchange says, as [`Self::apply`] would.
    #[inline(always)]
    pub(super) fn take_steady(&mut self, reading: &Reading, said: Last) {
        self.resets.sight_again(said.at);
        self.take_numbers(reading, said.at);
    }

    /// Counts it, as [`Self::count`] would.
    #[inline(always)]
    pub(super) fn count_steady(&mut self, Last { limit, remaining, at, .. }: Last) {
        self.seen_at = at;
        self.requests += 1;
        self.minute.requests += 1;
        if let Some((_, count)) = self.endpoints.first_mut() {
            *count += 1;
        }
        let numbers = Numbers::stated(limit, remaining, self.used);
        self.latest = numbers;
        self.note_peaks(&numbers);
        self.recent.add(at, false);
        self.trend.add(at, numbers.utilization, false);
        self.pace.add_again(at, Some(remaining.value()));
    }

    /// Notes whether, until it turns, [`Self::take_steady`] finds everything as it is now, but for numbers.
    pub(super) fn note_steady(&mut self) {
        let is_alone = self.namesakes == 0 && self.shared_by.is_none();
        let has_limit = self.limit.is_some_and(|limit| limit > Amount::ZERO);
        let is_awaited = self.wakes_at.is_some() && self.denied_until.is_none();
        let is_still = self.reset_at.is_some_and(|reset| self.resets.stand_at(reset)) && !self.moves();
        if self.is_plain() && is_alone && has_limit && is_awaited && is_still {
            self.steady_in = self.turns;
        }
    }

    /// What a reading says that says limit, window and reset again, while that is still to come.
    #[inline(always)]
    fn says_again(&self, reading: &Reading, at: Timestamp) -> Option<Last> {
        let (limit, remaining, reset) = (reading.limit?, reading.remaining?, reading.reset_at?);
        let is_known = self.limit == Some(limit)
            && self.reset_at == Some(reset)
            && stated_window(reading) == self.key.window
            && (reading.window_kind.is_none() || reading.window_kind == self.window_kind);
        (is_known && at < reset).then_some(Last { limit, remaining, reset, at })
    }

    #[inline]
    fn take_numbers(&mut self, reading: &Reading, at: Timestamp) {
        self.remaining = reading.remaining;
        self.used = reading.used;
        self.stated_utilization = reading.utilization.filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
        self.numbers_at = Some(at);
        self.source = reading.source;
    }

    /// Whether all that is known of it is what responses said.
    #[inline]
    fn is_plain(&self) -> bool {
        self.said && self.counted.is_none() && self.learning == Learning::Idle && !self.learned_sharing
    }

    /// Whether its window moves with the exchanges.
    #[inline]
    const fn moves(&self) -> bool {
        matches!(self.window_kind, Some(WindowKind::Sliding | WindowKind::TokenBucket))
    }
}

/// Whether a name is that one, in the same allocation.
#[inline]
fn is_at(name: Option<&Arc<str>>, known: &Arc<str>) -> bool {
    name.is_some_and(|name| Arc::ptr_eq(name, known))
}
