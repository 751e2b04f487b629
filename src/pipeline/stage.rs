//! Stages that threads share: blocks go through them one behind the other, one at a time in each stage, whichever threads take
//! them there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A part of the work on blocks that one thread at a time does, on one block after the other.
pub(super) trait Stage<B>: Send {
    /// Does it on the next block; says whether it takes more blocks.
    fn take(&mut self, block: &mut B) -> bool;
}

/// How many stages there are.
pub(super) const STAGES: usize = 3;

/// Stages, and the blocks on their way through them. What went through all of them is filled again by the first one; the work
/// is over once the last one takes no more.
pub(super) struct Stages<'a, B> {
    state: Mutex<State<'a, B>>,
    /// How often something was done that may be of use to a thread that waits.
    changes: AtomicU64,
    changed: Condvar,
}

struct State<'a, B> {
    places: [Place<'a, B>; STAGES],
    /// The places in the order in which a thread looks for something to do.
    order: [usize; STAGES],
    is_over: bool,
    /// How many threads sleep until something changes.
    sleeping: usize,
}

/// Where a stage is found.
struct Place<'a, B> {
    /// Absent while a thread is at it, and once it takes no more.
    stage: Option<Box<dyn Stage<B> + 'a>>,
    /// The blocks that are to go through it, in their order, each with the number of the thread that had it last: what it holds
    /// is in a cache of the processor that this one runs on.
    waiting: VecDeque<(B, usize)>,
}

/// The blocks that a thread may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Those that it had last.
    Own,
    /// Those of all threads.
    Any,
}

/// A stage that a thread takes a block through.
struct Task<'a, B> {
    place: usize,
    stage: Box<dyn Stage<B> + 'a>,
    block: B,
    thread: usize,
}

/// How often a thread looks whether there is something to do on its own blocks before it takes those of others: for longer than
/// another one keeps a stage. Where the processors are far apart, what is done on another one's block takes twice as long.
const PATIENCE: u32 = 400;

/// How often it looks whether there is something to do before it sleeps: for about a millisecond. Threads that share work wait by
/// a fraction of that, and a virtual machine takes nearly as long to wake a processor that was sent to sleep.
const LOOKS: u32 = 2000;

impl<'a, B> Stages<'a, B> {
    /// Stages in the order in which blocks go through them, and the blocks, each with the number of the thread that is to fill it
    /// first. A thread that may choose does what comes first in `order`, on blocks that it had before: those of other threads it
    /// takes rather than wait for long.
    pub(super) fn new(
        stages: [Box<dyn Stage<B> + 'a>; STAGES],
        order: [usize; STAGES],
        blocks: impl IntoIterator<Item = (B, usize)>,
    ) -> Self {
        let mut places = stages.map(|stage| Place { stage: Some(stage), waiting: VecDeque::new() });
        if let Some(first) = places.first_mut() {
            first.waiting.extend(blocks);
        }
        let state = State { places, order, is_over: false, sleeping: 0 };
        Self { state: Mutex::new(state), changes: AtomicU64::new(0), changed: Condvar::new() }
    }

    /// Does what is to be done on the thread of that number, until all is done or a thread panicked.
    pub(super) fn work(&self, thread: usize) {
        let _abandon = Abandon { stages: self };
        let mut state = self.state();
        // How often it looked since it did something.
        let mut looks = 0;
        while !state.is_over {
            let (whose, most) = if looks < PATIENCE { (Whose::Own, PATIENCE) } else { (Whose::Any, LOOKS) };
            if let Some(mut task) = state.next(thread, whose) {
                drop(state);
                let takes_more = task.stage.take(&mut task.block);
                state = self.state();
                state.put_back(task, takes_more);
                self.tell(&state);
                looks = 0;
            } else if looks < most {
                let looked;
                (state, looked) = self.look(state, most - looks);
                looks += looked;
            } else {
                state = self.wait(state);
                looks = 0;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<'a, B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the other threads look what there is to do.
    fn tell(&self, state: &State<'a, B>) {
        self.changes.fetch_add(1, Ordering::Release);
        if state.sleeping > 0 {
            self.changed.notify_all();
        }
    }

    /// Looks so often whether something changes; says how often it did not.
    fn look<'s>(&'s self, state: MutexGuard<'s, State<'a, B>>, looks: u32) -> (MutexGuard<'s, State<'a, B>>, u32) {
        let seen = self.changes();
        drop(state);
        let mut looked = 0;
        while looked < looks && self.changes() == seen {
            looked += 1;
            // Where there are fewer processors than threads, it lets the other one go on.
            std::thread::yield_now();
        }
        (self.state(), looked)
    }

    /// Waits, asleep, until something changes.
    fn wait<'s>(&'s self, mut state: MutexGuard<'s, State<'a, B>>) -> MutexGuard<'s, State<'a, B>> {
        let seen = self.changes();
        state.sleeping += 1;
        while self.changes() == seen {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.sleeping -= 1;
        state
    }

    fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

impl<'a, B> State<'a, B> {
    /// Something that the thread of that number can do now on such blocks.
    fn next(&mut self, thread: usize, whose: Whose) -> Option<Task<'a, B>> {
        self.order.into_iter().find_map(|place| self.task(place, thread, whose))
    }

    /// To take the next block through the stage at a place, where that is free.
    fn task(&mut self, place: usize, thread: usize, whose: Whose) -> Option<Task<'a, B>> {
        let Place { stage, waiting } = self.places.get_mut(place)?;
        // Which block is filled next makes no difference.
        let choice = if place == 0 { waiting.len() } else { 1 };
        let index = waiting.iter().take(choice).position(|(_, last)| whose == Whose::Any || *last == thread)?;
        let stage = stage.take()?;
        let (block, _) = waiting.remove(index)?;
        Some(Task { place, stage, block, thread })
    }

    /// Takes back what was done: the block waits for the next stage, or to be filled again.
    fn put_back(&mut self, Task { place, stage, block, thread }: Task<'a, B>, takes_more: bool) {
        let is_last = place + 1 == STAGES;
        if let Some(next) = self.places.get_mut(if is_last { 0 } else { place + 1 }) {
            // The block that was in use just now is filled first: it is still in a cache.
            if is_last {
                next.waiting.push_front((block, thread));
            } else {
                next.waiting.push_back((block, thread));
            }
        }
        match self.places.get_mut(place) {
            Some(own) if takes_more => own.stage = Some(stage),
            _ => self.is_over |= is_last,
        }
    }
}

/// Where a thread panics, the others need not wait for what it had in hand.
struct Abandon<'s, 'a, B> {
    stages: &'s Stages<'a, B>,
}

impl<B> Drop for Abandon<'_, '_, B> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.stages.state();
            state.is_over = true;
            self.stages.tell(&state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers blocks, up to a last one.
    struct Numbering {
        next: u64,
        last: u64,
    }

    impl Stage<u64> for Numbering {
        fn take(&mut self, block: &mut u64) -> bool {
            *block = self.next;
            self.next += 1;
            *block < self.last
        }
    }

    /// Notes which blocks came, up to a last one.
    struct Noting<'a> {
        seen: &'a mut Vec<u64>,
        last: u64,
    }

    impl Stage<u64> for Noting<'_> {
        fn take(&mut self, block: &mut u64) -> bool {
            self.seen.push(*block);
            *block < self.last
        }
    }

