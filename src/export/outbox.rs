//! Changes of alerts that wait until a collector took them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many changes wait at most. At about 600 octets each that is 6 MB; a collector that is down while more than this
/// happens has lost sight of the integration anyway, and the gauges will tell what still fires.
pub const MOST_PENDING: usize = 10_000;

/// A change of an alert, on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The episode.
    pub id: Arc<str>,
    /// The change within it; together with `id` it names this one.
    pub sequence: u32,
    /// The event itself, in a form that only this module reads; a store keeps it as it is.
    pub payload: Arc<[u8]>,
}

/// Keeps changes of alerts until they are acknowledged, in the order in which they came.
///
/// The calls come from several threads, one at a time, and must be short.
pub trait Outbox: Send {
    /// Keeps a change. Past its bound it gives up the oldest, and counts it. The same id and sequence again replace it.
    fn push(&mut self, pending: Pending);

    /// The oldest changes, at most `most`, oldest first.
    fn oldest(&self, most: usize) -> Vec<Pending>;

    /// How many wait.
    fn len(&self) -> usize;

    /// Whether none waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were given up.
    fn dropped(&self) -> u64;

    /// Forgets a change that arrived; nothing happens if there is none.
    fn acknowledge(&mut self, id: &str, sequence: u32);
}

/// An outbox that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryOutbox {
    /// By the order in which they came.
    waiting: BTreeMap<u64, Pending>,
    places: BTreeMap<(Arc<str>, u32), u64>,
    next: u64,
    dropped: u64,
}

impl MemoryOutbox {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Outbox for MemoryOutbox {
    fn push(&mut self, pending: Pending) {
        let name = (Arc::clone(&pending.id), pending.sequence);
        if let Some(known) = self.places.get(&name).and_then(|place| self.waiting.get_mut(place)) {
            *known = pending;
            return;
        }
        if self.waiting.len() >= MOST_PENDING
            && let Some((_, oldest)) = self.waiting.pop_first()
        {
            self.places.remove(&(oldest.id, oldest.sequence));
            self.dropped = self.dropped.saturating_add(1);
        }
        self.places.insert(name, self.next);
        self.waiting.insert(self.next, pending);
        self.next += 1;
    }

    fn oldest(&self, most: usize) -> Vec<Pending> {
        self.waiting.values().take(most).cloned().collect()
    }

    fn len(&self) -> usize {
        self.waiting.len()
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }

    fn acknowledge(&mut self, id: &str, sequence: u32) {
        if let Some(place) = self.places.remove(&(Arc::from(id), sequence)) {
            self.waiting.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(sequence: usize) -> Pending {
        Pending { id: "episode".into(), sequence: u32::try_from(sequence).unwrap(), payload: Arc::from([1u8]) }
    }

    #[test]
    fn keeps_the_newest_past_its_bound_and_counts_the_rest() {
        let mut outbox = MemoryOutbox::new();
        for sequence in 0..MOST_PENDING + 3 {
            outbox.push(pending(sequence));
        }
        assert_eq!((outbox.len(), outbox.dropped()), (MOST_PENDING, 3));
        assert_eq!(outbox.oldest(2), [pending(3), pending(4)]);
    }

    #[test]
    fn an_acknowledged_change_is_gone_and_a_repeated_one_is_one() {
        let mut outbox = MemoryOutbox::new();
        outbox.push(pending(0));
        outbox.push(pending(1));
        outbox.push(pending(1));
        assert_eq!(outbox.len(), 2);
        outbox.acknowledge("another", 0);
        outbox.acknowledge("episode", 0);
        outbox.acknowledge("episode", 0);
        assert_eq!(outbox.oldest(9), [pending(1)]);
    }
}
