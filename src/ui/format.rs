//! Numbers and times as people read them. What is unknown is `–`, never 0.

use std::time::Duration;

use crate::model::{Amount, Timestamp};

/// What stands for a value that is not known.
pub(crate) const UNKNOWN: &str = "–";

/// `1,842`; from ten million on `12.3M`, `4.5G`, `7.8T`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn count(number: u64) -> String {
    if number < 10_000_000 { grouped(number) } else { magnitude(number as f64) }
}

/// `1,842`, `598.5`, `0.0167`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, not negative and below ten million"
)]
pub(crate) fn amount(amount: Amount) -> String {
    let value = amount.value();
    if value >= 10_000_000.0 {
        magnitude(value)
    } else if value.fract() == 0.0 {
        grouped(value as u64)
    } else if value < 1.0 {
        format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{}.{}", grouped(value as u64), (value.fract() * 10.0) as u64)
    }
}

/// `1.8k`, `2M`: for where the whole number does not fit. A number is never cut.
pub(crate) fn short_amount(value: Amount) -> String {
    if value.value() < 1000.0 { amount(value) } else { magnitude(value.value()) }
}

/// `63%`: whole percents, rounded down, so that 80% is shown exactly when the 80 % level is reached.
#[expect(clippy::cast_possible_truncation, reason = "bounded above and below")]
pub(crate) fn percent(ratio: f64) -> String {
    let percents = (ratio * 100.0 + 1e-9).floor();
    if percents.is_nan() {
        UNKNOWN.to_owned()
    } else if percents > 999.0 {
        ">999%".to_owned()
    } else {
        format!("{}%", percents.max(0.0) as i64)
    }
}

/// `3.1%`: with a tenth, because 5 % is a limit.
pub(crate) fn share(ratio: f64) -> String {
    let percents = ratio * 100.0;
    if percents.is_nan() {
        UNKNOWN.to_owned()
    } else if percents > 0.0 && percents < 0.1 {
        "<0.1%".to_owned()
    } else if percents >= 99.95 {
        "100%".to_owned()
    } else {
        format!("{:.1}%", (percents * 10.0 + 1e-9).floor() / 10.0)
    }
}

/// The share of a part in a whole; `–` where the whole is nothing.
pub(crate) fn share_of(part: u64, whole: u64) -> String {
    ratio_of(part, whole).map_or_else(|| UNKNOWN.to_owned(), share)
}

/// The ratio of a part in a whole; nothing where the whole is nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio on a screen")]
pub(crate) fn ratio_of(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A countdown: `0:41`, `21:07`, `3h 02m`, `2d 04h`, `120d`.
pub(crate) fn countdown(left: Duration) -> String {
    let seconds = left.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..3600 => format!("{minutes}:{:02}", seconds % 60),
        3600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        86_400..8_640_000 => format!("{days}d {:02}h", hours % 24),
        8_640_000..863_913_600 => format!("{days}d"),
        _ => ">9999d".to_owned(),
    }
}

/// A span as one number: `312 ms`, `4.5 s`, `45 s`, `12 min`, `3 h`, `2 d`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..10 if duration.subsec_millis() >= 100 => format!("{:.1} s", (duration.as_secs_f64() * 10.0).floor() / 10.0),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        172_800..863_913_600 => format!("{} d", seconds / 86_400),
        _ => ">9999 d".to_owned(),
    }
}

/// An age in few cells: `now`, `22s`, `4m`, `3h`, `2d`.
pub(crate) fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..863_913_600 => format!("{}d", seconds / 86_400),
        _ => ">9999d".to_owned(),
    }
}

/// An age in words: `now`, `22s ago`.
pub(crate) fn ago(duration: Duration) -> String {
    if duration.as_secs() == 0 { "now".to_owned() } else { format!("{} ago", age(duration)) }
}

