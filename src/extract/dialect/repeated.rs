//! Responses that say the same but for what is left: what all of them say is read once.
//!
//! Most servers announce one quota, whose limit and reset come again and again; what former responses said by them is known by
//! the lines that they have in common, and by the values that vary now and then. Only points in time are remembered: a reset
//! that counts from now is another one in each response.

use std::sync::Arc;

use super::plain_numbers::Plain;
use super::quota::{self, Numbers};
use crate::extract::recent::{Hash, Recent};
use crate::extract::reset;
use crate::extract::wire_rules::ResetUnit;
use crate::model::{CommonFields, Fields, Reading, Timestamp};

/// What the responses that came last said.
#[derive(Debug, Clone)]
pub(super) struct Repetitions {
    known: Recent<Arc<Repeated>>,
    last: Option<Arc<Repeated>>,
}

/// What responses say that have so much in common.
#[derive(Debug)]
struct Repeated {
    lines: Arc<CommonFields>,
    reset_rule: Option<ResetUnit>,
    /// Lines whose values vary in general, and the values under which the rest is so.
    values: Box<[(usize, Box<[u8]>)]>,
    plain: Plain,
    /// The reading, but for the numbers that each response changes.
    reading: Reading,
    /// The reset is too far ahead to be believed by whoever sees it earlier.
    credible_from: Timestamp,
    family: &'static str,
}

impl Repeated {
    /// Whether a response with these lines says the same, but for the numbers that each response changes.
    #[inline(always)]
    fn is_said_by(
        &self,
        lines: &Arc<CommonFields>,
        fields: &Fields,
        seen: Timestamp,
        reset_rule: Option<ResetUnit>,
    ) -> bool {
        if !Arc::ptr_eq(&self.lines, lines) || self.reset_rule != reset_rule || seen < self.credible_from {
            return false;
        }
        for (line, value) in &self.values {
            if *fields.value(*line) != **value {
                return false;
            }
        }
        true
    }
}

impl Repetitions {
    /// Room for four times so many.
    pub(super) const fn new(sets: usize) -> Self {
        Self { known: Recent::new(sets), last: None }
    }

    /// Writes the reading of a response over one that is of no more use, and gives the family; `None` where no former one said
    /// the same.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        fields: &Fields,
        seen: Timestamp,
        reset_rule: Option<ResetUnit>,
        readings: &mut Vec<Reading>,
    ) -> Option<&'static str> {
        let lines = fields.common()?;
        if !self.last.as_ref().is_some_and(|last| last.is_said_by(lines, fields, seen, reset_rule)) {
            self.search(lines, fields, seen, reset_rule)?;
        }
        let repeated = self.last.as_ref()?;
        let (remaining, used) = repeated.plain.left_and_used(fields)?;
        let Reading { limit, reset_at: reset, .. } = repeated.reading;
        let numbers = Numbers { limit, remaining, used, utilization: None, reset }.completed();
        let reading = quota::only(readings)?;
        reading.keep(&repeated.reading);
        reading.remaining = numbers.remaining;
        reading.used = numbers.used;
        reading.utilization = numbers.utilization;
        Some(repeated.family)
    }

    /// Makes the last one what a response says again that does not say what the last did.
    #[cold]
    fn search(
        &mut self,
        lines: &Arc<CommonFields>,
        fields: &Fields,
        seen: Timestamp,
        reset_rule: Option<ResetUnit>,
    ) -> Option<()> {
        let is_meant = |repeated: &Arc<Repeated>| repeated.is_said_by(lines, fields, seen, reset_rule);
        self.last = Some(Arc::clone(self.known.known(Hash::of_places(&[lines]), is_meant)?));
        Some(())
    }

    /// Remembers what a response said, if another one may say the same.
    #[cold]
    pub(super) fn learn(
        &mut self,
        fields: &Fields,
        reset_rule: Option<ResetUnit>,
        plain: &Plain,
        reading: &Reading,
        family: &'static str,
    ) {
        let Some(lines) = fields.common().filter(|_| plain.resets_at_point(fields, reset_rule)) else { return };
        let vary = plain.lasting().filter(|line| !lines.is_fixed(*line));
        let repeated = Repeated {
            lines: Arc::clone(lines),
            reset_rule,
            values: vary.map(|line| (line, Box::from(fields.value(line)))).collect(),
            plain: plain.clone(),
            reading: reading.clone(),
            credible_from: reading.reset_at.map_or(Timestamp::MIN, reset::credible_from),
            family,
        };
        self.known.keep(Hash::of_places(&[lines]), Arc::new(repeated));
    }
}
