//! The endpoints: how often each was called, how it answered, what was refused.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format;
use super::super::text;
use super::super::theme::Level;
use super::panel::{Panel, filtered, put};
use super::table::{Column, Side, Table};
use crate::model::EndpointState;

const COLUMNS: &[Column] = &[
    Column::new("HOST", Side::Left, (12, 40), 1),
    Column::new("ENDPOINT", Side::Left, (20, 80), 0),
    Column::new("REQUESTS", Side::Right, (8, 10), 0),
    Column::new("429", Side::Right, (7, 9), 0),
    Column::new("SHARE", Side::Right, (6, 6), 0),
    Column::new("STATUSES", Side::Left, (14, 36), 2),
    Column::new("ERROR CODES", Side::Left, (11, 40), 3),
];

/// ```text
/// HOST              ENDPOINT            REQUESTS   429  SHARE  STATUSES        ERROR CODES
/// api.example.com   POST /v1/payments      1,842    57   3.1%  200 1785 429 57 1454 40
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let passing = app.snapshot().endpoints.iter().filter(|endpoint| app.filter().passes_endpoint(endpoint));
    let mut endpoints: Vec<&EndpointState> = passing.collect();
    endpoints.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.requests));
    let count = format::count(u64::try_from(endpoints.len()).unwrap_or(u64::MAX));
    let title = Line::from(vec![Span::styled("endpoints ", theme.title()), Span::raw(count)]);
    let inner = Panel::new(title).right(filtered(app)).draw(app, area, buffer);
    if endpoints.is_empty() {
        put(Line::styled("no endpoint", theme.dim()), inner, 0, buffer);
        return;
    }
    let cell = |row: usize, column: usize, _width: u16| {
        let Some(endpoint) = endpoints.get(row) else { return Line::default() };
        let ratio = format::ratio_of(endpoint.throttled, endpoint.requests);
        let throttled = if endpoint.throttled == 0 { theme.dim() } else { theme.level(Level::of_throttled(ratio)) };
        match column {
            0 => Line::raw(text::clean(&endpoint.host).into_owned()),
            1 => Line::raw(text::clean(&endpoint.endpoint).into_owned()),
            2 => Line::raw(format::count(endpoint.requests)),
            3 => Line::styled(format::count(endpoint.throttled), throttled),
            4 => Line::styled(format::share_of(endpoint.throttled, endpoint.requests), throttled),
            5 => pairs(theme.dim(), endpoint.statuses.iter().map(|(status, count)| (status.to_string(), *count))),
            _ => pairs(theme.dim(), endpoint.error_codes.iter().map(|(code, count)| (code.to_string(), *count))),
        }
    };
    Table { columns: COLUMNS, rows: endpoints.len(), selected: Some(app.row()), cell: &cell }.draw(app, inner, buffer);
}

/// `200 ×1,785  429 ×57`, the most frequent first.
fn pairs(dim: ratatui::style::Style, counts: impl Iterator<Item = (String, u64)>) -> Line<'static> {
    let mut counts: Vec<(String, u64)> = counts.collect();
    counts.sort_by(|(_, a), (_, b)| b.cmp(a));
    let mut spans = Vec::new();
    for (name, count) in counts {
        spans.push(Span::raw(text::clean(&name).into_owned()));
        spans.push(Span::styled(format!(" ×{}  ", format::count(count)), dim));
    }
    Line::from(spans)
}