/// A window as in "100 per …": `s`, `min`, `h`, `day`, `15 min`, `90 s`.
pub(crate) fn per(window: Duration) -> String {
    let seconds = window.as_secs();
    match seconds {
        1 => "s".to_owned(),
        60 => "min".to_owned(),
        3600 => "h".to_owned(),
        86_400 => "day".to_owned(),
        604_800 => "week".to_owned(),
        120..7200 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        7200..864_000_000 if seconds.is_multiple_of(86_400) => format!("{} days", seconds / 86_400),
        7200..864_000_000 if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        1..86_400 if window.subsec_nanos() == 0 => format!("{seconds} s"),
        _ => span(window),
    }
}

/// Units a second: `1,204`, `3.1`, `0.05`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating cast of a number from 100 up"
)]
pub(crate) fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        UNKNOWN.to_owned()
    } else if per_second >= 99.5 {
        count(per_second.round() as u64)
    } else if per_second >= 1.0 || per_second == 0.0 {
        let tenths = format!("{per_second:.1}");
        tenths.trim_end_matches(".0").to_owned()
    } else {
        format!("{per_second:.2}")
    }
}

/// The time of day in UTC: `12:03:41`.
pub(crate) fn clock(at: Timestamp) -> String {
    let second = at.as_secs().rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// The date in UTC: `2026-11-22`.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_string().chars().take_while(|&c| c != 'T').collect()
}

/// A date and a time of day; only the time where `now` is of the same day.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    if at.as_secs().div_euclid(86_400) == now.as_secs().div_euclid(86_400) {
        clock(at)
    } else {
        format!("{} {}", date(at), clock(at))
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn magnitude(value: f64) -> String {
    let units = [(1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P"), (1e18, "E")];
    let (size, unit) = units.into_iter().rev().find(|(size, _)| value >= *size).unwrap_or((1e3, "k"));
    let scaled = value / size;
    let tenths = if scaled < 100.0 { (scaled * 10.0).floor() / 10.0 } else { scaled.floor() };
    // A float prints as a whole number where it is one.
    format!("{tenths}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([count(0), count(1842), count(9_999_999), count(12_345_678)], ["0", "1,842", "9,999,999", "12.3M"]);
        assert_eq!(count(u64::MAX), "18.4E");
        let amounts = [0.0, 1842.0, 598.5, 0.0167, 9e15].map(|n| amount(Amount::new(n).unwrap()));
        assert_eq!(amounts, ["0", "1,842", "598.5", "0.0167", "9P"]);
        assert_eq!(
            [0.0, 0.29, 0.7999, 0.8, 0.999, 1.0, 1.2, 1e9].map(percent),
            ["0%", "29%", "79%", "80%", "99%", "100%", "120%", ">999%"]
        );
        assert_eq!(
            [0.0, 0.0001, 0.031, 0.0499, 0.05, 1.0].map(share),
            ["0.0%", "<0.1%", "3.1%", "4.9%", "5.0%", "100%"]
        );
        assert_eq!([0.0, 0.05, 3.19, 42.0, 1204.4].map(rate), ["0", "0.05", "3.2", "42", "1,204"]);
        assert_eq!(percent(f64::NAN), UNKNOWN);
        assert_eq!(share_of(0, 0), UNKNOWN);
    }

    #[test]
    fn times() {
        let countdowns = [0, 41, 1267, 10_920, 187_200, 10_368_000, u64::MAX];
        assert_eq!(
            countdowns.map(|s| countdown(Duration::from_secs(s))),
            ["0:00", "0:41", "21:07", "3h 02m", "2d 04h", "120d", ">9999d"]
        );
        assert_eq!(
            [312, 4500, 45_000, 720_000, 10_800_000].map(|ms| span(Duration::from_millis(ms))),
            ["312 ms", "4.5 s", "45 s", "12 min", "3 h"]
        );
        assert_eq!(
            [1, 60, 90, 900, 3600, 86_400, 2_592_000].map(|s| per(Duration::from_secs(s))),
            ["s", "min", "90 s", "15 min", "h", "day", "30 days"]
        );
        assert_eq!(clock(Timestamp::from_secs(-1)), "23:59:59");
        assert_eq!(moment(Timestamp::from_secs(5), Timestamp::from_secs(90_000)), "1970-01-01 00:00:05");
    }
}
