//! What came in, and what of it could not be used: how far the numbers on the other screens can be trusted.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format::{self, UNKNOWN};
use super::super::text;
use super::super::theme::Level;
use super::panel::{Panel, put};
use super::table::{Column, Side, Table};
use crate::model::Losses;

const CAPTURES: &[Column] = &[
    Column::new("INTERFACE", Side::Left, (9, 20), 0),
    Column::new("RECEIVED", Side::Right, (9, 12), 0),
    Column::new("DROPPED BY KERNEL", Side::Right, (17, 17), 0),
    Column::new("BY INTERFACE", Side::Right, (12, 12), 1),
    Column::new("BY OUR QUEUE", Side::Right, (12, 12), 1),
    Column::new("LAST FRAME", Side::Right, (10, 10), 0),
    Column::new("TROUBLE", Side::Left, (10, 80), 2).stretching(),
];

const DAMAGE: &[Column] = &[
    Column::new("CAUSE", Side::Left, (20, 26), 0),
    Column::new("COUNT", Side::Right, (8, 12), 0),
    Column::new("WHERE MOST", Side::Left, (10, 44), 1),
    Column::new("WHAT IT MEANS", Side::Left, (20, 90), 0).stretching(),
];

/// ```text
/// ╭ input ───────────────────────────────────────────────╮
/// │ packets 86,210   connections 312   exchanges 18,420  │
/// │ INTERFACE  RECEIVED  DROPPED BY KERNEL  …            │
/// ╰──────────────────────────────────────────────────────╯
/// ╭ could not be read ───────────────────────────────────╮
/// │ tls_unreadable     3  encrypted, and no key log …    │
/// ╰──────────────────────────────────────────────────────╯
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let captures = u16::try_from(app.snapshot().captures.len()).unwrap_or(u16::MAX);
    let troubles = [&app.snapshot().export_trouble, &app.snapshot().store_trouble].into_iter().flatten().count();
    let extra = u16::try_from(troubles).unwrap_or(0);
    let table = if captures == 0 { 0 } else { captures.saturating_add(2) };
    let height = table.saturating_add(4 + extra).min(area.height / 2);
    let [upper, lower] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    came_in(app, upper, buffer);
    damaged(app, lower, buffer);
}

fn came_in(app: &App, area: Rect, buffer: &mut Buffer) {
    let (theme, snapshot) = (app.theme(), app.snapshot());
    let inner = Panel::new(Line::styled("input", theme.title())).draw(app, area, buffer);
    let input = &snapshot.input;
    let octets = [
        ("files", input.files),
        ("bytes", input.bytes),
        ("packets", input.packets),
        ("connections", input.connections),
    ];
    let messages = [("requests", input.requests), ("responses", input.responses), ("exchanges", input.exchanges)];
    let mut row = 0;
    for counts in [octets.as_slice(), messages.as_slice()] {
        let spans =
            counts.iter().filter(|(name, count)| *count > 0 || *name == "exchanges").flat_map(|(name, count)| {
                [Span::styled(format!("{name} "), theme.dim()), Span::raw(format!("{}   ", format::count(*count)))]
            });
        put(spans.collect(), inner, row, buffer);
        row += 1;
    }
    for (what, trouble) in [("export", &snapshot.export_trouble), ("store", &snapshot.store_trouble)] {
        if let Some(trouble) = trouble {
            let line = format!("{} {what}: {}", Level::High.mark(), text::clean(trouble));
            put(Line::styled(line, theme.level(Level::High)), inner, row, buffer);
            row += 1;
        }
    }
    if snapshot.captures.is_empty() || inner.height <= row + 1 {
        return;
    }
    let place = Rect { y: inner.y + row + 1, height: inner.height - row - 1, ..inner };
    let lost = |count: u64| {
        let style = if count == 0 { theme.dim() } else { theme.level(Level::High) };
        Line::styled(format::count(count), style)
    };
    let cell = |row: usize, column: usize, _width: u16| {
        let Some(capture) = snapshot.captures.get(row) else { return Line::default() };
        match column {
            0 => Line::raw(text::clean(&capture.interface).into_owned()),
            1 => Line::raw(format::count(capture.received)),
            2 => lost(capture.dropped),
            3 => lost(capture.interface_dropped),
            4 => lost(capture.queue_dropped),
            5 => match (snapshot.at, capture.last_frame_at) {
                (Some(now), Some(at)) => Line::raw(format::ago(now.since(at))),
                _ => Line::styled(UNKNOWN, theme.dim()),
            },
            _ => {
                let trouble = capture.trouble.as_deref().unwrap_or_default();
                Line::styled(text::clean(trouble).into_owned(), theme.level(Level::High))
            }
        }
    };
    Table { columns: CAPTURES, rows: snapshot.captures.len(), selected: None, cell: &cell }.draw(app, place, buffer);
}

