//! What the heads of a server, or of a client, have in common: their field lines, and the values that come the same.

use std::ops::Range;
use std::sync::Arc;

use super::framing::BodyEnd;
use super::lines::{Lines, Roles};
use super::recognize::is_token;
use super::search::line_end;
use crate::model::FieldNames;

/// What heads have in common, from behind their first line to behind the empty one.
#[derive(Debug)]
pub(super) struct Shape {
    lines: Vec<KnownLine>,
    /// The same as they are compared.
    runs: Vec<Run>,
    /// The names of the lines that are kept with an exchange; absent where none is.
    kept: Option<Arc<FieldNames>>,
    body_end: KnownEnd,
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
    start: Box<[u8]>,
    /// The length of the name.
    name: usize,
    roles: Roles,
    /// Absent where it varies, or is not remembered.
    value: Option<Box<[u8]>>,
}

/// Octets that stand in each head, one line's or many lines', up to a value that varies or to the end.
#[derive(Debug, Default)]
struct Run {
    octets: Vec<u8>,
    /// The lines that are good for something and whose values are among the octets.
    fixed: Vec<FixedLine>,
    /// The line whose value follows; absent at the end of the head.
    varying: Option<VaryingLine>,
}

#[derive(Debug)]
struct FixedLine {
    name: Range<usize>,
    value: Range<usize>,
    roles: Roles,
}

#[derive(Debug)]
struct VaryingLine {
    name: Range<usize>,
    roles: Roles,
    /// Whether it alone says where the body ends.
    is_length: bool,
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
    pub(super) fn of(lines: Vec<KnownLine>) -> Self {
        let mut kept = None;
        for line in lines.iter().filter(|line| line.roles.has(Roles::KEPT)) {
            let names: &mut FieldNames = kept.get_or_insert_default();
            names.push(line.start.get(..line.name).unwrap_or_default());
        }
        let body_end = KnownEnd::of(&lines);
        Self { runs: runs(&lines, body_end), body_end, lines, kept: kept.map(Arc::new) }
    }

    /// Whether other lines have the same names, written the same.
    pub(super) fn has(&self, lines: &[KnownLine]) -> bool {
        let same = |(own, other): (&KnownLine, &KnownLine)| own.start == other.start && own.roles == other.roles;
        self.lines.len() == lines.len() && self.lines.iter().zip(lines).all(same)
    }

    /// Learns from lines of the same names which values vary.
    pub(super) fn vary(&mut self, others: &[KnownLine]) {
        for (line, other) in self.lines.iter_mut().zip(others) {
            if line.value != other.value {
                line.value = None;
            }
        }
        self.body_end = KnownEnd::of(&self.lines);
        self.runs = runs(&self.lines, self.body_end);
    }

    /// Reads the lines of a head of this shape into `lines`, which are empty; gives their length.
    pub(super) fn read<'a>(&self, octets: &'a [u8], lines: &mut Lines<'a>) -> Option<usize> {
        lines.begin(self.kept.as_ref());
        if let KnownEnd::Same(end) = self.body_end {
            lines.body_end = Some(end);
        }
        let mut rest = octets;
        for run in &self.runs {
            let behind = rest.strip_prefix(run.octets.as_slice())?;
            for line in &run.fixed {
                lines.push_known(rest.get(line.name.clone())?, rest.get(line.value.clone())?, line.roles);
            }
            let Some(line) = &run.varying else {
                return Some(octets.len().saturating_sub(behind.len()));
            };
            // The next run begins with the line's end.
            let (value, end) = behind.split_at_checked(line_end(behind)?.checked_sub(1)?)?;
            if line.is_length {
                lines.body_end = Some(BodyEnd::of_length(value.trim_ascii()));
            }
            if !line.roles.is_empty() {
                lines.push_known(rest.get(line.name.clone())?, value.trim_ascii(), line.roles);
            }
            rest = end;
        }
        None
    }
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

/// Puts together what is compared at once.
fn runs(lines: &[KnownLine], body_end: KnownEnd) -> Vec<Run> {
    let settled = if body_end == KnownEnd::Varies { Roles::default() } else { Roles::BODY_END };
    let mut runs = Vec::new();
    let mut run = Run::default();
    for line in lines {
        let roles = line.roles.without(settled);
        let start = run.octets.len();
        let name = start..start.saturating_add(line.name);
        run.octets.extend_from_slice(&line.start);
        if let Some(value) = &line.value {
            let before = value.len().saturating_sub(value.trim_ascii_start().len());
            let start = run.octets.len().saturating_add(before);
            let value_range = start..start.saturating_add(value.trim_ascii().len());
            run.octets.extend_from_slice(value);
            if !roles.is_empty() {
                run.fixed.push(FixedLine { name, value: value_range, roles });
            }
        } else {
            let is_length = body_end == KnownEnd::Length && line.roles.has(Roles::CONTENT_LENGTH);
            run.varying = Some(VaryingLine { name, roles, is_length });
            runs.push(std::mem::take(&mut run));
        }
        run.octets.extend_from_slice(b"\r\n");
    }
    run.octets.extend_from_slice(b"\r\n");
    runs.push(run);
    runs
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
        let shape = Shape::of(known_lines(head, roles).unwrap());
        let remembered: Vec<_> = shape.lines.iter().map(|line| line.value.as_deref()).collect();
        assert_eq!(remembered, [None, None, None, None, Some(&b"me"[..])]);
        // The octets of `pw`.
        assert!(!format!("{shape:?}").contains("112, 119"));
    }
}
