//! Observations and time to quota state.
//!
//! Turns each [`Observation`](crate::model::Observation) into the state of the quotas that it says something of: limit,
//! remaining, peak, sliding counts, pace, forecast, and what changed. Time is an argument: the tracker knows no clock, so a
//! replay ends in the same state as live traffic did. It knows nothing of fields, bodies, files and screens.
//!
//! What it keeps of hostile input is bounded by [`TrackOptions`]; what the bounds cut is counted in [`Cuts`].

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod again;
mod as_is;
mod blame;
mod bounded;
mod counted;
mod course;
mod deadlines;
mod endpoint;
mod event;
mod events;
mod forecast;
mod guess;
mod identity;
mod learned;
mod lookup;
mod minute;
mod numbers;
mod options;
mod pace;
mod places;
mod quota;
mod recent;
mod resets;
mod route;
mod shared;
mod sharing;
mod snapshot;
mod tally;
mod tracker;
mod trend;
mod turns;
mod unstated;
mod update;

pub(crate) use as_is::AsIs;
pub(crate) use deadlines::{Deadlines, sooner};
pub use event::{MinuteReport, TrackEvent};
pub use forecast::Forecast;
pub use numbers::Numbers;
pub use options::{Cuts, TrackOptions};
pub use quota::{QuotaChange, QuotaId, TrackedQuota};
pub use recent::Counts;
pub use tracker::Tracker;
