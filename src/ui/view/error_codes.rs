//! Which throttling error codes came, how often, and for whom: bars beside the charts, and a list of its own.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format::{self, UNKNOWN};
use super::super::text;
use super::bars;
use super::panel::{Panel, put};
use super::table::{Column, Side, Table};
use crate::model::ErrorCodeCount;

/// ```text
/// error codes · 16
/// ```
pub(super) fn title(app: &App) -> Line<'static> {
    let theme = app.theme();
    let all = total(app.snapshot().error_codes.iter());
    Line::from(vec![Span::styled("error codes ", theme.title()), Span::raw(format::count(all))])
}

/// ```text
/// 1454 partner · fluid-network ████████████ 12
/// 1456 payment · fluid-network ███           3
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let codes: Vec<&ErrorCodeCount> = app.snapshot().error_codes.iter().collect();
    if codes.is_empty() {
        put(Line::styled("no throttling error code yet", app.theme().dim()), area, 0, buffer);
        return;
    }
    let highest = codes.iter().map(|code| code.count).max().unwrap_or(0);
    let rows = usize::from(area.height);
    // The last row says how many there are below it.
    let shown = if codes.len() > rows { rows.saturating_sub(1) } else { codes.len() };
    let listed = &codes[..shown.min(codes.len())];
    let label = |code: &ErrorCodeCount| {
        let kind = code.scope_kind.as_deref().map_or_else(String::new, |kind| format!("{} · ", text::clean(kind)));
        format!("{kind}{}", text::clean(&code.owner))
    };
    let code_width = listed.iter().map(|code| text::width(&code.code)).max().unwrap_or(0).min(16);
    let widest = usize::from(area.width).saturating_sub(code_width + 13);
    let label_width = listed.iter().map(|code| text::width(&label(code))).max().unwrap_or(0).min(widest);
    let count_width = listed.iter().map(|code| format::count(code.count).len()).max().unwrap_or(0);
    let bar_width = usize::from(area.width).saturating_sub(code_width + label_width + count_width + 3);
    for (row, code) in (0u16..).zip(listed) {
        let (bar, _) =
            bars::bar(format::ratio_of(code.count, highest).unwrap_or(0.0), u16::try_from(bar_width).unwrap_or(0));
        let pad = |text: String, width: usize| {
            let text = text::fit(&text, width);
            let slack = width.saturating_sub(text::width(&text));
            format!("{text}{} ", " ".repeat(slack))
        };
        let line = Line::from(vec![
            Span::styled(pad(code.code.to_string(), code_width), app.theme().accent()),
            Span::styled(pad(label(code), label_width), app.theme().dim()),
            Span::styled(bar.clone(), app.theme().bar()),
            Span::raw(" ".repeat(bar_width.saturating_sub(text::width(&bar)))),
            Span::raw(format!(" {:>count_width$}", format::count(code.count))),
        ]);
        put(line, area, row, buffer);
    }
    if shown < codes.len() {
        let more = format!("and {} more (e)", codes.len() - shown);
        put(Line::styled(more, app.theme().dim()), area, area.height.saturating_sub(1), buffer);
    }
}

const COLUMNS: &[Column] = &[
    Column::new("CODE", Side::Left, (6, 24), 0),
    Column::new("PROVIDER", Side::Left, (10, 28), 0),
    Column::new("SCOPE", Side::Left, (8, 14), 1),
    Column::new("COUNT", Side::Right, (7, 9), 0),
    Column::new("SHARE", Side::Right, (6, 6), 0),
    Column::new("", Side::Left, (8, 40), 2).stretching(),
];

/// ```text
/// CODE   PROVIDER        SCOPE     COUNT   SHARE
/// 1454   fluid-network   partner      12   75.0%  ██████████
/// ```
pub(super) fn draw_screen(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let passing = app.snapshot().error_codes.iter().filter(|code| app.filter().passes_error_code(code));
    let codes: Vec<&ErrorCodeCount> = passing.collect();
    let all = total(codes.iter().copied());
    let inner = Panel::new(title(app)).right(super::panel::filtered(app)).draw(app, area, buffer);
    if codes.is_empty() {
        put(Line::styled("no throttling error code", theme.dim()), inner, 0, buffer);
        return;
    }
    let cell = |row: usize, column: usize, width: u16| {
        let Some(code) = codes.get(row) else { return Line::default() };
        match column {
            0 => Line::styled(text::clean(&code.code).into_owned(), theme.accent()),
            1 => Line::raw(text::clean(&code.owner).into_owned()),
            2 => Line::styled(text::clean(code.scope_kind.as_deref().unwrap_or(UNKNOWN)).into_owned(), theme.dim()),
            3 => Line::raw(format::count(code.count)),
            4 => Line::raw(format::share_of(code.count, all)),
            _ => Line::styled(bars::bar(format::ratio_of(code.count, all).unwrap_or(0.0), width).0, theme.bar()),
        }
    };
    Table { columns: COLUMNS, rows: codes.len(), selected: Some(app.row()), cell: &cell }.draw(app, inner, buffer);
}

fn total<'a>(codes: impl Iterator<Item = &'a ErrorCodeCount>) -> u64 {
    codes.fold(0, |sum, code| sum.saturating_add(code.count))
}
