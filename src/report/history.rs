//! Stored series for people and programs: a table with sparklines, JSON, CSV.
//!
//! Names came from the network: what could steer a terminal is shown as an escape, in all three forms.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::model::{Amount, Scope, Timestamp};
use crate::store::history::SeriesPoints;
use crate::store::{Point, Series};

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryFormat {
    /// A table: one row for each series, with a sparkline.
    Table,
    /// An array of series with their points.
    Json,
    /// One line for each point, as in RFC 4180.
    Csv,
}

/// What a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryView {
    /// Where the sparklines begin.
    pub from: Timestamp,
    /// Where they end.
    pub to: Timestamp,
    /// Their columns.
    pub sparkline: usize,
}

/// Writes series with their points.
///
/// # Errors
/// The output fails.
pub fn write_history(
    out: &mut impl Write,
    series: &[SeriesPoints],
    format: HistoryFormat,
    view: &HistoryView,
) -> io::Result<()> {
    match format {
        HistoryFormat::Table => write_table(out, series, view),
        HistoryFormat::Json => write_json(out, series),
        HistoryFormat::Csv => write_csv(out, series),
    }
}

/// The widest that a name is shown in the table: longer ones end in "…", so that a hostile one does not push the figures out of sight.
const WIDEST_NAME: usize = 40;
/// What stands for a value that is not known.
const UNKNOWN: &str = "–";

const HEADINGS: [&str; 9] = ["PROVIDER", "QUOTA", "SCOPE", "UNIT", "USED", "PEAK", "THROTTLED", "UTILIZATION", "SPAN"];
/// Figures, which stand to the right of their column.
const FIGURES: [bool; 9] = [false, false, false, false, true, true, true, false, false];

fn write_table(out: &mut impl Write, series: &[SeriesPoints], view: &HistoryView) -> io::Result<()> {
    if series.is_empty() {
        return writeln!(out, "no points are stored for this selector and time");
    }
    let rows: Vec<[String; 9]> = series.iter().map(|series| table_row(series, view)).collect();
    let headings = HEADINGS.map(String::from);
    let mut widths = [0; 9];
    for row in std::iter::once(&headings).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    for row in std::iter::once(&headings).chain(&rows) {
        let mut line = String::new();
        for ((cell, width), is_figure) in row.iter().zip(widths).zip(FIGURES) {
            let blank = " ".repeat(width.saturating_sub(cell.width()));
            let (before, after) = if is_figure { (blank.as_str(), "") } else { ("", blank.as_str()) };
            line.extend([before, cell, after, "  "]);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn table_row(entry: &SeriesPoints, view: &HistoryView) -> [String; 9] {
    let SeriesPoints { series, points, .. } = entry;
    let amount = |amount: Option<Amount>| amount.map_or_else(|| UNKNOWN.into(), |amount| amount.to_string());
    let last = points.last();
    let known = |value: fn(&Point) -> Option<Amount>| points.iter().rev().find_map(value);
    let used = match (known(|point| point.used), known(|point| point.limit)) {
        (None, None) => last.and_then(|point| point.utilization).map_or_else(|| UNKNOWN.into(), percent),
        (used, limit) => format!("{}/{}", amount(used), amount(limit)),
    };
    let peak = points.iter().filter_map(|point| point.peak_utilization).reduce(f64::max);
    let requests = points.iter().fold(0u64, |sum, point| sum.saturating_add(point.requests));
    let throttled = points.iter().fold(0u64, |sum, point| sum.saturating_add(point.throttled));
    let span = match (points.first(), last) {
        (Some(first), Some(last)) => format!("{} … {}", first.at, last.at.after(entry.resolution.step())),
        _ => UNKNOWN.into(),
    };
    [
        name(series.provider.as_deref().unwrap_or(&series.key.owner)),
        name(series.policy.as_deref().unwrap_or(&series.key.bucket)),
        series.key.scope.as_ref().map_or_else(|| UNKNOWN.into(), scope),
        name(series.key.dimension.unit()),
        used,
        peak.map_or_else(|| UNKNOWN.into(), percent),
        format!("{throttled}/{requests}"),
        sparkline(points, view),
        span,
    ]
}

fn scope(scope: &Scope) -> String {
    let id = scope.id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
    name(&format!("{}{id}", scope.kind))
}

fn percent(ratio: f64) -> String {
    format!("{:.1}%", ratio * 100.0)
}

/// The peak utilization over time: each column is the highest of its share of the range, blank where nothing was heard. The
/// lowest block begins at 0, the highest at seven eighths of the limit.
fn sparkline(points: &[Point], view: &HistoryView) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut peaks = vec![None; view.sparkline];
    let span = view.to.since(view.from).as_nanos().max(1);
    for point in points {
        let column = point.at.since(view.from).as_nanos() * (view.sparkline as u128) / span;
        let cell = usize::try_from(column).ok().and_then(|column| peaks.get_mut(column));
        if let (Some(cell), Some(peak)) = (cell, point.peak_utilization) {
            *cell = Some(f64::max(cell.unwrap_or(0.0), peak));
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to eight blocks")]
    let block = |peak: f64| BLOCKS.get((peak * 8.0).clamp(0.0, 7.0) as usize).copied().unwrap_or(' ');
    peaks.into_iter().map(|peak| peak.map_or(' ', block)).collect()
}

/// A name for a cell: without what steers a terminal, and not too wide.
fn name(text: &str) -> String {
    let shown = visible(text);
    if shown.width() <= WIDEST_NAME {
        return shown.into_owned();
    }
    let mut width = 1;
    let mut cut: String = shown
        .chars()
        .take_while(|c| {
            width += c.width().unwrap_or(0);
            width <= WIDEST_NAME
        })
        .collect();
    cut.push('…');
    cut
}

/// The text with everything that could steer a terminal as `\u{…}`.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect())
}

/// Whether a character could steer a terminal: control characters (C0, DEL, C1), line separators, and those that reorder or
/// hide text.
///
/// Source: <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[derive(Serialize)]
struct SeriesDocument<'a> {
    provider: Option<&'a str>,
    owner: &'a str,
    host: &'a str,
    endpoint: &'a str,
    scope: Option<&'a Scope>,
    policy: Option<&'a str>,
    bucket: &'a str,
    dimension: &'a str,
    source: &'a str,
    window_s: Option<f64>,
    step_s: f64,
    points: &'a [Point],
}

impl<'a> SeriesDocument<'a> {
    fn of(entry: &'a SeriesPoints) -> Self {
        let Series { key, provider, host, endpoint, policy, source, .. } = &entry.series;
        Self {
            provider: provider.as_deref(),
            owner: &key.owner,
            host,
            endpoint,
            scope: key.scope.as_ref(),
            policy: policy.as_deref(),
            bucket: &key.bucket,
            dimension: &key.dimension.0,
            source: source.as_str(),
            window_s: key.window.map(|window| window.as_secs_f64()),
            step_s: entry.resolution.step().as_secs_f64(),
            points: &entry.points,
        }
    }
}

/// One series a line, so that a large answer can be looked through with line tools.
fn write_json(out: &mut impl Write, series: &[SeriesPoints]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, entry) in series.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        let mut serializer = Serializer::with_formatter(&mut *out, VisibleJson(CompactFormatter));
        SeriesDocument::of(entry).serialize(&mut serializer)?;
    }
    out.write_all(if series.is_empty() { b"]\n" } else { b"\n]\n" })
}

