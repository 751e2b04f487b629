//! What the field lines of many messages have in common: their names, and the values that come the same.

/// The names of field lines, in lower case and in their order, and the values that are the same in each message.
///
/// A server sends the same with each response: they are made once, and whoever remembers something of them knows them again
/// by their place.
///
/// They keep off the cache line that counts who shares them: one thread counts while another one reads.
#[derive(Debug, Clone, Default)]
#[repr(align(64))]
pub struct CommonFields {
    /// The names, each with its value behind it where that is in common.
    octets: Vec<u8>,
    lines: Vec<CommonLine>,
    /// How many values vary.
    varying: usize,
}

#[derive(Debug, Clone)]
struct CommonLine {
    /// Where its name begins in the octets.
    start: usize,
    name_end: usize,
    value: CommonValue,
}

/// A value, as far as it is in common.
#[derive(Debug, Clone, Copy)]
enum CommonValue {
    /// It stands behind the name and ends there.
    Fixed(usize),
    /// Each message has its own: which of those that vary.
    Varying(usize),
}

/// Where the value of a line is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Here: it is the same in each message.
    Fixed(&'a [u8]),
    /// Among those of the message that vary, at that place.
    Varying(usize),
}

impl CommonFields {
    /// Appends a line; without a value, each message has its own.
    pub fn push(&mut self, name: &[u8], value: Option<&[u8]>) {
        let start = self.octets.len();
        self.octets.extend(name.iter().map(u8::to_ascii_lowercase));
        let name_end = self.octets.len();
        let value = if let Some(value) = value {
            self.octets.extend_from_slice(value.trim_ascii());
            CommonValue::Fixed(self.octets.len())
        } else {
            self.varying = self.varying.saturating_add(1);
            CommonValue::Varying(self.varying.saturating_sub(1))
        };
        self.lines.push(CommonLine { start, name_end, value });
    }

    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(|line| self.octets.get(line.start..line.name_end).unwrap_or_default())
    }

    /// Whether others have the same names in the same order.
    pub fn has_names_of(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }

    /// Whether the value of a line, by its place from 0, is the same in each message.
    pub fn is_fixed(&self, line: usize) -> bool {
        matches!(self.value(line), Value::Fixed(_))
    }

    /// Where the value of a line is found; empty past the last.
    #[inline]
    pub(super) fn value(&self, line: usize) -> Value<'_> {
        let Some(line) = self.lines.get(line) else { return Value::Fixed(&[]) };
        match line.value {
            CommonValue::Fixed(end) => Value::Fixed(self.octets.get(line.name_end..end).unwrap_or_default()),
            CommonValue::Varying(place) => Value::Varying(place),
        }
    }

    /// How many lines there are.
    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// The memory that they take, in octets.
    pub(super) const fn footprint(&self) -> usize {
        let lines = self.lines.capacity().saturating_mul(size_of::<CommonLine>());
        size_of::<Self>().saturating_add(self.octets.capacity()).saturating_add(lines)
    }
}