    /// Panics at a block, as a decoder might.
    struct Panicking {
        at: u64,
    }

    impl Stage<u64> for Panicking {
        fn take(&mut self, block: &mut u64) -> bool {
            assert!(*block < self.at, "as a decoder might");
            true
        }
    }

    fn work(stages: &Stages<'_, u64>, threads: usize) {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || stages.work(thread));
            }
        });
    }

    #[test]
    fn blocks_go_through_each_stage_in_their_order_whichever_threads_take_them() {
        const LAST: u64 = 3000;
        for (threads, blocks) in [(1, 1), (1, 4), (2, 1), (2, 4), (3, 4), (5, 2)] {
            let (mut second, mut third) = (Vec::new(), Vec::new());
            let stages = Stages::new(
                [
                    Box::new(Numbering { next: 0, last: LAST }),
                    Box::new(Noting { seen: &mut second, last: LAST }),
                    Box::new(Noting { seen: &mut third, last: LAST }),
                ],
                [1, 2, 0],
                (0..blocks).map(|thread| (0, thread)),
            );
            work(&stages, threads);
            drop(stages);
            assert!(second.iter().copied().eq(0..=LAST), "{threads} threads, {blocks} blocks");
            assert_eq!(second, third);
        }
    }

    #[test]
    fn all_is_over_once_the_last_stage_takes_no_more() {
        let (mut second, mut third) = (Vec::new(), Vec::new());
        let stages = Stages::new(
            [
                Box::new(Numbering { next: 0, last: u64::MAX }),
                Box::new(Noting { seen: &mut second, last: u64::MAX }),
                Box::new(Noting { seen: &mut third, last: 50 }),
            ],
            [1, 2, 0],
            (0..4).map(|thread| (0, thread)),
        );
        work(&stages, 2);
        drop(stages);
        assert!(third.iter().copied().eq(0..=50));
    }

    #[test]
    fn no_thread_waits_for_one_that_panicked() {
        let mut third = Vec::new();
        let stages = Stages::new(
            [
                Box::new(Numbering { next: 0, last: u64::MAX }),
                Box::new(Panicking { at: 7 }),
                Box::new(Noting { seen: &mut third, last: u64::MAX }),
            ],
            [1, 2, 0],
            (0..4).map(|thread| (0, thread)),
        );
        let panicked = std::thread::scope(|scope| {
            let shared = &stages;
            let threads: Vec<_> = (0..3).map(|thread| scope.spawn(move || shared.work(thread))).collect();
            threads.into_iter().map(|thread| thread.join().is_err()).filter(|panicked| *panicked).count()
        });
        assert_eq!(panicked, 1);
        drop(stages);
        assert!(third.iter().copied().eq(0..u64::try_from(third.len()).unwrap()) && third.len() <= 7, "{third:?}");
    }
}
