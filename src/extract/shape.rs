//! What a path segment is by its shape alone: a word of the API, or a value that stands for one thing among many.
//!
//! Works on one segment at a time, in linear time, without memory. It would rather keep a word that is a value (the bounds
//! learn those) than hide a word.

/// The longest segment that is kept as a word: longer ones are values, and no column shows them.
const MAX_WORD: usize = 48;

/// Appends the segment, or the placeholder that stands for such values: `{id}`, `{date}`, `{email}`; a file extension and an
/// action after a colon stay. `is_first` and `is_last` say where it stands: `/1.1/…` and `/2010-04-01/…` are versions.
pub(super) fn push(segment: &str, is_first: bool, is_last: bool, out: &mut String) {
    if is_version(segment) || (is_first && !is_last && is_leading_version(segment)) {
        out.push_str(segment);
    } else if let Some(placeholder) = placeholder(segment) {
        out.push_str(placeholder);
    } else if let Some((placeholder, tail)) = with_tail(segment) {
        out.push_str(placeholder);
        out.push_str(tail);
    } else {
        out.push_str(segment);
    }
}

/// Whether a segment that is not the first stands for one thing among many, and is shown as nothing but `{id}`.
pub(super) fn is_identity(segment: &str) -> bool {
    !is_version(segment) && placeholder(segment) == Some(IDENTITY)
}

/// What stands for a value of no other kind.
const IDENTITY: &str = "{id}";

/// A value with an extension (`450789469.json`) or an action (`gpt-1234567:predict`) behind it.
fn with_tail(segment: &str) -> Option<(&'static str, &str)> {
    let is_word = |tail: &str, most: usize| {
        let word = tail.get(1..).unwrap_or_default();
        (1..=most).contains(&word.len())
            && word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let split = |separator: char| segment.rfind(separator).and_then(|at| segment.split_at_checked(at));
    let (stem, tail) =
        split('.').filter(|(_, tail)| is_word(tail, 5)).or_else(|| split(':').filter(|(_, tail)| is_word(tail, 32)))?;
    placeholder(stem).map(|placeholder| (placeholder, tail))
}

/// What stands for such a value; `None` for a word.
fn placeholder(segment: &str) -> Option<&'static str> {
    if is_email(segment) {
        return Some("{email}");
    }
    if is_date(segment.as_bytes()) {
        return Some("{date}");
    }
    let is_value = segment.len() > MAX_WORD
        || !is_printable(segment)
        || segment.contains(['%', ',', '=', '@', '{', '}'])
        || is_number(segment)
        || is_uuid(segment)
        || is_hexadecimal(segment)
        || is_ulid(segment)
        || is_numbered(segment)
        || is_random(segment)
        || is_prefixed_token(segment);
    is_value.then_some(IDENTITY)
}

fn is_printable(segment: &str) -> bool {
    segment.bytes().all(|b| b.is_ascii_graphic())
}

/// `v1`, `v2.1`, `v1beta1`, `v1alpha`.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix(['v', 'V']) else { return false };
    let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let digits = rest.len().saturating_sub(number.len());
    let suffix = number.trim_start_matches(|c: char| c.is_ascii_lowercase());
    (1..=7).contains(&digits)
        && rest.starts_with(|c: char| c.is_ascii_digit())
        && matches!(
            number.get(..number.len().saturating_sub(suffix.len())),
            Some("" | "alpha" | "beta" | "rc" | "p" | "preview")
        )
        && suffix.bytes().all(|b| b.is_ascii_digit())
}

/// `2`, `1.1`, `2010-04-01`: a version where more follows.
fn is_leading_version(segment: &str) -> bool {
    let is_short = segment.len() <= 4 && segment.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_plain = segment.len() == 1 || segment.contains('.');
    (is_short && is_plain && segment.starts_with(|c: char| c.is_ascii_digit())) || is_date(segment.as_bytes())
}

/// `42`, `-12.5`, `1_000`, `1-2`.
fn is_number(segment: &str) -> bool {
    segment.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_' | b':' | b'+'))
        && segment.bytes().any(|b| b.is_ascii_digit())
}