/// JSON whose strings hold nothing that steers a terminal: escapes that any reader undoes.
struct VisibleJson(CompactFormatter);

impl Formatter for VisibleJson {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| steers(*c)) {
            let (before, after) = rest.split_at(at);
            self.0.write_string_fragment(writer, before)?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        self.0.write_string_fragment(writer, rest)
    }
}

const CSV_HEADER: &str = "ts,provider,owner,host,endpoint,scope_kind,scope_id,policy,bucket,dimension,source,window_s,\
limit,remaining,lowest_remaining,used,utilization,peak_utilization,requests,throttled,samples";

fn write_csv(out: &mut impl Write, series: &[SeriesPoints]) -> io::Result<()> {
    write!(out, "{CSV_HEADER}\r\n")?;
    for entry in series {
        let Series { key, provider, host, endpoint, policy, source, .. } = &entry.series;
        let scope = key.scope.as_ref();
        let names = [
            provider.as_deref().unwrap_or_default(),
            &key.owner,
            host,
            endpoint,
            scope.map(|scope| &*scope.kind).unwrap_or_default(),
            scope.and_then(|scope| scope.id.as_deref()).unwrap_or_default(),
            policy.as_deref().unwrap_or_default(),
            &key.bucket,
            &key.dimension.0,
            source.as_str(),
        ];
        let names = names.map(csv_text).join(",");
        let window = csv_number(key.window.map(|window| window.as_secs_f64()));
        for point in &entry.points {
            let amounts = [point.limit, point.remaining, point.lowest_remaining, point.used].map(csv_number).join(",");
            let ratios = [point.utilization, point.peak_utilization].map(csv_number).join(",");
            let Point { at, requests, throttled, samples, .. } = point;
            write!(out, "{at},{names},{window},{amounts},{ratios},{requests},{throttled},{samples}\r\n")?;
        }
    }
    Ok(())
}

