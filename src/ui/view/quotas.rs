//! The table of quotas: what runs out first, when, and how much of it is refused.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format::{self, UNKNOWN};
use super::super::text;
use super::super::theme::{Level, is_blocked};
use super::bars;
use super::names;
use super::panel::{Panel, put};
use super::table::{Column, Side, Table};
use crate::model::{Amount, QuotaState, Timestamp, WindowKind};

const MARK: usize = 0;
const PROVIDER: usize = 1;
const QUOTA: usize = 2;
const SCOPE: usize = 3;
const USED: usize = 4;
const LEFT: usize = 5;
const RESET: usize = 6;
const RUNS_OUT: usize = 7;
const THROTTLED: usize = 8;
const TREND: usize = 9;
const SEEN: usize = 10;

const COLUMNS: &[Column] = &[
    Column::new("", Side::Left, (1, 1), 0),
    Column::new("PROVIDER", Side::Left, (8, 22), 0),
    Column::new("QUOTA", Side::Left, (14, 60), 0),
    Column::new("SCOPE", Side::Left, (18, 28), 4),
    Column::new("USED", Side::Left, (12, 36), 0).stretching(),
    Column::new("LEFT", Side::Right, (7, 19), 2),
    Column::new("RESET", Side::Right, (7, 7), 1),
    Column::new("RUNS OUT", Side::Right, (9, 10), 0),
    Column::new("429", Side::Right, (5, 5), 3),
    Column::new("5 MIN", Side::Left, (10, 10), 5),
    Column::new("SEEN", Side::Right, (5, 5), 6).from(140),
];

/// ```text
///   PROVIDER      QUOTA               SCOPE            USED              LEFT  RESET  RUNS OUT   429  5 MIN
/// ▲ fluid-network POST /v1/payments   partner k:5f2c9a ████████▎·  91%     90   0:41    0:22 !  3.1%  ▁▂▅▇█
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let (shown, all) = (app.quotas().len(), app.snapshot().quotas.len());
    let mut title = vec![Span::styled("quotas ", theme.title())];
    if app.filter_text().is_empty() {
        title.push(Span::raw(format::count(u64::try_from(all).unwrap_or(u64::MAX))));
    } else {
        title.push(Span::raw(format!("{shown} of {all}")));
        title.push(Span::styled("  filter: ", theme.dim()));
        title.push(Span::styled(text::fit(app.filter_text(), 24), theme.accent()));
    }
    let sort = Line::from(vec![Span::styled("sort: ", theme.dim()), Span::raw(app.sort().label())]);
    let inner = Panel::new(Line::from(title)).right(sort).draw(app, area, buffer);
    let quotas: Vec<&QuotaState> = app.quotas().collect();
    if quotas.is_empty() {
        let why = if all == 0 {
            "No response has announced a quota yet, and no profile declares one for the hosts seen."
        } else {
            "No quota contains the filter's words. Esc drops the filter."
        };
        put(Line::styled(why, theme.dim()), inner, 0, buffer);
        return;
    }
    Table {
        columns: COLUMNS,
        rows: quotas.len(),
        selected: Some(app.row()),
        cell: &|row, column, width| {
            quotas.get(row).map_or_else(Line::default, |quota| cell(app, quota, (row, column), width))
        },
    }
    .draw(app, inner, buffer);
}

fn cell(app: &App, quota: &QuotaState, (row, column): (usize, usize), width: u16) -> Line<'static> {
    let (theme, now) = (app.theme(), app.snapshot().at);
    // History is shown, but quietly.
    let plain = if quota.stale { theme.dim() } else { Style::default() };
    match column {
        MARK => {
            let level = Level::of_quota(quota, app.snapshot());
            Line::styled(level.mark(), theme.level(level))
        }
        PROVIDER => Line::styled(names::owner(quota), plain),
        QUOTA => named(app, row, quota, usize::from(width), plain),
        SCOPE => Line::styled(names::scope(quota.scope.as_ref()), theme.dim()),
        USED => used(app, quota, width, plain),
        LEFT => left(quota, width, plain, theme.dim()),
        RESET => reset(quota, now, plain, theme.dim()),
        RUNS_OUT => runs_out(app, quota),
        THROTTLED => {
            let ratio = format::ratio_of(quota.recent_throttled, quota.recent_requests);
            let style = if ratio.is_none_or(|ratio| ratio <= 0.0) {
                theme.dim()
            } else {
                theme.level(Level::of_throttled(ratio))
            };
            Line::styled(format::share_of(quota.recent_throttled, quota.recent_requests), style)
        }
        TREND => Line::from(bars::sparkline(&quota.trend, now, width, theme)),
        SEEN => {
            let age = now.map_or_else(|| UNKNOWN.to_owned(), |now| format::age(now.since(quota.seen_at)));
            Line::styled(age, theme.dim())
        }
        _ => Line::default(),
    }
}

