//! What a stream's next octets look like, before they are believed.

/// What a stream starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Request,
    Response,
    Tls,
    Http2,
    /// Too few octets to tell.
    Undecided,
    Other,
}

/// The client's connection preface. Source: RFC 9113 section 3.4.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// What every status line starts with.
const VERSION: &[u8] = b"HTTP/1.";
/// Longer methods are none.
pub(crate) const METHOD_OCTETS: usize = 32;

/// Tells by the first octets of a stream what it is.
pub(crate) fn opening(octets: &[u8]) -> Opening {
    match octets {
        [] => Opening::Undecided,
        // A TLS record: handshake, version 3.x. Source: RFC 8446 section 5.1.
        [0x16, 0x03, ..] => Opening::Tls,
        [0x16] => Opening::Undecided,
        _ if octets.starts_with(HTTP2_PREFACE) => Opening::Http2,
        _ if HTTP2_PREFACE.starts_with(octets) => Opening::Undecided,
        _ if octets.starts_with(VERSION) => Opening::Response,
        _ if VERSION.starts_with(octets) => Opening::Undecided,
        _ => match octets.iter().position(|octet| *octet == b'\n') {
            Some(newline) => match request_line(octets.get(..newline).unwrap_or_default()) {
                Some(_) => Opening::Request,
                None => Opening::Other,
            },
            None if may_be_request(octets) => Opening::Undecided,
            None => Opening::Other,
        },
    }
}

/// Whether octets without the end of their head may still become a request's head.
pub(crate) fn may_be_request(octets: &[u8]) -> bool {
    match octets.iter().position(|octet| *octet == b'\n') {
        Some(newline) => request_line(octets.get(..newline).unwrap_or_default()).is_some(),
        None => {
            let method = octets.iter().position(|octet| !is_token(*octet));
            match method {
                None => octets.len() <= METHOD_OCTETS,
                Some(end) => {
                    (1..=METHOD_OCTETS).contains(&end)
                        && octets
                            .get(end..)
                            .unwrap_or_default()
                            .iter()
                            .all(|octet| matches!(octet, b' ' | b'\t' | b'\r' | 0x21..=0x7e | 0x80..))
                        && matches!(octets.get(end), Some(b' ' | b'\t'))
                }
            }
        }
    }
}

/// Whether octets without the end of their head may still become a response's head.
pub(crate) fn may_be_response(octets: &[u8]) -> bool {
    match octets.iter().position(|octet| *octet == b'\n') {
        Some(newline) => status_line(octets.get(..newline).unwrap_or_default()).is_some(),
        None => octets.starts_with(VERSION) || VERSION.starts_with(octets),
    }
}

/// The method and the target of a request line, which must name its version.
pub(crate) fn request_line(line: &[u8]) -> Option<(&str, &[u8])> {
    let line = line.trim_ascii_end();
    let method_end = line.iter().position(|octet| !is_token(*octet))?;
    if !(1..=METHOD_OCTETS).contains(&method_end) {
        return None;
    }
    let (method, rest) = line.split_at_checked(method_end)?;
    if !matches!(rest.first(), Some(b' ' | b'\t')) {
        return None;
    }
    let version_start = rest.iter().rposition(|octet| matches!(octet, b' ' | b'\t'))?;
    let (target, version) = rest.split_at_checked(version_start)?;
    let target = target.trim_ascii();
    let version = version.trim_ascii();
    let versioned = version.strip_prefix(VERSION).is_some_and(|minor| minor.first().is_some_and(u8::is_ascii_digit));
    (versioned && !target.is_empty()).then_some((std::str::from_utf8(method).ok()?, target))
}

/// The status code of a status line.
pub(crate) fn status_line(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(VERSION)?;
    let rest = rest.trim_ascii_start();
    let blank = rest.iter().position(|octet| matches!(octet, b' ' | b'\t'))?;
    let (version, rest) = rest.split_at_checked(blank)?;
    if version.is_empty() || !version.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    match rest {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', end @ ..]
            if !end.first().is_some_and(u8::is_ascii_digit) =>
        {
            let digit = |octet: &u8| u16::from(octet.wrapping_sub(b'0'));
            Some(digit(a).saturating_mul(100).saturating_add(digit(b).saturating_mul(10)).saturating_add(digit(c)))
        }
        _ => None,
    }
}

/// Whether an octet may stand in a token. Source: RFC 9110 section 5.6.2.
const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Whether octets start with a TLS record, seen from its header alone. Source: RFC 8446 section 5.1.
pub(crate) fn is_tls_record(octets: &[u8]) -> bool {
    /// Type, version and length of the longest record that may be on the wire.
    const LONGEST: u16 = (1 << 14) + 2048;
    match octets {
        [0x14..=0x17, 3, 0..=4, high, low, ..] => (1..=LONGEST).contains(&u16::from_be_bytes([*high, *low])),
        _ => false,
    }
}

/// Whether a segment starts with a status line and what may follow one.
pub(crate) fn starts_response(octets: &[u8]) -> bool {
    octets.starts_with(VERSION) && first_line(octets).is_some_and(|line| status_line(line).is_some())
}

/// Whether a segment starts with a request line and what may follow one.
pub(crate) fn starts_request(octets: &[u8]) -> bool {
    octets.first().is_some_and(u8::is_ascii_alphabetic)
        && octets.iter().take(METHOD_OCTETS.saturating_add(1)).any(|octet| *octet == b' ')
        && first_line(octets).is_some_and(|line| request_line(line).is_some())
}

/// The first line, where it is whole and a field line or the end of the head seems to follow.
fn first_line(octets: &[u8]) -> Option<&[u8]> {
    let newline = octets.iter().position(|octet| *octet == b'\n')?;
    let behind = octets.get(newline.saturating_add(1)..).unwrap_or_default();
    let second = behind.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let whole = second.len() < behind.len();
    let plausible = second.trim_ascii().is_empty() || second.contains(&b':') || !whole;
    plausible.then(|| octets.get(..newline).unwrap_or_default())
}
