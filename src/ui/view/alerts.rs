//! The alerts: firing ones first.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format;
use super::super::text;
use super::super::theme::Level;
use super::names;
use super::panel::{Panel, filtered, put};
use super::table::{self, Column, Side, Table};
use crate::model::{Alert, AlertState, Rule, Timestamp};

const ABOUT: usize = 3;

const COLUMNS: &[Column] = &[
    Column::new("SINCE", Side::Left, (8, 19), 0),
    Column::new("SEVERITY", Side::Left, (10, 10), 0),
    Column::new("RULE", Side::Left, (16, 16), 2).from(130),
    Column::new("ABOUT", Side::Left, (34, 60), 1).stretching(),
    Column::new("WHAT", Side::Left, (34, 120), 0),
    Column::new("STATE", Side::Left, (8, 16), 0),
];

/// ```text
/// alerts · 3 firing
/// ```
pub(super) fn title(app: &App) -> Line<'static> {
    let theme = app.theme();
    let firing = app.snapshot().alerts.iter().filter(|alert| alert.state == AlertState::Firing).count();
    let words = if firing == 0 { "none firing".to_owned() } else { format!("{firing} firing") };
    Line::from(vec![Span::styled("alerts ", theme.title()), Span::raw(words)])
}

/// ```text
/// 12:03:19 ◆ critical  fluid-network partner k:5f2c9a  6.2 % throttled   for 22 s
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let alerts: Vec<&Alert> = app.snapshot().alerts.iter().collect();
    table(app, &alerts, None, area, buffer);
}

/// The same as a list of its own.
pub(super) fn draw_screen(app: &App, area: Rect, buffer: &mut Buffer) {
    let alerts: Vec<&Alert> = app.snapshot().alerts.iter().filter(|alert| app.filter().passes_alert(alert)).collect();
    let [upper, lower] = ratatui::layout::Layout::vertical([
        ratatui::layout::Constraint::Min(0),
        ratatui::layout::Constraint::Length(6),
    ])
    .areas(area);
    let inner = Panel::new(title(app)).right(filtered(app)).draw(app, upper, buffer);
    table(app, &alerts, Some(app.row()), inner, buffer);
    let inner = Panel::new(Line::styled("selected", app.theme().title())).draw(app, lower, buffer);
    if let Some(alert) = alerts.get(app.row()) {
        let (about, what) = sentence(alert);
        put(Line::styled(about, app.theme().title()), inner, 0, buffer);
        for (row, line) in (1..).zip(text::wrap(&what, usize::from(inner.width), 2)) {
            put(Line::raw(line), inner, row, buffer);
        }
        let facts = facts(alert);
        put(Line::styled(facts, app.theme().dim()), inner, 3, buffer);
    }
}

/// Rows of alerts, wherever they are shown.
pub(super) fn table(app: &App, alerts: &[&Alert], selected: Option<usize>, area: Rect, buffer: &mut Buffer) {
    let (theme, now) = (app.theme(), app.snapshot().at);
    if alerts.is_empty() {
        put(Line::styled("nothing fires, nothing has fired", theme.dim()), area, 0, buffer);
        return;
    }
    let about_fits = table::shows(COLUMNS, ABOUT, area.width);
    let cell = |row: usize, column: usize, _width: u16| {
        let Some(alert) = alerts.get(row) else { return Line::default() };
        let firing = alert.state == AlertState::Firing;
        let level = Level::from(alert.severity);
        // Resolved and muted alerts step back.
        let plain = if firing && !alert.muted { Style::default() } else { theme.dim() };
        match column {
            0 => Line::styled(
                now.map_or_else(|| format::clock(alert.started_at), |now| format::moment(alert.started_at, now)),
                plain,
            ),
            1 => {
                let (mark, style) = if firing { (level.mark(), theme.level(level)) } else { ("✓", theme.dim()) };
                Line::styled(format!("{mark} {}", alert.severity.as_str()), style)
            }
            2 => Line::styled(alert.rule.as_str(), theme.dim()),
            3 => Line::styled(sentence(alert).0, plain),
            4 => Line::styled(if about_fits { sentence(alert).1 } else { short(alert) }, plain),
            _ => Line::from(Span::styled(state(alert, now), theme.dim())),
        }
    };
    Table { columns: COLUMNS, rows: alerts.len(), selected, cell: &cell }.draw(app, area, buffer);
}

/// What the sentence is about, and what it says of it: a summary has the form `subject: statement`.
///
/// A sentence of another form is a statement as a whole; its subject is put together from the alert's parts.
fn sentence(alert: &Alert) -> (String, String) {
    let summary = text::clean(&alert.summary);
    let subject = &alert.subject;
    let owner = subject.provider.as_ref().or(subject.host.as_ref()).or(subject.interface.as_ref());
    let starts_with_owner = owner.is_some_and(|owner| summary.starts_with(&*text::clean(owner)));
    match summary.split_once(": ") {
        Some((about, what)) if starts_with_owner => (about.to_owned(), what.to_owned()),
        _ => (names::subject(alert), summary.into_owned()),
    }
}

/// The statement with no more than its owner before it, for where the subject has no room.
fn short(alert: &Alert) -> String {
    let subject = &alert.subject;
    let owner = subject.provider.as_ref().or(subject.host.as_ref()).or(subject.interface.as_ref());
    let (_, what) = sentence(alert);
    owner.map_or_else(|| what.clone(), |owner| format!("{}: {what}", text::clean(owner)))
}

/// `throttled_ratio: 7.1% against 5.0%, changed once`.
fn facts(alert: &Alert) -> String {
    let number = |value: f64| match alert.rule {
        Rule::Utilization | Rule::UtilizationHigh | Rule::ThrottledRatio => format::share(value),
        Rule::Exhaustion => {
            Duration::try_from_secs_f64(value).map_or_else(|_| format::UNKNOWN.to_owned(), format::span)
        }
        Rule::ErrorCode => format!("{} a minute", format::rate(value)),
        Rule::LimitHit | Rule::CaptureStalled | Rule::QuotaChanged => format::rate(value),
    };
    let changes = match alert.sequence {
        0 => "not changed since it fired".to_owned(),
        1 => "changed once since".to_owned(),
        times => format!("changed {times} times since"),
    };
    format!("{}: {} against {}, {changes}", alert.rule.as_str(), number(alert.value), number(alert.threshold))
}

fn state(alert: &Alert, now: Option<Timestamp>) -> String {
    match (now, alert.ended_at) {
        (Some(now), Some(ended)) if alert.state == AlertState::Resolved => {
            format!("over {}", format::ago(now.since(ended)))
        }
        _ if alert.state == AlertState::Resolved => "over".to_owned(),
        _ if alert.flapping => "flapping".to_owned(),
        _ if alert.muted => "muted".to_owned(),
        (Some(now), _) => format!("for {}", format::age(now.since(alert.started_at))),
        (None, _) => "firing".to_owned(),
    }
}
