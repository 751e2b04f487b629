//! One line of text for an alert or an exchange, where there is no screen.

use super::printable;
use super::quantity::{amount, duration, percent};
use crate::model::{Alert, AlertState, Amount, Observation, Reading};

/// An alert's change as one line: time, severity or `RESOLVED`, rule, sentence.
pub fn alert_line(alert: &Alert) -> String {
    let (at, word) = match alert.state {
        AlertState::Firing => (alert.started_at, alert.severity.as_str().to_uppercase()),
        AlertState::Resolved => (alert.ended_at.unwrap_or(alert.started_at), "RESOLVED".to_owned()),
    };
    let flapping = if alert.flapping { " (flapping)" } else { "" };
    format!("{:<27}  {word:<8}  {:<16}  {}{flapping}", at.to_string(), alert.rule.as_str(), printable(&alert.summary))
}

/// An exchange as one line: time, status, endpoint, quotas, error code, retry delay.
pub fn exchange_line(observation: &Observation) -> String {
    let host = observation.provider.as_deref().or(observation.host.as_deref()).unwrap_or("?");
    let endpoint = observation.endpoint.as_deref().unwrap_or("? (request not captured)");
    let mut parts = vec![
        observation.at.to_string(),
        observation.status.to_string(),
        printable(host).into_owned(),
        printable(endpoint).into_owned(),
    ];
    parts.extend(observation.readings.iter().map(reading_phrase));
    if let Some(code) = &observation.error_code {
        parts.push(format!("code {}", printable(code)));
    }
    if let Some(wait) = observation.retry_after.filter(|_| observation.throttled.is_some()) {
        parts.push(format!("retry after {}", duration(wait)));
    }
    parts.join("  ")
}

fn reading_phrase(reading: &Reading) -> String {
    let known = |value: Option<Amount>| value.map_or_else(|| "–".to_owned(), amount);
    let used = reading.utilization.map(|ratio| format!(" ({} used)", percent(ratio))).unwrap_or_default();
    format!("{} {}/{} left{used}", printable(&reading.dimension.0), known(reading.remaining), known(reading.limit))
}
