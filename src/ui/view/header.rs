//! The two lines at the top: how much comes in and what fires; below, what could not be seen.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format;
use super::super::text;
use super::super::theme::{Level, Theme};
use super::input::where_most;
use super::panel::put;
use crate::model::{AlertState, Anomaly, Severity, Snapshot};

/// From this silence on the header says that no news comes: snapshots come every second.
const SILENCE: Duration = Duration::from_secs(5);

/// ```text
///  quotascope  eth0 lo   1,204 pkt/s  312 exch/s                 ◆ 1 critical  ● 2 warning   12:03:41 UTC
///  dropped 0  gaps 2  unreadable 3 connections  other damage 1   export: collector down since 12:03:41
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let right = right(app, area.width);
    let room = usize::from(area.width).saturating_sub(right.width() + 2);
    let left = left(app, room);
    put(left, area, 0, buffer);
    let indent = area.width.saturating_sub(u16::try_from(right.width()).unwrap_or(0));
    put(right, Rect { x: area.x + indent, width: area.width - indent, ..area }, 0, buffer);
    put(health(app), area, 1, buffer);
}

fn left(app: &App, room: usize) -> Line<'static> {
    let (theme, options) = (app.theme(), app.options());
    let rate = |rate: Option<f64>| rate.map_or_else(|| format::UNKNOWN.to_owned(), format::rate);
    let rates = vec![
        Span::raw("   "),
        Span::raw(rate(app.rates().packets())),
        Span::styled(" pkt/s  ", theme.dim()),
        Span::raw(rate(app.rates().exchanges())),
        Span::styled(" exch/s", theme.dim()),
    ];
    let mut spans = vec![Span::styled(text::clean(&options.title).into_owned(), theme.accent())];
    if room >= 70 && !options.version.is_empty() {
        spans.push(Span::styled(format!(" {}", text::clean(&options.version)), theme.dim()));
    }
    spans.push(Span::raw("  "));
    // The sources give way before the rates do.
    let taken: usize = spans.iter().chain(&rates).map(Span::width).sum();
    spans.push(Span::raw(sources(&options.sources, room.saturating_sub(taken))));
    spans.extend(rates);
    text::fit_line(Line::from(spans), room)
}

/// As many names as fit, then how many more there are.
fn sources(sources: &[String], room: usize) -> String {
    let mut line = String::new();
    for (at, source) in sources.iter().enumerate() {
        // Of a path the file name tells most.
        let name = source.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(source);
        let more = sources.len() - at - 1;
        let reserve = if more > 0 { format!(" +{more}").len() } else { 0 };
        let gap = if at == 0 { "" } else { " " };
        if text::width(&line) + gap.len() + text::width(name) + reserve > room {
            if at == 0 {
                return text::fit(name, room);
            }
            return format!("{line} +{}", sources.len() - at);
        }
        line.push_str(gap);
        line.push_str(&text::clean(name));
    }
    line
}

fn right(app: &App, width: u16) -> Line<'static> {
    let (theme, snapshot) = (app.theme(), app.snapshot());
    let mut spans = Vec::new();
    for severity in [Severity::Critical, Severity::High, Severity::Warning, Severity::Info] {
        let firing = firing(snapshot, severity);
        if firing > 0 {
            let level = Level::from(severity);
            let word = if width >= 100 { format!(" {}", severity.as_str()) } else { String::new() };
            let count = format!("{} {}{word}", level.mark(), format::count(firing));
            spans.push(Span::styled(count, theme.level(level)));
            spans.push(Span::raw("  "));
        }
    }
    if spans.is_empty() && width >= 100 {
        spans.push(Span::styled("no alerts  ", theme.dim()));
    }
    match snapshot.at {
        None => spans.push(Span::styled("--:--:--", theme.dim())),
        Some(at) => {
            if width >= 110 {
                spans.push(Span::styled(format!(" {} ", format::date(at)), theme.dim()));
            }
            spans.push(Span::raw(format::clock(at)));
            spans.push(Span::styled(" UTC", theme.dim()));
        }
    }
    Line::from(spans)
}

