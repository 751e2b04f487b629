//! Everything that runs for an ordinary user, without the right to capture and without a network.

mod layering;
mod profiles;
mod store;
mod templates;

use std::path::Path;

/// The top of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
mod scenarios;
mod track;
//! Everything that runs for an ordinary user without the right to capture.

mod export;
mod ui;
