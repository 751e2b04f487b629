//! Tests that need the right to capture and real programs.

mod collector;
mod made;
mod otlp;
mod prometheus;
