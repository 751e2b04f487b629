//! What needs the right to capture and real programs: `make test-real` runs it.
//!
//! A test that cannot run here fails and says what is missing; none passes by returning early.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by them")]

mod agent;
mod capture;
mod collector;
mod disk;
mod made;
mod otlp;
mod prometheus;
mod providers;
