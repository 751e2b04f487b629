//! Lengths of time as servers write them: `1m30s`, `PT1M`, `1 minute`, `hour`.

/// Longest text that is looked at; `1h2m3.123456789s` is 16 octets long.
const LONGEST: usize = 40;

/// Seconds of a length of time, in any of the forms that are known without a doubt; a bare number is none of them.
///
/// A calendar month or year has no fixed length and gives `None`.
pub(super) fn seconds(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    compact(text).or_else(|| iso8601(text)).or_else(|| spoken(text))
}

/// The length of one unit of time by its word or letter, as it stands in names and values.
///
/// `None` for a word that is no unit of time, and for those whose length the calendar decides.
pub(super) fn unit(word: &[u8]) -> Option<f64> {
    let mut lower = [0u8; 12];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"ns" | b"nanosecond" | b"nanoseconds" => 1e-9,
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1e-6,
        b"ms" | b"msec" | b"millis" | b"millisecond" | b"milliseconds" => 1e-3,
        b"s" | b"sec" | b"secs" | b"second" | b"seconds" | b"secondly" => 1.0,
        b"m" | b"min" | b"mins" | b"minute" | b"minutes" | b"minutely" => 60.0,
        b"h" | b"hr" | b"hrs" | b"hour" | b"hours" | b"hourly" => 3600.0,
        b"d" | b"day" | b"days" | b"daily" => 86_400.0,
        b"w" | b"week" | b"weeks" | b"weekly" => 604_800.0,
        _ => return None,
    })
}

/// Numbers with units, nothing between: `6m0s`, `12ms`, `7.66s`, `1d`.
///
/// Source: <https://pkg.go.dev/time#ParseDuration>, with days and weeks.
fn compact(text: &[u8]) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.iter().take_while(|b| !b.is_ascii_digit() && **b != b'.').count();
        let (letters, after) = after.split_at_checked(letters)?;
        total += decimal(number)? * unit(letters)?;
        rest = after;
    }
    Some(total)
}

/// `PT1M30S`, `P1DT2H`: only parts of a fixed length.
///
/// Source: ISO 8601-1:2019 section 5.5.2.
fn iso8601(text: &[u8]) -> Option<f64> {
    let rest = text.strip_prefix(b"P").or_else(|| text.strip_prefix(b"p"))?;
    let mut in_time = false;
    let mut total = 0.0;
    let mut parts = 0;
    let mut rest = rest;
    while let Some((first, after)) = rest.split_first() {
        if first.eq_ignore_ascii_case(&b'T') && !in_time {
            in_time = true;
            rest = after;
            continue;
        }
        let digits = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        let (number, after) = rest.split_at_checked(digits)?;
        let (designator, after) = after.split_first()?;
        let length = match (in_time, designator.to_ascii_uppercase()) {
            (false, b'W') => 604_800.0,
            (false, b'D') => 86_400.0,
            (true, b'H') => 3600.0,
            (true, b'M') => 60.0,
            (true, b'S') => 1.0,
            _ => return None,
        };
        total += decimal(number)? * length;
        parts += 1;
        rest = after;
    }
    (parts > 0).then_some(total)
}

/// `1 minute`, `60 seconds`, `minute`, `per hour`, `1 m`.
fn spoken(text: &[u8]) -> Option<f64> {
    let text = text.strip_prefix(b"per ").or_else(|| text.strip_prefix(b"every ")).unwrap_or(text);
    let digits = text.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let (number, word) = text.split_at_checked(digits)?;
    let length = unit(word.trim_ascii())?;
    if number.is_empty() { (word.len() > 2).then_some(length) } else { Some(decimal(number)? * length) }
}

/// Plain digits with at most one point: no sign, no exponent, no infinity.
fn decimal(digits: &[u8]) -> Option<f64> {
    let mut pieces = digits.split(|octet| *octet == b'.');
    let whole_and_fraction = (pieces.next(), pieces.next(), pieces.next());
    let is_number = matches!(whole_and_fraction, (Some(whole), fraction, None) if !whole.is_empty() || fraction.is_some_and(|f| !f.is_empty()));
    if !is_number || digits.len() > 20 {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_way_of_writing_a_length_of_time() {
        for (text, wanted) in [
            ("6m0s", 360.0),
            ("12ms", 0.012),
            ("2m59.5s", 179.5),
            ("1h2m3.5s", 3723.5),
            ("1d", 86_400.0),
            ("PT1M30S", 90.0),
            ("P1DT1H", 90_000.0),
            ("1 minute", 60.0),
            ("30 seconds", 30.0),
            ("hour", 3600.0),
            ("per day", 86_400.0),
        ] {
            assert_eq!(seconds(text.as_bytes()), Some(wanted), "{text}");
        }
        for none in ["", "60", "month", "1 month", "5x3s", "s", "PT", "P1M", "..s", "1e9s", "-1s", "1m30", "1,5s"] {
            assert_eq!(seconds(none.as_bytes()), None, "{none}");
        }
    }
}
