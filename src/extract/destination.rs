//! What a request leads to: its provider, its endpoint, and the classes of quotas that it counts against.
//!
//! All of it depends on the request's host, method and path alone. Paths differ by the identities in them; where nothing that
//! is known of an API can tell two of those apart, they lead to the same: that is how what was found is remembered.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::profile::{Profile, QuotaClass, glob};
use super::recent::{Hash, Recent};
use super::shape;
use crate::model::Request;

/// What a request leads to.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The profile that knows the host.
    pub(super) profile: Option<Arc<Profile>>,
    /// The position of the profile's environment.
    pub(super) environment: usize,
    /// Method and path template: `GET /v1/payment/{id}`.
    pub(super) endpoint: Arc<str>,
    /// The path, where it holds a credential that must not be shown.
    pub(super) concealed: Option<Box<str>>,
    /// The class that its endpoint falls in: the one with the best pattern, the first of equals.
    pub(super) class: Option<Arc<QuotaClass>>,
    /// That class and those that count besides, the ones with the better patterns first.
    pub(super) classes: Vec<Arc<QuotaClass>>,
}

/// What the requests that came last led to.
#[derive(Debug, Clone)]
pub(super) struct Destinations {
    known: Recent<(Box<[u8]>, Arc<Destination>)>,
    /// The key of the request at hand; kept for its room.
    key: Vec<u8>,
}

/// A longer path is looked at anew each time: real ones stay below, and what is remembered must be bounded.
const LONGEST_PATH: usize = 512;

/// What ends a part of a key, and what stands in it for an identity: no octets of a text.
const END: u8 = 0xff;
const IDENTITY: u8 = 0xfe;

impl Destinations {
    /// Room for four times so many, each about a kilobyte at most.
    pub(super) const fn new(sets: usize) -> Self {
        Self { known: Recent::new(sets), key: Vec::new() }
    }

    /// What a request leads to, by `find` where that is not remembered.
    pub(super) fn of(
        &mut self,
        request: &Request,
        segments: &Interchangeable,
        find: impl FnOnce() -> Destination,
    ) -> Arc<Destination> {
        if request.path.len() > LONGEST_PATH {
            return Arc::new(find());
        }
        self.write_key(request, segments);
        let hash = Hash::of(&[&self.key]);
        if let Some((_, known)) = self.known.known(hash, |(key, _)| **key == *self.key) {
            return Arc::clone(known);
        }
        let found = Arc::new(find());
        // A path with a credential is kept nowhere, and a key may hold it.
        if found.concealed.is_none() {
            self.known.keep(hash, (self.key.as_slice().into(), Arc::clone(&found)));
        }
        found
    }

    /// Writes the host, the method, and the path without what does not matter in it.
    fn write_key(&mut self, request: &Request, segments: &Interchangeable) {
        let key = &mut self.key;
        key.clear();
        key.push(u8::from(request.host.is_some()));
        key.extend_from_slice(request.host.as_deref().unwrap_or_default().as_bytes());
        key.push(END);
        key.extend_from_slice(request.method.as_bytes());
        key.push(END);
        // The first segment may be a version, whatever it looks like.
        let mut is_first = true;
        for segment in request.path.as_bytes().split(|octet| *octet == b'/') {
            if !is_first && segments.contains(segment) {
                key.push(IDENTITY);
            } else {
                key.extend_from_slice(segment);
            }
            key.push(b'/');
            is_first &= segment.is_empty();
        }
    }
}

/// The segments of paths that lead to the same, whichever of them stands in a place: identities, of which no pattern knows
/// one by its own text.
#[derive(Debug, Clone, Default)]
pub(super) struct Interchangeable {
    /// Identities that patterns know.
    known: BTreeSet<Box<[u8]>>,
    /// Shapes by which patterns tell some from others: `v*`.
    shapes: BTreeSet<Box<[u8]>>,
    /// The longest number that is known, in digits; most identities are longer.
    longest_number: usize,
}

impl Interchangeable {
    /// From the texts that patterns compare segments with; a `*` stands for any octets.
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut segments = Self::default();
        for text in texts {
            if text.contains('*') {
                // A shape with another octet in it fits no identity.
                if text.bytes().all(|octet| octet == b'*' || is_of_identity(octet)) {
                    segments.shapes.insert(text.as_bytes().into());
                }
            } else if is_identity(text.as_bytes()) {
                segments.known.insert(text.as_bytes().into());
            }
        }
        let numbers = segments.known.iter().filter(|text| text.iter().all(u8::is_ascii_digit));
        segments.longest_number = numbers.map(|text| text.len()).max().unwrap_or(0);
        if segments.shapes.iter().any(|shape| shape.iter().all(|octet| octet.is_ascii_digit() || *octet == b'*')) {
            segments.longest_number = usize::MAX;
        }
        segments
    }

    fn contains(&self, segment: &[u8]) -> bool {
        if segment.len() > self.longest_number && segment.iter().all(u8::is_ascii_digit) {
            return true;
        }
        is_identity(segment) && !self.known.contains(segment) && !self.shapes.iter().any(|shape| glob(shape, segment))
    }
}

/// Whether a segment is of letters and digits and shown as `{id}` wherever it stands but at the path's beginning.
fn is_identity(segment: &[u8]) -> bool {
    // Most segments are words or numbers.
    let digits = segment.iter().filter(|octet| octet.is_ascii_digit()).count();
    let is_identity = || {
        let text = std::str::from_utf8(segment).ok();
        segment.iter().all(|octet| is_of_identity(*octet)) && text.is_some_and(shape::is_identity)
    };
    digits > 0 && (digits == segment.len() || is_identity())
}

fn is_of_identity(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use crate::extract::{ExtractOptions, Extractor, Profiles};

    #[test]
    fn the_built_in_profiles_tell_no_numbers_apart() {
        let extractor = Extractor::new(Profiles::built_in().unwrap(), ExtractOptions::default()).unwrap();
        for identity in ["1000017", "42", "550e8400-e29b-41d4-a716-446655440000", "cus_NffrFeUfNV2Hib"] {
            assert!(extractor.interchangeable.contains(identity.as_bytes()), "{identity}");
        }
        for word in ["payment", "v1", "2026-11-22", "450789469.json", ""] {
            assert!(!extractor.interchangeable.contains(word.as_bytes()), "{word}");
        }
    }
}
