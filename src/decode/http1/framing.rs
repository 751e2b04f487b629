//! Where a message's body ends.
//!
//! Source: RFC 9112 section 6.3.

use super::head::Lines;

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

/// How a request's body is delimited.
pub(crate) fn of_request(lines: &Lines<'_>) -> Framing {
    match transfer_coding(lines) {
        Some(true) => Framing::Chunked,
        Some(false) => Framing::Contradictory,
        None => match content_length(lines) {
            Ok(None | Some(0)) => Framing::Empty,
            Ok(Some(length)) => Framing::Length(length),
            Err(Contradiction) => Framing::Contradictory,
        },
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
            Err(Contradiction) => Framing::Contradictory,
        },
    }
}

/// Whether a transfer coding is applied, and if so, whether `chunked` is the last one.
fn transfer_coding(lines: &Lines<'_>) -> Option<bool> {
    let last = lines.values(b"transfer-encoding").last()?;
    let coding = last.rsplit(|octet| *octet == b',').next().unwrap_or_default().trim_ascii();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return None;
    }
    Some(coding.eq_ignore_ascii_case(b"chunked"))
}

/// The lengths given differ, or one is no length.
struct Contradiction;

fn content_length(lines: &Lines<'_>) -> Result<Option<u64>, Contradiction> {
    let mut length = None;
    for value in lines.values(b"content-length") {
        for part in value.split(|octet| *octet == b',') {
            let digits = part.trim_ascii();
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(Contradiction);
            }
            let number = digits.iter().try_fold(0u64, |number, digit| {
                number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
            });
            // An offset must stay representable behind the body.
            let number = number.filter(|number| *number < 1 << 62).ok_or(Contradiction)?;
            if length.is_some_and(|known| known != number) {
                return Err(Contradiction);
            }
            length = Some(number);
        }
    }
    Ok(length)
}
