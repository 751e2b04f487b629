//! What could not be seen, by cause and place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::Anomaly;

/// Whose traffic could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The host, in lower case: as requests name it, or as a TLS client did.
    Host(Arc<str>),
    /// Nobody named it.
    Address(IpAddr),
    /// All that came after the list was full.
    Others,
}

/// Where something could not be seen, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Why.
    pub cause: Anomaly,
    /// Whose traffic.
    pub peer: Peer,
    /// The server's port; 0 with [`Peer::Others`].
    pub port: u16,
}

/// How much could not be seen, by place. Cheap to make and to copy; the same input gives the same list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(Option<Arc<BTreeMap<Place, u64>>>);

/// Places that are told apart. An integration talks to dozens of hosts; a scan of all addresses must not fill the memory,
/// nor the collector: past it a cause has one more place, [`Peer::Others`].
const PLACES: usize = 512;

impl Losses {
    /// Counts `times` more.
    pub fn count(&mut self, place: Place, times: u64) {
        let places = Arc::make_mut(self.0.get_or_insert_default());
        let place = if places.len() >= PLACES && !places.contains_key(&place) {
            Place { cause: place.cause, peer: Peer::Others, port: 0 }
        } else {
            place
        };
        let count = places.entry(place).or_default();
        *count = count.saturating_add(times);
    }

    /// Adds what another part of the same run counted.
    pub fn add(&mut self, other: &Self) {
        if self.0.is_none() {
            self.0.clone_from(&other.0);
        } else {
            for (place, count) in other.iter() {
                self.count(place.clone(), count);
            }
        }
    }

    /// The places in a stable order.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, u64)> {
        self.0.iter().flat_map(|places| places.iter()).map(|(place, count)| (place, *count))
    }

    /// Whether nothing was lost at a known place.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Peer {
    /// The host or the address as text; `None` for all others.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Host(host) => Some(host.to_string()),
            Self::Address(address) => Some(address.to_string()),
            Self::Others => None,
        }
    }
}

impl Serialize for Losses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for (place, count) in self.iter() {
            list.serialize_element(&Line { place, count })?;
        }
        list.end()
    }
}

struct Line<'a> {
    place: &'a Place,
    count: u64,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(4))?;
        line.serialize_entry("cause", self.place.cause.label())?;
        line.serialize_entry("host", &self.place.peer.name())?;
        line.serialize_entry("port", &Some(self.place.port).filter(|port| *port > 0))?;
        line.serialize_entry("count", &self.count)?;
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_past_the_bound_are_one() {
        let mut losses = Losses::default();
        for port in 1..=1_000 {
            losses.count(Place { cause: Anomaly::TlsUnreadable, peer: Peer::Host("a.example".into()), port }, 2);
        }
        let others = Place { cause: Anomaly::TlsUnreadable, peer: Peer::Others, port: 0 };
        assert_eq!(losses.iter().count(), PLACES + 1);
        assert_eq!(losses.iter().map(|(_, count)| count).sum::<u64>(), 2_000);
        assert_eq!(losses.iter().find(|(place, _)| **place == others).map(|(_, count)| count), Some(976));
        let mut both = losses.clone();
        both.add(&losses);
        assert_eq!(both.iter().map(|(_, count)| count).sum::<u64>(), 4_000);
    }
}
