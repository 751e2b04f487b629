//! Pending, firing, flapping, resolved: the states of one rule on one subject.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::model::Timestamp;

use super::options::AlertOptions;

/// What a rule makes of its subject at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The firing condition holds.
    Fires,
    /// Neither condition holds.
    Between,
    /// The clearing condition holds.
    Clears,
    /// Nothing is known: a state stays as it is.
    Unknown,
}

/// A rule's judgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) level: Level,
    /// Whether an observation showed it, not only the passing of time.
    pub(super) observed: bool,
    /// Why it is over at once, whatever the level: the window it was about is gone.
    pub(super) over: Option<&'static str>,
}

/// What a rule asks for before it fires, and before it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// How long the firing condition must hold.
    pub(super) hold: Duration,
    /// How often the firing condition must be seen.
    pub(super) sightings: u32,
    /// How long the clearing condition must hold.
    pub(super) clear_hold: Duration,
}

impl Terms {
    /// Those of a rule that fires at once.
    pub(super) const fn at_once(clear_hold: Duration) -> Self {
        Self { hold: Duration::ZERO, sightings: 1, clear_hold }
    }
}

/// What a step changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It fires now.
    Fired(Fired),
    /// It is over, and why.
    Resolved(&'static str),
}

/// How it began to fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fired {
    /// Whether it changed so often that it is held.
    pub(super) flapping: bool,
    /// How often it changed before at this very moment: tells episodes apart that begin together.
    pub(super) before: u64,
}

/// The state of one rule on one subject.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    /// Since when the firing condition holds, and how often it was seen, before it fires.
    pending: Option<(Timestamp, u32)>,
    firing: bool,
    flapping: bool,
    /// When the clearing condition has held long enough, where it holds while it fires.
    calm_until: Option<Timestamp>,
    /// When the firing condition last held, while it fires; kept up while it flaps.
    last_held: Option<Timestamp>,
    /// When it last changed; at most one more than flapping takes.
    changes: VecDeque<Timestamp>,
}

impl Machine {
    #[inline]
    pub(super) const fn is_firing(&self) -> bool {
        self.firing
    }

    /// Whether nothing would be lost by forgetting it.
    #[inline]
    pub(super) fn is_idle(&self, now: Timestamp, options: &AlertOptions) -> bool {
        let recent = || self.recent_until(options).is_some_and(|until| now < until);
        !self.firing && self.pending.is_none() && !recent()
    }

    /// Whether it is as it was made: nothing but a firing condition changes it.
    #[inline]
    pub(super) fn is_blank(&self) -> bool {
        !self.firing && self.pending.is_none() && self.changes.is_empty()
    }

