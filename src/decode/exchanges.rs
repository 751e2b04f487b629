//! Exchanges that wait to be taken.

use crate::model::Exchange;

/// Exchanges in their order. Each is written where it stays until it is looked at: its record is big, and would be moved into a
/// `Vec`.
#[derive(Debug, Default)]
pub struct Exchanges {
    /// The first of them hold one each, the others are free.
    places: Vec<Option<Exchange>>,
    len: usize,
}

/// The fewest places that are made at a time.
const PLACES: usize = 32;

impl Exchanges {
    /// Where the next one is to be written; it counts as if it were.
    #[inline(always)]
    pub(super) fn next_place(&mut self) -> Option<&mut Option<Exchange>> {
        if self.len >= self.places.len() {
            self.make_places();
        }
        let place = self.places.get_mut(self.len)?;
        self.len = self.len.saturating_add(1);
        Some(place)
    }

    /// Appends one.
    pub(super) fn push(&mut self, exchange: Exchange) {
        if let Some(place) = self.next_place() {
            *place = Some(exchange);
        }
    }

    #[cold]
    fn make_places(&mut self) {
        self.places.resize_with(self.places.len().saturating_mul(2).max(PLACES), || None);
    }

    /// Takes the first one out; those behind it move up.
    pub(super) fn take_first(&mut self) -> Option<Exchange> {
        self.len = self.len.checked_sub(1)?;
        self.places.remove(0)
    }

    /// How many there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.places.iter().take(self.len).flatten()
    }

    /// The same, for whoever takes something out of them.
    #[inline]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Exchange> {
        self.places.iter_mut().take(self.len).flatten()
    }

    /// Forgets all.
    #[inline]
    pub fn clear(&mut self) {
        self.places.iter_mut().take(self.len).for_each(|place| *place = None);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Client, Fields, Response, Timestamp};

    fn exchange(status: u16) -> Exchange {
        let response = Response { at: Timestamp::MIN, status, fields: Fields::new(), body: None };
        Exchange {
            source: "test".into(),
            client: Client::Unknown,
            server: None,
            request: None,
            response,
            latency: None,
        }
    }

    proptest! {
        #[test]
        fn holds_what_any_queue_holds(steps in prop::collection::vec(0u8..40, 0..120)) {
            let (mut exchanges, mut wanted) = (Exchanges::default(), Vec::new());
            for (status, step) in (200..).zip(steps) {
                match step {
                    0 => {
                        exchanges.clear();
                        wanted.clear();
                    }
                    1..4 => {
                        let first = (!wanted.is_empty()).then(|| wanted.remove(0));
                        prop_assert_eq!(exchanges.take_first().map(|exchange| exchange.response.status), first);
                    }
                    _ => {
                        exchanges.push(exchange(status));
                        wanted.push(status);
                    }
                }
                prop_assert!(exchanges.iter().map(|exchange| exchange.response.status).eq(wanted.iter().copied()));
                prop_assert!(exchanges.iter_mut().map(|exchange| exchange.response.status).eq(wanted.iter().copied()));
                prop_assert_eq!((exchanges.len(), exchanges.is_empty()), (wanted.len(), wanted.is_empty()));
            }
        }
    }
}
