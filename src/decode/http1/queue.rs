//! A queue that holds one element at most, nearly always.

use std::collections::VecDeque;

/// A queue whose first element has a place of its own.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// The place, kept when the element is gone: the next one is written there. It is made when it is first used, so that a
    /// queue that never is takes little memory.
    first: Option<Box<Option<T>>>,
    rest: VecDeque<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<T> Queue<T> {
    /// Appends an element.
    pub(super) fn push_back(&mut self, element: T) {
        if self.is_empty() {
            if let Some(place) = self.only_place() {
                *place = Some(element);
            }
        } else {
            self.rest.push_back(element);
        }
    }

    /// Where the element of an empty queue is to be written: a big one is made there, instead of moved.
    #[inline(always)]
    pub(super) fn only_place(&mut self) -> Option<&mut Option<T>> {
        if self.first.is_none() {
            self.make_place();
        }
        self.first.as_deref_mut()
    }

    #[cold]
    fn make_place(&mut self) {
        self.first = Some(Box::default());
    }

    /// Puts an element before all others.
    pub(super) fn push_front(&mut self, element: T) {
        if let Some(second) = self.first.get_or_insert_default().replace(element) {
            self.rest.push_front(second);
        }
    }

    /// Takes the first element out.
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let place = self.first.as_deref_mut()?;
        std::mem::replace(place, self.rest.pop_front())
    }

    /// Empties a queue of one element.
    #[inline(always)]
    pub(super) fn drop_only(&mut self) {
        if let Some(place) = self.first.as_deref_mut() {
            *place = None;
        }
    }

    /// The first element, if it is the only one.
    #[inline]
    pub(super) fn only_mut(&mut self) -> Option<&mut T> {
        if self.rest.is_empty() { self.first.as_deref_mut()?.as_mut() } else { None }
    }

    /// The last element.
    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        if self.rest.is_empty() { self.only_mut() } else { self.rest.back_mut() }
    }

    /// The elements behind the first one.
    pub(super) fn rest_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rest.iter_mut()
    }

    /// All elements.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first().into_iter().chain(&self.rest)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len().saturating_add(usize::from(!self.is_empty()))
    }

    /// The memory that its places take.
    #[inline]
    pub(super) fn footprint(&self) -> usize {
        self.rest.capacity().saturating_add(usize::from(self.first.is_some())).saturating_mul(size_of::<T>())
    }

    /// Whether there is no place but the first one.
    #[inline]
    pub(super) fn has_first_only(&self) -> bool {
        self.rest.capacity() == 0
    }

    #[inline]
    fn first(&self) -> Option<&T> {
        self.first.as_deref()?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn does_what_any_queue_does(steps in prop::collection::vec(0u8..4, 0..20)) {
            let (mut queue, mut wanted) = (Queue::default(), VecDeque::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    2 if wanted.is_empty() => {
                        *queue.only_place().unwrap() = Some(number);
                        wanted.push_back(number);
                    }
                    0 => {
                        queue.push_front(number);
                        wanted.push_front(number);
                    }
                    1 => prop_assert_eq!(queue.pop_front(), wanted.pop_front()),
                    _ => {
                        queue.push_back(number);
                        wanted.push_back(number);
                    }
                }
                prop_assert!(queue.iter().eq(&wanted));
                prop_assert!(queue.iter().rev().eq(wanted.iter().rev()));
                prop_assert_eq!((queue.len(), queue.is_empty()), (wanted.len(), wanted.is_empty()));
                let single = wanted.len() == 1;
                prop_assert_eq!(queue.only_mut(), wanted.front_mut().filter(|_| single));
                prop_assert_eq!(queue.back_mut(), wanted.back_mut());
                prop_assert!(queue.rest_mut().eq(wanted.iter_mut().skip(1)));
            }
        }
    }
}
