//! What a stream's next octets look like, before they are believed.

use super::head::RequestHead;
use super::search::{line_end, path_end, visible_end};

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
const PROTOCOL: &[u8] = b"HTTP/";
/// What the status lines start with that are believed where framing was lost.
const VERSION: &[u8] = b"HTTP/1.";
/// The version, a blank, and the code.
const STATUS_OCTETS: usize = 12;
/// Longer methods are none.
pub(crate) const METHOD_OCTETS: usize = 32;

/// Tells by the first octets of a stream what it is.
pub(crate) fn opening(octets: &[u8]) -> Opening {
    match octets {
        [] | [0x16] => Opening::Undecided,
        // A TLS record: handshake, version 3.x. Source: RFC 8446 section 5.1.
        [0x16, 0x03, ..] => Opening::Tls,
        _ if octets.starts_with(HTTP2_PREFACE) => Opening::Http2,
        _ if HTTP2_PREFACE.starts_with(octets) => Opening::Undecided,
        _ if octets.starts_with(PROTOCOL) => Opening::Response,
        _ if PROTOCOL.starts_with(octets) => Opening::Undecided,
        _ => match octets.iter().position(|octet| *octet == b'\n') {
            Some(newline) => match request_line(octets.get(..newline).unwrap_or_default()) {
                Some(_) => Opening::Request,
                None => match simple_request(octets) {
                    Simple::Whole(_) => Opening::Request,
                    Simple::Partial => Opening::Undecided,
                    Simple::No => Opening::Other,
                },
            },
            None if may_be_request(octets) => Opening::Undecided,
            None => Opening::Other,
        },
    }
}

/// Whether octets without the end of their head may still become a request's head.
pub(crate) fn may_be_request(octets: &[u8]) -> bool {
    if let Some(newline) = octets.iter().position(|octet| *octet == b'\n') {
        return request_line(octets.get(..newline).unwrap_or_default()).is_some()
            || !matches!(simple_request(octets), Simple::No);
    }
    let Some(end) = octets.iter().position(|octet| !is_token(*octet)) else { return octets.len() <= METHOD_OCTETS };
    let printable = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | 0x21..=0x7e | 0x80..);
    (1..=METHOD_OCTETS).contains(&end)
        && matches!(octets.get(end), Some(b' ' | b'\t'))
        && octets.iter().skip(end).all(printable)
}

/// Whether octets without the end of their head may still become a response's head.
pub(crate) fn may_be_response(octets: &[u8]) -> bool {
    match octets.iter().position(|octet| *octet == b'\n') {
        Some(newline) => lenient_status_line(octets.get(..newline).unwrap_or_default()).is_some(),
        None => octets.starts_with(PROTOCOL) || PROTOCOL.starts_with(octets),
    }
}

/// The method and the target of a request line, which must name its version.
pub(crate) fn request_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
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
    (versioned && !target.is_empty()).then_some((method, target))
}

/// What a request line says that keeps to the grammar, and its length; any other line is left to [`request_line`].
/// Source: RFC 9112 section 3.
#[inline]
pub(crate) fn plain_request_line(octets: &[u8]) -> Option<(RequestHead<'_>, usize)> {
    let start = octets.get(..=METHOD_OCTETS).unwrap_or(octets);
    let method = start.iter().position(|octet| !is_token(*octet))?;
    let (method, rest) = octets.split_at_checked(method)?;
    let (b' ', rest) = rest.split_first()? else { return None };
    let path = path_end(rest);
    let is_path = rest.get(path) == Some(&b' ') && rest.first() == Some(&b'/') && method != b"CONNECT";
    let (target, rest) = rest.split_at_checked(if is_path { path } else { visible_end(rest) })?;
    let behind = rest.strip_prefix(b" HTTP/1.1\r\n").or_else(|| rest.strip_prefix(b" HTTP/1.0\r\n"))?;
    let is_whole = !method.is_empty() && !target.is_empty();
    is_whole.then_some((RequestHead { method, target, is_path }, octets.len().saturating_sub(behind.len())))
}

/// The path at the start of `octets`, and what follows it, where it stands alone in the target of an ordinary request line, which
/// is over then.
#[inline]
pub(crate) fn ordinary_path(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (path, behind) = octets.split_at_checked(path_end(octets))?;
    let (version, lines) = behind.split_first_chunk()?;
    (path.first() == Some(&b'/') && version == b" HTTP/1.1\r\n").then_some((path, lines))
}

/// The status code of the status line at the start of `octets`, and what follows it; see [`plain_status_line`].
#[inline]
pub(crate) fn ordinary_status(octets: &[u8]) -> Option<(u16, &[u8])> {
    if let Some((line, lines)) = octets.split_first_chunk()
        && line == b"HTTP/1.1 200 OK\r\n"
    {
        return Some((200, lines));
    }
    plain_status_line(octets).and_then(|(status, length)| Some((status, octets.get(length..)?)))
}

/// The status code and the length of a status line that ends with CR LF and keeps to the grammar otherwise as well.
pub(crate) fn plain_status_line(octets: &[u8]) -> Option<(u16, usize)> {
    let status = status_line(octets)?;
    let (_, reason) = octets.split_at_checked(STATUS_OCTETS)?;
    let line = reason.get(..=line_end(reason))?;
    line.ends_with(b"\r\n").then(|| (status, STATUS_OCTETS.saturating_add(line.len())))
}

