//! What waits for its moment.

use std::collections::BTreeSet;

use crate::model::Timestamp;

/// Things by the moment at which they are due. The next moment is at hand without a search: whether it has come is asked with each
/// exchange, and rarely true.
#[derive(Debug, Clone)]
pub(crate) struct Deadlines<T> {
    waiting: BTreeSet<(Timestamp, T)>,
    /// When the first of them is due; the end of time where there is none.
    next: Timestamp,
}

impl<T: Ord> Deadlines<T> {
    /// Nothing waits.
    pub(crate) const fn new() -> Self {
        Self { waiting: BTreeSet::new(), next: Timestamp::MAX }
    }

    /// When the first of them is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.next)
    }

    /// Whether the first of them is due.
    #[inline]
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.next && !self.waiting.is_empty()
    }

    /// Lets something wait.
    pub(crate) fn insert(&mut self, at: Timestamp, thing: T) {
        self.waiting.insert((at, thing));
        self.next = self.next.min(at);
    }

    /// Lets it wait no longer.
    pub(crate) fn remove(&mut self, at: Timestamp, thing: T) {
        self.waiting.remove(&(at, thing));
        self.look();
    }

    /// Takes the first of them, where it is due; of several that are due at one moment the least.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        if !self.is_due(now) {
            return None;
        }
        let due = self.waiting.pop_first();
        self.look();
        due
    }

    fn look(&mut self) {
        self.next = self.waiting.first().map_or(Timestamp::MAX, |(at, _)| *at);
    }
}

/// The earlier of two moments, as far as there are any.
#[inline]
pub(crate) fn sooner(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_out_what_is_due_in_the_order_of_time() {
        let at = Timestamp::from_secs;
        let mut deadlines = Deadlines::new();
        assert_eq!((deadlines.next(), deadlines.pop_due(at(9))), (None, None));
        for (second, thing) in [(3, 'c'), (1, 'b'), (1, 'a'), (2, 'd')] {
            deadlines.insert(at(second), thing);
        }
        deadlines.remove(at(2), 'd');
        deadlines.remove(at(2), 'x');
        assert_eq!((deadlines.next(), deadlines.pop_due(at(0))), (Some(at(1)), None));
        assert_eq!(deadlines.pop_due(at(1)), Some((at(1), 'a')));
        assert_eq!(deadlines.pop_due(at(9)), Some((at(1), 'b')));
        assert_eq!((deadlines.next(), deadlines.pop_due(at(2))), (Some(at(3)), None));
    }
}
