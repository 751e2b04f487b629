//! Response heads as a client prints them (`curl -si`), with or without their bodies.
//!
//! Line ends may be CRLF or LF, the version may be `HTTP/2`; several responses may follow one another, interim ones and
//! redirects among them.

use crate::model::{Body, Fields, Response, Timestamp};

/// What is kept of a body: as much as of any other, see [`Body`].
const MOST_BODY_OCTETS: usize = 64 << 10;

/// Field lines that are read of one head; what real servers send stays below 100.
const MOST_FIELDS: usize = 256;

/// Reads all final responses in `text`, each as seen at `at`. Text before the first status line is passed over.
pub fn responses(text: &[u8], at: Timestamp) -> Vec<Response> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = next_head(rest) {
        rest = rest.get(start..).unwrap_or_default();
        let Some((status, fields, after)) = head(rest) else {
            rest = rest.get(5..).unwrap_or_default();
            continue;
        };
        rest = after;
        if (100..200).contains(&status) {
            continue;
        }
        let declared = fields.first(b"content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        let length = match declared {
            Some(length) if length <= rest.len() => length,
            _ => next_head(rest).unwrap_or(rest.len()),
        };
        let (body, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = after;
        let body = (!body.is_empty()).then(|| Body {
            octets: body.get(..MOST_BODY_OCTETS).unwrap_or(body).to_vec(),
            truncated: body.len() > MOST_BODY_OCTETS,
        });
        found.push(Response { at, status, fields, body });
    }
    found
}

/// Where the next status line starts: at the start of the text or of a line.
fn next_head(text: &[u8]) -> Option<usize> {
    let is_head = |candidate: &[u8]| {
        candidate.starts_with(b"HTTP/") && candidate.get(5).is_some_and(u8::is_ascii_digit) && head(candidate).is_some()
    };
    if is_head(text) {
        return Some(0);
    }
    let ends = text.iter().enumerate().filter(|(_, octet)| **octet == b'\n').map(|(at, _)| at.saturating_add(1));
    ends.into_iter().find(|&at| text.get(at..).is_some_and(is_head))
}

/// Status code, field lines, and what follows the empty line.
fn head(text: &[u8]) -> Option<(u16, Fields, &[u8])> {
    let (line, mut rest) = split_line(text);
    let mut words = line.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let (_version, code) = (words.next()?, words.next()?);
    let status: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    if !(100..=999).contains(&status) {
        return None;
    }
    let mut fields = Fields::new();
    loop {
        let (line, after) = split_line(rest);
        rest = after;
        if line.is_empty() {
            return Some((status, fields, rest));
        }
        let colon = line.iter().position(|octet| *octet == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        if fields.len() < MOST_FIELDS {
            fields.push(name.trim_ascii(), value.get(1..).unwrap_or_default());
        }
    }
}

fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|octet| *octet == b'\n').unwrap_or(text.len());
    let line = text.get(..end).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), text.get(end.saturating_add(1)..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_with_and_without_bodies_one_after_the_other() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\n{ }\
                     HTTP/2 200 \nratelimit-limit: 5\n\nHTTP/ is no head\nHTTP/1.1 204 No Content\r\n\r\n";
        let found = responses(text, Timestamp::default());
        let statuses: Vec<u16> = found.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [429, 200, 204]);
        assert_eq!(found[0].fields.first(b"retry-after"), Some(&b"7"[..]));
        assert_eq!(found[0].body.as_ref().unwrap().octets, b"{ }");
        assert_eq!(found[1].body.as_ref().unwrap().octets, b"HTTP/ is no head\n");
        assert_eq!(found[2].body, None);
        assert!(responses(b"no head here", Timestamp::default()).is_empty());
    }
}
