//! A request's target: its host and its path, without what may be secret.
//!
//! Source: RFC 9112 section 3.2, RFC 3986 section 3.

use std::borrow::Cow;

use super::head::RequestHead;
use super::search::visible_end;
use crate::model::Path;

/// Longer hosts are none: a domain name has at most 253 octets, a port six more.
const HOST_OCTETS: usize = 264;
/// What is kept of a path.
pub(super) const PATH_OCTETS: usize = 2048;

/// A target in its parts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Target<'a> {
    /// Whether the scheme is `https`, where the target names one.
    pub(crate) secure: bool,
    pub(crate) authority: Option<&'a [u8]>,
    pub(crate) path: &'a [u8],
    /// Whether the path is known to be visible characters.
    is_visible: bool,
    pub(crate) query: &'a [u8],
}

impl<'a> Target<'a> {
    /// The target of a request, of any form.
    #[inline]
    pub(crate) fn of(head: &RequestHead<'a>) -> Self {
        if head.is_path {
            return Self { path: head.target, is_visible: true, ..Self::default() };
        }
        Self::split(head.method, head.target)
    }

    fn split(method: &[u8], target: &'a [u8]) -> Self {
        if method == b"CONNECT" {
            return Self { authority: Some(target), ..Self::default() };
        }
        let target = before(target, b"#");
        let (secure, authority, rest) = match strip_scheme(target) {
            Some((secure, rest)) => {
                let authority = before(rest, b"/?");
                (secure, Some(authority), rest.get(authority.len()..).unwrap_or_default())
            }
            None => (false, None, target),
        };
        let path = before(rest, b"?");
        let query = rest.get(path.len()..).and_then(|query| query.strip_prefix(b"?")).unwrap_or_default();
        Self { secure, authority, path, query, is_visible: false }
    }

    /// The path as it is kept: printable, bounded, `/` where there is none.
    pub(crate) fn shown_path(&self) -> Path {
        let path = if self.path.is_empty() { b"/" } else { self.path };
        if path.len() <= PATH_OCTETS
            && (self.is_visible || visible_end(path) == path.len())
            && let Some(path) = Path::of_ascii(path)
        {
            return path;
        }
        let mut shown = String::with_capacity(path.len().min(PATH_OCTETS));
        for octet in path {
            let plain = octet.is_ascii_graphic();
            if shown.len().saturating_add(if plain { 1 } else { 3 }) > PATH_OCTETS {
                break;
            }
            if plain {
                shown.push(char::from(*octet));
            } else {
                shown.push('%');
                for nibble in [octet >> 4, octet & 15] {
                    shown.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
        shown.into()
    }
}

/// An authority in lower case, without user information and without the scheme's own port; `None` where it is no host.
pub(crate) fn host(authority: &[u8], secure: bool) -> Option<Cow<'_, str>> {
    let host = authority.rsplit(|octet| *octet == b'@').next().unwrap_or_default().trim_ascii();
    let host = host.strip_suffix(if secure { b":443" as &[u8] } else { b":80" }).unwrap_or(host);
    let host = host.strip_suffix(b":").unwrap_or(host);
    let plausible = !host.is_empty()
        && host.len() <= HOST_OCTETS
        && host.iter().all(|octet| octet.is_ascii_alphanumeric() || b".-_:[]%~!$&'()*+,;=".contains(octet));
    let text = plausible.then(|| std::str::from_utf8(host).ok()).flatten()?;
    Some(if text.bytes().any(|octet| octet.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    })
}

fn strip_scheme(target: &[u8]) -> Option<(bool, &[u8])> {
    if target.starts_with(b"/") {
        return None;
    }
    for (scheme, secure) in [(&b"http://"[..], false), (b"https://", true), (b"ws://", false), (b"wss://", true)] {
        if let Some((start, rest)) = target.split_at_checked(scheme.len())
            && start.eq_ignore_ascii_case(scheme)
        {
            return Some((secure, rest));
        }
    }
    None
}

/// What stands before the first of the delimiters.
fn before<'a>(octets: &'a [u8], delimiters: &[u8]) -> &'a [u8] {
    let end = octets.iter().position(|octet| delimiters.contains(octet)).unwrap_or(octets.len());
    octets.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::recognize::plain_request_line;
    use super::*;

    proptest! {
        /// What is known to be a path alone is what the parts of any target come to.
        #[test]
        fn a_path_alone_is_split_as_any_target_is(
            method in prop::sample::select(vec!["GET", "HEAD", "CONNECT"]),
            target in "(/|http://)?([a-z0-9?#!%@/~.:\"]|\u{e9}){1,70}",
        ) {
            let line = format!("{method} {target} HTTP/1.1\r\n");
            if let Some((head, length)) = plain_request_line(line.as_bytes()) {
                prop_assert_eq!((head.method, head.target), (method.as_bytes(), target.as_bytes()));
                prop_assert_eq!(length, line.len());
                let (short, full) = (Target::of(&head), Target::split(head.method, head.target));
                prop_assert_eq!((short.authority, short.query), (full.authority, full.query));
                prop_assert_eq!((short.secure, short.shown_path()), (full.secure, full.shown_path()));
                prop_assert_eq!(full.shown_path().is_ascii(), true);
            } else {
                prop_assert!(!target.is_ascii());
            }
        }
    }
}
