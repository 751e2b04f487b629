//! The overlay with all keys and marks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use super::super::app::App;
use super::super::keys::BINDINGS;
use super::super::theme::Level;
use super::panel::{Panel, put};

/// ```text
/// ╭ keys ─────────────────────────────────────────────────╮
/// │ ↑ k     select the row above                          │
/// │ ◆ critical  ▲ high …   ~ an estimate  – not known     │
/// ╰ any key closes this ──────────────────────────────────╯
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let mut marks = Vec::new();
    for (level, word) in [
        (Level::Critical, "critical"),
        (Level::High, "≥ 90%"),
        (Level::Warning, "≥ 80%"),
        (Level::Calm, "fine"),
        (Level::Unknown, "unknown or old"),
    ] {
        marks.push(Span::styled(level.mark(), theme.level(level)));
        marks.push(Span::styled(format!(" {word}  "), theme.dim()));
    }
    let legend = Line::styled("– not known   ~ estimate   429 over 5 min   RUNS OUT at this pace", theme.dim());
    let rows = BINDINGS.len() + 3;
    // Two columns of keys where one would not fit.
    let columns: u16 = if usize::from(area.height) < rows + 2 { 2 } else { 1 };
    let per_column = BINDINGS.len().div_ceil(usize::from(columns));
    let width = (60 * columns).min(area.width);
    let height = u16::try_from(per_column + 5).unwrap_or(u16::MAX).min(area.height);
    let window = Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height);
    Clear.render(window, buffer);
    let inner = Panel::new(Line::styled("keys", theme.title()))
        .below(Line::styled("any key closes this", theme.dim()))
        .draw(app, window, buffer);
    let column_width = inner.width / columns;
    for (at, binding) in BINDINGS.iter().enumerate() {
        let column = u16::try_from(at / per_column).unwrap_or(0);
        let row = u16::try_from(at % per_column).unwrap_or(u16::MAX);
        let keys = format!("{:<7}", binding.shown);
        let line = Line::from(vec![Span::styled(keys, theme.accent()), Span::raw(binding.help)]);
        let place = Rect { x: inner.x + column * column_width, width: column_width.saturating_sub(1), ..inner };
        put(line, place, row, buffer);
    }
    let after = u16::try_from(per_column).unwrap_or(u16::MAX).saturating_add(1);
    put(Line::from(marks), inner, after, buffer);
    put(legend, inner, after.saturating_add(1), buffer);
}
