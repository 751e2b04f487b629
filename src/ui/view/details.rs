//! All that is known of one quota.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format::{self, UNKNOWN};
use super::super::text;
use super::super::theme::{Level, Theme, is_blocked};
use super::alerts;
use super::bars;
use super::names;
use super::panel::{Panel, put};
use super::utilization;
use crate::model::{Alert, QuotaSource, QuotaState, Snapshot, Timestamp, WindowKind};

/// ```text
/// ╭ fluid-network · POST /v1/payments ╮╭ utilization ────────────╮
/// │ used      ███████████████▎  91%   ││                         │
/// │ left      90 of 1,000 requests    │╰─────────────────────────╯
/// │ …                                 │╭ who burns it ───────────╮
/// ╰───────────────────────────────────╯│ POST /v1/pay… ████  60% │
/// ╭ minute by minute ─────────────────╮╰─────────────────────────╯
/// │ 12:03:41   94%   600   18         │╭ error codes ────────────╮
/// ╰───────────────────────────────────╯╰─────────────────────────╯
/// ╭ alerts of this quota ────────────────────────────────────────╮  where there is room
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(quota) = app.selected_quota() else {
        let inner = Panel::new(Line::styled("details", app.theme().title())).draw(app, area, buffer);
        put(Line::styled("no quota is selected", app.theme().dim()), inner, 0, buffer);
        return;
    };
    let alerts = alerts_of(quota, app.snapshot());
    let alert_rows = if area.height >= 30 { u16::try_from(alerts.len()).unwrap_or(6).clamp(1, 6) + 3 } else { 0 };
    let [upper, lower] = Layout::vertical([Constraint::Min(0), Constraint::Length(alert_rows)]).areas(area);
    let left_width = (area.width / 2).clamp(30, 60);
    let [left, right] = Layout::horizontal([Constraint::Length(left_width), Constraint::Min(0)]).areas(upper);
    // The minutes go below the facts where there is room, else beside the codes, else where no code came.
    let below_facts = left.height >= 30;
    let [facts, below] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(if below_facts { left.height - 21 } else { 0 })])
            .areas(left);
    draw_facts(app, quota, facts, buffer);
    let chart = (upper.height * 2 / 5).max(8);
    let [chart, endpoints, rest] =
        Layout::vertical([Constraint::Length(chart), Constraint::Fill(1), Constraint::Fill(1)]).areas(right);
    let title = Line::from(vec![
        Span::styled("utilization ", app.theme().title()),
        Span::styled(format::span(app.time_range().fitted(&quota.trend)), app.theme().dim()),
    ]);
    let inner = Panel::new(title).below(utilization::below(app)).draw(app, chart, buffer);
    utilization::draw(app, inner, buffer);
    draw_endpoints(app, quota, endpoints, buffer);
    if below_facts {
        draw_codes(app, quota, rest, buffer);
        draw_minutes(app, quota, below, buffer);
    } else if rest.width >= 64 {
        let [codes, minutes] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(38)]).areas(rest);
        draw_codes(app, quota, codes, buffer);
        draw_minutes(app, quota, minutes, buffer);
    } else if quota.error_codes.is_empty() {
        draw_minutes(app, quota, rest, buffer);
    } else {
        draw_codes(app, quota, rest, buffer);
    }
    if alert_rows > 0 {
        let title = Line::styled("alerts of this quota", app.theme().title());
        let inner = Panel::new(title).draw(app, lower, buffer);
        alerts::table(app, &alerts, None, inner, buffer);
    }
}

fn draw_facts(app: &App, quota: &QuotaState, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let title = Line::from(vec![
        Span::styled(names::owner(quota), theme.title()),
        Span::styled(" · ", theme.dim()),
        Span::raw(names::quota(quota)),
    ]);
    let inner = Panel::new(title).draw(app, area, buffer);
    let facts = facts(app, quota, inner.width.saturating_sub(12));
    for (row, (name, value)) in (0..).zip(facts) {
        let mut spans = vec![Span::styled(format!("{name:<12}"), theme.dim())];
        spans.extend(value.spans.into_iter().map(|span| span.patch_style(value.style)));
        put(Line::from(spans), inner, row, buffer);
    }
}

