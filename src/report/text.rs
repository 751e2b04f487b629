//! The whole state as text for people.

use std::io;

use super::quantity::{ago, amount, duration, percent};
use super::{Table, alert_line, printable};
use crate::model::{Alert, InputCounters, Place, QuotaSource, QuotaState, Snapshot, Timestamp};

/// Places of losses that are listed: what fits on a screen.
const PLACES: usize = 20;

/// Writes what `replay` says without `--json`: the input, the quotas with the fullest first, the alerts, what was damaged.
///
/// # Errors
/// Those of the writer.
pub fn write_text(out: &mut impl io::Write, snapshot: &Snapshot, alerts: &[Alert]) -> io::Result<()> {
    write_input(out, &snapshot.input)?;
    write_quotas(out, snapshot)?;
    write_throttled_endpoints(out, snapshot)?;
    write_alerts(out, alerts)?;
    write_damage(out, &snapshot.input)
}

fn write_input(out: &mut impl io::Write, input: &InputCounters) -> io::Result<()> {
    let mut parts = Vec::new();
    for (count, one, many) in [
        (input.files, "file", "files"),
        (input.packets, "packet", "packets"),
        (input.connections, "connection", "connections"),
        (input.exchanges, "exchange", "exchanges"),
    ] {
        if count > 0 {
            parts.push(format!(
                "{} {}",
                amount(crate::model::Amount::from_count(count)),
                if count == 1 { one } else { many }
            ));
        }
    }
    writeln!(out, "{}", if parts.is_empty() { "nothing was seen".to_owned() } else { parts.join(", ") })
}

fn write_quotas(out: &mut impl io::Write, snapshot: &Snapshot) -> io::Result<()> {
    if snapshot.quotas.is_empty() {
        return writeln!(out, "\nNo response announced a quota, and no profile declares one for these hosts.");
    }
    let mut quotas: Vec<&QuotaState> = snapshot.quotas.iter().collect();
    quotas.sort_by(|a, b| fullness(b).total_cmp(&fullness(a)));
    let mut table = Table::new(&[
        "PROVIDER",
        "QUOTA",
        "SCOPE",
        ">USED",
        ">PEAK",
        ">LEFT",
        ">LIMIT",
        ">WINDOW",
        ">RESET",
        ">REQUESTS",
        ">429",
        "SOURCE",
    ]);
    let now = snapshot.at.unwrap_or_default();
    for quota in quotas {
        table.row(quota_row(quota, now));
    }
    writeln!(out, "\nQuotas")?;
    table.write(out)
}

fn fullness(quota: &QuotaState) -> f64 {
    quota.utilization.or(quota.peak_utilization).unwrap_or(-1.0)
}

fn quota_row(quota: &QuotaState, now: Timestamp) -> Vec<String> {
    let unknown = || "–".to_owned();
    let label = printable(quota_name(quota));
    let unit =
        if &*quota.dimension.0 == "requests" { String::new() } else { format!(" {}", printable(&quota.dimension.0)) };
    let scope = quota.scope.as_ref().map_or_else(unknown, |scope| match &scope.id {
        Some(id) => format!("{} {}", printable(&scope.kind), printable(id)),
        None => printable(&scope.kind).into_owned(),
    });
    let reset = quota.reset_at.map_or_else(unknown, |at| {
        if at > now { format!("in {}", duration(at.since(now))) } else { ago(now.since(at)) }
    });
    let source = match quota.source {
        QuotaSource::Header | QuotaSource::Body | QuotaSource::Declared => quota.source.as_str().to_owned(),
        QuotaSource::Learned => "learned (estimate)".to_owned(),
    };
    vec![
        printable(quota.provider.as_deref().unwrap_or(&quota.host)).into_owned(),
        format!("{label}{unit}"),
        scope,
        quota.utilization.map_or_else(unknown, percent),
        quota.peak_utilization.map_or_else(unknown, percent),
        quota.remaining.map_or_else(unknown, amount),
        quota.limit.map_or_else(unknown, amount),
        quota.window.map_or_else(unknown, duration),
        reset,
        quota.requests.to_string(),
        quota.throttled.to_string(),
        source,
    ]
}

/// What people call a quota: the provider's name for it, else the endpoint that it is counted over.
fn quota_name(quota: &QuotaState) -> &str {
    quota.policy.as_deref().filter(|policy| !policy.is_empty()).unwrap_or(&quota.endpoint)
}

fn write_throttled_endpoints(out: &mut impl io::Write, snapshot: &Snapshot) -> io::Result<()> {
    let mut table = Table::new(&["HOST", "ENDPOINT", ">REQUESTS", ">429", ">SHARE", "ERROR CODES"]);
    for endpoint in snapshot.endpoints.iter().filter(|endpoint| endpoint.throttled > 0) {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let share = endpoint.throttled as f64 / endpoint.requests.max(1) as f64;
        let codes: Vec<String> =
            endpoint.error_codes.iter().map(|(code, count)| format!("{} ×{count}", printable(code))).collect();
        table.row(vec![
            printable(&endpoint.host).into_owned(),
            printable(&endpoint.endpoint).into_owned(),
            endpoint.requests.to_string(),
            endpoint.throttled.to_string(),
            percent(share),
            codes.join(", "),
        ]);
    }
    if table.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThrottled endpoints")?;
    table.write(out)
}

fn write_alerts(out: &mut impl io::Write, alerts: &[Alert]) -> io::Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nAlerts")?;
    for alert in alerts {
        writeln!(out, "  {}", alert_line(alert))?;
    }
    Ok(())
}

fn write_damage(out: &mut impl io::Write, input: &InputCounters) -> io::Result<()> {
    if input.damaged.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nNot usable")?;
    let mut table = Table::new(&["CAUSE", ">COUNT"]);
    for (cause, count) in &input.damaged {
        table.row(vec![cause.replace('_', " "), count.to_string()]);
    }
    table.write(out)?;
    if input.lost.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nOf these, by host")?;
    let mut places: Vec<(&Place, u64)> = input.lost.iter().collect();
    places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut table = Table::new(&["CAUSE", "HOST", ">PORT", ">COUNT"]);
    for (place, count) in places.iter().take(PLACES) {
        let host = place.peer.name().map_or_else(|| "all others".to_owned(), |host| printable(&host).into_owned());
        let port = if place.port == 0 { "–".to_owned() } else { place.port.to_string() };
        table.row(vec![place.cause.label().replace('_', " "), host, port, count.to_string()]);
    }
    table.write(out)?;
    if places.len() > PLACES {
        writeln!(out, "  and {} more; `--json` lists them", places.len() - PLACES)?;
    }
    Ok(())
}
