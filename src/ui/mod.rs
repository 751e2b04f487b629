//! The terminal UI: snapshots in, a screen out.
//!
//! [`App`] is the state, changed only by keys and snapshots; `view` draws it and changes nothing; [`run`] is the one place
//! that knows a terminal. The clock on the screen is event time, so a replay shows what live traffic would have shown.
//! What is unknown is `–`; what is history says how old it is; no colour says anything alone. Text from snapshots is hostile
//! and reaches the screen only through `text`.

mod app;
mod chart;
mod format;
mod keys;
mod order;
mod picture;
mod rates;
mod screen;
mod terminal;
mod text;
mod theme;
mod view;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use app::{App, Step};
pub use keys::{Action, BINDINGS, Binding, action_of};
pub use order::{Filter, Sort};
pub use screen::{Screen, Tab, TimeRange};
pub use terminal::{Ended, UiError, run};

use crate::model::Snapshot;

/// What the screen is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiOptions {
    /// Whether to use colours (`--color`, `NO_COLOR`); without them the screen says the same.
    pub color: bool,
    /// The program's name.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What is watched: interfaces (`eth0`, `lo`), file names, a socket.
    pub sources: Vec<String>,
}

impl Default for UiOptions {
    fn default() -> Self {
        Self {
            color: true,
            title: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sources: Vec::new(),
        }
    }
}

/// Draws the whole screen into a part of a buffer.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    view::draw(app, area, buffer);
}

/// The screen as plain text, one line for each row, without trailing spaces.
pub fn render_text(snapshot: &Snapshot, options: &UiOptions, width: u16, height: u16) -> String {
    picture::text(&frame(snapshot, options, width, height))
}

/// The screen as an SVG picture, with colours where the options have them.
pub fn render_svg(snapshot: &Snapshot, options: &UiOptions, width: u16, height: u16) -> String {
    picture::svg(&frame(snapshot, options, width, height))
}

/// What an [`App`] shows, as plain text.
pub fn app_text(app: &App, width: u16, height: u16) -> String {
    picture::text(&app_frame(app, width, height))
}

/// What an [`App`] shows, as an SVG picture.
pub fn app_svg(app: &App, width: u16, height: u16) -> String {
    picture::svg(&app_frame(app, width, height))
}

fn frame(snapshot: &Snapshot, options: &UiOptions, width: u16, height: u16) -> Buffer {
    let mut app = App::new(options.clone());
    app.handle_snapshot(Arc::new(snapshot.clone()));
    app_frame(&app, width, height)
}

fn app_frame(app: &App, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(app, area, &mut buffer);
    buffer
}