/// The facts in the order of their weight, so that a low screen loses the least.
fn facts(app: &App, quota: &QuotaState, width: u16) -> Vec<(&'static str, Line<'static>)> {
    let theme = app.theme();
    let now = app.snapshot().at.unwrap_or(quota.seen_at);
    let mark = names::estimate(quota);
    let plain = |text: String| Line::raw(text);
    let mut facts = vec![("used", used(app, quota, width))];
    if quota.stale {
        let words = format!("{} history: its reset has passed", Level::Unknown.mark());
        facts.push(("state", Line::styled(words, theme.level(Level::Warning))));
    } else if let Some(until) = quota.blocked_until.filter(|_| is_blocked(quota, Some(now))) {
        let words = format!("{} refused for {} more", Level::High.mark(), format::countdown(until.since(now)));
        facts.push(("state", Line::styled(words, theme.level(Level::High))));
    }
    facts.push(("left", plain(left(quota, mark))));
    facts.push(("peak", plain(quota.peak_utilization.map_or_else(unknown, format::percent))));
    facts.push(("window", plain(window(quota))));
    facts.push(("reset", plain(reset(quota, now))));
    facts.push(("runs out", runs_out(quota, now, theme)));
    facts.push((
        "pace",
        plain(utilization::pace(quota).map_or_else(unknown, |pace| format!("{pace} between requests"))),
    ));
    let consumption = quota.consumption_rate.filter(|_| !quota.stale);
    let unit = text::clean(&quota.dimension.0).into_owned();
    facts.push(("burning", plain(consumption.map_or_else(unknown, |rate| format!("{} {unit}/s", format::rate(rate))))));
    facts.push(("throttled", throttled(quota, theme)));
    let wait = quota.retry_after.map_or_else(unknown, |wait| format!("{} was asked for last", format::span(wait)));
    facts.push(("retry-after", plain(wait)));
    facts.push(("requests", plain(format!("{} since the start", format::count(quota.requests)))));
    facts.push(("scope", plain(names::scope(quota.scope.as_ref()))));
    facts.push(("source", plain(source(quota))));
    facts.push((
        "last seen",
        plain(format!("{}, at {}", format::ago(now.since(quota.seen_at)), format::moment(quota.seen_at, now))),
    ));
    facts.push(("host", plain(text::clean(&quota.host).into_owned())));
    facts.push((
        "policy",
        plain(quota.policy.as_deref().map_or_else(unknown, |policy| text::clean(policy).into_owned())),
    ));
    facts.push(("counts", plain(unit)));
    facts
}

fn used(app: &App, quota: &QuotaState, width: u16) -> Line<'static> {
    let theme = app.theme();
    let level = if quota.stale { Level::Unknown } else { Level::of_utilization(quota.utilization) };
    let percent = quota.utilization.map_or_else(unknown, format::percent);
    let mut spans = bars::gauge(quota.utilization, level, width.saturating_sub(8).min(30), theme);
    spans.push(Span::styled(format!(" {}{percent} {}", names::estimate(quota), level.mark()), theme.level(level)));
    Line::from(spans)
}

fn left(quota: &QuotaState, mark: &str) -> String {
    let unit = text::clean(&quota.dimension.0);
    match (quota.remaining, quota.limit) {
        (Some(left), Some(limit)) => {
            format!("{mark}{} of {mark}{} {unit}", format::amount(left), format::amount(limit))
        }
        (Some(left), None) => format!("{mark}{} {unit}, the limit is not known", format::amount(left)),
        (None, Some(limit)) => format!("{UNKNOWN} of {mark}{} {unit}", format::amount(limit)),
        (None, None) => unknown(),
    }
}

