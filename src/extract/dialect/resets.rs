//! Several reset values of one quota to one point in time.

use std::time::Duration;

use super::name::Unit;
use super::quota::Quota;
use super::{Context, forms};
use crate::extract::reset::{self, Beside};
use crate::extract::{plain, span};
use crate::model::{Amount, Timestamp};

/// The reset values of one quota.
#[derive(Debug, Default)]
pub(super) struct Resets<'a> {
    /// The one that says most; almost always the only one.
    first: Option<(Unit, &'a [u8])>,
    /// Those whose name says no unit first, then points in time, then times from now: an exact point says most.
    others: Vec<(Unit, &'a [u8])>,
    /// Whether the family counts from now by its standard.
    is_delta: bool,
}

/// Two ways of writing one reset differ by rounding.
const SLACK: Duration = Duration::from_secs(2);

impl<'a> Resets<'a> {
    /// From the values and the units that their names say.
    pub(super) fn of(values: impl IntoIterator<Item = (Unit, &'a [u8])>, is_delta: bool) -> Self {
        let mut values = values.into_iter().filter(|(_, value)| !value.is_empty());
        let Some(mut first) = values.next() else { return Self { is_delta, ..Self::default() } };
        let mut others: Vec<_> = values.collect();
        if !others.is_empty() {
            others.insert(0, first);
            others.sort_by_key(|(unit, _)| match unit {
                Unit::Unsaid => 0,
                Unit::Moment => 1,
                Unit::Delta(_) => 2,
            });
            others.dedup();
            first = others.remove(0);
        }
        Self { first: Some(first), others, is_delta }
    }

    fn values(&self) -> impl Iterator<Item = (Unit, &'a [u8])> {
        self.first.iter().chain(&self.others).copied()
    }

    /// Whether a value has the size of an epoch.
    pub(super) fn is_epoch(&self) -> bool {
        self.values().any(|(_, value)| plain::number(value).is_some_and(is_epoch))
    }

    /// The first reset that can be believed, for a quota whose other parts are known.
    ///
    /// A list of equal values counts as one, of different ones as none.
    pub(super) fn of_quota(&self, quota: &Quota, context: &mut Context<'_>) -> Option<Timestamp> {
        self.of_remaining(quota.remaining, quota.window, context)
    }

    /// The same for a quota of which so much remains, in a window of so many seconds.
    pub(super) fn of_remaining(
        &self,
        remaining: Option<Amount>,
        window: Option<f64>,
        context: &mut Context<'_>,
    ) -> Option<Timestamp> {
        // A second field that counts from now settles the unit of the first.
        let wait = context.wait.or_else(|| {
            self.values().find_map(|(unit, value)| match unit {
                Unit::Delta(seconds) => plain::number(value).map(|value| value * seconds),
                _ => None,
            })
        });
        let beside = beside(remaining, window, wait, self.is_delta, context);
        if let (Some((unit, value)), []) = (self.first, &*self.others)
            && !value.contains(&b',')
        {
            return reset::read(value, unit, &beside).unwrap_or_else(|doubt| {
                context.doubt(doubt);
                None
            });
        }
        let mut found: Option<(Unit, Timestamp)> = None;
        for (unit, value) in self.values() {
            let value = match numbers_of(value) {
                Some(parts) if parts.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) => parts.first().copied(),
                Some(_) => None,
                None => Some(value),
            };
            let Some(value) = value else {
                context.doubt("lists-not-aligned");
                continue;
            };
            match (reset::read(value, unit, &beside), found) {
                (Ok(Some(point)), None) => found = Some((unit, point)),
                (Ok(Some(point)), Some((same, other))) if same == unit && apart(point, other) > SLACK => {
                    // Two layers say two things, and nothing says which belongs to these counts.
                    context.doubt("reset-conflicting");
                    return None;
                }
                (Ok(_), _) => {}
                (Err(doubt), _) => context.doubt(doubt),
            }
        }
        found.map(|(_, point)| point)
    }

    /// One reset for each element of the lists beside it.
    pub(super) fn aligned(&self, count: usize) -> Option<Vec<Self>> {
        let unit = self.first?.0;
        let mut aligned = Vec::new();
        for (_, value) in self.values().filter(|(other, _)| *other == unit) {
            let parts = numbers_of(value).unwrap_or_else(|| vec![value]);
            aligned.extend(parts.into_iter().map(|part| Self::of([(unit, part)], self.is_delta)));
        }
        (aligned.len() == count).then_some(aligned)
    }
}

/// The same as [`Resets::of_remaining`] of one value, a number that is no list.
pub(super) fn of_number(
    (unit, number): (Unit, f64),
    is_delta: bool,
    remaining: Option<Amount>,
    window: Option<f64>,
    context: &mut Context<'_>,
) -> Option<Timestamp> {
    let wait = context.wait.or(match unit {
        Unit::Delta(seconds) => Some(number * seconds),
        _ => None,
    });
    let beside = beside(remaining, window, wait, is_delta, context);
    reset::near_number(number, unit, &beside).unwrap_or_else(|doubt| {
        context.doubt(doubt);
        None
    })
}

/// What is known beside a reset value of a quota of which so much remains.
fn beside(
    remaining: Option<Amount>,
    window: Option<f64>,
    wait: Option<f64>,
    delta_family: bool,
    context: &Context<'_>,
) -> Beside {
    let exhausted = remaining == Some(Amount::ZERO);
    Beside { clock: context.clock, rule: context.reset_rule, delta_family, exhausted, window, wait }
}

/// From where on a number is a point in time, not a time from now.
pub(super) const fn is_epoch(number: f64) -> bool {
    number >= 1e9
}

fn apart(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}

/// The parts of a list of numbers; `None` where it is no such list (a date has commas, too).
fn numbers_of(value: &[u8]) -> Option<Vec<&[u8]>> {
    if !value.contains(&b',') {
        return None;
    }
    let parts: Vec<_> = plain::split(value, b',').take(forms::MOST_ELEMENTS).collect();
    parts.iter().all(|part| plain::number(part).is_some() || span::seconds(part).is_some()).then_some(parts)
}
