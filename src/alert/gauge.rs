//! The rules that watch how much of a quota is used, between the exchanges at which their alerts begin and end.

use std::ops::Range;

use crate::model::Timestamp;

use super::machine::{Level, Terms};
use super::options::AlertOptions;
use super::outlook::Outlook;
use super::quota_watch::Slot;

/// One of these rules on a quota whose windows are not short.
pub(super) struct Gauge<'a> {
    pub(super) slot: &'a mut Slot,
    /// The utilizations from which it fires, and below which it clears.
    pub(super) fires: f64,
    pub(super) clears: f64,
    pub(super) terms: Terms,
}

impl Gauge<'_> {
    /// Takes a utilization that an exchange showed, unless that begins or ends an alert, or makes it worse; whether it did.
    #[inline]
    pub(super) fn sways(&mut self, ratio: f64, now: Timestamp) -> bool {
        let level = level(ratio, self.fires, self.clears);
        let is_worse = level == Level::Fires && self.slot.episode.as_ref().is_some_and(|it| ratio > it.alert().value);
        !is_worse && self.slot.machine.sways(now, level, &self.terms)
    }

    /// The utilizations that leave it as it is.
    #[inline]
    pub(super) fn band(&self) -> Range<f64> {
        let worst = self.slot.episode.as_ref().map_or(self.fires, |it| it.alert().value);
        self.slot.machine.steady(self.fires, self.clears, worst, self.terms.sightings)
    }

    /// Adds when time alone changes something of it.
    #[inline]
    pub(super) fn look_ahead(&self, now: Timestamp, options: &AlertOptions, outlook: &mut Outlook) {
        let machine = &self.slot.machine;
        if machine.is_blank() {
            return;
        }
        if machine.is_firing() {
            outlook.with_the_numbers();
        }
        outlook.of_machine(machine, now, options, || self.terms);
    }
}

/// What a threshold to fire at and one to clear below make of a utilization.
#[inline]
pub(super) fn level(ratio: f64, fires: f64, clears: f64) -> Level {
    if ratio >= fires {
        Level::Fires
    } else if ratio < clears {
        Level::Clears
    } else {
        Level::Between
    }
}
