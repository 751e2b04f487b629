//! Field lines of a message: what they share with those of other messages, and the values that vary.

use std::fmt;
use std::sync::Arc;

use super::common_fields::{CommonFields, Value};
use super::short_values::ShortValues;

/// Field lines in their order, names in lower case, values as the octets that were on the wire (trimmed).
///
/// Names and values stay octets of unknown encoding: nothing here may reach a terminal unescaped.
#[derive(Clone, Default)]
pub struct Fields {
    /// Absent where there is no line.
    common: Option<Arc<CommonFields>>,
    /// The values that vary, in the order of their lines.
    varying: ShortValues,
}

impl Fields {
    /// No field lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the lines to come, of which there is none yet, what others have too; [`Self::push_value`] gives each that varies
    /// its value.
    #[inline(always)]
    pub fn begin(&mut self, common: &Arc<CommonFields>) {
        self.common = Some(Arc::clone(common));
    }

    /// Appends a field line.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        Arc::make_mut(self.common.get_or_insert_default()).push(name, None);
        self.push_value(value.trim_ascii());
    }

    /// Gives the next line of [`Self::begin`] that varies its value, without blanks around it.
    #[inline]
    pub fn push_value(&mut self, value: &[u8]) {
        self.varying.push(value);
    }

    /// What they may share with other messages; absent where there is no line.
    #[inline]
    pub const fn common(&self) -> Option<&Arc<CommonFields>> {
        self.common.as_ref()
    }

    /// The lines in order: name in lower case, value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let names = self.common.iter().flat_map(|common| common.names());
        names.enumerate().map(|(line, name)| (name, self.value(line)))
    }

    /// The value of the first line of that name (in lower case).
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The value of a line, by its place from 0; empty past the last.
    #[inline]
    pub fn value(&self, line: usize) -> &[u8] {
        match self.common.as_ref().map(|common| common.value(line)) {
            Some(Value::Fixed(value)) => value,
            Some(Value::Varying(place)) => self.varying.get(place),
            None => &[],
        }
    }

    /// The memory that they take beyond their own record, in octets, without what others have too.
    pub fn footprint(&self) -> usize {
        let own = self.common.as_ref().filter(|common| Arc::strong_count(common) == 1);
        own.map_or(0, |common| common.footprint()).saturating_add(self.varying.footprint())
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.common.as_ref().map_or(0, |common| common.len())
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Lines are the same whichever of them others have too.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        f.debug_map().entries(self.iter().map(|(name, value)| (text(name), text(value)))).finish()
    }
}
