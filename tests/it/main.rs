//! Everything that runs for an ordinary user, without the right to capture and without a network.

mod attack;
mod cli;
mod damage;
mod dashboards;
mod decode_frames;
mod decode_stream;
mod dialects;
mod exchange_lines;
mod export;
mod field_names;
mod layering;
mod learned;
mod losses;
mod observer;
mod profiles;
mod scenarios;
mod secrets;
mod source;
mod store;
mod templates;
mod terminal;
mod track;
mod ui;

use std::path::Path;

/// The top of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
