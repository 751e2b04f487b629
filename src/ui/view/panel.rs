//! Frames around the panels, and the tabs of the folded lower row.

use ratatui::buffer::Buffer;
use ratatui::layout::{HorizontalAlignment, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Widget};

use super::super::app::App;
use super::super::screen::Tab;
use super::super::text;

/// A frame with titles in its border.
///
/// ```text
/// ╭ title ──────────────────────── right ╮
/// ╰ below ───────────────────────────────╯
/// ```
pub(super) struct Panel {
    title: Line<'static>,
    right: Option<Line<'static>>,
    below: Option<Line<'static>>,
}

impl Panel {
    pub(super) fn new(title: Line<'static>) -> Self {
        Self { title, right: None, below: None }
    }

    pub(super) fn right(self, right: Line<'static>) -> Self {
        Self { right: Some(right), ..self }
    }

    pub(super) fn below(self, below: Line<'static>) -> Self {
        Self { below: Some(below), ..self }
    }

    /// Draws the frame; what is inside of it is left to draw.
    pub(super) fn draw(self, app: &App, area: Rect, buffer: &mut Buffer) -> Rect {
        let room = usize::from(area.width.saturating_sub(4));
        let title = text::fit_line(self.title, room);
        let rest = room.saturating_sub(title.width() + 3);
        let mut block = Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(app.theme().border())
            .title_top(padded(title));
        if let Some(right) = self.right.filter(|right| right.width() > 0 && right.width() <= rest) {
            block = block.title_top(padded(right).alignment(HorizontalAlignment::Right));
        }
        if let Some(below) = self.below.filter(|below| below.width() > 0) {
            block = block.title_bottom(padded(text::fit_line(below, room)));
        }
        let inner = block.inner(area);
        block.render(area, buffer);
        // One cell of air at both sides.
        Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
    }
}

/// `utilization │ throttled rate │ error codes │ alerts`, the open one in brackets: no colour says it alone.
pub(super) fn tabs(app: &App) -> Line<'static> {
    let theme = app.theme();
    let mut spans = Vec::new();
    for tab in Tab::ALL {
        if !spans.is_empty() {
            spans.push(Span::styled(" │ ", theme.border()));
        }
        if tab == app.tab() {
            spans.push(Span::styled(format!("[{}]", tab.label()), theme.title()));
        } else {
            spans.push(Span::styled(tab.label(), theme.dim()));
        }
    }
    Line::from(spans)
}

/// A line written into one row of an area, cut to its width.
pub(super) fn put(line: Line<'static>, area: Rect, row: u16, buffer: &mut Buffer) {
    if row < area.height {
        let line = text::fit_line(line, usize::from(area.width));
        buffer.set_line(area.x, area.y + row, &line, area.width);
    }
}

/// A cell of air at both sides; text without a colour of its own does not take on the frame's.
fn padded(line: Line<'static>) -> Line<'static> {
    let own = Style::default().fg(Color::Reset).remove_modifier(Modifier::DIM);
    let mut spans = vec![Span::raw(" ")];
    spans.extend(line.spans.into_iter().map(|span| {
        let style = own.patch(line.style).patch(span.style);
        span.style(style)
    }));
    spans.push(Span::raw(" "));
    Line::from(spans)
}

/// At the right of a list's title: the filter, where there is one.
pub(super) fn filtered(app: &App) -> Line<'static> {
    if app.filter_text().is_empty() {
        return Line::default();
    }
    Line::from(vec![
        Span::styled("filter: ", app.theme().dim()),
        Span::styled(text::fit(app.filter_text(), 24), app.theme().accent()),
    ])
}
