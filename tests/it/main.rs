//! Everything that runs for an ordinary user without the right to capture.

mod dashboards;
mod export;
