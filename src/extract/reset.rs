//! When a quota is whole again: a reset value to a point in time.
//!
//! Providers write seconds from now, milliseconds from now, seconds or milliseconds since the epoch, dates and lengths
//! of time under the same name. What is meant is decided in this order: the provider's documents, the name, the family,
//! the form, the magnitude, and what the response says elsewhere. What stays ambiguous is absent, and a doubt.

use std::time::Duration;

use super::clock::Clock;
use super::dialect::Unit;
use super::wire_rules::ResetUnit;
use super::{http_date, plain, span};
use crate::model::Timestamp;

/// What the response says beside the reset value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    /// The response's clock.
    pub(super) clock: Clock,
    /// What the provider's documents say.
    pub(super) rule: Option<ResetUnit>,
    /// Whether the family counts from now by its standard.
    pub(super) delta_family: bool,
    /// Whether nothing remains.
    pub(super) exhausted: bool,
    /// The length of the window, in seconds.
    pub(super) window: Option<f64>,
    /// The wait that the response asks for, in seconds.
    pub(super) wait: Option<f64>,
}

/// The smallest number that is a point in time: 9 September 2001. No window is 31 years long.
const SMALLEST_EPOCH: f64 = 1e9;

/// The longest window that anyone announces is a month; a number of seconds beyond it has another unit.
const LONGEST_DELTA: f64 = 32.0 * 86_400.0;

/// A standard delta may count to the end of a year.
const LONGEST_STANDARD_DELTA: f64 = 400.0 * 86_400.0;

/// A reset further ahead is a wrong number.
const FURTHEST_AHEAD: Duration = Duration::from_hours(400 * 24);

/// The point in time, or why it is not known; `Ok(None)` where the value says that there is none.
pub(super) fn read(text: &[u8], unit: Unit, beside: &Beside) -> Result<Option<Timestamp>, &'static str> {
    let text = plain::unquoted(text.trim_ascii());
    if text.is_empty() || plain::is_negative(text) {
        return Ok(None);
    }
    if let Some(value) = plain::number(text) {
        return near_number(value, unit, beside);
    }
    let point = match span::seconds(text).or_else(|| clock_span(text, unit)) {
        Some(seconds) => from_now(seconds, beside),
        None => http_date::read(text, beside.clock.server).ok_or("reset-unreadable").map(Some)?,
    };
    near(point, beside)
}

/// The same of a number.
pub(super) fn near_number(value: f64, unit: Unit, beside: &Beside) -> Result<Option<Timestamp>, &'static str> {
    near(number(value, unit, beside)?, beside)
}

fn near(point: Option<Timestamp>, beside: &Beside) -> Result<Option<Timestamp>, &'static str> {
    match point {
        Some(point) if point > beside.clock.server.max(beside.clock.seen).after(FURTHEST_AHEAD) => {
            Err("reset-far-ahead")
        }
        other => Ok(other),
    }
}

/// The same of a number, however far ahead.
pub(super) fn number(value: f64, unit: Unit, beside: &Beside) -> Result<Option<Timestamp>, &'static str> {
    if let Some(rule) = beside.rule {
        return by_rule(value, rule, beside);
    }
    match unit {
        Unit::Unsaid if value >= SMALLEST_EPOCH => epoch(value),
        Unit::Delta(seconds) if value * seconds >= SMALLEST_EPOCH => epoch(value),
        Unit::Delta(seconds) if value * seconds <= LONGEST_STANDARD_DELTA => Ok(from_now(value * seconds, beside)),
        Unit::Delta(_) => Err("reset-far-ahead"),
        Unit::Moment => epoch(value),
        Unit::Unsaid if value <= 0.0 => {
            Ok(if beside.exhausted || beside.delta_family { from_now(0.0, beside) } else { None })
        }
        Unit::Unsaid if beside.delta_family && value <= LONGEST_STANDARD_DELTA => Ok(from_now(value, beside)),
        Unit::Unsaid => unlabelled(value, beside),
    }
}

