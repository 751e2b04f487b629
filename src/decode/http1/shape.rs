//! What the heads of a server, or of a client, have in common: their field lines, and the values that come the same.

use std::sync::Arc;

use super::framing::BodyEnd;
use super::hosts::Host;
use super::lines::{Lines, Roles};
use super::recognize::is_token;
use super::request::CREDENTIALS;
use super::run::{Run, Varying, runs};
use super::search::trimmed;
use crate::model::CommonFields;

/// What heads have in common, from behind their first line to behind the empty one.
#[derive(Debug)]
pub(super) struct Shape {
    lines: Vec<KnownLine>,
    /// The same as they are compared: up to each value that varies, and from there to the end.
    varying: Vec<Varying>,
    last: Run,
    /// What the lines that are kept with an exchange have in common; absent where none is kept.
    pub(super) kept: Option<Arc<CommonFields>>,
    body_end: KnownEnd,
    /// Which host is meant, where one line says so that is the same in each head.
    pub(super) host: Option<Arc<Host>>,
    /// Whether nothing but what [`Self::compare`] finds says something, beside what is the same in each head.
    pub(super) is_plain: bool,
    /// Whether a line says how the content is coded.
    pub(super) is_coded: bool,
}

/// What is known of where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownEnd {
    /// The lines that say so are the same in each head.
    Same(BodyEnd),
    /// One line says so, a `Content-Length` that varies.
    Length,
    /// Several lines say so, and some vary.
    Varies,
}

/// A field line as it is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KnownLine {
    /// Name, colon, and the blank behind it where there is one.
    pub(super) start: Box<[u8]>,
    /// The length of the name.
    pub(super) name: usize,
    pub(super) roles: Roles,
    /// Absent where it varies, or is not remembered.
    pub(super) value: Option<Box<[u8]>>,
}

/// A head with more octets of names and values is read by the parser.
const SHAPE_OCTETS: usize = 2048;

/// Lines whose values are no secrets by what their standards and documents say, and which most senders repeat. Of no other
/// line is a value remembered, save of those that are kept with the exchange or say where a message ends.
const OPEN: [&[u8]; 31] = [
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"accept-ranges",
    b"access-control-allow-credentials",
    b"access-control-allow-headers",
    b"access-control-allow-methods",
    b"access-control-allow-origin",
    b"access-control-expose-headers",
    b"alt-svc",
    b"cache-control",
    b"connection",
    b"content-language",
    b"content-security-policy",
    b"content-type",
    b"expires",
    b"keep-alive",
    b"permissions-policy",
    b"pragma",
    b"referrer-policy",
    b"server",
    b"strict-transport-security",
    b"te",
    b"user-agent",
    b"vary",
    b"via",
    b"x-content-type-options",
    b"x-frame-options",
    b"x-permitted-cross-domain-policies",
    b"x-powered-by",
    b"x-xss-protection",
];

/// Whether a value may be remembered.
fn is_open(name: &[u8], value: &[u8], roles: Roles) -> bool {
    // A host with user information may hold a password.
    let known = !roles.is_empty() || OPEN.iter().any(|open| name.eq_ignore_ascii_case(open));
    known && !roles.has(Roles::CREDENTIAL) && !(roles.has(Roles::HOST) && value.contains(&b'@'))
}

/// The field lines of a head, up to and with the empty one; `None` where one is anything but a token, a colon, a value and
/// CR LF, or where there are too many.
pub(super) fn known_lines(octets: &[u8], mut roles: impl FnMut(&[u8]) -> Roles) -> Option<Vec<KnownLine>> {
    let mut lines = Vec::new();
    let mut rest = octets;
    let mut room = SHAPE_OCTETS;
    loop {
        let end = memchr::memchr(b'\n', rest)?;
        let line = rest.get(..end)?.strip_suffix(b"\r")?;
        rest = rest.get(end.saturating_add(1)..)?;
        if line.is_empty() {
            return rest.is_empty().then_some(lines);
        }
        let name = line.iter().position(|octet| !is_token(*octet)).filter(|end| *end > 0)?;
        let (name, behind) = line.split_at_checked(name)?;
        let colon = behind.strip_prefix(b": ").map(|_| 2).or_else(|| behind.strip_prefix(b":").map(|_| 1))?;
        let (start, value) = line.split_at_checked(name.len().saturating_add(colon))?;
        room = room.checked_sub(start.len())?;
        let roles = roles(name);
        let value = (is_open(name, value, roles) && value.len() <= room).then(|| Box::from(value));
        room = room.saturating_sub(value.as_deref().map_or(0, <[u8]>::len));
        lines.push(KnownLine { start: start.into(), name: name.len(), roles, value });
    }
}

impl Shape {
    /// The shape of lines; `host` knows the host that an authority names.
    pub(super) fn of(lines: Vec<KnownLine>, host: impl FnOnce(&[u8]) -> Option<Arc<Host>>) -> Self {
        let mut shape = Self {
            lines,
            varying: Vec::new(),
            last: Run::default(),
            kept: None,
            body_end: KnownEnd::Varies,
            host: None,
            is_plain: false,
            is_coded: false,
        };
        shape.settle(host);
        shape
    }

