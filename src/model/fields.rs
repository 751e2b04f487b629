//! Field lines of a message: their names, shared by all messages that have the same, and their values.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::short_octets::ShortOctets;

/// Field lines in their order, names in lower case, values as the octets that were on the wire (trimmed).
///
/// Names and values stay octets of unknown encoding: nothing here may reach a terminal unescaped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Absent where there is no line.
    names: Option<Arc<FieldNames>>,
    /// The values, one behind the other.
    values: ShortOctets,
    /// Where each ends in `values`.
    ends: SmallVec<[u32; 6]>,
}

/// The names of field lines, in lower case and in their order.
///
/// A server sends the same with each response: they are made once, and whoever remembers something of them knows them again
/// by their place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldNames {
    /// The names, one behind the other.
    octets: Vec<u8>,
    /// Where each ends in `octets`.
    ends: Vec<u32>,
}

impl FieldNames {
    /// Appends a name. One that would pass 4 GiB in all is left out: callers bound a head far below.
    pub fn push(&mut self, name: &[u8]) {
        let start = self.octets.len();
        let Some(end) = end(start, name) else { return };
        self.octets.extend_from_slice(name);
        if let Some(name) = self.octets.get_mut(start..) {
            name.make_ascii_lowercase();
        }
        self.ends.push(end);
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        parts(&self.octets, &self.ends)
    }
}

impl Fields {
    /// No field lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the lines to come, of which there is none yet, their names; [`Self::push_value`] gives each its own value.
    #[inline]
    pub fn begin(&mut self, names: &Arc<FieldNames>) {
        self.names = Some(Arc::clone(names));
    }

    /// Appends a field line. A line that would pass 4 GiB in all is left out: callers bound a head far below.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let value = value.trim_ascii();
        let names = Arc::make_mut(self.names.get_or_insert_default());
        if end(self.values.as_slice().len(), value).is_some() && end(names.octets.len(), name).is_some() {
            names.push(name);
            self.push_value(value);
        }
    }

    /// Gives the next line of [`Self::begin`] its value, without blanks around it. One that would pass 4 GiB in all is left
    /// out.
    #[inline]
    pub fn push_value(&mut self, value: &[u8]) {
        let start = self.ends.last().map_or(0, |end| *end as usize);
        if let Some(end) = end(start, value) {
            self.values.extend(value);
            self.ends.push(end);
        }
    }

    /// The names of the lines; absent where there is none.
    pub const fn names(&self) -> Option<&Arc<FieldNames>> {
        self.names.as_ref()
    }

    /// The lines in order: name in lower case, value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.names.iter().flat_map(|names| names.iter()).zip(parts(self.values.as_slice(), &self.ends))
    }

    /// The value of the first line of that name (in lower case).
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The value of a line, by its place from 0; empty past the last.
    #[inline]
    pub fn value(&self, line: usize) -> &[u8] {
        let start = line.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(line)).map(|(start, end)| start as usize..*end as usize);
        range.and_then(|range| self.values.as_slice().get(range)).unwrap_or_default()
    }

    /// The memory that they take beyond their own record, in octets, without names that others have too.
    pub fn footprint(&self) -> usize {
        let own = self.names.as_ref().filter(|names| Arc::strong_count(names) == 1);
        let names = own.map_or(0, |names| {
            names.octets.capacity().saturating_add(names.ends.capacity().saturating_mul(size_of::<u32>()))
        });
        let ends = if self.ends.spilled() { self.ends.capacity() } else { 0 };
        names.saturating_add(self.values.footprint()).saturating_add(ends.saturating_mul(size_of::<u32>()))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Where a part ends that begins at `start`; `None` past 4 GiB.
fn end(start: usize, part: &[u8]) -> Option<u32> {
    u32::try_from(start.checked_add(part.len())?).ok()
}

/// The parts of `octets` that end at `ends`.
fn parts<'a>(octets: &'a [u8], ends: &'a [u32]) -> impl Iterator<Item = &'a [u8]> {
    let mut start = 0usize;
    ends.iter().map(move |end| {
        let end = *end as usize;
        let part = octets.get(start..end).unwrap_or_default();
        start = end;
        part
    })
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        f.debug_map().entries(self.iter().map(|(name, value)| (text(name), text(value)))).finish()
    }
}
