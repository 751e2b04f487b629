//! Where a message's body ends.
//!
//! Source: RFC 9112 section 6.3.

use super::lines::{Lines, Roles};

/// How a message's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// So many octets.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All up to the end of the stream.
    UntilClose,
    /// The head contradicts itself: nobody can tell.
    Contradictory,
}

/// How a request's body is delimited, and whether the head contradicts itself there.
///
/// A server refuses such a request or reads the last length that it understands; what follows shows which.
pub(crate) fn of_request(lines: &Lines<'_>) -> (Framing, bool) {
    match transfer_coding(lines) {
        Some(true) => (Framing::Chunked, false),
        Some(false) => (Framing::Contradictory, true),
        None => {
            let (length, contradiction) = match content_length(lines) {
                Ok(length) => (length, false),
                Err(Contradiction { last }) => (last, true),
            };
            let framing = length.filter(|length| *length > 0).map_or(Framing::Empty, Framing::Length);
            (framing, contradiction)
        }
    }
}

/// How a final response's body is delimited, where the method and the status allow one.
pub(crate) fn of_response(lines: &Lines<'_>) -> Framing {
    match transfer_coding(lines) {
        Some(true) => Framing::Chunked,
        Some(false) => Framing::UntilClose,
        None => match content_length(lines) {
            Ok(Some(0)) => Framing::Empty,
            Ok(Some(length)) => Framing::Length(length),
            Ok(None) => Framing::UntilClose,
            Err(_) => Framing::Contradictory,
        },
    }
}

/// Whether a transfer coding is applied, and if so, whether `chunked` is the last one.
fn transfer_coding(lines: &Lines<'_>) -> Option<bool> {
    let last = lines.values(Roles::TRANSFER_ENCODING).last()?;
    let coding = last.rsplit(|octet| *octet == b',').next().unwrap_or_default().trim_ascii();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return None;
    }
    Some(coding.eq_ignore_ascii_case(b"chunked"))
}

/// The lengths given differ, or one is no length.
struct Contradiction {
    /// The last one that is a length.
    last: Option<u64>,
}

fn content_length(lines: &Lines<'_>) -> Result<Option<u64>, Contradiction> {
    let mut values = lines.values(Roles::CONTENT_LENGTH);
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_none()
        && let Some(length) = length(first)
    {
        return Ok(Some(length));
    }
    let mut last = None;
    let mut contradiction = false;
    for part in lines.values(Roles::CONTENT_LENGTH).flat_map(|value| value.split(|octet| *octet == b',')) {
        let length = length(part.trim_ascii());
        contradiction |= length.is_none() || last.is_some_and(|last| Some(last) != length);
        last = length.or(last);
    }
    if contradiction { Err(Contradiction { last }) } else { Ok(last) }
}

fn length(digits: &[u8]) -> Option<u64> {
    /// So many digits stay below the bound.
    const FEW: usize = 18;
    if digits.is_empty() {
        return None;
    }
    if digits.len() <= FEW {
        return digits.iter().try_fold(0u64, |number, digit| {
            let digit = digit.wrapping_sub(b'0');
            (digit < 10).then(|| number.wrapping_mul(10).wrapping_add(u64::from(digit)))
        });
    }
    let number = digits.iter().try_fold(0u64, |number, digit| {
        digit.is_ascii_digit().then_some(())?;
        number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    // An offset must stay representable behind the body.
    number.filter(|number| *number < 1 << 62)
}
