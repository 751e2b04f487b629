//! Whether a quota's reset stands still, moves once, or moves all the time.

use std::time::Duration;

use crate::model::Timestamp;

/// A reset that moves by less than this is the rounding of a provider that states whole seconds.
pub(super) const RESET_JITTER: Duration = Duration::from_secs(2);
/// Sightings that make a reset a steady one …
const STEADY: u8 = 5;
/// … over this long at least: one that is always stated as so far ahead stands still for a burst only.
const STEADY_FOR: Duration = Duration::from_secs(5);
/// How often in a row the reset of a window moves on, before it comes, until the window is said to slide.
const SLIDES: u8 = 8;

/// What was learned of a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lesson {
    /// It stood at one moment, and stands at another since.
    Moved { from: Timestamp, to: Timestamp },
    /// It moves on with the exchanges: the window slides.
    Slides,
}

/// Follows what is said of the reset of one running window.
///
/// Says nothing where it could be wrong: a reset that is always so far ahead may be a mere constant, and one that goes back and
/// forth is that of two windows, or of two servers whose clocks differ.
#[derive(Debug, Clone, Default)]
pub(super) struct Resets {
    at: Option<Timestamp>,
    /// When it was first and last stated so, and how often.
    since: Timestamp,
    until: Timestamp,
    sightings: u8,
    /// Where it stood steadily before it moved, and whether that was told.
    before: Option<(Timestamp, bool)>,
    /// How often it moved on in a row, and the shortest and longest time to it then.
    moves: u8,
    waits: Option<(Duration, Duration)>,
    /// Whether it went back to where it was before: such a one is never told.
    wavers: bool,
    slides: bool,
}

impl Resets {
    /// Takes a reset that was stated; `fresh` where a new window begins with it.
    pub(super) fn note(&mut self, reset: Timestamp, now: Timestamp, fresh: bool) -> Option<Lesson> {
        let Some(at) = self.at.filter(|at| now < *at && !fresh) else {
            let (wavers, slides) = (self.wavers, self.slides);
            *self = Self { at: Some(reset), since: now, until: now, sightings: 1, wavers, slides, ..Self::default() };
            return None;
        };
        if at == reset || distance(at, reset) <= RESET_JITTER {
            self.sightings = self.sightings.saturating_add(1);
            self.until = now;
            if !self.is_steady() {
                return None;
            }
            self.moves = 0;
            let (from, told) = self.before.as_mut().filter(|(_, told)| !*told)?;
            *told = true;
            return (!self.wavers && !self.slides).then_some(Lesson::Moved { from: *from, to: at });
        }
        self.wavers |= self.before.is_some_and(|(before, _)| distance(before, reset) <= RESET_JITTER);
        if self.is_steady() {
            self.before = Some((at, false));
        }
        if reset > at {
            let wait = reset.since(now);
            let (shortest, longest) = self.waits.unwrap_or((wait, wait));
            self.waits = Some((shortest.min(wait), longest.max(wait)));
            self.moves = self.moves.saturating_add(1);
        } else {
            (self.moves, self.waits) = (0, None);
        }
        (self.at, self.since, self.until, self.sightings) = (Some(reset), now, now, 1);
        let varies = self.waits.is_some_and(|(shortest, longest)| longest.saturating_sub(shortest) > RESET_JITTER);
        let slides = self.moves >= SLIDES && varies && !self.slides && !self.wavers;
        self.slides |= slides;
        slides.then_some(Lesson::Slides)
    }

    /// Takes one that was stated so before, and comes later, where that teaches nothing; whether it was such a one.
    #[inline]
    pub(super) fn note_again(&mut self, reset: Timestamp, now: Timestamp) -> bool {
        if self.at != Some(reset) || self.before.is_some_and(|(_, told)| !told) {
            return false;
        }
        self.sight_again(now);
        if self.moves > 0 && self.is_steady() {
            self.moves = 0;
        }
        true
    }

    /// Whether [`Self::sight_again`] is all that a reset teaches that is stated so again.
    pub(super) fn stand_at(&self, reset: Timestamp) -> bool {
        self.at == Some(reset) && self.moves == 0 && self.before.is_none_or(|(_, told)| told)
    }

    /// Takes the reset that it stands at, stated later than before.
    #[inline]
    pub(super) const fn sight_again(&mut self, now: Timestamp) {
        self.sightings = self.sightings.saturating_add(1);
        self.until = now;
    }

    fn is_steady(&self) -> bool {
        self.sightings >= STEADY && self.until.since(self.since) >= STEADY_FOR
    }
}

/// The time between two moments.
pub(super) fn distance(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_secs_f64(1_795_320_000.0 + seconds).unwrap()
    }

    fn lessons(all: impl IntoIterator<Item = (f64, f64)>) -> Vec<Lesson> {
        let mut resets = Resets::default();
        all.into_iter().filter_map(|(now, reset)| resets.note(at(reset), at(now), false)).collect()
    }

    #[test]
    fn a_reset_that_moves_once_is_told_when_it_stands_again() {
        let moved = (0..200).map(|n| (f64::from(n) * 10.0, if n < 50 { 3600.0 } else { 5400.0 }));
        assert_eq!(lessons(moved), [Lesson::Moved { from: at(3600.0), to: at(5400.0) }]);
        let earlier = (0..100).map(|n| (f64::from(n) * 10.0, if n < 50 { 3600.0 } else { 1800.0 }));
        assert_eq!(lessons(earlier), [Lesson::Moved { from: at(3600.0), to: at(1800.0) }]);
    }

    #[test]
    fn windows_side_by_side_and_rounding_teach_nothing() {
        let steady = (0..4000).map(|n| (f64::from(n), (f64::from(n) / 60.0).floor() * 60.0 + 60.0));
        assert_eq!(lessons(steady), []);
        let rounded =
            (0..4000).map(|n| (f64::from(n), (f64::from(n) / 600.0).floor() * 600.0 + 600.0 + f64::from(n % 3)));
        assert_eq!(lessons(rounded), []);
    }

    #[test]
    fn what_is_always_so_far_ahead_may_be_a_constant() {
        let even = (0..4000).map(|n| (f64::from(n) * 0.7, f64::from(n) * 0.7 + 60.0));
        assert_eq!(lessons(even), []);
        let bursts = (0..4000).map(|n| f64::from(n / 10) * 25.0 + f64::from(n % 10) * 0.1).map(|now| (now, now + 60.0));
        assert_eq!(lessons(bursts), []);
    }

    #[test]
    fn what_goes_back_and_forth_is_of_two() {
        for run in [1, 3, 7, 20] {
            let two = (0..4000).map(|n| (f64::from(n), if n / run % 2 == 0 { 36_000.0 } else { 36_100.0 }));
            let told = lessons(two);
            assert!(told.len() <= 1 && !told.contains(&Lesson::Slides), "{run}: {told:?}");
        }
    }

    #[test]
    fn a_reset_that_moves_on_unevenly_is_that_of_a_window_that_slides_told_once() {
        // A bucket of ten units a second: the time until it is full again.
        let (mut used, mut last, mut all) = (0.0f64, 0.0, Vec::new());
        for n in 0..500 {
            let now = f64::from(n) * 0.5;
            used = (used - (now - last) * 10.0).max(0.0) + if n % 3 == 0 { 60.0 } else { 1.0 };
            last = now;
            all.push((now, now + used / 10.0));
        }
        assert_eq!(lessons(all), [Lesson::Slides]);
    }
}