fn firing(snapshot: &Snapshot, severity: Severity) -> u64 {
    let firing = snapshot
        .alerts
        .iter()
        .filter(|alert| alert.state == AlertState::Firing && !alert.muted && alert.severity == severity);
    u64::try_from(firing.count()).unwrap_or(u64::MAX)
}

/// What could not be seen, and what could not be handed on: the numbers on the screen are worth as much as this is small.
fn health(app: &App) -> Line<'static> {
    let (theme, snapshot) = (app.theme(), app.snapshot());
    let mut spans = Vec::new();
    // First of all, whether what is shown is the newest there is.
    let warning = theme.level(Level::Warning);
    if app.is_paused() {
        spans.push(Span::styled("‖ paused  ", warning));
    } else if app.silent() >= SILENCE {
        spans.push(Span::styled(format!("no news for {}  ", format::span(app.silent())), warning));
    }
    if !snapshot.captures.is_empty() {
        count(&mut spans, theme, "dropped", dropped(snapshot), Level::High, "");
    }
    let gaps = snapshot.input.damage(Anomaly::StreamGap);
    count(&mut spans, theme, "gaps", gaps, Level::Warning, "");
    let unreadable = unreadable(snapshot);
    let unit = if unreadable == 1 { " connection" } else { " connections" };
    count(&mut spans, theme, "unreadable", unreadable, Level::Warning, unit);
    if let Some(hosts) = where_most(&snapshot.input.lost, Anomaly::TlsUnreadable.label()) {
        spans.pop();
        spans.push(Span::styled(format!(" (TLS {hosts})  "), theme.dim()));
    }
    let all = snapshot.input.damaged.values().fold(0u64, |sum, n| sum.saturating_add(*n));
    // Each capture starts amid connections: that is no damage, only a part that was not seen.
    let joined = snapshot.input.damage(Anomaly::JoinedMidStream);
    let other = all.saturating_sub(gaps).saturating_sub(unreadable).saturating_sub(joined);
    count(&mut spans, theme, "other damage", other, Level::Warning, "");
    if joined > 0 {
        count(&mut spans, theme, "joined midway", joined, Level::Unknown, "");
    }
    let captures =
        snapshot.captures.iter().filter_map(|capture| Some((&*capture.interface, capture.trouble.as_ref()?)));
    let troubles = captures
        .chain(snapshot.export_trouble.iter().map(|trouble| ("export", trouble)))
        .chain(snapshot.store_trouble.iter().map(|trouble| ("store", trouble)));
    for (what, trouble) in troubles {
        let sentence = format!(" {} {}: {}", Level::High.mark(), text::clean(what), text::clean(trouble));
        spans.push(Span::styled(sentence, theme.level(Level::High)));
    }
    Line::from(spans)
}

fn count(
    spans: &mut Vec<Span<'static>>,
    theme: Theme,
    name: &'static str,
    number: u64,
    level: Level,
    unit: &'static str,
) {
    let style = if number == 0 { theme.dim() } else { theme.level(level) };
    spans.push(Span::styled(format!("{name} "), theme.dim()));
    spans.push(Span::styled(format!("{}{unit}", format::count(number)), style));
    spans.push(Span::raw("  "));
}

/// Frames that never reached the decoder, wherever they were lost.
pub(super) fn dropped(snapshot: &Snapshot) -> u64 {
    snapshot.captures.iter().fold(0, |sum, capture| {
        sum.saturating_add(capture.dropped)
            .saturating_add(capture.interface_dropped)
            .saturating_add(capture.queue_dropped)
    })
}

/// Connections that are encrypted, or in a protocol that is not read.
fn unreadable(snapshot: &Snapshot) -> u64 {
    [Anomaly::TlsUnreadable, Anomaly::Http2Unreadable, Anomaly::QuicUnreadable]
        .into_iter()
        .fold(0, |sum, anomaly| sum.saturating_add(snapshot.input.damage(anomaly)))
}
