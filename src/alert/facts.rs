//! A quota at the moment of judgement.

use std::time::Duration;

use crate::model::{Amount, Timestamp};
use crate::track::{Numbers, QuotaChange, TrackedQuota};

use super::options::AlertOptions;

/// What is known of a quota whose window nobody states is history after a day: longer windows state their reset.
const UNSTATED: Duration = Duration::from_hours(24);

/// A moment of judgement.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) now: Timestamp,
    /// The number of the observation that is judged; absent where only time passed.
    pub(super) sequence: Option<u64>,
    pub(super) options: &'a AlertOptions,
}

/// A quota at the moment of judgement: what several rules ask for.
pub(super) struct Facts<'a> {
    pub(super) quota: &'a TrackedQuota,
    pub(super) now: Timestamp,
    pub(super) options: &'a AlertOptions,
    /// The number of the exchange that is judged; absent where only time passed.
    sequence: Option<u64>,
    pub(super) numbers: Numbers,
    /// Its window, where that begins anew faster than people react.
    pub(super) short_window: Option<Duration>,
    /// When what is known of it is history; absent for one that the agent counts itself.
    pub(super) history_at: Option<Timestamp>,
    /// Whether nothing remains, as far as that is not history.
    pub(super) spent: bool,
    /// Whether it refused the exchange that is judged.
    pub(super) refused: bool,
    /// What the exchange that is judged showed to have changed.
    pub(super) change: Option<QuotaChange>,
}

impl<'a> Facts<'a> {
    #[inline]
    pub(super) fn of(quota: &'a TrackedQuota, moment: Moment<'a>) -> Self {
        let Moment { now, sequence, options } = moment;
        let numbers = if sequence.is_some() { quota.latest_numbers() } else { quota.numbers(now) };
        let history_at = history_at(quota);
        Self {
            quota,
            now,
            options,
            sequence,
            numbers,
            short_window: quota.window().filter(|window| *window < options.short_window),
            history_at,
            spent: numbers.remaining == Some(Amount::ZERO) && history_at.is_none_or(|at| now < at),
            refused: sequence.is_some_and(|sequence| quota.refused(sequence)),
            change: sequence.and_then(|sequence| quota.change(sequence)),
        }
    }

    /// Whether an exchange is judged, not only the passing of time.
    #[inline]
    pub(super) const fn is_observed(&self) -> bool {
        self.sequence.is_some()
    }

    /// Whether the exchange that is judged began a new window.
    #[inline]
    pub(super) fn is_reset(&self) -> bool {
        self.sequence.is_some_and(|sequence| self.quota.was_reset(sequence))
    }

    /// Whether the limit was hit, as far as an exchange shows it.
    #[inline]
    pub(super) const fn is_hit(&self) -> bool {
        self.is_observed() && (self.refused || self.spent)
    }

    /// Whether at least so much of it is used.
    #[inline]
    pub(super) fn reaches(&self, utilization: f64) -> bool {
        self.numbers.utilization.is_some_and(|ratio| ratio >= utilization)
    }

    /// Whether nothing is as any rule that fires would have it.
    pub(super) fn are_calm(&self) -> bool {
        let options = self.options;
        let least = options.exhaustion_utilization.min(options.utilization).min(options.high);
        !(self.reaches(least) || self.is_hit() || self.change.is_some() || self.has_refusals())
    }

    /// Whether it may have as many refusals as the share of refusals is judged by.
    #[inline]
    pub(super) fn has_refusals(&self) -> bool {
        self.quota.recent_at_most().throttled >= self.options.throttled_refusals
    }

    /// Whether what is known of it is history.
    #[inline]
    pub(super) fn is_history(&self) -> bool {
        self.history_at.is_some_and(|at| self.now >= at)
    }

    /// When what is known of it will be history, where that is still to come.
    #[inline]
    pub(super) fn becomes_history_at(&self) -> Option<Timestamp> {
        self.history_at.filter(|at| *at > self.now)
    }

    /// How long the firing condition of a level must hold.
    pub(super) fn hold(&self) -> Duration {
        let hold = self.options.utilization_hold;
        self.quota.window_at_least().map_or(hold, |window| hold.min(window / 20))
    }
}

/// When what is known of a quota is history; absent for one that the agent counts itself.
#[inline]
fn history_at(quota: &TrackedQuota) -> Option<Timestamp> {
    quota.expires_at().or_else(|| (!quota.is_counted()).then(|| quota.seen_at().after(UNSTATED)))
}
