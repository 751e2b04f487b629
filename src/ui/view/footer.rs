//! The last line: the keys that matter, or the filter while it is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::keys::{Action, BINDINGS};
use super::super::screen::Screen;
use super::super::text;
use super::panel::put;

/// ```text
///  ↑↓ select  ⏎ details  / filter  s sort  a alerts  f findings  …                              ? help  q quit
///  filter: payments▏                                                                 ⏎ keep  Esc undo
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let theme = app.theme();
    let hint = |key: &str, word: &str| {
        vec![Span::styled(key.to_owned(), theme.accent()), Span::styled(format!(" {word}  "), theme.dim())]
    };
    if app.is_typing() {
        let mut spans = vec![
            Span::styled("filter: ", theme.title()),
            Span::raw(text::clean(app.filter_text()).into_owned()),
            Span::styled("▏", theme.accent()),
            Span::raw("   "),
        ];
        spans.extend(hint("⏎", "keep"));
        spans.extend(hint("Esc", "undo"));
        put(Line::from(spans), area, 0, buffer);
        return;
    }
    let mut left = hint("↑↓", "select");
    let mut right = Vec::new();
    if app.screen() != Screen::Quotas {
        left.extend(hint("Esc", "back"));
    }
    for binding in BINDINGS {
        let Some(word) = binding.footer else { continue };
        match binding.action {
            Action::Help | Action::Quit => right.extend(hint(binding.shown, word)),
            Action::Sort if app.screen() != Screen::Quotas => {}
            _ => left.extend(hint(binding.shown, word)),
        }
    }
    // The last hint needs no space after it.
    if let Some(last) = right.last_mut() {
        last.content = last.content.trim_end().to_owned().into();
    }
    let right_width: usize = right.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(right_width);
    // Whole hints only: a hint is a key and a word.
    let mut used = 0;
    let left: Vec<Span<'static>> = left
        .chunks(2)
        .take_while(|hint| {
            used += hint.iter().map(Span::width).sum::<usize>();
            used <= room
        })
        .flatten()
        .cloned()
        .collect();
    put(Line::from(left), area, 0, buffer);
    let indent = u16::try_from(room).unwrap_or(0);
    put(Line::from(right), Rect { x: area.x + indent, width: area.width - indent, ..area }, 0, buffer);
}