/// `2026-11-22`, `2026-11`, `20261122T101500Z`, `2026-11-22T10:15:00Z`.
///
/// Source: RFC 3339 section 5.6, ISO 8601 basic format.
fn is_date(segment: &[u8]) -> bool {
    let is_digits =
        |range: std::ops::Range<usize>| segment.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let between = |range: std::ops::Range<usize>, least: &[u8], most: &[u8]| {
        segment.get(range).is_some_and(|p| (least..=most).contains(&p))
    };
    let is_year = between(0..2, b"19", b"20") && is_digits(0..4);
    let at = |index: usize| segment.get(index).copied();
    let extended = at(4) == Some(b'-') && is_digits(5..7) && between(5..7, b"01", b"12");
    let full = extended && at(7) == Some(b'-') && is_digits(8..10) && between(8..10, b"01", b"31");
    let basic = is_digits(0..8) && between(4..6, b"01", b"12") && between(6..8, b"01", b"31");
    let is_time = |from: usize| {
        matches!(at(from), Some(b'T' | b't' | b'_'))
            && is_digits(from + 1..from + 3)
            && segment
                .get(from + 3..)
                .unwrap_or_default()
                .iter()
                .all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'Z' | b'z' | b'+' | b'-'))
    };
    is_year
        && match segment.len() {
            7 => extended,
            10 => full,
            _ => (full && is_time(10)) || (basic && is_time(8)),
        }
}

fn is_email(segment: &str) -> bool {
    let split = segment.split_once('@').or_else(|| segment.split_once("%40"));
    split.is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    })
}