    /// Takes a judgement; time never runs back. The terms are asked for where they matter.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        verdict: Verdict,
        options: &AlertOptions,
        terms: impl FnOnce() -> Terms,
    ) -> Option<Change> {
        if self.firing {
            self.step_firing(now, verdict, options, terms)
        } else {
            self.step_quiet(now, verdict, options, terms)
        }
    }

    /// Whether a judgement leaves it as it is: true of most. When the condition last held matters only to one that flaps, and
    /// whether it is over only to one that fires.
    #[inline]
    pub(super) fn stays(&self, now: Timestamp, level: Level, is_over: impl FnOnce() -> bool) -> bool {
        if !self.firing {
            return self.pending.is_none() && level != Level::Fires;
        }
        let is_settled = match (level, self.calm_until) {
            (Level::Fires | Level::Between | Level::Unknown, None) => true,
            (Level::Clears | Level::Unknown, Some(until)) => now < until,
            (Level::Clears, None) | (Level::Fires | Level::Between, Some(_)) => false,
        };
        is_settled && !self.flapping && !is_over()
    }

    /// Takes a level that an observation showed as [`Self::step`] would, unless that would begin or end an episode; whether it did.
    #[inline]
    pub(super) fn sways(&mut self, now: Timestamp, level: Level, terms: &Terms) -> bool {
        match (self.firing, level) {
            (true, Level::Clears) => {
                let until = *self.calm_until.get_or_insert_with(|| now.after(terms.clear_hold));
                return now < until;
            }
            (true, Level::Fires | Level::Between) => self.calm_until = None,
            (false, Level::Fires) => {
                let (since, seen) = self.pending.unwrap_or((now, 0));
                let seen = seen.saturating_add(1);
                if seen >= terms.sightings && now >= since.after(terms.hold) {
                    return false;
                }
                self.pending = Some((since, seen));
            }
            (false, Level::Between | Level::Clears) => self.pending = None,
            (_, Level::Unknown) => {}
        }
        true
    }

    /// Whether it may be taken by [`Self::sways`]: one that flaps is judged in full.
    pub(super) const fn may_sway(&self) -> bool {
        !self.flapping
    }

    /// The values that leave it as it is, where it fires at one threshold and clears below another. What is worse than the worst
    /// so far is told, so that it is none of them.
    #[inline]
    pub(super) fn steady(&self, fires: f64, clears: f64, worst: f64, sightings: u32) -> Range<f64> {
        let clears = clears.min(fires);
        match (self.firing, self.calm_until, self.pending) {
            (true, None, _) => clears..worst.next_up(),
            (true, Some(_), _) => f64::NEG_INFINITY..clears,
            (false, _, None) => f64::NEG_INFINITY..fires,
            (false, _, Some((_, seen))) if seen >= sightings => fires..f64::INFINITY,
            (false, _, Some(_)) => fires..fires,
        }
    }

    /// When time alone may change it.
    #[inline]
    pub(super) fn deadline(
        &self,
        now: Timestamp,
        options: &AlertOptions,
        terms: impl FnOnce() -> Terms,
    ) -> Option<Timestamp> {
        if self.flapping {
            return self.last_held.map(|held| held.after(options.flapping_quiet));
        }
        if self.firing {
            return self.calm_until;
        }
        let held = self.pending.and_then(|(since, seen)| {
            let Terms { sightings, hold, .. } = terms();
            (seen >= sightings).then(|| since.after(hold))
        });
        held.or_else(|| self.recent_until(options).filter(|at| *at > now))
    }

    /// Until when its last change counts as recent.
    #[inline]
    fn recent_until(&self, options: &AlertOptions) -> Option<Timestamp> {
        if self.changes.is_empty() {
            return None;
        }
        self.changes.back().map(|last| last.after(options.flapping_span))
    }

    fn step_quiet(
        &mut self,
        now: Timestamp,
        verdict: Verdict,
        options: &AlertOptions,
        terms: impl FnOnce() -> Terms,
    ) -> Option<Change> {
        match verdict.level {
            Level::Fires if verdict.over.is_none() => {}
            Level::Unknown if verdict.over.is_none() => return None,
            _ => {
                self.pending = None;
                return None;
            }
        }
        let Terms { sightings, hold, .. } = terms();
        let (since, seen) = self.pending.unwrap_or((now, 0));
        let seen = seen.saturating_add(u32::from(verdict.observed));
        if seen < sightings || now < since.after(hold) {
            self.pending = Some((since, seen));
            return None;
        }
        self.pending = None;
        self.firing = true;
        self.calm_until = None;
        self.last_held = Some(now);
        let before = u64::try_from(self.changes.iter().filter(|at| **at == now).count()).unwrap_or(u64::MAX);
        self.flapping = self.note_change(now, options);
        Some(Change::Fired(Fired { flapping: self.flapping, before }))
    }

    fn step_firing(
        &mut self,
        now: Timestamp,
        verdict: Verdict,
        options: &AlertOptions,
        terms: impl FnOnce() -> Terms,
    ) -> Option<Change> {
        match verdict.level {
            Level::Fires => {
                self.last_held = Some(now);
                self.calm_until = None;
            }
            Level::Between => self.calm_until = None,
            Level::Clears => {
                self.calm_until.get_or_insert_with(|| now.after(terms().clear_hold));
            }
            Level::Unknown => {}
        }
        if self.flapping {
            let quiet = self.last_held.is_none_or(|held| now >= held.after(options.flapping_quiet));
            let gone = verdict.level == Level::Clears || verdict.over.is_some();
            return (quiet && gone).then(|| self.resolve(now, verdict.over.unwrap_or("recovered"), options));
        }
        let cleared = self.calm_until.is_some_and(|until| now >= until);
        let reason = verdict.over.or_else(|| cleared.then_some("recovered"))?;
        Some(self.resolve(now, reason, options))
    }

    fn resolve(&mut self, now: Timestamp, reason: &'static str, options: &AlertOptions) -> Change {
        self.firing = false;
        self.flapping = false;
        self.calm_until = None;
        self.last_held = None;
        self.note_change(now, options);
        Change::Resolved(reason)
    }

    /// Notes a change; whether there were too many of late.
    fn note_change(&mut self, now: Timestamp, options: &AlertOptions) -> bool {
        let enough = usize::try_from(options.flapping_changes).unwrap_or(usize::MAX);
        while self.changes.len() > enough
            || self.changes.front().is_some_and(|at| *at <= now.before(options.flapping_span))
        {
            self.changes.pop_front();
        }
        self.changes.push_back(now);
        self.changes.len() > enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { hold: Duration::from_secs(3), sightings: 2, clear_hold: Duration::from_mins(2) };

    fn verdict(level: Level) -> Verdict {
        Verdict { level, observed: true, over: None }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000).after(Duration::from_secs(seconds))
    }

    #[test]
    fn fires_after_hold_and_sightings_and_clears_only_after_unbroken_calm() {
        let options = AlertOptions::default();
        let terms = || TERMS;
        let mut machine = Machine::default();
        assert_eq!(machine.step(at(0), verdict(Level::Fires), &options, terms), None);
        assert_eq!(machine.deadline(at(0), &options, terms), None);
        assert_eq!(machine.step(at(4), verdict(Level::Fires), &options, terms), Some(Change::Fired(Fired::default())));
        assert_eq!(machine.step(at(5), verdict(Level::Clears), &options, terms), None);
        assert_eq!(machine.step(at(60), verdict(Level::Between), &options, terms), None);
        assert_eq!(machine.step(at(61), verdict(Level::Clears), &options, terms), None);
        assert_eq!(machine.deadline(at(61), &options, terms), Some(at(181)));
        assert_eq!(machine.step(at(100), verdict(Level::Unknown), &options, terms), None);
        assert_eq!(
            machine.step(at(181), verdict(Level::Unknown), &options, terms),
            Some(Change::Resolved("recovered"))
        );
    }

    #[test]
    fn the_fifth_change_within_a_quarter_of_an_hour_is_held() {
        let options = AlertOptions::default();
        let mut machine = Machine::default();
        let terms = || Terms::at_once(TERMS.clear_hold);
        let fires = verdict(Level::Fires);
        let over = Verdict { over: Some("window_reset"), ..verdict(Level::Clears) };
        for minute in 0..2 {
            assert_eq!(machine.step(at(minute * 60), fires, &options, terms), Some(Change::Fired(Fired::default())));
            assert_eq!(
                machine.step(at(minute * 60 + 30), over, &options, terms),
                Some(Change::Resolved("window_reset"))
            );
        }
        assert_eq!(
            machine.step(at(120), fires, &options, terms),
            Some(Change::Fired(Fired { flapping: true, before: 0 }))
        );
        assert_eq!(machine.step(at(150), over, &options, terms), None);
        assert_eq!(machine.deadline(at(150), &options, terms), Some(at(720)));
        assert_eq!(machine.step(at(719), over, &options, terms), None);
        assert_eq!(machine.step(at(720), over, &options, terms), Some(Change::Resolved("window_reset")));
        assert!(!machine.is_idle(at(720), &options) && machine.is_idle(at(1620), &options));
    }
}