/// Whether a number means the same point in time, whenever it is read and whatever stands beside it.
pub(super) fn is_point(value: f64, unit: Unit, rule: Option<ResetUnit>) -> bool {
    match (rule, unit) {
        (Some(rule), _) => matches!(rule, ResetUnit::EpochSeconds | ResetUnit::EpochMilliseconds),
        (None, Unit::Unsaid) => value >= SMALLEST_EPOCH,
        (None, Unit::Delta(seconds)) => value * seconds >= SMALLEST_EPOCH,
        (None, Unit::Moment) => true,
    }
}

/// Whoever reads a point in time from then on does not find it too far ahead.
pub(super) fn credible_from(point: Timestamp) -> Timestamp {
    point.before(FURTHEST_AHEAD)
}

/// `00:01:30` is a length of time where the name says that it counts from now, else perhaps a time of the day.
fn clock_span(text: &[u8], unit: Unit) -> Option<f64> {
    let mut parts = text.split(|octet| *octet == b':');
    let mut next = || parts.next().filter(|part| part.len() >= 2).and_then(plain::number);
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    let fits = matches!(unit, Unit::Delta(_)) && parts.next().is_none() && minutes < 60.0 && seconds < 60.0;
    fits.then_some(hours * 3600.0 + minutes * 60.0 + seconds)
}

/// A bare number below any epoch under a name that says no unit: seconds, unless something speaks against it.
fn unlabelled(value: f64, beside: &Beside) -> Result<Option<Timestamp>, &'static str> {
    let near = |a: f64, b: f64| (a - b).abs() <= 0.1 * b;
    let milliseconds = value / 1000.0;
    if let Some(wait) = beside.wait.filter(|wait| *wait > 0.0) {
        if near(value, wait) && value <= LONGEST_DELTA {
            return Ok(from_now(value, beside));
        }
        if near(milliseconds, wait) {
            return Ok(from_now(milliseconds, beside));
        }
    }
    if let Some(window) = beside.window {
        // A reset is never further than one window away.
        if value <= window * 1.1 {
            return Ok(from_now(value, beside));
        }
        if milliseconds <= window * 1.1 {
            // 500 of a minute are perhaps half a second, perhaps the window is another quota's.
            return if value >= 1000.0 { Ok(from_now(milliseconds, beside)) } else { Err("reset-unit-unknown") };
        }
    }
    if value > LONGEST_DELTA {
        return Err("reset-unit-unknown");
    }
    let round = value >= 10_000.0 && value % 1000.0 == 0.0;
    if round { Err("reset-unit-unknown") } else { Ok(from_now(value, beside)) }
}

fn by_rule(value: f64, rule: ResetUnit, beside: &Beside) -> Result<Option<Timestamp>, &'static str> {
    let point = match rule {
        ResetUnit::DeltaSeconds | ResetUnit::DeltaMilliseconds | ResetUnit::DeltaMinutes => {
            let seconds = match rule {
                ResetUnit::DeltaMilliseconds => value / 1000.0,
                ResetUnit::DeltaMinutes => value * 60.0,
                _ => value,
            };
            if seconds > LONGEST_STANDARD_DELTA {
                return Err("reset-against-profile");
            }
            return Ok(from_now(seconds, beside));
        }
        ResetUnit::EpochSeconds => instant(value * 1e6),
        ResetUnit::EpochMilliseconds => instant(value * 1e3),
    };
    // A point in time so long ago is a number of another unit, whatever the documents say.
    point.filter(|point| point.as_secs() >= 500_000_000).map(Some).ok_or("reset-against-profile")
}

/// A point in time whose unit only its magnitude tells.
fn epoch(value: f64) -> Result<Option<Timestamp>, &'static str> {
    let microseconds = match value {
        v if v < SMALLEST_EPOCH => return Err("reset-unit-unknown"),
        v if v < 1e11 => v * 1e6,
        v if v < 1e14 => v * 1e3,
        v if v < 1e17 => v,
        v if v < 1e20 => v / 1e3,
        _ => return Err("reset-unit-unknown"),
    };
    instant(microseconds).map(Some).ok_or("reset-unit-unknown")
}

