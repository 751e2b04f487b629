//! Exchanges to observations.

mod clock;
mod dialect;
mod error_body;
mod error_code;
mod http_date;
mod plain;
mod reset;
mod response;
mod retry_after;
mod span;
mod structured;
mod throttle;
mod wire_rules;

pub use response::{Hints, Said, is_telling_field, may_explain_refusal, read_response};
pub use wire_rules::{ResetUnit, WireRules};
