//! Quantities of quota units.

use std::fmt;

/// A count of quota units that a provider stated: finite and never negative.
///
/// Fractions exist on the wire (a service level of 0.0167 requests a second, a remaining of 598.5), so it is not an
/// integer; it is shown as one where it is whole.
#[derive(Clone, Copy, PartialEq, Default)]
pub struct Amount(f64);

/// Above this a double no longer holds each integer; such a number on the wire means "unlimited", not a count.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);

    /// `None` for a number that is negative, not finite, or too large to be a count.
    #[inline]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..LARGEST_EXACT).contains(&value).then_some(Self(value + 0.0))
    }

    /// From a count.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "clamped to what a double holds exactly")]
    pub fn from_count(count: u64) -> Self {
        Self((count as f64).min(LARGEST_EXACT - 1.0))
    }

    /// The number.
    #[inline]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// `self - other`, or zero where that would be negative.
    #[must_use]
    #[inline]
    pub fn less(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0.0))
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }

    // None is a NaN or a negative zero, so that these say what the total order says, sooner.
    #[inline]
    fn lt(&self, other: &Self) -> bool {
        self.0 < other.0
    }

    #[inline]
    fn le(&self, other: &Self) -> bool {
        self.0 <= other.0
    }

    #[inline]
    fn gt(&self, other: &Self) -> bool {
        self.0 > other.0
    }

    #[inline]
    fn ge(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

impl Ord for Amount {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl serde::Serialize for Amount {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range by construction")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 { serializer.serialize_u64(self.0 as u64) } else { serializer.serialize_f64(self.0) }
    }
}
