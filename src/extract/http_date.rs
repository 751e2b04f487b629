//! Dates with a time of day, as HTTP servers write them.

use crate::model::Timestamp;

/// Longest text that is looked at: a JavaScript date with the name of its zone is about 60 octets long.
const LONGEST: usize = 96;

/// A point in time in one of the forms of RFC 9110, RFC 3339 or JavaScript's `Date`, with their usual liberties.
///
/// A wrong weekday is overlooked, as is the lack of seconds. A date without a zone is no point in time and gives
/// `None`, save for the asctime form, which is in UTC by definition. `now` decides the century of a two-digit year.
///
/// Source: RFC 9110 section 5.6.7, RFC 3339 section 5.6, <https://tc39.es/ecma262/#sec-todatestring>.
pub(super) fn read(text: &[u8], now: Timestamp) -> Option<Timestamp> {
    if text.len() > LONGEST {
        return None;
    }
    if let Some(point) = fixed(text) {
        return Some(point);
    }
    let text = std::str::from_utf8(text).ok()?.trim();
    if text.as_bytes().first()?.is_ascii_digit() && text.as_bytes().get(4) == Some(&b'-') {
        return internet(text);
    }
    spelled(text, now)
}

/// The date that came last in the form that servers must write: most responses of a second have the same.
#[derive(Debug, Clone, Default)]
pub(super) struct LastDate(pub(super) Option<([u8; 29], Timestamp)>);

impl LastDate {
    /// The same as [`read`] finds.
    pub(super) fn read(&mut self, text: &[u8], now: Timestamp) -> Option<Timestamp> {
        let Ok(octets) = <&[u8; 29]>::try_from(text) else { return read(text, now) };
        if let Some((_, point)) = self.0.filter(|(known, _)| known == octets) {
            return Some(point);
        }
        let Some(point) = fixed(text) else { return read(text, now) };
        self.0 = Some((*octets, point));
        Some(point)
    }
}

/// The form that servers must write, `Sun, 06 Nov 1994 08:49:37 GMT`; `None` for any other, and for a date that is none.
fn fixed(text: &[u8]) -> Option<Timestamp> {
    let text = <&[u8; 29]>::try_from(text).ok()?;
    let [
        _,
        _,
        _,
        b',',
        b' ',
        d1,
        d2,
        b' ',
        _,
        _,
        _,
        b' ',
        y1,
        y2,
        y3,
        y4,
        b' ',
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = *text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let text = std::str::from_utf8(text).ok()?;
    let month = month_number(text.get(8..11)?).filter(|_| is_weekday(text))?;
    Timestamp::from_civil(
        number(&[y1, y2, y3, y4])?,
        month,
        number(&[d1, d2])?,
        number(&[h1, h2])?,
        number(&[m1, m2])?,
        number(&[s1, s2])?,
    )
}

/// RFC 3339, also without seconds, with a space before the offset, and with an offset without a colon.
fn internet(text: &str) -> Option<Timestamp> {
    if let Some(exact) = Timestamp::parse_rfc3339(text) {
        return Some(exact);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim();
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(end)?;
    let zone = match zone.trim().as_bytes() {
        b"Z" | b"z" | b"UTC" | b"GMT" => "Z".to_owned(),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            [sign, h1, h2, &b':', m1, m2].iter().map(|b| char::from(**b)).collect()
        }
        [b'+' | b'-', _, _, b':', _, _] => zone.trim().to_owned(),
        _ => return None,
    };
    let seconds = if time.len() == 5 { ":00" } else { "" };
    Timestamp::parse_rfc3339(&format!("{date}T{time}{seconds}{zone}"))
}

/// The three forms of RFC 9110, and JavaScript's: the month is a word.
fn spelled(text: &str, now: Timestamp) -> Option<Timestamp> {
    // A JavaScript date ends with the name of the zone in brackets.
    let text = text.split('(').next()?;
    let mut parts = [""; 7];
    let mut count = 0;
    for part in text.split([' ', ',']).filter(|part| !part.is_empty()) {
        *parts.get_mut(count)? = part;
        count += 1;
    }
    let parts = parts.get(..count)?;
    let parts = if parts.first().is_some_and(|p| is_weekday(p)) { parts.get(1..)? } else { parts };
    let (day, month, year, time, zone) = match *parts {
        // 09-Oct-25 08:54:20 GMT
        [date, time, zone] => {
            let mut date = date.split('-');
            let (day, month, year) = (date.next()?, date.next()?, date.next()?);
            (day, month, date.next().is_none().then_some(year)?, time, zone)
        }
        // Oct 9 08:54:20 2025, in UTC
        [month, day, time, year] if time.contains(':') => (day, month, year, time, "GMT"),
        // 09 Oct 2025 08:54:20 GMT
        [day, month, year, time, zone] if month.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            (day, month, year, time, zone)
        }
        // Feb 16 2021 09:02:42 GMT+0100
        [month, day, year, time, zone] => (day, month, year, time, zone),
        _ => return None,
    };
    let mut clock = time.split(':');
    let (hour, minute) = (digits(clock.next()?)?, digits(clock.next()?)?);
    let second = clock.next().map_or(Some(0), digits)?;
    let read = |year| Timestamp::from_civil(year, month_number(month)?, digits(day)?, hour, minute, second);
    let offset = offset_seconds(zone)?;
    let point = if year.len() == 2 {
        // A two-digit year that seems to be more than 50 years ahead means the past (RFC 9110 section 5.6.7).
        let year = digits(year)?;
        let ahead = read(2000 + year)?;
        if ahead.as_secs() > now.as_secs() + 50 * 365 * 86_400 { read(1900 + year)? } else { ahead }
    } else {
        read(digits(year)?)?
    };
    let nanos = point.as_nanos().checked_sub(offset.checked_mul(1_000_000_000)?)?;
    Some(Timestamp::from_nanos(nanos))
}

