//! Exchanges to observations.

mod wire_rules;

pub use wire_rules::{ResetUnit, WireRules};
