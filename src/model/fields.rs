//! Field lines of a message, in one allocation.

/// Field lines in their order, names in lower case, values as the octets that were on the wire (trimmed).
///
/// Names and values stay octets of unknown encoding: nothing here may reach a terminal unescaped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    octets: Vec<u8>,
    /// End of the name and end of the value of each line, in `octets`.
    ends: Vec<(u32, u32)>,
}

/// Room that is made for the first line at once: growing line by line would move them all several times. Few responses
/// have more that says something.
const FIRST_OCTETS: usize = 192;
const FIRST_LINES: usize = 6;

impl Fields {
    /// No field lines.
    pub const fn new() -> Self {
        Self { octets: Vec::new(), ends: Vec::new() }
    }

    /// Appends a field line. A line that would pass 4 GiB in all is left out: callers bound a head far below.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        if self.ends.is_empty() {
            self.octets.reserve(FIRST_OCTETS.max(name.len().saturating_add(value.len())));
            self.ends.reserve(FIRST_LINES);
        }
        let start = self.octets.len();
        let value = value.trim_ascii();
        self.octets.extend_from_slice(name);
        let name_end = self.octets.len();
        if let Some(name) = self.octets.get_mut(start..) {
            name.make_ascii_lowercase();
        }
        self.octets.extend_from_slice(value);
        match (u32::try_from(name_end), u32::try_from(self.octets.len())) {
            (Ok(name_end), Ok(value_end)) => self.ends.push((name_end, value_end)),
            _ => self.octets.truncate(start),
        }
    }

    /// The lines in order: name in lower case, value.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0usize;
        self.ends.iter().map(move |&(name_end, value_end)| {
            let (name_end, value_end) = (name_end as usize, value_end as usize);
            let name = self.octets.get(start..name_end).unwrap_or_default();
            let value = self.octets.get(name_end..value_end).unwrap_or_default();
            start = value_end;
            (name, value)
        })
    }

    /// The value of the first line of that name (in lower case).
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The value of a line, by its place from 0; empty past the last.
    #[inline]
    pub fn value(&self, line: usize) -> &[u8] {
        let end = self.ends.get(line).map(|(name_end, value_end)| (*name_end as usize)..(*value_end as usize));
        end.and_then(|range| self.octets.get(range)).unwrap_or_default()
    }

    /// The memory that they take, in octets.
    pub const fn footprint(&self) -> usize {
        self.octets.capacity().saturating_add(self.ends.capacity().saturating_mul(size_of::<(u32, u32)>()))
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

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(n, v)| (String::from_utf8_lossy(n).into_owned(), String::from_utf8_lossy(v).into_owned())),
            )
            .finish()
    }
}
