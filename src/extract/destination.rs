//! What a request leads to: its provider, its endpoint, and the classes of quotas that it counts against.
//!
//! All of it depends on the request's host, method and path alone. Paths differ by the identities in them; where nothing that
//! is known of an API can tell two of those apart, they lead to the same: that is how what was found is remembered.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::plain;
use super::profile::{Profile, QuotaClass, glob};
use super::recent::{Hash, Recent};
use super::shape;
use crate::model::{Path, Request, same_or_absent, same_text};

/// What a request leads to.
#[derive(Debug, Clone, Default)]
pub(super) struct Destination {
    /// The profile that knows the host.
    pub(super) profile: Option<Arc<Profile>>,
    /// The position of the profile's environment.
    pub(super) environment: usize,
    /// Method and path template: `GET /v1/payment/{id}`.
    pub(super) endpoint: Arc<str>,
    /// The path, where it holds a credential that must not be shown.
    pub(super) concealed: Option<Path>,
    /// The class that its endpoint falls in: the one with the best pattern, the first of equals.
    pub(super) class: Option<Arc<QuotaClass>>,
    /// That class and those that count besides, the ones with the better patterns first.
    pub(super) classes: Vec<Arc<QuotaClass>>,
}

/// What the requests that came last led to.
#[derive(Debug, Clone)]
pub(super) struct Destinations {
    known: Recent<Arc<Known>>,
    last: Arc<Known>,
}

/// A destination, and what leads there.
#[derive(Debug, Default)]
struct Known {
    /// Absent where that is not remembered.
    named: Option<Named>,
    destination: Destination,
}

/// What leads to one.
#[derive(Debug)]
struct Named {
    host: Option<Arc<str>>,
    method: Arc<str>,
    /// What does not matter is left out, at its end too.
    path: Box<[u8]>,
    is_before_identity: bool,
}

/// A longer path is looked at anew each time: real ones stay below, and what is remembered must be bounded.
const LONGEST_PATH: usize = 512;

/// What stands in a path for an identity: no octet of a text.
const IDENTITY: u8 = 0xff;

impl Destinations {
    /// Room for four times so many, each about a kilobyte at most.
    pub(super) fn new(sets: usize) -> Self {
        Self { known: Recent::new(sets), last: Arc::default() }
    }

    /// What a request leads to, by `find` where that is not remembered.
    #[inline(always)]
    pub(super) fn of(
        &mut self,
        request: &Request,
        segments: &Interchangeable,
        find: impl FnOnce() -> Destination,
    ) -> &Destination {
        let is_last = self.last.named.as_ref().is_some_and(|named| named.is_of(request, segments));
        if !is_last {
            self.search(request, segments, find);
        }
        &self.last.destination
    }

    /// Makes the last one what a request leads to that does not lead to the last.
    #[cold]
    fn search(&mut self, request: &Request, segments: &Interchangeable, find: impl FnOnce() -> Destination) {
        if request.path.len() > LONGEST_PATH {
            self.last = Arc::new(Known { named: None, destination: find() });
            return;
        }
        // Most paths end with their only identity, a number: those are not written.
        let path = request.path.as_bytes();
        let plain = segments.before_number(path);
        if self.recall(request, plain) {
            return;
        }
        let written = segments.left_out(path);
        let key = match written.strip_suffix(&[IDENTITY]) {
            Some(path) => Key { path, is_before_identity: true },
            None => Key { path: &written, is_before_identity: false },
        };
        if key != plain && self.recall(request, key) {
            return;
        }
        let destination = find();
        // A path with a credential is kept nowhere.
        let named = destination.concealed.is_none().then(|| Named {
            host: request.host.clone(),
            method: Arc::clone(&request.method),
            path: key.path.into(),
            is_before_identity: key.is_before_identity,
        });
        let is_kept = named.is_some();
        self.last = Arc::new(Known { named, destination });
        if is_kept {
            self.known.keep(key.hash(request), Arc::clone(&self.last));
        }
    }