/// The name, and as much of what tells it from others as fits; the name gives way first, it repeats most.
fn named(app: &App, row: usize, quota: &QuotaState, width: usize, plain: Style) -> Line<'static> {
    let name = names::quota(quota);
    let mut qualifiers = names::qualifiers(quota, true);
    if text::width(&name) + text::width(&qualifiers) > width && !app.has_twin(row) {
        qualifiers = names::qualifiers(quota, false);
    }
    let room = width.saturating_sub(text::width(&qualifiers)).max(width.min(7));
    let name = text::fit(&name, room);
    Line::from(vec![Span::styled(name, plain), Span::styled(qualifiers, app.theme().dim())])
}

fn used(app: &App, quota: &QuotaState, width: u16, plain: Style) -> Line<'static> {
    let theme = app.theme();
    let level = if quota.stale { Level::Unknown } else { Level::of_utilization(quota.utilization) };
    let percent = quota.utilization.map_or_else(|| UNKNOWN.to_owned(), format::percent);
    let percent = format!("{}{percent}", names::estimate(quota));
    let style = if level > Level::Calm { theme.level(level) } else { plain };
    let mut spans = bars::gauge(quota.utilization, level, width.saturating_sub(6), theme);
    spans.push(Span::styled(format!("{percent:>6}"), style));
    Line::from(spans)
}

/// `90 / 1,000`, else `1.8k / 5k`, else `1,842`, as there is room.
fn left(quota: &QuotaState, width: u16, plain: Style, dim: Style) -> Line<'static> {
    let mark = names::estimate(quota);
    let shown = |amount: Option<Amount>, format: fn(Amount) -> String| {
        amount.map_or_else(|| UNKNOWN.to_owned(), |amount| format!("{mark}{}", format(amount)))
    };
    let limit =
        |format: fn(Amount) -> String| quota.limit.map_or_else(String::new, |l| format!(" / {mark}{}", format(l)));
    let whole: fn(Amount) -> String = format::amount;
    let short: fn(Amount) -> String = format::short_amount;
    let candidates = [
        (shown(quota.remaining, whole), limit(whole)),
        (shown(quota.remaining, whole), limit(short)),
        (shown(quota.remaining, short), limit(short)),
        (shown(quota.remaining, whole), String::new()),
        (shown(quota.remaining, short), String::new()),
    ];
    let fits = |(left, limit): &(String, String)| text::width(left) + text::width(limit) <= usize::from(width);
    let (left, limit) = candidates.into_iter().find(fits).unwrap_or_default();
    Line::from(vec![Span::styled(left, plain), Span::styled(limit, dim)])
}

/// When it is whole again; of history, how old it is.
fn reset(quota: &QuotaState, now: Option<Timestamp>, plain: Style, dim: Style) -> Line<'static> {
    let Some(now) = now else { return Line::styled(UNKNOWN, dim) };
    if quota.stale {
        return Line::styled(format!("{} old", format::age(now.since(quota.seen_at))), dim);
    }
    match (quota.reset_at, quota.window_kind) {
        (Some(at), _) => Line::styled(format::countdown(at.since(now)), plain),
        (None, Some(WindowKind::Sliding)) => Line::styled("sliding", dim),
        (None, Some(WindowKind::TokenBucket)) => Line::styled("refills", dim),
        (None, _) => Line::styled(UNKNOWN, dim),
    }
}

/// `wait 0:45` while the provider refuses, `empty`, or when it will be empty.
fn runs_out(app: &App, quota: &QuotaState) -> Line<'static> {
    let (theme, now) = (app.theme(), app.snapshot().at);
    let alarm = theme.level(Level::High);
    match (now, quota.blocked_until, quota.exhausts_at) {
        (Some(now), Some(until), _) if is_blocked(quota, Some(now)) => {
            Line::styled(format!("wait {}", format::countdown(until.since(now))), alarm)
        }
        _ if quota.stale => Line::styled(UNKNOWN, theme.dim()),
        _ if quota.remaining.is_some_and(|left| left.value() <= 0.0) => Line::styled("empty", alarm),
        (Some(now), _, Some(at)) => {
            let soon = format::countdown(at.since(now));
            let mark = names::estimate(quota);
            Line::from(vec![
                Span::styled(format!("{mark}{soon}"), theme.level(Level::Warning).add_modifier(Modifier::BOLD)),
                Span::styled(" !", theme.level(Level::Warning)),
            ])
        }
        _ => Line::styled(UNKNOWN, theme.dim()),
    }
}
