//! Responses that say the same but for what is left: what all of them say is read once.
//!
//! Most servers announce one quota, whose limit and reset come again and again; what former responses said by them is known by
//! the lines that they have in common, and by the values that vary now and then. Only points in time are remembered: a reset
//! that counts from now is another one in each response.

use std::sync::Arc;

use smallvec::SmallVec;

use super::layout::Layout;
use super::quota::Numbers;
use crate::extract::recent::{Hash, Recent};
use crate::extract::reset;
use crate::extract::wire_rules::ResetUnit;
use crate::model::{Amount, CommonFields, Fields, Reading, Timestamp};

/// What the responses that came last said.
#[derive(Debug, Clone)]
pub(super) struct Repetitions(Recent<Repeated>);

/// What responses say that have so much in common.
#[derive(Debug, Clone)]
struct Repeated {
    lines: Arc<CommonFields>,
    reset_rule: Option<ResetUnit>,
    /// Lines whose values vary in general, and the values under which the rest is so.
    values: SmallVec<[(usize, Box<[u8]>); 2]>,
    layout: Arc<Layout>,
    limit: Option<Amount>,
    reset: Option<Timestamp>,
    /// The reset is too far ahead to be believed by whoever sees it earlier.
    credible_from: Timestamp,
    family: &'static str,
}

impl Repetitions {
    /// Room for four times so many.
    pub(super) const fn new(sets: usize) -> Self {
        Self(Recent::new(sets))
    }

    /// Writes the reading of a response over one that is of no more use, and gives the family; `None` where no former one said
    /// the same.
    #[inline]
    pub(super) fn read(
        &self,
        fields: &Fields,
        seen: Timestamp,
        reset_rule: Option<ResetUnit>,
        readings: &mut Vec<Reading>,
    ) -> Option<&'static str> {
        let lines = fields.common().filter(|lines| Arc::strong_count(lines) > 1)?;
        let is_meant = |repeated: &Repeated| {
            Arc::ptr_eq(&repeated.lines, lines)
                && repeated.reset_rule == reset_rule
                && repeated.credible_from <= seen
                && repeated.values.iter().all(|(line, value)| *fields.value(*line) == **value)
        };
        let repeated = self.0.known(Hash::of_places(&[lines]), is_meant)?;
        let (draft, plain) = repeated.layout.only()?;
        let (remaining, used) = plain.left_and_used(fields)?;
        let numbers = Numbers { limit: repeated.limit, remaining, used, utilization: None, reset: repeated.reset };
        draft.base.write_only_reading(numbers, readings);
        Some(repeated.family)
    }

    /// Remembers what a response said, if another one may say the same.
    #[cold]
    pub(super) fn learn(
        &mut self,
        fields: &Fields,
        reset_rule: Option<ResetUnit>,
        layout: &Arc<Layout>,
        Numbers { limit, reset, .. }: Numbers,
        family: &'static str,
    ) {
        let Some((lines, (_, plain))) = fields.common().zip(layout.only()) else { return };
        if !plain.resets_at_point(fields, reset_rule) {
            return;
        }
        let vary = plain.lasting().filter(|line| !lines.is_fixed(*line));
        let repeated = Repeated {
            lines: Arc::clone(lines),
            reset_rule,
            values: vary.map(|line| (line, Box::from(fields.value(line)))).collect(),
            layout: Arc::clone(layout),
            limit,
            reset,
            credible_from: reset.map_or(Timestamp::MIN, reset::credible_from),
            family,
        };
        self.0.keep(Hash::of_places(&[lines]), repeated);
    }
}
