//! Exchanges to observations.

mod response;
mod wire_rules;

pub use response::{Hints, Said, is_telling_field, may_explain_refusal, read_response};
pub use wire_rules::{ResetUnit, WireRules};