fn window(quota: &QuotaState) -> String {
    let kind = match quota.window_kind {
        Some(WindowKind::Fixed) => "fixed",
        Some(WindowKind::Sliding) => "sliding",
        Some(WindowKind::TokenBucket) => "token bucket",
        None => "",
    };
    match (quota.window, kind) {
        (Some(window), "") => format!("per {}", format::per(window)),
        (Some(window), kind) => format!("per {}, {kind}", format::per(window)),
        (None, "") => unknown(),
        (None, kind) => kind.to_owned(),
    }
}

fn reset(quota: &QuotaState, now: Timestamp) -> String {
    match quota.reset_at {
        Some(at) if at > now => format!("in {}, at {}", format::countdown(at.since(now)), format::moment(at, now)),
        Some(at) => format!("{} ago, at {}", format::span(now.since(at)), format::moment(at, now)),
        None if quota.window_kind == Some(WindowKind::Sliding) => {
            "sliding: each request leaves after the window".to_owned()
        }
        None => unknown(),
    }
}

fn runs_out(quota: &QuotaState, now: Timestamp, theme: Theme) -> Line<'static> {
    match quota.exhausts_at {
        _ if quota.stale => Line::raw(UNKNOWN),
        _ if quota.remaining.is_some_and(|left| left.value() <= 0.0) => {
            Line::styled(format!("{} it is empty", Level::High.mark()), theme.level(Level::High))
        }
        Some(at) => {
            let words = format!(
                "{} in {}, at {}",
                Level::Warning.mark(),
                format::countdown(at.since(now)),
                format::moment(at, now)
            );
            Line::styled(words, theme.level(Level::Warning))
        }
        None if quota.consumption_rate.is_some() && quota.reset_at.is_some() => Line::raw("not before its reset"),
        None => Line::raw(UNKNOWN),
    }
}

fn throttled(quota: &QuotaState, theme: Theme) -> Line<'static> {
    let recent = format::ratio_of(quota.recent_throttled, quota.recent_requests);
    let level = Level::of_throttled(recent);
    let style = if quota.recent_throttled > 0 { theme.level(level) } else { Style::default() };
    let since = format!(", {} of {} in all", format::count(quota.throttled), format::count(quota.requests));
    Line::from(vec![
        Span::styled(format!("{} in 5 min", recent.map_or_else(unknown, format::share)), style),
        Span::styled(since, theme.dim()),
    ])
}

fn source(quota: &QuotaState) -> String {
    let words = match quota.source {
        QuotaSource::Header => "header: a response said it",
        QuotaSource::Body => "body: an error body said it",
        QuotaSource::Declared => "declared: a profile says the limit, the agent counts",
        QuotaSource::Learned => "learned: an estimate (~) from traffic",
    };
    match quota.confidence {
        Some(confidence) => format!("{words}, {} sure", format::percent(confidence)),
        None => words.to_owned(),
    }
}

fn draw_endpoints(app: &App, quota: &QuotaState, area: Rect, buffer: &mut Buffer) {
    let title = Line::styled("who burns it", app.theme().title());
    let inner = Panel::new(title).draw(app, area, buffer);
    let all = quota.endpoints.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
    let rows = quota.endpoints.iter().map(|(endpoint, count)| (&**endpoint, *count));
    shares(app, rows, all, inner, buffer);
}

fn draw_codes(app: &App, quota: &QuotaState, area: Rect, buffer: &mut Buffer) {
    let title = Line::styled("error codes", app.theme().title());
    let inner = Panel::new(title).draw(app, area, buffer);
    if quota.error_codes.is_empty() {
        put(Line::styled("none", app.theme().dim()), inner, 0, buffer);
        return;
    }
    let all = quota.error_codes.values().fold(0u64, |sum, count| sum.saturating_add(*count));
    let mut codes: Vec<(&str, u64)> = quota.error_codes.iter().map(|(code, count)| (&**code, *count)).collect();
    codes.sort_by(|(_, a), (_, b)| b.cmp(a));
    shares(app, codes.into_iter(), all, inner, buffer);
}