/// A value, or nothing where it is not known.
fn csv_number<T: std::fmt::Display>(number: Option<T>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// A text as a field of RFC 4180. One that a spreadsheet would run as a formula gets an apostrophe before it.
///
/// Source: <https://owasp.org/www-community/attacks/CSV_Injection>
fn csv_text(text: &str) -> String {
    let mut shown = visible(text).into_owned();
    if shown.starts_with(['=', '+', '-', '@']) {
        shown.insert(0, '\'');
    }
    if shown.contains(['"', ',']) { format!("\"{}\"", shown.replace('"', "\"\"")) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dimension, QuotaKey, QuotaSource};
    use crate::store::{Resolution, SeriesId};

    fn point(minute: i64, used: u64, requests: u64) -> Point {
        let limit = Amount::from_count(1000);
        let utilization = Some(Amount::from_count(used).value() / limit.value());
        Point {
            at: Timestamp::from_secs(1_795_305_600 + minute * 60),
            limit: Some(limit),
            remaining: Some(limit.less(Amount::from_count(used))),
            lowest_remaining: Some(limit.less(Amount::from_count(used))),
            used: Some(Amount::from_count(used)),
            utilization,
            peak_utilization: utilization,
            requests,
            throttled: requests / 10,
            samples: 1,
        }
    }

    fn entry(bucket: &str, points: Vec<Point>) -> SeriesPoints {
        let key = QuotaKey {
            owner: "ceypay".into(),
            scope: Some(Scope { kind: "merchant".into(), id: Some("k:5f2c9a01".into()) }),
            bucket: bucket.into(),
            dimension: Dimension::requests(),
            window: None,
        };
        let series = Series {
            id: SeriesId(0),
            key,
            source: QuotaSource::Header,
            provider: Some("ceypay".into()),
            host: "api.example.com".into(),
            endpoint: "POST /v1/payments".into(),
            policy: None,
        };
        SeriesPoints { series, resolution: Resolution::Minute, points }
    }

    fn written(series: &[SeriesPoints], format: HistoryFormat) -> String {
        let from = Timestamp::from_secs(1_795_305_600);
        let view = HistoryView { from, to: from.after(std::time::Duration::from_mins(8)), sparkline: 8 };
        let mut out = Vec::new();
        write_history(&mut out, series, format, &view).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_has_a_row_for_each_series() {
        let points = [(0, 0), (1, 130), (2, 999), (4, 500)].map(|(minute, used)| point(minute, used, 20)).to_vec();
        let table = written(&[entry("core", points), entry("search", vec![point(7, 5, 3)])], HistoryFormat::Table);
        assert_eq!(
            table,
            "\
PROVIDER  QUOTA   SCOPE                UNIT         USED   PEAK  THROTTLED  UTILIZATION  SPAN
ceypay    core    merchant k:5f2c9a01  request  500/1000  99.9%       8/80  ▁▂█ ▅        2026-11-22T00:00:00Z … 2026-11-22T00:05:00Z
ceypay    search  merchant k:5f2c9a01  request    5/1000   0.5%        0/3         ▁     2026-11-22T00:07:00Z … 2026-11-22T00:08:00Z
"
        );
    }

    #[test]
    fn json_and_csv_hold_every_point_and_no_guess() {
        let unknown = Point {
            limit: None,
            remaining: None,
            lowest_remaining: None,
            used: None,
            utilization: None,
            ..point(0, 1, 7)
        };
        let series = [entry("a,\"b\"", vec![Point { peak_utilization: None, ..unknown }])];
        let json: serde_json::Value = serde_json::from_str(&written(&series, HistoryFormat::Json)).unwrap();
        assert_eq!(json[0]["bucket"], "a,\"b\"");
        assert_eq!(json[0]["window_s"], serde_json::Value::Null);
        assert_eq!(json[0]["points"][0]["ts"], "2026-11-22T00:00:00Z");
        assert_eq!(json[0]["points"][0]["limit"], serde_json::Value::Null);
        assert_eq!(json[0]["points"][0]["requests"], 7);
        let csv = written(&series, HistoryFormat::Csv);
        assert_eq!(
            csv.lines().nth(1),
            Some(
                "2026-11-22T00:00:00Z,ceypay,ceypay,api.example.com,POST /v1/payments,merchant,k:5f2c9a01,,\
                 \"a,\"\"b\"\"\",requests,header,,,,,,,,7,0,1"
            )
        );
        assert_eq!(csv.lines().next().map(|line| line.split(',').count()), Some(21));
        assert_eq!(written(&[], HistoryFormat::Json), "[]\n");
        assert!(written(&[], HistoryFormat::Table).contains("no points"));
    }

    #[test]
    fn hostile_names_steer_nothing() {
        let hostile = "=cmd\u{1b}[2J\u{9b}31m\r\n\u{202e}gnp";
        let series = [entry(hostile, vec![point(0, 1, 1)]), entry(&"w".repeat(4000), vec![point(0, 1, 1)])];
        for format in [HistoryFormat::Table, HistoryFormat::Json, HistoryFormat::Csv] {
            let text = written(&series, format);
            assert!(!text.chars().any(|c| steers(c) && c != '\n' && c != '\r'), "{format:?}: {text}");
        }
        let json: serde_json::Value = serde_json::from_str(&written(&series, HistoryFormat::Json)).unwrap();
        assert_eq!(json[0]["bucket"], hostile, "an escape in JSON says the same");
        assert!(written(&series, HistoryFormat::Csv).contains(",'=cmd\\u{1b}[2J"));
        assert!(written(&series, HistoryFormat::Table).lines().all(|line| line.width() < 200));
    }
}
