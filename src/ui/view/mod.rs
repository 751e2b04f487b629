//! Drawing: what an [`App`] shows, into a buffer. Nothing here changes any state.

mod alerts;
mod bars;
mod details;
mod endpoints;
mod error_codes;
mod findings;
mod footer;
mod header;
mod help;
mod input;
mod names;
mod panel;
mod quotas;
mod table;
mod throttled;
mod utilization;
mod welcome;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use self::panel::Panel;
use super::app::App;
use super::screen::{Screen, Tab};

/// Below this the columns that matter do not fit.
const SMALLEST: (u16, u16) = (60, 16);

/// From here on the lower row holds its panels side by side, and the alerts have their own.
const WIDE: (u16, u16) = (108, 30);

/// The whole screen.
///
/// ```text
///  header, two lines: what is watched, how much comes in, what fires; what could not be seen
/// ╭ the list ────────────────────────────────────────────╮
/// ╰──────────────────────────────────────────────────────╯
///  footer: keys, or the filter being typed
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(area, buffer);
        return;
    }
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    header::draw(app, head, buffer);
    let nothing_yet = app.snapshot().quotas.is_empty() && app.snapshot().input.exchanges == 0;
    match app.screen() {
        Screen::Quotas | Screen::Details if nothing_yet => welcome::draw(app, body, buffer),
        Screen::Quotas if area.width >= WIDE.0 && area.height >= WIDE.1 => wide(app, body, buffer),
        Screen::Quotas => narrow(app, body, buffer),
        Screen::Details => details::draw(app, body, buffer),
        Screen::Alerts => alerts::draw_screen(app, body, buffer),
        Screen::Findings => findings::draw(app, body, buffer),
        Screen::ErrorCodes => error_codes::draw_screen(app, body, buffer),
        Screen::Endpoints => endpoints::draw(app, body, buffer),
        Screen::Input => input::draw(app, body, buffer),
    }
    footer::draw(app, foot, buffer);
    if app.is_help_open() {
        help::draw(app, area, buffer);
    }
}

/// ```text
/// ╭ quotas ──────────────────────────────────────────────╮
/// ╰──────────────────────────────────────────────────────╯
/// ╭ utilization ─────────╮╭ throttled ────╮╭ error codes ╮
/// ╰──────────────────────╯╰───────────────╯╰─────────────╯
/// ╭ alerts ──────────────────────────────────────────────╮
/// ╰──────────────────────────────────────────────────────╯
/// ```
fn wide(app: &App, area: Rect, buffer: &mut Buffer) {
    // A frame and a line of headings around the rows; the table is content with its rows, the charts take what is left.
    let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).saturating_add(3);
    let alerts = rows(app.snapshot().alerts.len()).clamp(4, (area.height / 5).max(6));
    let left = area.height.saturating_sub(alerts).saturating_sub(rows(app.quotas().len()));
    let charts = left.clamp((area.height / 3).clamp(10, 14), (area.height / 2).min(24));
    let [upper, middle, lower] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(charts), Constraint::Length(alerts)]).areas(area);
    let [left, center, right] =
        Layout::horizontal([Constraint::Fill(5), Constraint::Fill(3), Constraint::Fill(4)]).areas(middle);
    quotas::draw(app, upper, buffer);
    let inner = Panel::new(utilization::title(app)).below(utilization::below(app)).draw(app, left, buffer);
    utilization::draw(app, inner, buffer);
    let inner = Panel::new(throttled::title(app)).below(throttled::below(app)).draw(app, center, buffer);
    throttled::draw(app, inner, buffer);
    let inner = Panel::new(error_codes::title(app)).draw(app, right, buffer);
    error_codes::draw(app, inner, buffer);
    let inner = Panel::new(alerts::title(app)).draw(app, lower, buffer);
    alerts::draw(app, inner, buffer);
}

/// ```text
/// ╭ quotas ──────────────────────────────────────────────╮
/// ╰──────────────────────────────────────────────────────╯
/// ╭ utilization │ throttled rate │ error codes │ alerts ─╮
/// ╰──────────────────────────────────────────────────────╯
/// ```
fn narrow(app: &App, area: Rect, buffer: &mut Buffer) {
    let lower = (area.height * 2 / 5).clamp(6, 14);
    let [upper, lower] = Layout::vertical([Constraint::Min(0), Constraint::Length(lower)]).areas(area);
    quotas::draw(app, upper, buffer);
    let panel = Panel::new(panel::tabs(app));
    match app.tab() {
        Tab::Utilization => {
            let inner = panel.below(utilization::below(app)).draw(app, lower, buffer);
            utilization::draw(app, inner, buffer);
        }
        Tab::Throttled => {
            let inner = panel.below(throttled::below(app)).draw(app, lower, buffer);
            throttled::draw(app, inner, buffer);
        }
        Tab::ErrorCodes => {
            let inner = panel.draw(app, lower, buffer);
            error_codes::draw(app, inner, buffer);
        }
        Tab::Alerts => {
            let inner = panel.draw(app, lower, buffer);
            alerts::draw(app, inner, buffer);
        }
    }
}

fn too_small(area: Rect, buffer: &mut Buffer) {
    let lines = [
        "the screen is too small".to_owned(),
        format!("{} x {} cells,", area.width, area.height),
        format!("{} x {} are needed", SMALLEST.0, SMALLEST.1),
    ];
    for (row, line) in area.rows().zip(lines) {
        buffer.set_stringn(row.x, row.y, line, usize::from(row.width), ratatui::style::Style::default());
    }
}