/// 8-4-4-4-12 hexadecimal digits.
///
/// Source: RFC 9562 section 4.
fn is_uuid(segment: &str) -> bool {
    let lengths = segment.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Eight hexadecimal digits or more with a digit among them, or sixteen: `deadbeef` may be a word, `5f2c9a01` is none.
fn is_hexadecimal(segment: &str) -> bool {
    let digits = segment.strip_prefix("0x").unwrap_or(segment);
    let least = if digits.bytes().any(|b| b.is_ascii_digit()) { 8 } else { 16 };
    digits.len() >= least && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// 26 letters and digits of Crockford's Base32, the first of which is at most 7.
///
/// Source: <https://github.com/ulid/spec>.
fn is_ulid(segment: &str) -> bool {
    segment.len() == 26
        && segment.starts_with(|c: char| ('0'..='7').contains(&c))
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() && !matches!(b.to_ascii_uppercase(), b'I' | b'L' | b'O' | b'U'))
}

/// A word and a number: `order-12345`, `INV-2024-001`, `PROJ-12`.
fn is_numbered(segment: &str) -> bool {
    let Some(at) = segment.rfind(['-', '_']) else { return false };
    let (stem, number) = (segment.get(..at).unwrap_or_default(), segment.get(at + 1..).unwrap_or_default());
    let is_upper = stem.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        && stem.len() >= 2;
    let least = if is_upper { 2 } else { 4 };
    number.len() >= least && number.bytes().all(|b| b.is_ascii_digit()) && !is_year(number)
}

/// A number that a word ends with when it names a year: `report-2024`.
fn is_year(number: &str) -> bool {
    number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
}

/// A token that a generator made: its letters and digits change their class more often than words do.
fn is_random(segment: &str) -> bool {
    let Some(token) = Token::of(segment.bytes()) else { return false };
    let is_dense =
        |least_percent: usize| token.changes.saturating_mul(100) >= token.length.saturating_mul(least_percent);
    (token.length >= 8 && token.digits >= 3 && is_dense(40))
        || (token.length >= 10 && token.digits >= 1 && is_dense(40))
        || (token.length >= 16 && is_dense(45))
        || (token.length >= 20 && token.digits >= 4 && is_dense(25))
        || (token.length >= 24 && token.digits >= 3 && !segment.contains(['-', '_', '.']))
}

/// A kind and a token: `cus_NffrFeUfNV2Hib`, `usr-1a2b3c`, `ak_live_abc123`.
fn is_prefixed_token(segment: &str) -> bool {
    let Some(at) = segment.rfind(['_', '-']) else { return false };
    let (prefix, token) = (segment.get(..at).unwrap_or_default(), segment.get(at + 1..).unwrap_or_default());
    let is_prefix =
        (1..=16).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-'));
    let Some(counts) = Token::of(token.bytes()) else { return false };
    let is_dense = counts.changes.saturating_mul(100) >= counts.length.saturating_mul(40);
    // One token in twelve of a usual length has no digit, but hardly one has no capitals side by side, as `readMyFile`.
    let is_letters = || {
        let has_capitals = token.as_bytes().windows(2).any(|pair| pair.iter().all(u8::is_ascii_uppercase));
        counts.length >= 12 && prefix.len() <= 6 && is_dense && has_capitals
    };
    is_prefix && counts.length >= 6 && (counts.digits >= 1 && (is_dense || counts.digits >= 3) || is_letters())
}

/// How a token is mixed.
struct Token {
    length: usize,
    digits: usize,
    /// From a letter to a digit or back, and from one case to the other, a capital before small letters excepted.
    changes: usize,
}

impl Token {
    /// Counts letters and digits, stepping over separators; `None` where anything else occurs.
    fn of(octets: impl Iterator<Item = u8>) -> Option<Self> {
        let mut token = Self { length: 0, digits: 0, changes: 0 };
        let mut before: Option<u8> = None;
        for octet in octets {
            if matches!(octet, b'-' | b'_' | b'.' | b'~') {
                continue;
            }
            if !octet.is_ascii_alphanumeric() {
                return None;
            }
            token.length += 1;
            token.digits += usize::from(octet.is_ascii_digit());
            token.changes += usize::from(before.is_some_and(|before| class(before) != class(octet)));
            before = Some(octet);
        }
        Some(token)
    }
}

fn class(octet: u8) -> u8 {
    match octet {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(segment: &str) -> String {
        let mut out = String::new();
        push(segment, false, true, &mut out);
        out
    }

    #[test]
    fn tells_values_from_words() {
        for value in [
            "42",
            "1000000",
            "-12.5",
            "550e8400-e29b-41d4-a716-446655440000",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "5f2c9a01",
            "507f1f77bcf86cd799439011",
            "cus_NffrFeUfNV2Hib",
            "pi_3MtwBwLkdIwHu7ix28a3tqPa",
            "cus_qTaBvwLOzAxzXk",
            "ord_1a2b3c",
            "order-12345",
            "INV-2024-001",
            "PROJ-12",
            "dQw4w9WgXcQ",
            "C024BE91L",
            "V1StGXR8_Z5jdHi6B-myT",
            "ak_live_abc123",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            "AC0123456789abcdef0123456789abcdef",
            "New%20York",
            "1,2,3",
            "a=b",
        ] {
            assert_eq!(shown(value), "{id}", "{value}");
        }
        for word in [
            "payment",
            "payment-link",
            "list",
            "v1",
            "v2.1",
            "v1beta1",
            "orders",
            "chat",
            "completions",
            "getAccountBalance2",
            "OAuth2Callback",
            "create_payment_intent_v2",
            "get_fooBarBazQux",
            "my-first-blog-post-2024",
            "oauth2",
            "sha256",
            "utf-8",
            "h264",
            "deadbeef",
            "rate_limit",
            "payment-providers",
            "x86_64",
            "top-10",
            "report-2024",
            "statuses",
            "update_with_media",
        ] {
            assert_eq!(shown(word), word, "{word}");
        }
        assert_eq!(shown("2026-11-22"), "{date}");
        assert_eq!(shown("2026-11-22T10:15:00Z"), "{date}");
        assert_eq!(shown("20261122T101500Z"), "{date}");
        assert_eq!(shown("jo@example.com"), "{email}");
        assert_eq!(shown("jo%40example.com"), "{email}");
        assert_eq!(shown("450789469.json"), "{id}.json");
        assert_eq!(shown("1234567:cancel"), "{id}:cancel");
        assert_eq!(shown("orders.json"), "orders.json");
    }

    #[test]
    fn a_version_may_lead() {
        for (segment, wanted) in [("1.1", "1.1"), ("2", "2"), ("2010-04-01", "2010-04-01"), ("42", "{id}")] {
            let mut out = String::new();
            push(segment, true, false, &mut out);
            assert_eq!(out, wanted);
        }
    }
}
