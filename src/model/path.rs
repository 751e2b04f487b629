//! The path that a request asked for.

use std::fmt;
use std::ops::Deref;

use super::few_octets::copy_few;

/// A path. Most are short and ASCII: those stand in the record itself, so that they cost no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Path(Octets);

/// The octets of the text.
#[derive(Clone, PartialEq, Eq)]
enum Octets {
    /// So many of the octets, all of them ASCII.
    Few(u8, [u8; FEW]),
    Many(Box<str>),
}

/// What makes the record four words long, so that a request that moves is moved in place.
const FEW: usize = 30;

impl Path {
    /// From octets that are all ASCII; `None` of others.
    #[inline(always)]
    pub fn of_ascii(text: &[u8]) -> Option<Self> {
        let mut octets = [0; FEW];
        let (Some(place), Ok(length)) = (octets.get_mut(..text.len()), u8::try_from(text.len())) else {
            return Self::of_many(text);
        };
        copy_few(text, place);
        are_ascii(&octets).then_some(Self(Octets::Few(length, octets)))
    }

    #[cold]
    fn of_many(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        Some(Self(Octets::Many(text.into())))
    }

    /// Its octets.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Octets::Few(length, octets) => octets.get(..usize::from(*length)).unwrap_or_default(),
            Octets::Many(text) => text.as_bytes(),
        }
    }

    /// How many octets it has.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that it takes beyond its own record, in octets.
    #[inline]
    pub fn footprint(&self) -> usize {
        match &self.0 {
            Octets::Few(..) => 0,
            Octets::Many(text) => text.len(),
        }
    }
}

/// Whether all are ASCII: made for few octets, of which a look at their words is enough.
#[inline]
fn are_ascii(octets: &[u8; FEW]) -> bool {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let words = octets.as_chunks().0.iter().chain(octets.last_chunk());
    words.fold(0, |all, word| all | u64::from_le_bytes(*word)) & HIGH == 0
}

impl Default for Path {
    fn default() -> Self {
        Self(Octets::Few(0, [0; FEW]))
    }
}

impl From<&str> for Path {
    fn from(text: &str) -> Self {
        Self::of_ascii(text.as_bytes()).unwrap_or_else(|| Self(Octets::Many(text.into())))
    }
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// To read it as text costs a look at each octet.
impl Deref for Path {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            // They are ASCII.
            Octets::Few(..) => str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Octets::Many(text) => text,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_path_is_the_text_that_it_was_made_of(text in "[a-z/é]{0,80}") {
            let path = Path::from(text.as_str());
            proptest::prop_assert_eq!(&path, &Path::from(text.clone()));
            proptest::prop_assert_eq!((&*path, path.as_bytes(), path.len()), (&*text, text.as_bytes(), text.len()));
            proptest::prop_assert_eq!(path.footprint() == 0, text.len() <= FEW && text.is_ascii());
            proptest::prop_assert_eq!(Path::of_ascii(text.as_bytes()), text.is_ascii().then_some(path));
        }
    }
}
