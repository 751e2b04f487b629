//! The selected quota's utilization over time, the levels that matter, and where it goes.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::chart::{self, Chart, Guide, Point};
use super::super::format;
use super::super::theme::Level;
use super::names;
use super::panel::put;
use crate::model::{QuotaState, Timestamp};

/// ```text
/// POST /v1/payments ── utilization · 15 min
/// ```
pub(super) fn title(app: &App) -> Line<'static> {
    let theme = app.theme();
    let name = app.selected_quota().map(names::quota).unwrap_or_default();
    Line::from(vec![
        Span::styled("utilization ", theme.title()),
        Span::styled(format!("{} ", app.time_range().label()), theme.dim()),
        Span::raw(name),
    ])
}

/// ```text
/// peak 94% of 1,000 · pace 312 ms between requests
/// ```
pub(super) fn below(app: &App) -> Line<'static> {
    let Some(quota) = app.selected_quota() else { return Line::default() };
    let mut parts = Vec::new();
    if let Some(peak) = quota.peak_utilization {
        let of = quota.limit.map_or_else(String::new, |limit| format!(" of {}", format::amount(limit)));
        parts.push(format!("peak {}{of}", format::percent(peak)));
    }
    if let Some(pace) = pace(quota) {
        parts.push(format!("pace {pace} between requests"));
    }
    Line::styled(parts.join(" · "), app.theme().dim())
}

/// The delay between requests that makes what remains last.
pub(super) fn pace(quota: &QuotaState) -> Option<String> {
    let pace = quota.pace.filter(|pace| *pace >= 0.0 && !quota.stale)?;
    Some(format::span(Duration::try_from_secs_f64(pace).ok()?))
}

/// ```text
/// 100% ⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁ limit
///  80% ⠁⠁⠁⠁⠁⠁⠁⠁⣀⠤⠒⠉┊ ⠄ ⠂ forecast
///   0% ⣀⡠⠤⠔⠒⠊⠉     ┊
///      -15m       now   +4m
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let Some(quota) = app.selected_quota() else {
        put(Line::styled("no quota is selected", theme.dim()), area, 0, buffer);
        return;
    };
    if !quota.trend.points.iter().any(|point| point.utilization.is_some()) {
        let why = "its utilization is not known: the limit or what remains was never said";
        put(Line::styled(why, theme.dim()), area, 0, buffer);
        return;
    }
    let past = app.time_range().duration().as_secs_f64();
    let future = past / 5.0;
    let seen = chart::lines(&quota.trend, |at| quota.trend.points.get(at)?.utilization);
    let highest = quota.trend.points.iter().filter_map(|point| point.utilization).fold(1.0_f64, f64::max);
    let guides = vec![
        Guide { at: 1.0, label: "100%".into(), name: "limit", level: Level::Critical },
        Guide { at: 0.8, label: "80%".into(), name: "warning", level: Level::Warning },
        Guide { at: 0.9, label: "90%".into(), name: "high", level: Level::High },
        Guide { at: 0.0, label: "0%".into(), name: "", level: Level::Unknown },
    ];
    let chart = Chart {
        from: -past,
        to: future,
        // An overrun beyond ten times the limit is drawn at the edge; the numbers say how far it went.
        top: highest.min(10.0) * 1.05,
        guides,
        seen,
        forecast: app.snapshot().at.map_or_else(Vec::new, |now| forecast(quota, now, future)),
        level: |ratio| Level::of_utilization(Some(ratio)),
    };
    chart.draw(theme, area, buffer);
}

/// From now at the current pace, until it is empty or reset, whichever comes first.
fn forecast(quota: &QuotaState, now: Timestamp, future: f64) -> Vec<Point> {
    let (Some(utilization), Some(limit), Some(rate)) = (quota.utilization, quota.limit, quota.consumption_rate) else {
        return Vec::new();
    };
    if quota.stale || limit.value() <= 0.0 || !rate.is_finite() || rate <= 0.0 || utilization >= 1.0 {
        return Vec::new();
    }
    let slope = rate / limit.value();
    let full = (1.0 - utilization) / slope;
    let reset = quota.reset_at.map_or(f64::INFINITY, |at| at.since(now).as_secs_f64());
    let end = full.min(reset).min(future);
    let mut points = vec![(0.0, utilization), (end, utilization + slope * end)];
    if full < reset && full < future {
        points.push((reset.min(future), 1.0));
    }
    points
}