    /// Settles what is the same in each head.
    fn settle(&mut self, host: impl FnOnce(&[u8]) -> Option<Arc<Host>>) {
        self.kept = kept(&self.lines);
        self.body_end = KnownEnd::of(&self.lines);
        let mut hosts = self.lines.iter().filter(|line| line.roles.has(Roles::HOST));
        self.host = match (hosts.next(), hosts.next()) {
            (Some(line), None) => line.value.as_deref().map(<[u8]>::trim_ascii).and_then(host),
            _ => None,
        };
        let body_end = if self.body_end == KnownEnd::Varies { Roles::default() } else { Roles::BODY_END };
        let host = if self.host.is_some() { Roles::HOST } else { Roles::default() };
        (self.varying, self.last) = runs(&self.lines, body_end.and(host));
        let count = |roles| self.lines.iter().filter(|line| line.roles.has(roles)).count();
        self.is_coded = count(Roles::CONTENT_ENCODING) > 0;
        self.is_plain = self.body_end != KnownEnd::Varies
            && count(Roles::TRAILER) == 0
            && count(Roles::CREDENTIAL) <= CREDENTIALS
            && (self.host.is_some() || count(Roles::HOST) == 0);
    }

    /// Compares the lines of a head with it; gives what they say of where the body ends, and what follows them. `take` gets the
    /// values that vary of the lines of some `roles`, with the name.
    #[inline(always)]
    pub(super) fn compare<'a>(
        &self,
        octets: &'a [u8],
        roles: Roles,
        mut take: impl FnMut(&[u8], &'a [u8]),
    ) -> Option<(BodyEnd, &'a [u8])> {
        let mut said = match self.body_end {
            KnownEnd::Same(end) => end,
            KnownEnd::Length | KnownEnd::Varies => BodyEnd::Unsaid,
        };
        let mut rest = octets;
        for varying in &self.varying {
            let (value, behind) = varying.compare(rest)?;
            rest = behind;
            if varying.is_length {
                said = BodyEnd::of_length(value);
            }
            if varying.roles.has(roles) {
                take(varying.name(), trimmed(value));
            }
        }
        Some((said, self.last.compare_few(rest)?))
    }

    /// Whether other lines have the same names, written the same.
    pub(super) fn has(&self, lines: &[KnownLine]) -> bool {
        let same = |(own, other): (&KnownLine, &KnownLine)| own.start == other.start && own.roles == other.roles;
        self.lines.len() == lines.len() && self.lines.iter().zip(lines).all(same)
    }

    /// Learns from lines of the same names which values vary.
    pub(super) fn vary(&mut self, others: &[KnownLine], host: impl FnOnce(&[u8]) -> Option<Arc<Host>>) {
        for (line, other) in self.lines.iter_mut().zip(others) {
            if line.value != other.value {
                line.value = None;
            }
        }
        self.settle(host);
    }

    /// Reads the lines of a head of this shape into `lines`, which are empty; gives their length.
    pub(super) fn read<'a>(&self, octets: &'a [u8], lines: &mut Lines<'a>) -> Option<usize> {
        lines.begin(self.kept.as_ref());
        if let KnownEnd::Same(end) = self.body_end {
            lines.body_end = Some(end);
        }
        if let Some(host) = &self.host {
            lines.host = Some(Arc::clone(host));
        }
        let mut rest = octets;
        for varying in &self.varying {
            rest = varying.read(rest, lines)?;
        }
        rest = self.last.read(rest, lines)?;
        Some(octets.len().saturating_sub(rest.len()))
    }
}

/// What the lines that are kept have in common.
fn kept(lines: &[KnownLine]) -> Option<Arc<CommonFields>> {
    let mut common: Option<CommonFields> = None;
    for line in lines.iter().filter(|line| line.roles.has(Roles::KEPT)) {
        let name = line.start.get(..line.name).unwrap_or_default();
        common.get_or_insert_default().push(name, line.value.as_deref());
    }
    common.map(Arc::new)
}

impl KnownEnd {
    fn of(lines: &[KnownLine]) -> Self {
        let says = lines.iter().filter(|line| line.roles.has(Roles::BODY_END));
        if says.clone().all(|line| line.value.is_some()) {
            let values = |role| {
                let lines = lines.iter().filter(move |line| line.roles.has(role));
                lines.filter_map(|line| line.value.as_deref()).map(<[u8]>::trim_ascii)
            };
            return Self::Same(BodyEnd::of(values(Roles::TRANSFER_ENCODING), values(Roles::CONTENT_LENGTH)));
        }
        let is_length = says.clone().all(|line| line.roles.has(Roles::CONTENT_LENGTH)) && says.count() == 1;
        if is_length { Self::Length } else { Self::Varies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_remembered_that_may_be_a_secret() {
        let head = b"Host: user:pw1@example.com\r\nCookie: pw2\r\nX-Session: pw3\r\nAuthorization: pw4\r\nUser-Agent: me\r\n\r\n";
        let roles = |name: &[u8]| {
            let credential = name == b"Authorization";
            Roles::of_name(name).and(if credential { Roles::CREDENTIAL } else { Roles::default() })
        };
        let shape = Shape::of(known_lines(head, roles).unwrap(), |_| None);
        let remembered: Vec<_> = shape.lines.iter().map(|line| line.value.as_deref()).collect();
        assert_eq!(remembered, [None, None, None, None, Some(&b"me"[..])]);
        // The octets of `pw`.
        assert!(!format!("{shape:?}").contains("112, 119"));
    }
}