    /// Whether it is remembered where a request leads to; then that is the last.
    fn recall(&mut self, request: &Request, key: Key<'_>) -> bool {
        let is_meant = |known: &Arc<Known>| {
            known.named.as_ref().is_some_and(|named| {
                *named.path == *key.path
                    && named.is_before_identity == key.is_before_identity
                    && named.has_origin_of(request)
            })
        };
        let Some(known) = self.known.known(key.hash(request), is_meant) else { return false };
        self.last = Arc::clone(known);
        true
    }
}

impl Named {
    /// Whether a request leads there, as far as that is seen without a look for the identities in its path.
    #[inline(always)]
    fn is_of(&self, request: &Request, segments: &Interchangeable) -> bool {
        self.has_origin_of(request)
            && request
                .path
                .as_bytes()
                .strip_prefix(&*self.path)
                .is_some_and(|rest| if self.is_before_identity { segments.has_number(rest) } else { rest.is_empty() })
    }

    /// Whether host and method are those of a request.
    #[inline(always)]
    fn has_origin_of(&self, request: &Request) -> bool {
        same_text(&self.method, &request.method) && same_or_absent(self.host.as_ref(), request.host.as_ref())
    }
}

/// A path, of which what does not matter is left out.
#[derive(Clone, Copy, PartialEq)]
struct Key<'a> {
    path: &'a [u8],
    /// Whether an identity is left out behind it.
    is_before_identity: bool,
}

impl Key<'_> {
    fn hash(self, request: &Request) -> Hash {
        let host = request.host.as_deref().unwrap_or_default();
        Hash::of(&[host.as_bytes(), request.method.as_bytes(), self.path])
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

    /// A path up to the number that it ends with, if that is one of them and not the path's first segment.
    fn before_number<'p>(&self, path: &'p [u8]) -> Key<'p> {
        let last = path.iter().rposition(|octet| *octet == b'/').and_then(|slash| path.split_at_checked(slash + 1));
        match last {
            // Before it stand a slash, another segment, and its slash at least.
            Some((path @ [b'/', first, .., b'/'], number)) if *first != b'/' && self.has_number(number) => {
                Key { path, is_before_identity: true }
            }
            _ => Key { path, is_before_identity: false },
        }
    }

    /// A path without those of them that stand in it.
    fn left_out(&self, path: &[u8]) -> SmallVec<[u8; 128]> {
        let mut written = SmallVec::new();
        let (mut start, mut taken) = (0, 0);
        // The first segment may be a version, whatever it looks like.
        let mut is_first = true;
        for segment in path.split(|octet| *octet == b'/') {
            let end = start + segment.len();
            if !is_first && self.contains(segment) {
                written.extend_from_slice(path.get(taken..start).unwrap_or_default());
                written.push(IDENTITY);
                taken = end;
            }
            is_first &= segment.is_empty();
            start = end + 1;
        }
        written.extend_from_slice(path.get(taken..).unwrap_or_default());
        written
    }

    #[inline]
    fn has_number(&self, segment: &[u8]) -> bool {
        segment.len() > self.longest_number && plain::are_digits(segment)
    }

    fn contains(&self, segment: &[u8]) -> bool {
        if self.has_number(segment) {
            return true;
        }
        is_identity(segment) && !self.known.contains(segment) && !self.shapes.iter().any(|shape| glob(shape, segment))
    }
}

/// Whether a segment is of letters and digits and shown as `{id}` wherever it stands but at the path's beginning.
fn is_identity(segment: &[u8]) -> bool {
    // Most segments are words or numbers.
    if !segment.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let is_identity = || {
        let text = std::str::from_utf8(segment).ok();
        segment.iter().all(|octet| is_of_identity(*octet)) && text.is_some_and(shape::is_identity)
    };
    plain::are_digits(segment) || is_identity()
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
