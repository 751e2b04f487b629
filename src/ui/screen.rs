//! What there is to choose from on the screen: lists, panels, lengths of time.

use std::time::Duration;

use crate::model::Trend;

/// Which list fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Screen {
    /// Quotas, charts and alerts.
    #[default]
    Quotas,
    /// All that is known of one quota.
    Details,
    /// The alerts, firing and past.
    Alerts,
    /// How the client behaves.
    Findings,
    /// The throttling error codes.
    ErrorCodes,
    /// The endpoints.
    Endpoints,
    /// What came in, and what of it could not be read.
    Input,
}

/// Which panel of the lower row is shown where there is no room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// The selected quota's utilization over time.
    #[default]
    Utilization,
    /// The share of throttled exchanges over time.
    Throttled,
    /// The throttling error codes.
    ErrorCodes,
    /// The alerts.
    Alerts,
}

impl Tab {
    /// All, from left to right.
    pub const ALL: [Self; 4] = [Self::Utilization, Self::Throttled, Self::ErrorCodes, Self::Alerts];

    /// The word of the tab.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Utilization => "utilization",
            Self::Throttled => "throttled rate",
            Self::ErrorCodes => "error codes",
            Self::Alerts => "alerts",
        }
    }

    pub(super) fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL.get((at + by) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// How much of the past the charts show at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeRange {
    /// Five minutes.
    Short,
    /// A quarter of an hour.
    #[default]
    Medium,
    /// An hour.
    Long,
}

impl TimeRange {
    /// As a time.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Short => Duration::from_mins(5),
            Self::Medium => Duration::from_mins(15),
            Self::Long => Duration::from_hours(1),
        }
    }

    /// What a chart shows of it: no more than there is to see, in round lengths.
    pub(crate) fn fitted(self, trend: &Trend) -> Duration {
        let seen = trend.step.saturating_mul(u32::try_from(trend.points.len()).unwrap_or(u32::MAX));
        let fits = |minutes: &u64| Duration::from_mins(*minutes) >= seen.min(self.duration());
        [1, 2, 5, 15, 60].into_iter().find(fits).map_or_else(|| self.duration(), Duration::from_mins)
    }

    pub(super) const fn next(self) -> Self {
        match self {
            Self::Short => Self::Medium,
            Self::Medium => Self::Long,
            Self::Long => Self::Short,
        }
    }
}
