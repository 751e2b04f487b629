//! Lengths of time as profiles write them.

use std::time::Duration;

/// The longest window: a year and a day, the longest that a provider's documents state.
const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// Reads `1m`, `30s`, `1h`, `1d`, `500ms`, `1 minute`; `None` where it is none of them, or not within a year and a day.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (count, unit) = text.split_at_checked(unit_at)?;
    let unit_seconds = match unit.trim() {
        "ms" => 0.001,
        "s" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    };
    from_seconds(count.parse::<f64>().ok()? * unit_seconds)
}

/// A window of so many seconds; `None` where that is no length, or longer than a year and a day.
pub(super) fn from_seconds(seconds: f64) -> Option<Duration> {
    (seconds > 0.0 && seconds <= MAX_SECONDS).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_windows() {
        for (text, seconds) in
            [("1m", 60.0), ("1h", 3600.0), ("30s", 30.0), ("1 minute", 60.0), ("1d", 86_400.0), ("500ms", 0.5)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "m", "0s", "1", "1 fortnight", "400d", "1..2s", "-1m"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
