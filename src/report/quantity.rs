//! Numbers as people read them.

use std::time::Duration;

use crate::model::Amount;

/// A count with separators: `1,842`; two decimals at most where it is not whole.
pub fn amount(amount: Amount) -> String {
    let value = amount.value();
    let text = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

/// A ratio as a percentage: `63 %`; with one decimal below 10 %.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent != 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// A duration in its two largest units: `850 ms`, `41 s`, `21 min 07 s`, `3 h 02 min`, `2 d 4 h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.is_zero() => "0 s".to_owned(),
        0 => format!("{} ms", duration.as_millis().max(1)),
        1..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long ago: `22 s ago`.
pub fn ago(since: Duration) -> String {
    format!("{} ago", duration(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let shown = |value| amount(Amount::new(value).unwrap());
        assert_eq!(
            [shown(0.0), shown(999.0), shown(1_842.0), shown(15e6), shown(0.0167)],
            ["0", "999", "1,842", "15,000,000", "0.02"]
        );
        assert_eq!([percent(0.0), percent(0.031), percent(0.63), percent(1.2)], ["0 %", "3.1 %", "63 %", "120 %"]);
        let shown = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!(
            [shown(0.85), shown(41.0), shown(1_267.0), shown(10_920.0), shown(187_200.0)],
            ["850 ms", "41 s", "21 min 07 s", "3 h 02 min", "2 d 4 h"]
        );
    }
}
