//! The share of throttled exchanges over time, all quotas together.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::chart::{self, Chart, Guide};
use super::super::format;
use super::super::theme::Level;
use super::panel::put;
use crate::model::{Trend, TrendPoint};

/// A share of less than this many seconds would jump with each single exchange.
const SMOOTH_SECONDS: f64 = 60.0;

/// ```text
/// throttled rate · 15 min
/// ```
pub(super) fn title(app: &App) -> Line<'static> {
    let theme = app.theme();
    Line::from(vec![
        Span::styled("throttled rate ", theme.title()),
        Span::styled(app.time_range().label(), theme.dim()),
    ])
}

/// ```text
/// 12 of 1,842 throttled in 5 min: 0.6%
/// ```
pub(super) fn below(app: &App) -> Line<'static> {
    let trend = &app.snapshot().trend;
    let (throttled, requests) = recent(trend);
    if requests == 0 {
        return Line::default();
    }
    let text = format!(
        "{} in 5 min: {} of {}",
        format::share_of(throttled, requests),
        format::count(throttled),
        format::count(requests)
    );
    Line::styled(text, app.theme().dim())
}

/// ```text
/// 10% ⣀⡠⠤⠔
///  5% ⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁ critical
///  0% ⣀⡠⠤⠔⠒⠊⠉
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    draw_trend(app, &app.snapshot().trend, area, buffer);
}

/// The same of any trend.
pub(super) fn draw_trend(app: &App, trend: &Trend, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    if trend.points.iter().all(|point| point.requests == 0) {
        put(Line::styled("no exchange in the last hour", theme.dim()), area, 0, buffer);
        return;
    }
    let step = trend.step.as_secs_f64();
    let seen = chart::lines(trend, |at| smoothed(&trend.points, at, step));
    let past = app.time_range().duration().as_secs_f64();
    let shown = seen.iter().flatten().filter(|(seconds, _)| *seconds >= -past);
    let highest = shown.map(|(_, ratio)| *ratio).fold(0.0_f64, f64::max);
    // Round edges, so that the scale does not move with each snapshot.
    let top = [0.1, 0.2, 0.5, 1.0].into_iter().find(|edge| highest <= *edge).unwrap_or(1.0);
    let guides = vec![
        Guide { at: 0.05, label: "5%".into(), name: "", level: Level::Critical },
        Guide { at: top, label: format::percent(top), name: "", level: Level::Unknown },
        Guide { at: 0.0, label: "0%".into(), name: "", level: Level::Unknown },
    ];
    let level = |ratio| Level::of_throttled(Some(ratio));
    Chart { from: -past, to: 0.0, top, guides, seen, forecast: Vec::new(), level }.draw(theme, area, buffer);
}

/// Throttled exchanges and all exchanges of the last five minutes.
fn recent(trend: &Trend) -> (u64, u64) {
    let step = trend.step.as_secs_f64();
    let mut sums = (0u64, 0u64);
    let mut seconds = 0.0;
    for point in trend.points.iter().rev() {
        if step <= 0.0 || seconds >= 300.0 {
            break;
        }
        seconds += step;
        sums = (sums.0.saturating_add(point.throttled.into()), sums.1.saturating_add(point.requests.into()));
    }
    sums
}

/// The share over the last minute up to a point; nothing where no exchange was.
fn smoothed(points: &[TrendPoint], at: usize, step: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a saturating cast of a number from 1 up"
    )]
    let back = (SMOOTH_SECONDS / step.max(0.001)).max(1.0) as usize;
    let window = points.get((at + 1).saturating_sub(back)..=at)?;
    let sum = |of: fn(&TrendPoint) -> u32| window.iter().map(|point| u64::from(of(point))).sum();
    format::ratio_of(sum(|point| point.throttled), sum(|point| point.requests))
}
