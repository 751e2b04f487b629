//! When a quota is to be judged next.

use crate::model::Timestamp;
use crate::track::sooner;

use super::machine::{Machine, Terms};
use super::options::AlertOptions;
use super::quota_rules::TICK;

/// Collects when time alone may change what the rules make of a quota.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outlook {
    at: Option<Timestamp>,
    /// Whether that is also when the numbers are history, or bit by bit where the agent counts.
    with_the_numbers: bool,
    /// Whether something waits to be forgotten, or for another sight.
    waits: bool,
    /// Whether something changes bit by bit.
    ticks: bool,
}

impl Outlook {
    /// At a moment, no earlier than something can have changed by then.
    #[inline]
    pub(super) fn at(&mut self, at: Timestamp, now: Timestamp) {
        if at > now {
            self.at = sooner(self.at, Some(at));
        } else {
            self.with_the_numbers = true;
        }
    }

    /// Bit by bit.
    #[inline]
    pub(super) const fn ticks(&mut self) {
        self.ticks = true;
    }

    /// When the numbers are history, or bit by bit where the agent counts.
    #[inline]
    pub(super) const fn with_the_numbers(&mut self) {
        self.with_the_numbers = true;
    }

    /// When what waits for another sight can no longer see it.
    #[inline]
    pub(super) const fn waits(&mut self) {
        self.waits = true;
    }

    /// When time alone changes something of a machine.
    #[inline]
    pub(super) fn of_machine(
        &mut self,
        machine: &Machine,
        now: Timestamp,
        options: &AlertOptions,
        terms: impl FnOnce() -> Terms,
    ) {
        if let Some(at) = machine.deadline(now, options, terms) {
            self.at(at, now);
        }
        if !machine.is_idle(now, options) {
            self.waits();
        }
    }

    /// Whatever either of the two collected.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            at: sooner(self.at, other.at),
            with_the_numbers: self.with_the_numbers || other.with_the_numbers,
            waits: self.waits || other.waits,
            ticks: self.ticks || other.ticks,
        }
    }

    /// The earliest moment that no later exchange puts off.
    #[inline]
    pub(super) const fn fixed(self) -> Option<Timestamp> {
        self.at
    }

    /// Whether a later exchange may put off the earliest of all, even where it leaves the history of the numbers as it is.
    #[inline]
    pub(super) const fn moves(self, history_at: Option<Timestamp>) -> bool {
        self.ticks || ((self.with_the_numbers || self.waits) && history_at.is_none())
    }

    /// The earliest of all; absent where nothing changes any more. The numbers become history at a moment that is still to come,
    /// or change until then bit by bit, next at the `tick`.
    #[inline]
    pub(super) fn next(
        self,
        now: Timestamp,
        history_at: Option<Timestamp>,
        tick: impl FnOnce() -> Timestamp,
        options: &AlertOptions,
    ) -> Option<Timestamp> {
        let mut next = sooner(self.at, self.ticks.then(|| now.after(TICK)));
        if self.with_the_numbers || self.waits {
            if history_at.is_some() {
                next = sooner(next, history_at);
            } else {
                let ticks = self.with_the_numbers.then(tick);
                let forgets = self.waits.then(|| now.after(options.flapping_span));
                next = sooner(next, sooner(ticks, forgets));
            }
        }
        // At the end of time nothing is later.
        next.filter(|at| *at > now)
    }
}
