//! Plain values: numbers and words out of field values and bodies, bounded and without surprises.

use std::sync::Arc;

/// Longest number that is looked at; `18446744073709551615` has 20 digits.
const LONGEST_NUMBER: usize = 32;

/// Longest word that is kept as a policy, a bucket, a scope or a code.
pub(super) const LONGEST_WORD: usize = 64;

/// A number of plain digits, perhaps with a point and a fraction, perhaps quoted; never negative, never infinite.
///
/// `-1`, `unlimited`, `inf`, `NaN`, `1e9` and digits with a tail are none: they say that there is no such number.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<f64> {
    // Most numbers are short, whole and bare; those need no float parser.
    if let Some(whole) = whole(text) {
        return Some(whole);
    }
    let text = unquoted(text.trim_ascii());
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() || digits.len() > LONGEST_NUMBER || !digits.first()?.is_ascii_digit() {
        return None;
    }
    if digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit) {
        let whole = digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        #[expect(clippy::cast_precision_loss, reason = "15 digits fit a double exactly")]
        return Some(whole as f64);
    }
    let mut points = 0;
    for octet in digits {
        match octet {
            b'0'..=b'9' => {}
            b'.' => points += 1,
            _ => return None,
        }
    }
    if points > 1 || digits.last() == Some(&b'.') {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The same of digits and nothing else, as many as a double holds exactly; `None` of any other text.
#[inline]
pub(super) fn whole(text: &[u8]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "15 digits fit a double exactly")]
    count(text).map(|count| count as f64)
}

/// The same, as a count.
#[inline]
pub(super) fn count(text: &[u8]) -> Option<u64> {
    if !(1..=15).contains(&text.len()) {
        return None;
    }
    // A point in time has ten digits.
    let (first, rest) = match text.split_first_chunk::<8>() {
        Some((first, rest)) => (eight_digits(*first)?, rest),
        None => (0, text),
    };
    rest.iter().try_fold(first, |sum, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| sum * 10 + u64::from(digit))
    })
}

/// Whether all octets are digits, looked at some at a time.
#[inline]
pub(super) fn are_digits(text: &[u8]) -> bool {
    // The first and the last ones overlap, or meet.
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) if text.len() <= 8 => {
            are_eight_digits(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)))
        }
        _ => text.iter().all(u8::is_ascii_digit),
    }
}

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

#[inline]
const fn are_eight_digits(text: u64) -> bool {
    let digits = text ^ ZEROS;
    // What is above 9 reaches the upper bit of its octet, or has it.
    (digits | digits.wrapping_add(u64::from_le_bytes([0x7f - 9; 8]))) & u64::from_le_bytes([0x80; 8]) == 0
}

/// The number of eight digits: neighbours are taken together, all pairs of them at once, then all fours.
#[inline]
const fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let text = u64::from_le_bytes(text);
    if !are_eight_digits(text) {
        return None;
    }
    let digits = text ^ ZEROS;
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// Whether the text is a number below zero, the usual word for "none" or "unknown".
pub(super) fn is_negative(text: &[u8]) -> bool {
    unquoted(text.trim_ascii()).strip_prefix(b"-").is_some_and(|rest| number(rest).is_some())
}

/// Without one pair of quotes around it.
#[inline]
pub(super) fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner.trim_ascii(),
        _ => text,
    }
}

/// A word of printable ASCII, bounded; nothing else may become a name, a label or a line on a screen.
pub(super) fn word(text: &[u8]) -> Option<Arc<str>> {
    let text = unquoted(text.trim_ascii());
    let fits = (1..=LONGEST_WORD).contains(&text.len()) && text.iter().all(|b| (b' '..=b'~').contains(b));
    fits.then(|| std::str::from_utf8(text).ok().map(Arc::from)).flatten()
}

/// Splits at `separator`, but not inside double quotes; the parts are trimmed, empty ones left out.
pub(super) fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        loop {
            let text = rest?;
            let mut quoted = false;
            let mut escaped = false;
            let end = text.iter().position(|octet| {
                if escaped {
                    escaped = false;
                } else if quoted && *octet == b'\\' {
                    escaped = true;
                } else if *octet == b'"' {
                    quoted = !quoted;
                }
                *octet == separator && !quoted
            });
            rest = end.and_then(|end| text.get(end + 1..));
            let part = end.map_or(text, |end| text.get(..end).unwrap_or_default());
            let part = part.trim_ascii();
            if !part.is_empty() {
                return Some(part);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_and_nothing_else() {
        for (text, wanted) in
            [("100", 100.0), (" \"98\" ", 98.0), ("007", 7.0), ("42.7", 42.7), ("+5", 5.0), ("0", 0.0)]
        {
            assert_eq!(number(text.as_bytes()), Some(wanted), "{text}");
        }
        for none in ["", "-1", "inf", "NaN", "1e400", "1e3", "0x10", "5 left", ".5", "5.", "1.2.3", "9\u{e9}", "--1"] {
            assert_eq!(number(none.as_bytes()), None, "{none}");
        }
        assert!(is_negative(b"-1") && is_negative(b"\"-2\"") && !is_negative(b"--1") && !is_negative(b"1"));
    }

    proptest::proptest! {
        #[test]
        fn whole_numbers_are_those_of_digits(text in "[0-9]{1,15}|[0-9]{0,8}[/:0-9][0-9]{0,8}|[\\PC]{7,9}") {
            let is_whole = (1..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
            let wanted = is_whole.then(|| text.parse::<f64>().unwrap());
            proptest::prop_assert_eq!(whole(text.as_bytes()), wanted);
            proptest::prop_assert_eq!(are_digits(text.as_bytes()), text.bytes().all(|octet| octet.is_ascii_digit()));
        }
    }

    #[test]
    fn splits_outside_quotes_only() {
        let parts: Vec<_> = split(b"1;c=\"a, \\\" b\" , ,2,", b',').collect();
        assert_eq!(parts, [&b"1;c=\"a, \\\" b\""[..], b"2"]);
    }
}