/// Microseconds since the epoch, to the microsecond: a double holds today's exactly.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before the cast")]
fn instant(microseconds: f64) -> Option<Timestamp> {
    let whole = microseconds.round();
    (0.0..9e15).contains(&whole).then(|| Timestamp::from_nanos((whole as i64).saturating_mul(1000)))
}

/// That many seconds after the response was made; nothing where a cache kept it until the window was over.
fn from_now(seconds: f64, beside: &Beside) -> Option<Timestamp> {
    let delta = Duration::try_from_secs_f64(seconds).ok()?;
    let point = beside.clock.made.after(delta);
    (!beside.clock.cached || point > beside.clock.seen).then_some(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside() -> Beside {
        let clock = Clock::new(Timestamp::from_secs(1_800_000_000), None, None);
        Beside { clock, rule: None, delta_family: false, exhausted: false, window: None, wait: None }
    }

    /// Seconds from now, or why not.
    fn ahead(text: &str, unit: Unit, beside: &Beside) -> Result<Option<f64>, &'static str> {
        let point = read(text.as_bytes(), unit, beside)?;
        Ok(point.map(|p| match p.since(beside.clock.seen) {
            Duration::ZERO => -beside.clock.seen.since(p).as_secs_f64(),
            ahead => ahead.as_secs_f64(),
        }))
    }

    #[test]
    fn a_bare_number_is_told_by_its_magnitude() {
        for (text, wanted) in [
            ("60", Ok(Some(60.0))),
            ("0.35", Ok(Some(0.35))),
            ("86400", Ok(Some(86_400.0))),
            ("2591999", Ok(Some(2_591_999.0))),
            ("60000", Err("reset-unit-unknown")),
            ("3000000", Err("reset-unit-unknown")),
            ("1800000042", Ok(Some(42.0))),
            ("1800000042.5", Ok(Some(42.5))),
            ("1800000042123", Ok(Some(42.123))),
            ("1799999000", Ok(Some(-1000.0))),
            ("1900000000", Err("reset-far-ahead")),
            ("0", Ok(None)),
            ("-2", Ok(None)),
            ("1m30s", Ok(Some(90.0))),
            ("2027-01-15T08:00:07Z", Ok(Some(7.0))),
            ("soon", Err("reset-unreadable")),
        ] {
            assert_eq!(ahead(text, Unit::Unsaid, &beside()), wanted, "{text}");
        }
    }

    #[test]
    fn the_rest_of_the_response_settles_the_unit() {
        let waits = Beside { wait: Some(30.0), ..beside() };
        assert_eq!(ahead("30000", Unit::Unsaid, &waits), Ok(Some(30.0)));
        let window = Beside { window: Some(60.0), ..beside() };
        assert_eq!(ahead("41250", Unit::Unsaid, &window), Ok(Some(41.25)));
        let hour = Beside { window: Some(86_400.0), ..beside() };
        assert_eq!(ahead("36000", Unit::Unsaid, &hour), Ok(Some(36_000.0)));
        let standard = Beside { delta_family: true, ..beside() };
        assert_eq!(ahead("36000", Unit::Unsaid, &standard), Ok(Some(36_000.0)));
        assert_eq!(ahead("0", Unit::Unsaid, &standard), Ok(Some(-0.0)));
        assert_eq!(ahead("22273", Unit::Delta(0.001), &beside()), Ok(Some(22.273)));
        assert_eq!(ahead("90", Unit::Moment, &beside()), Err("reset-unit-unknown"));
        let ruled = Beside { rule: Some(ResetUnit::EpochSeconds), ..beside() };
        assert_eq!(ahead("45", Unit::Unsaid, &ruled), Err("reset-against-profile"));
    }

    #[test]
    fn a_cached_delta_counts_from_when_it_was_made() {
        let seen = Timestamp::from_secs(1_800_000_000);
        let young = Beside { clock: Clock::new(seen, None, Some(20.0)), ..beside() };
        assert_eq!(ahead("30", Unit::Unsaid, &young), Ok(Some(10.0)));
        let old = Beside { clock: Clock::new(seen, None, Some(3600.0)), ..beside() };
        assert_eq!(ahead("30", Unit::Unsaid, &old), Ok(None));
    }
}
