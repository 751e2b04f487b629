//! Some of the rules on a quota.

/// A set of rules, by their places in [`super::quota_rules::RULES`]; iterates over the places in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RuleSet(u32);

impl RuleSet {
    /// Puts a rule in, or takes it out.
    #[inline]
    pub(super) const fn set(&mut self, place: usize, is_in: bool) {
        let bit = 1 << place;
        self.0 = if is_in { self.0 | bit } else { self.0 & !bit };
    }

    /// Those of both sets.
    #[inline]
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The rules that each are in where it says so.
impl<const N: usize> From<[bool; N]> for RuleSet {
    #[inline]
    fn from(are_in: [bool; N]) -> Self {
        let mut set = Self::default();
        for (place, is_in) in are_in.into_iter().enumerate() {
            set.0 |= u32::from(is_in) << place;
        }
        set
    }
}

impl IntoIterator for RuleSet {
    type Item = usize;
    type IntoIter = Places;

    #[inline]
    fn into_iter(self) -> Places {
        Places(self.0)
    }
}

/// The places of a set's rules.
pub(super) struct Places(u32);

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let place = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in() {
        let mut set = RuleSet::from([true, false, false, true, false, true]);
        assert_eq!(set.into_iter().collect::<Vec<_>>(), [0, 3, 5]);
        set.set(3, false);
        set.set(1, true);
        assert_eq!(set.with(RuleSet::from([false, false, true])).into_iter().collect::<Vec<_>>(), [0, 1, 2, 5]);
        assert_eq!(RuleSet::default().into_iter().next(), None);
    }
}
