//! How the client behaves, and what it could do better.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format;
use super::super::text;
use super::panel::{Panel, filtered, put};
use super::table::{Column, Side, Table};
use crate::model::Finding;

const COLUMNS: &[Column] = &[
    Column::new("FINDING", Side::Left, (14, 28), 0),
    Column::new("COUNT", Side::Right, (5, 9), 0),
    Column::new("HOST", Side::Left, (12, 36), 1),
    Column::new("ENDPOINT", Side::Left, (16, 60), 0),
    Column::new("EVIDENCE", Side::Left, (20, 120), 2).stretching().from(110),
];

/// ```text
/// ╭ findings ────────────────────────────────────────────╮
/// │ FINDING             COUNT  HOST        ENDPOINT      │
/// │ retried too early      12  api.exa…    POST /v1/pay… │
/// ╰──────────────────────────────────────────────────────╯
/// ╭ what to do ──────────────────────────────────────────╮
/// ╰──────────────────────────────────────────────────────╯
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let passing = app.snapshot().findings.iter().filter(|finding| app.filter().passes_finding(finding));
    let findings: Vec<&Finding> = passing.collect();
    let [upper, lower] = Layout::vertical([Constraint::Min(0), Constraint::Length(9)]).areas(area);
    let count = format::count(u64::try_from(findings.len()).unwrap_or(u64::MAX));
    let title = Line::from(vec![Span::styled("findings ", theme.title()), Span::raw(count)]);
    let inner = Panel::new(title).right(filtered(app)).draw(app, upper, buffer);
    if findings.is_empty() {
        put(Line::styled("nothing to criticize in how the client behaves", theme.dim()), inner, 0, buffer);
    }
    let cell = |row: usize, column: usize, _width: u16| {
        let Some(finding) = findings.get(row) else { return Line::default() };
        match column {
            0 => Line::styled(finding.kind.replace('_', " "), theme.accent()),
            1 => Line::raw(format::count(finding.count)),
            2 => Line::styled(text::clean(&finding.host).into_owned(), theme.dim()),
            3 => Line::raw(text::clean(&finding.endpoint).into_owned()),
            _ => Line::styled(text::clean(&finding.evidence).into_owned(), theme.dim()),
        }
    };
    if !findings.is_empty() {
        Table { columns: COLUMNS, rows: findings.len(), selected: Some(app.row()), cell: &cell }
            .draw(app, inner, buffer);
    }
    let inner = Panel::new(Line::styled("what to do", theme.title())).draw(app, lower, buffer);
    if let Some(finding) = findings.get(app.row()) {
        let width = usize::from(inner.width);
        let evidence = text::wrap(&finding.evidence, width, 3);
        let advice = text::wrap(&finding.advice, width, usize::from(inner.height).saturating_sub(evidence.len()));
        let lines =
            evidence.into_iter().map(|line| Line::styled(line, theme.dim())).chain(advice.into_iter().map(Line::raw));
        for (row, line) in (0..).zip(lines) {
            put(line, inner, row, buffer);
        }
    }
}
