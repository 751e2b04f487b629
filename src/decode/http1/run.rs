//! What of a head is compared at once.

use std::ops::Range;

use super::framing::BodyEnd;
use super::lines::{Lines, Roles};
use super::search::{line_end, same};
use super::shape::KnownLine;

/// Octets that stand in each head, one line's or many lines', and what lines among them say something to the decoder.
#[derive(Debug, Default)]
pub(super) struct Run {
    octets: Vec<u8>,
    fixed: Vec<FixedLine>,
}

/// A run, and the line behind it whose value varies.
#[derive(Debug)]
pub(super) struct Varying {
    before: Run,
    name: Range<usize>,
    /// What it is good for, beside what is settled.
    pub(super) roles: Roles,
    /// Whether it alone says where the body ends.
    pub(super) is_length: bool,
}

#[derive(Debug)]
struct FixedLine {
    name: Range<usize>,
    value: Range<usize>,
    roles: Roles,
}

impl Run {
    /// Compares it with the start of `octets`; gives what follows.
    #[inline]
    pub(super) fn compare<'a>(&self, octets: &'a [u8]) -> Option<&'a [u8]> {
        let (start, behind) = octets.split_at_checked(self.octets.len())?;
        (start == self.octets).then_some(behind)
    }

    /// [`Self::compare`], made for few octets.
    #[inline]
    pub(super) fn compare_few<'a>(&self, octets: &'a [u8]) -> Option<&'a [u8]> {
        let (start, behind) = octets.split_at_checked(self.octets.len())?;
        same(start, &self.octets).then_some(behind)
    }

    /// Compares it with the start of `octets` and takes its lines; gives what follows.
    #[inline]
    pub(super) fn read<'a>(&self, octets: &'a [u8], lines: &mut Lines<'a>) -> Option<&'a [u8]> {
        let behind = self.compare(octets)?;
        for line in &self.fixed {
            lines.push_for_decoder(octets.get(line.name.clone())?, octets.get(line.value.clone())?, line.roles);
        }
        Some(behind)
    }
}

impl Varying {
    /// Compares the run with the start of `octets`; gives the value with the blanks around it, and what follows, which begins
    /// with the line's end.
    #[inline]
    pub(super) fn compare<'a>(&self, octets: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        split_value(self.before.compare(octets)?)
    }

    /// As it stands in each head.
    #[inline]
    pub(super) fn name(&self) -> &[u8] {
        self.before.octets.get(self.name.clone()).unwrap_or_default()
    }

    /// Reads the run and the line; gives what follows, which begins with the line's end.
    #[inline]
    pub(super) fn read<'a>(&self, octets: &'a [u8], lines: &mut Lines<'a>) -> Option<&'a [u8]> {
        let (value, end) = split_value(self.before.read(octets, lines)?)?;
        if self.is_length {
            lines.body_end = Some(BodyEnd::of_length(value));
        }
        if !self.roles.is_empty() {
            lines.push_varying(octets.get(self.name.clone())?, value.trim_ascii(), self.roles);
        }
        Some(end)
    }
}

/// A value that ends with its line, and the line's end with what follows it.
#[inline]
fn split_value(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    octets.split_at_checked(line_end(octets).checked_sub(1)?)
}

/// Puts together what is compared at once: up to each value that varies, and from there to the end. Of the lines that say
/// where the body ends or which host is meant, those of the roles that are `settled` are not read.
pub(super) fn runs(lines: &[KnownLine], settled: Roles) -> (Vec<Varying>, Run) {
    let mut varying = Vec::new();
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
            if roles.are_for_decoder() {
                run.fixed.push(FixedLine { name, value: value_range, roles });
            }
        } else {
            let is_length = roles != line.roles && line.roles.has(Roles::CONTENT_LENGTH);
            varying.push(Varying { before: std::mem::take(&mut run), name, roles, is_length });
        }
        run.octets.extend_from_slice(b"\r\n");
    }
    run.octets.extend_from_slice(b"\r\n");
    (varying, run)
}
