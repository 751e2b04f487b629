//! The path that a request asked for.

use std::fmt;
use std::ops::Deref;

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
    #[inline]
    pub fn of_ascii(text: &[u8]) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        let mut octets = [0; FEW];
        match (octets.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text);
                Some(Self(Octets::Few(length, octets)))
            }
            _ => str::from_utf8(text).ok().map(|text| Self(Octets::Many(text.into()))),
        }
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
    pub fn footprint(&self) -> usize {
        match &self.0 {
            Octets::Few(..) => 0,
            Octets::Many(text) => text.len(),
        }
    }
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
        }
    }
}