/// A request of HTTP/0.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Simple<'a> {
    /// Its target.
    Whole(&'a [u8]),
    /// The empty line is not there yet.
    Partial,
    No,
}

/// A GET without a version, with nothing but an empty line behind it: HTTP/0.9, as people type it.
///
/// Source: the description of HTTP/0.9 in RFC 1945 section 4.1.
pub(crate) fn simple_request(octets: &[u8]) -> Simple<'_> {
    let Some(rest) = octets.strip_prefix(b"GET ") else { return Simple::No };
    let Some(newline) = rest.iter().position(|octet| *octet == b'\n') else { return Simple::No };
    let (line, behind) = rest.split_at_checked(newline).unwrap_or_default();
    let target = line.trim_ascii_end();
    if !target.starts_with(b"/") || !target.iter().all(u8::is_ascii_graphic) {
        return Simple::No;
    }
    match behind.get(1..).unwrap_or_default() {
        [] | [b'\r'] => Simple::Partial,
        [b'\n', ..] | [b'\r', b'\n', ..] => Simple::Whole(target),
        _ => Simple::No,
    }
}

/// The status code of a status line that keeps to the grammar. Source: RFC 9112 section 4.
#[inline]
pub(crate) fn status_line(line: &[u8]) -> Option<u16> {
    let (start, end) = line.split_first_chunk::<STATUS_OCTETS>()?;
    let (version, code) = start.split_first_chunk::<8>()?;
    let version = u64::from_be_bytes(*version);
    let is_known = version == u64::from_be_bytes(*b"HTTP/1.1") || version == u64::from_be_bytes(*b"HTTP/1.0");
    match code {
        [b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']
            if is_known && matches!(end.first(), None | Some(b' ' | b'\r')) =>
        {
            let digit = |octet: u8| u16::from(octet.wrapping_sub(b'0'));
            Some(digit(*a).wrapping_mul(100).wrapping_add(digit(*b).wrapping_mul(10)).wrapping_add(digit(*c)))
        }
        _ => None,
    }
}

/// The status code of a status line as common clients read it: the first digits, at most three.
pub(crate) fn lenient_status_line(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(PROTOCOL)?;
    let blank = rest.iter().position(|octet| matches!(octet, b' ' | b'\t'))?;
    let (version, rest) = rest.split_at_checked(blank)?;
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take(3).take_while(|octet| octet.is_ascii_digit()).count();
    // A bare CR may end a line for some clients: then this is none.
    (version.first().is_some_and(u8::is_ascii_digit) && !version.contains(&b'\r') && digits > 0)
        .then(|| number(rest.get(..digits).unwrap_or_default()))
}

/// The number that at most three digits stand for.
fn number(digits: &[u8]) -> u16 {
    digits
        .iter()
        .fold(0u16, |number, digit| number.saturating_mul(10).saturating_add(u16::from(digit.wrapping_sub(b'0'))))
}

/// Whether an octet may stand in a token. Source: RFC 9110 section 5.6.2.
#[inline]
pub(crate) fn is_token(octet: u8) -> bool {
    /// The answer for each octet: a look into a table for many comparisons.
    #[expect(clippy::indexing_slicing, reason = "done by the compiler, which would refuse a place out of bounds")]
    const ANSWERS: [bool; 256] = {
        let mut answers = [false; 256];
        let mut octets = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".as_slice();
        while let [octet, rest @ ..] = octets {
            answers[*octet as usize] = true;
            octets = rest;
        }
        answers
    };
    ANSWERS.get(usize::from(octet)).is_some_and(|answer| *answer)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_streams_apart_by_their_first_octets() {
        for (octets, wanted) in [
            (&b""[..], Opening::Undecided),
            (b"GE", Opening::Undecided),
            (b"GET /path", Opening::Undecided),
            (b"get /path HTTP/1.1\n", Opening::Request),
            (b"PRI * HTTP/2", Opening::Undecided),
            (b"PRI * HTTP/2.0\r\n\r\nSM", Opening::Http2),
            (b"HTT", Opening::Undecided),
            (b"HTTP/1.1 200", Opening::Response),
            (b"\x16\x03\x01", Opening::Tls),
            (b"GET /simple\r\n", Opening::Undecided),
            (b"GET /simple\r\n\r\n", Opening::Request),
            (b"GET /simple\r\nHost: a\r\n", Opening::Other),
            (b"EHLO mail.example.com\r\n", Opening::Other),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Opening::Other),
            (b"\x05\x01\x00", Opening::Other),
        ] {
            assert_eq!(opening(octets), wanted, "{:?}", octets.escape_ascii().to_string());
        }
    }

    #[test]
    fn reads_odd_status_lines_as_clients_do_but_believes_only_proper_ones() {
        for (line, lenient, proper) in [
            (&b"HTTP/1.1 429 Too Many Requests\r"[..], Some(429), Some(429)),
            (b"HTTP/1.0 200", Some(200), Some(200)),
            (b"HTTP/1.1  200 ok", Some(200), None),
            (b"HTTP/2.1 200 ok", Some(200), None),
            (b"HTTP/1.1 2000 ok", Some(200), None),
            (b"HTTP/1.1 0204 ok", Some(20), None),
            (b"HTTP/1.1 ok", None, None),
            (b"HTTP/1.1\r 200 ok", None, None),
        ] {
            assert_eq!((lenient_status_line(line), status_line(line)), (lenient, proper), "{}", line.escape_ascii());
        }
    }
}
