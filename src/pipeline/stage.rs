//! A stage that blocks go through one at a time and in their order, whichever threads bring them.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The state of a stage, and whose turn it is.
pub(super) struct Stage<T> {
    state: Mutex<T>,
    /// The number of the block whose turn it is.
    next: AtomicU64,
    /// Held for a moment by who falls asleep and by who wakes others, so that nobody sleeps through his turn.
    sleep: Mutex<()>,
    turned: Condvar,
}

/// A thread panicked on its way through the stages: the blocks behind its own do not get their turn.
#[derive(Debug)]
pub(super) struct Abandoned;

impl<T> From<PoisonError<T>> for Abandoned {
    fn from(_: PoisonError<T>) -> Self {
        Self
    }
}

/// How often a thread looks whether its turn has come before it sleeps: for about a millisecond. Threads that take turns wait for
/// each other by a fraction of that, and a virtual machine takes nearly as long to wake a processor that was sent to sleep.
const LOOKS: u32 = 2000;

impl<T> Stage<T> {
    /// A stage that the block of number 0 goes through first.
    pub(super) const fn new(state: T) -> Self {
        Self { state: Mutex::new(state), next: AtomicU64::new(0), sleep: Mutex::new(()), turned: Condvar::new() }
    }

    /// Waits until it is the turn of the block of that number.
    ///
    /// # Errors
    /// Where that will never be.
    pub(super) fn turn(&self, number: u64) -> Result<Turn<'_, T>, Abandoned> {
        for _ in 0..LOOKS {
            if self.next() >= number {
                break;
            }
            // Where there are fewer processors than threads, it lets the other one go on.
            std::thread::yield_now();
        }
        if self.next() < number {
            let mut sleep = lock(&self.sleep);
            while self.next() < number {
                sleep = self.turned.wait(sleep).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if self.next() > number {
            return Err(Abandoned);
        }
        let end = End { stage: self, number };
        Ok(Turn { state: self.state.lock()?, _end: end })
    }

    /// Lets no block in any more.
    pub(super) fn abandon(&self) {
        self.turn_to(u64::MAX);
    }

    fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    fn turn_to(&self, number: u64) {
        self.next.fetch_max(number, Ordering::Release);
        drop(lock(&self.sleep));
        self.turned.notify_all();
    }
}

/// A block's turn at a stage; it ends where this is dropped.
pub(super) struct Turn<'a, T> {
    state: MutexGuard<'a, T>,
    /// Behind the state, so that whose turn is next finds it free.
    _end: End<'a, T>,
}

struct End<'a, T> {
    stage: &'a Stage<T>,
    number: u64,
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state
    }
}

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        self.stage.turn_to(self.number + 1);
    }
}

fn lock(sleep: &Mutex<()>) -> MutexGuard<'_, ()> {
    sleep.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_in_their_order_whichever_threads_bring_them() {
        let stage = Stage::new(Vec::new());
        std::thread::scope(|scope| {
            for first in [2, 0, 1] {
                let stage = &stage;
                scope.spawn(move || {
                    for number in (first..300).step_by(3) {
                        stage.turn(number).expect("no thread panics").push(number);
                    }
                });
            }
        });
        let seen = stage.state.into_inner().expect("no thread panicked");
        assert_eq!(seen, (0..300).collect::<Vec<_>>());
    }

    #[test]
    fn no_block_waits_for_one_whose_thread_panicked() {
        let stage = Stage::new(());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stage.turn(1).is_err());
            let panicking = scope.spawn(|| {
                let _turn = stage.turn(0).expect("nobody panicked yet");
                panic!("as a decoder might");
            });
            assert!(panicking.join().is_err());
            assert!(waiting.join().expect("it only waits"));
        });
    }

    #[test]
    fn no_block_waits_at_a_stage_that_its_predecessor_never_reaches() {
        let stage = Stage::new(());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stage.turn(7).is_err());
            stage.abandon();
            assert!(waiting.join().expect("it only waits"));
        });
    }
}
