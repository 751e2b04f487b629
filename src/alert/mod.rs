//! Rules and their state machine.
//!
//! Judges the tracker's state after each observation and at deadlines of its own, and says when an alert fires, flaps and
//! is over. Time is an argument, so a replay raises the alerts that live traffic would have raised. It sends nothing and
//! knows no receiver: changes wait in a queue, see [`Alerts::poll_alert`].
//!
//! Thresholds are those of [`AlertOptions`]; each default says where it comes from.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod alerts;
mod captures;
mod episode;
mod error_codes;
mod facts;
mod gauge;
mod machine;
mod options;
mod outlook;
mod quota_rules;
mod quota_summary;
mod quota_watch;
mod rest;
mod rule_set;
mod short_windows;
mod summary;
mod watches;

pub use alerts::Alerts;
pub use options::AlertOptions;
