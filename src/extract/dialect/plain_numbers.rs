//! The shape of almost all responses that speak of a quota: a number each of limit, remaining and used, one reset, and perhaps
//! policies without names. It is read without detours; whatever is not so plain is left to [`draft`](super::draft).

use super::Context;
use super::draft::Draft;
use super::layout::Claim;
use super::name::{Field, Unit};
use super::policies::{KnownPolicies, Policies, unify};
use super::quota::{Numbers, Quota};
use super::resets::{self, Resets};
use crate::extract::wire_rules::ResetUnit;
use crate::extract::{plain, reset};
use crate::model::{Amount, Fields};

/// The lines of a quota that has one of each kind at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Plain {
    limit: Option<usize>,
    remaining: Option<usize>,
    used: Option<usize>,
    reset: Option<(Unit, usize)>,
    policy: Option<usize>,
}

impl Plain {
    /// From what the lines of a quota claim; `None` where they claim anything else, or the same twice.
    pub(super) fn of<'c>(claims: impl Iterator<Item = &'c Claim>) -> Option<Self> {
        let mut plain = Self::default();
        for claim in claims {
            let taken = match claim.field {
                Field::Limit => plain.limit.replace(claim.line).is_some(),
                Field::Remaining => plain.remaining.replace(claim.line).is_some(),
                Field::Used => plain.used.replace(claim.line).is_some(),
                Field::Reset => plain.reset.replace((claim.unit, claim.line)).is_some(),
                Field::Policy => plain.policy.replace(claim.line).is_some(),
                _ => true,
            };
            if taken {
                return None;
            }
        }
        Some(plain)
    }

    /// Whether the names alone prove that it is a quota, of which limit and remaining are said, and no policy.
    pub(super) const fn is_sure(&self, draft: &Draft) -> bool {
        self.limit.is_some()
            && self.remaining.is_some()
            && self.policy.is_none()
            && (draft.certain || draft.is_evident || self.reset.is_some())
    }

    /// The numbers, where no policy stands beside them, and their family; `None` where one is none.
    pub(super) fn numbers(
        &self,
        draft: &Draft,
        fields: &Fields,
        context: &mut Context<'_>,
    ) -> Option<(Numbers, &'static str)> {
        let (numbers, is_epoch) = self.read_numbers(draft, fields, draft.is_unprefixed, context)?;
        let family = match draft.is_unprefixed {
            false => draft.base.family,
            true if is_epoch => "ratelimit-epoch",
            true => "ratelimit-delta",
        };
        Some((numbers, family))
    }

    /// Adds the quotas; `false` where a line holds something else: then nothing was read.
    pub(super) fn read(
        &self,
        draft: &Draft,
        fields: &Fields,
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) -> bool {
        let policies = self.policy.map(|line| KnownPolicies::of(context, &[fields.value(line)]));
        match policies.as_deref() {
            None => {
                let Some((numbers, family)) = self.numbers(draft, fields, context) else { return false };
                quotas.push(Quota { family, ..draft.base.clone().with(numbers) });
            }
            Some(Policies { named, unnamed, .. }) if named.is_empty() && !unnamed.is_empty() => {
                let Some((numbers, is_epoch)) = self.read_numbers(draft, fields, true, context) else { return false };
                let base = Quota { family: "ietf-03-06", ..draft.base.clone() };
                let family = if is_epoch { "ratelimit-epoch" } else { base.family };
                unify(Quota { family, ..base.clone().with(numbers) }, None, unnamed, &base, quotas);
            }
            Some(_) => return false,
        }
        true
    }

    /// The numbers that each exchange changes; `None` where one is none.
    #[inline(always)]
    pub(super) fn left_and_used(&self, fields: &Fields) -> Option<(Option<Amount>, Option<Amount>)> {
        // A line that is there but holds no number leaves all to the other reader.
        let remaining = match self.remaining {
            Some(line) => Some(amount(fields.value(line))?),
            None => None,
        };
        let used = match self.used {
            Some(line) => Some(amount(fields.value(line))?),
            None => None,
        };
        Some((remaining, used))
    }

    /// The lines that say the same for as long as a window, or longer.
    pub(super) fn lasting(&self) -> impl Iterator<Item = usize> {
        self.limit.into_iter().chain(self.reset.map(|(_, line)| line))
    }

    /// All lines of its numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = usize> {
        self.lasting().chain(self.remaining).chain(self.used)
    }

    /// Whether the reset, if there is one, is the same point in time whenever it is read.
    pub(super) fn resets_at_point(&self, fields: &Fields, rule: Option<ResetUnit>) -> bool {
        self.reset.is_none_or(|(unit, line)| {
            plain::whole(fields.value(line)).is_some_and(|number| reset::is_point(number, unit, rule))
        })
    }

    /// The numbers, and whether the reset is a point in time by its size.
    fn read_numbers(
        &self,
        draft: &Draft,
        fields: &Fields,
        is_delta: bool,
        context: &mut Context<'_>,
    ) -> Option<(Numbers, bool)> {
        let limit = match self.limit {
            Some(line) => Some(amount(fields.value(line))?),
            None => None,
        };
        let (remaining, used) = self.left_and_used(fields)?;
        let (reset, is_epoch) = self.reset.map_or((None, false), |(unit, line)| {
            let (value, window) = (fields.value(line), draft.base.window);
            if let Some(number) = plain::whole(value) {
                let reset = resets::of_number((unit, number), is_delta, remaining, window, context);
                (reset, resets::is_epoch(number))
            } else {
                let resets = Resets::of([(unit, value)], is_delta);
                (resets.of_remaining(remaining, window, context), resets.is_epoch())
            }
        });
        Some((Numbers { limit, remaining, used, utilization: None, reset }, is_epoch))
    }
}

#[inline]
fn amount(value: &[u8]) -> Option<Amount> {
    match plain::count(value) {
        Some(count) => Some(Amount::from_count(count)),
        None => plain::number(value).and_then(Amount::new),
    }
}