fn is_weekday(part: &str) -> bool {
    let start = part.as_bytes().first_chunk::<3>().map(|start| start.map(|letter| letter.to_ascii_lowercase()));
    matches!(start.as_ref(), Some(b"mon" | b"tue" | b"wed" | b"thu" | b"fri" | b"sat" | b"sun"))
}

fn month_number(word: &str) -> Option<i64> {
    let start = word.as_bytes().first_chunk::<3>()?.map(|letter| letter.to_ascii_lowercase());
    Some(match &start {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// `GMT`, `UTC`, `Z`, `+0200`, `GMT+0100`.
fn offset_seconds(zone: &str) -> Option<i64> {
    let offset = ["GMT", "UTC", "Z"].iter().find_map(|name| zone.strip_prefix(name)).unwrap_or(zone);
    if offset.is_empty() {
        return (!zone.is_empty()).then_some(0);
    }
    let (sign, amount) = offset.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let amount: String = amount.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = (digits(amount.get(..2)?)?, digits(amount.get(2..)?)?);
    (amount.len() == 4 && hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// One to four digits.
fn digits(text: &str) -> Option<i64> {
    let fits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_servers_write() {
        let now = Timestamp::from_secs(1_760_000_000);
        for text in [
            "Thu, 09 Oct 2025 08:54:20 GMT",
            "Mon, 09 Oct 2025 08:54:20 GMT",
            "Thursday, 09-Oct-25 08:54:20 GMT",
            "Thu Oct  9 08:54:20 2025",
            "Thu, 09 Oct 2025 10:54:20 +0200",
            "Thu Oct 09 2025 09:54:20 GMT+0100 (Central European Standard Time)",
            "2025-10-09T08:54:20Z",
            "2025-10-09 01:54:20 -0700",
            "2025-10-09T10:54:20+02:00",
        ] {
            assert_eq!(read(text.as_bytes(), now), Some(Timestamp::from_secs(1_760_000_060)), "{text}");
        }
        assert_eq!(read(b"2025-10-09T08:54Z", now), Some(Timestamp::from_secs(1_760_000_040)));
        assert_eq!(read(b"Sunday, 06-Nov-94 08:49:37 GMT", now), Some(Timestamp::from_secs(784_111_777)));
        for none in
            ["2025-10-09 08:54:00", "2025-10-09T08:54:20", "09 Oct 2025 08:54:20", "Thu, soon", "", "Thu", "\u{fc}"]
        {
            assert_eq!(read(none.as_bytes(), now), None, "{none}");
        }
    }
}
