//! The wait that a provider asks for.

use std::time::Duration;

use super::clock::Clock;
use super::dialect::Unit;
use super::{http_date, plain, span};

/// A longer wait is a wrong number: a point in time, or milliseconds.
const LONGEST_WAIT: f64 = 366.0 * 86_400.0;

/// How much a field is believed beside others: the lower the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A name that says milliseconds: more exact than the standard's field, which it accompanies.
    Milliseconds,
    /// The standard's own field.
    Standard,
    /// A provider's spelling.
    Provider,
}

impl Rank {
    /// The rank of a field that says when to try again.
    pub(super) fn of(name: &[u8], unit: Unit) -> Self {
        match unit {
            Unit::Delta(seconds) if seconds < 1.0 => Self::Milliseconds,
            _ if name == b"retry-after" => Self::Standard,
            _ => Self::Provider,
        }
    }
}

/// Seconds or an HTTP-date; also what real servers write: fractions, `30s`, RFC 3339.
///
/// A date is compared with the server's own clock, and one that has passed means no wait.
///
/// # Errors
/// The reason why a value that is there cannot be believed.
///
/// Source: RFC 9110 section 10.2.3.
pub(super) fn read(text: &[u8], unit: Unit, clock: &Clock) -> Result<Duration, &'static str> {
    let text = plain::unquoted(text.trim_ascii());
    if let Some(value) = plain::number(text) {
        let seconds = match unit {
            Unit::Delta(seconds) => value * seconds,
            Unit::Unsaid | Unit::Moment => value,
        };
        return within(seconds);
    }
    if let Some(seconds) = span::seconds(text) {
        return within(seconds);
    }
    let point = http_date::read(text, clock.server).ok_or("retry-after-unreadable")?;
    within(point.since(clock.server).as_secs_f64())
}

fn within(seconds: f64) -> Result<Duration, &'static str> {
    if seconds > LONGEST_WAIT {
        return Err("retry-after-too-long");
    }
    Duration::try_from_secs_f64(seconds).map_err(|_negative| "retry-after-unreadable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn reads_seconds_and_dates() {
        let clock = Clock::new(Timestamp::from_secs(1_760_000_000), None, None);
        let ms = |text: &str, unit| read(text.as_bytes(), unit, &clock).map(|d| d.as_millis());
        for (text, wanted) in [
            ("0", Ok(0)),
            ("1.5", Ok(1500)),
            ("40.0", Ok(40_000)),
            ("30s", Ok(30_000)),
            ("Thu, 09 Oct 2025 08:54:20 GMT", Ok(60_000)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Ok(0)),
            ("2025-10-09T08:53:30Z", Ok(10_000)),
            ("-5", Err("retry-after-unreadable")),
            ("inf", Err("retry-after-unreadable")),
            ("1760000060", Err("retry-after-too-long")),
            ("999999999999999999999", Err("retry-after-too-long")),
            ("", Err("retry-after-unreadable")),
        ] {
            assert_eq!(ms(text, Unit::Unsaid), wanted, "{text}");
        }
        assert_eq!(ms("250", Unit::Delta(0.001)), Ok(250));
    }

    #[test]
    fn a_date_is_read_by_the_server_s_clock() {
        let date = Timestamp::from_secs(1_760_000_000 - 3000);
        let clock = Clock::new(Timestamp::from_secs(1_760_000_000), Some(date), None);
        assert_eq!(read(b"Thu, 09 Oct 2025 08:03:50 GMT", Unit::Unsaid, &clock), Ok(Duration::from_secs(30)));
    }
}
