//! Alerts in one sentence.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Alert, Amount, Scope};

use super::quota_summary::QuotaSummary;

/// Characters of a name that a sentence shows; names come from the network.
const NAME_LENGTH: usize = 80;

/// What an alert says.
#[derive(Debug, Clone)]
pub(super) enum Summary {
    /// In words.
    Words(Arc<str>),
    /// Of the alert's quota, not yet in words.
    OfQuota(QuotaSummary),
}

impl Summary {
    /// Puts it into the words of an alert.
    pub(super) fn tell(&self, alert: &mut Alert) {
        match (self, &alert.quota) {
            (Self::Words(words), _) => alert.summary = Arc::clone(words),
            (Self::OfQuota(summary), Some(key)) => alert.summary = summary.text(key).into(),
            (Self::OfQuota(_), None) => {}
        }
    }
}

/// `fluid-network partner k:5f2c9a01`.
pub(super) fn subject(owner: &str, scope: Option<&Scope>) -> String {
    let mut text = String::new();
    push_name(&mut text, owner);
    if let Some(scope) = scope {
        text.push(' ');
        push_name(&mut text, &scope.kind);
        if let Some(id) = &scope.id {
            text.push(' ');
            push_name(&mut text, id);
        }
    }
    text
}

/// `…: error code 1454 came 11 times within a minute`.
pub(super) fn error_code(owner: &str, scope: Option<&Scope>, code: &str, count: u32) -> Arc<str> {
    let mut text = subject(owner, scope);
    text.push_str(": error code ");
    push_name(&mut text, code);
    push(&mut text, format_args!(" came {count} times within a minute"));
    text.into()
}

/// `eth0: no packets for 75 s`.
pub(super) fn silent(interface: &str, silence: Duration) -> Arc<str> {
    let mut text = String::new();
    push_name(&mut text, interface);
    push(&mut text, format_args!(": no packets for {}", span(silence)));
    text.into()
}

/// `eth0: 2.4 % of the packets were dropped`.
pub(super) fn lossy(interface: &str, share: f64) -> Arc<str> {
    let mut text = String::new();
    push_name(&mut text, interface);
    push(&mut text, format_args!(": {} of the packets were dropped", percent(share)));
    text.into()
}

/// `eth0: the capture ended: …`.
pub(super) fn ended(interface: &str, trouble: &str) -> Arc<str> {
    let mut text = String::new();
    push_name(&mut text, interface);
    text.push_str(": the capture ended: ");
    push_name(&mut text, trouble);
    text.into()
}

/// Writing into a string cannot fail.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).unwrap_or_default();
}

/// A name without what could steer a terminal, cut to a length.
pub(super) fn push_name(text: &mut String, name: &str) {
    let plain = |c: char| {
        if c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.extend(name.chars().take(NAME_LENGTH).map(plain));
    if name.chars().nth(NAME_LENGTH).is_some() {
        text.push('…');
    }
}

/// `91 %`, `6.2 %`: one digit after the point where it says something. Rounded down, so that a sentence never shows a
/// level that was not reached.
pub(super) fn percent(ratio: f64) -> String {
    let tenths = (ratio * 1000.0 + 1e-6).floor() / 10.0;
    if tenths.fract().abs() < 0.05 { format!("{tenths:.0} %") } else { format!("{tenths:.1} %") }
}

/// `1,000`, and a fraction as it stands.
pub(super) fn grouped(amount: Amount) -> String {
    let text = amount.to_string();
    let (digits, fraction) = text.split_once('.').map_or((text.as_str(), None), |(d, f)| (d, Some(f)));
    let mut grouped = group(digits);
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

pub(super) fn whole(count: u64) -> String {
    group(&count.to_string())
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `41 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: the two largest units.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
    };
    match seconds {
        0 if !duration.is_zero() => format!("{:.1} s", duration.as_secs_f64()),
        0..60 => format!("{seconds} s"),
        60..3600 => two(minutes, "min", seconds % 60, "s"),
        3600..86_400 => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_and_never_round_up_to_a_level() {
        let percents = [0.8, 0.7999, 0.062, 0.9, 1.0, 1.25, 0.0501].map(percent);
        assert_eq!(percents, ["80 %", "79.9 %", "6.2 %", "90 %", "100 %", "125 %", "5 %"]);
        let amounts = [0.0, 999.0, 1000.0, 1_234_567.0, 1234.5].map(|a| grouped(Amount::new(a).unwrap()));
        assert_eq!(amounts, ["0", "999", "1,000", "1,234,567", "1,234.5"]);
        let spans = [0, 41, 60, 200, 3600, 7500, 90_000].map(|s| span(Duration::from_secs(s)));
        assert_eq!(spans, ["0 s", "41 s", "1 min", "3 min 20 s", "1 h", "2 h 5 min", "1 d 1 h"]);
        let mut text = String::new();
        push_name(&mut text, "a\u{1b}[2Jb\u{202e}");
        assert_eq!(text, "a\u{fffd}[2Jb\u{fffd}");
    }
}
