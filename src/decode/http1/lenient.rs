//! Heads that break the grammar, read as common clients read them.
//!
//! Folded lines, bare LF, blanks before the colon, odd octets in values: a client that goes on with such a response is
//! told its quota by it, so the observer must go on as well. Source: RFC 9112 sections 2.2, 3, 4 and 5.

use super::head::{Parsed, RequestHead, ResponseHead};
use super::lines::{Lines, Roles};
use super::recognize::{self, Simple};

/// The search for the empty line that ends a head; blanks in that line do not matter. Linear over all its calls.
#[derive(Debug, Default)]
pub(crate) struct EndSearch {
    /// How far it has looked.
    seen: usize,
    /// Whether the line it stands in is empty so far; the start line is not.
    blank: bool,
}

impl EndSearch {
    /// The length of the head at the start of `octets`, which begin with what earlier calls were given.
    pub(crate) fn find(&mut self, octets: &[u8]) -> Option<usize> {
        while let Some(octet) = octets.get(self.seen) {
            match octet {
                b'\n' if self.blank => return Some(self.seen.saturating_add(1)),
                b'\n' => self.blank = true,
                b' ' | b'\t' | b'\r' => {}
                _ => {
                    self.blank = false;
                    let rest = octets.get(self.seen..).unwrap_or_default();
                    let line = rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
                    self.seen = self.seen.saturating_add(line);
                    continue;
                }
            }
            self.seen = self.seen.saturating_add(1);
        }
        None
    }
}

fn head_length(octets: &[u8]) -> Option<usize> {
    EndSearch::default().find(octets)
}

/// Parses a request's head with all the leniency there is.
pub(crate) fn parse_request<'a>(
    octets: &'a [u8],
    lines: &mut Lines<'a>,
    bound: usize,
    roles: impl FnMut(&[u8]) -> Roles,
) -> Parsed<RequestHead<'a>> {
    let Some(length) = head_length(octets) else { return partial(octets, recognize::may_be_request(octets)) };
    let head = octets.get(..length).unwrap_or_default();
    let (first, rest) = split_line(head);
    let line = recognize::request_line(first).or_else(|| match recognize::simple_request(head) {
        Simple::Whole(target) => Some((&b"GET"[..], target)),
        Simple::Partial | Simple::No => None,
    });
    let Some((method, target)) = line else { return Parsed::Bad };
    if take_lines(rest, lines, bound, roles) {
        Parsed::Whole(RequestHead { method, target, is_path: false }, length)
    } else {
        Parsed::TooMany
    }
}

/// Parses a response's head with all the leniency there is.
pub(crate) fn parse_response<'a>(
    octets: &'a [u8],
    lines: &mut Lines<'a>,
    bound: usize,
    roles: impl FnMut(&[u8]) -> Roles,
) -> Parsed<ResponseHead> {
    let Some(length) = head_length(octets) else { return partial(octets, recognize::may_be_response(octets)) };
    let head = octets.get(..length).unwrap_or_default();
    let (first, rest) = split_line(head);
    let Some(status) = recognize::lenient_status_line(first) else { return Parsed::Bad };
    if take_lines(rest, lines, bound, roles) { Parsed::Whole(ResponseHead { status }, length) } else { Parsed::TooMany }
}

const fn partial<T>(_octets: &[u8], plausible: bool) -> Parsed<T> {
    if plausible { Parsed::Partial } else { Parsed::Bad }
}

/// The first line without its end, and what follows it.
pub(crate) fn split_line(octets: &[u8]) -> (&[u8], &[u8]) {
    match octets.iter().position(|octet| *octet == b'\n') {
        Some(newline) => {
            let line = octets.get(..newline).unwrap_or_default();
            (line.strip_suffix(b"\r").unwrap_or(line), octets.get(newline.saturating_add(1)..).unwrap_or_default())
        }
        None => (octets, &[]),
    }
}

/// Takes the field lines, if they are not too many; a line that has no colon is left out, and so is a folded line's
/// continuation, with its value.
fn take_lines<'a>(
    mut rest: &'a [u8],
    lines: &mut Lines<'a>,
    bound: usize,
    mut roles: impl FnMut(&[u8]) -> Roles,
) -> bool {
    lines.begin(None);
    let mut count = 0usize;
    while !rest.is_empty() {
        let (line, behind) = split_line(rest);
        rest = behind;
        if line.first().is_some_and(|first| matches!(first, b' ' | b'\t')) {
            continue;
        }
        if let Some(colon) = line.iter().position(|octet| *octet == b':') {
            count = count.saturating_add(1);
            if count > bound {
                return false;
            }
            let (name, value) = line.split_at_checked(colon).unwrap_or_default();
            let name = name.trim_ascii();
            lines.push(name, value.get(1..).unwrap_or_default(), roles(name));
        }
    }
    true
}
