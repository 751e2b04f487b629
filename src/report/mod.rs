//! Text and JSON.

pub mod history;