fn damaged(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let inner = Panel::new(Line::styled("could not be used", theme.title())).draw(app, area, buffer);
    let mut causes: Vec<(&str, u64)> = app.snapshot().input.damaged.iter().map(|(cause, n)| (*cause, *n)).collect();
    if causes.is_empty() {
        put(Line::styled("all that came in could be read", theme.dim()), inner, 0, buffer);
        return;
    }
    causes.sort_by(|(_, a), (_, b)| b.cmp(a));
    let cell = |row: usize, column: usize, _width: u16| {
        let Some((cause, count)) = causes.get(row) else { return Line::default() };
        match column {
            0 => Line::raw(text::clean(cause).into_owned()),
            1 => Line::styled(format::count(*count), theme.level(Level::Warning)),
            2 => where_most(&app.snapshot().input.lost, cause)
                .map_or_else(|| Line::styled(UNKNOWN, theme.dim()), Line::raw),
            _ => Line::styled(meaning(cause), theme.dim()),
        }
    };
    Table { columns: DAMAGE, rows: causes.len(), selected: Some(app.row()), cell: &cell }.draw(app, inner, buffer);
}

/// The host with most of it, and how many more there are.
pub(super) fn where_most(lost: &Losses, cause: &str) -> Option<String> {
    let places = || lost.iter().filter(|(place, _)| place.cause.label() == cause);
    let (most, _) = places().filter(|(place, _)| place.port > 0).max_by_key(|(_, count)| *count)?;
    let name = most.peer.name()?;
    let is_usual = matches!(most.port, 80 | 443) || name.ends_with(&format!(":{}", most.port));
    let port = if is_usual { String::new() } else { format!(" port {}", most.port) };
    Some(match places().count() {
        1 => format!("{}{port}", text::clean(&name)),
        many => format!("{}{port} +{}", text::clean(&name), many - 1),
    })
}

/// What a cause means for the numbers, and what helps.
fn meaning(cause: &str) -> &'static str {
    match cause {
        "file_cut_short" => "the capture ends inside a record; all before it was read",
        "file_record_damaged" => "a record has an impossible length or type",
        "file_compression_damaged" => "the compressed stream is broken; all before it was read",
        "link_type_unknown" => "frames of a link type that is not read",
        "frame_truncated" => "frames shorter than their headers say: raise the snaplen",
        "header_malformed" => "a header that breaks its own format",
        "nested_too_deep" => "tunnels or tags nested too deep",
        "fragment_dropped" => "IP fragments that never became whole",
        "stream_gap" => "octets that were never captured; no value is made up for them",
        "overlap_conflict" => "retransmitted octets that differ; the first ones count",
        "out_of_order_dropped" => "holes given up because too much waited behind them",
        "held_past_bound" => "connections that held too much let go of it early: `bounds.memory`",
        "connection_evicted" => "connections forgotten to keep the memory bound",
        "joined_mid_stream" => "connections that were open before the capture began",
        "head_with_gap" => "message heads with a hole; they count for nothing",
        "head_too_large" => "message heads past the size bound",
        "head_malformed" => "what should be a message head is no HTTP",
        "framing_malformed" => "a length that contradicts itself; the connection is skipped from there",
        "response_unmatched" => "responses whose request was not captured; they count, their endpoint is unknown",
        "request_unmatched" => "requests whose response was not captured",
        "pipeline_overflow" => "too many requests waiting on one connection",
        "body_undecodable" => "error bodies that could not be decoded: their codes are missing",
        "protocol_switched" => "connections that became a tunnel or another protocol",
        "tls_unreadable" => "HTTPS, whose content is not read: `quotascope doctor` says what helps",
        "http2_unreadable" => "HTTP/2 that could not be read",
        "quic_unreadable" => "HTTP/3 (QUIC), which is not read",
        "line_malformed" => "log lines that are no exchange",
        "line_too_long" => "log lines past the length bound",
        "time_ran_back" => "records older than what was judged already: they count, but raise no alert",
        _ => "",
    }
}