/// ```text
/// POST /v1/payments  ███████████   1,105  60.0%
/// ```
fn shares<'a>(app: &App, rows: impl Iterator<Item = (&'a str, u64)>, all: u64, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let rows: Vec<(&str, u64)> = rows.take(usize::from(area.height)).collect();
    let name_width = rows.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0);
    let name_width = name_width.min(usize::from(area.width).saturating_sub(18) * 2 / 3 + 2);
    let count_width = rows.iter().map(|(_, count)| format::count(*count).len()).max().unwrap_or(0);
    let bar_width = usize::from(area.width).saturating_sub(name_width + count_width + 9);
    for (row, (name, count)) in (0..).zip(rows) {
        let name = text::fit(name, name_width);
        let slack = name_width.saturating_sub(text::width(&name));
        let (bar, _) = bars::bar(format::ratio_of(count, all).unwrap_or(0.0), u16::try_from(bar_width).unwrap_or(0));
        let bar_slack = bar_width.saturating_sub(text::width(&bar));
        let line = Line::from(vec![
            Span::raw(format!("{name}{} ", " ".repeat(slack))),
            Span::styled(bar, theme.bar()),
            Span::raw(format!("{} {:>count_width$}", " ".repeat(bar_slack), format::count(count))),
            Span::styled(format!(" {:>6}", format::share_of(count, all)), theme.dim()),
        ]);
        put(line, area, row, buffer);
    }
}

/// ```text
/// ╭ minute by minute ───────────────────╮
/// │ UNTIL      PEAK  REQUESTS  429       │
/// ```
fn draw_minutes(app: &App, quota: &QuotaState, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let title = Line::styled("minute by minute", theme.title());
    let inner = Panel::new(title).draw(app, area, buffer);
    let head = format!("{:<8} {:>6} {:>9} {:>7}", "UNTIL", "PEAK", "REQUESTS", "429");
    put(Line::styled(head, theme.dim()), inner, 0, buffer);
    let Some(now) = app.snapshot().at else { return };
    for (row, minute) in (1..inner.height).zip(minutes(quota, now)) {
        let level = Level::of_utilization(minute.peak);
        let style = if level > Level::Calm { theme.level(level) } else { Style::default() };
        let throttled = if minute.throttled > 0 { theme.level(Level::Warning) } else { theme.dim() };
        let line = Line::from(vec![
            Span::styled(format!("{:<8} ", format::clock(minute.until)), theme.dim()),
            Span::styled(format!("{:>6}", minute.peak.map_or_else(unknown, format::percent)), style),
            Span::raw(format!(" {:>9}", format::count(minute.requests))),
            Span::styled(format!(" {:>7}", format::count(minute.throttled)), throttled),
        ]);
        put(line, inner, row, buffer);
    }
}

struct Minute {
    until: Timestamp,
    peak: Option<f64>,
    requests: u64,
    throttled: u64,
}

/// The trend in minutes (or in its own steps where they are longer), the newest first.
fn minutes(quota: &QuotaState, now: Timestamp) -> Vec<Minute> {
    let step = quota.trend.step.max(Duration::from_millis(1));
    let per_minute = usize::try_from(60_000 / step.as_millis().clamp(1, 60_000)).unwrap_or(1).max(1);
    let newest_first: Vec<_> = quota.trend.points.iter().rev().collect();
    let length = step.saturating_mul(u32::try_from(per_minute).unwrap_or(1));
    newest_first
        .chunks(per_minute)
        .zip(0u32..)
        .map(|(points, back)| Minute {
            until: now.before(length.saturating_mul(back)),
            peak: points.iter().filter_map(|point| point.utilization).reduce(f64::max),
            requests: points.iter().map(|point| u64::from(point.requests)).sum(),
            throttled: points.iter().map(|point| u64::from(point.throttled)).sum(),
        })
        .collect()
}

fn alerts_of<'a>(quota: &QuotaState, snapshot: &'a Snapshot) -> Vec<&'a Alert> {
    snapshot.alerts.iter().filter(|alert| alert.quota.as_ref() == Some(&quota.key)).collect()
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}
