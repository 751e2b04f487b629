//! How far the time of a capture's frames runs back.

use std::time::Duration;

use crate::model::Timestamp;
use crate::source::FrameBatch;

/// How far the time of frames ran back so far, behind the newest one.
///
/// What was found in a file waits for so long for something older, and no longer: in nearly all files time never runs back, and
/// what waits is out of the cache by its turn. The first frames that do run back further are judged in the order in which they
/// came, which the tracker bears.
#[derive(Debug)]
pub(super) struct Disorder {
    newest: Timestamp,
    seen: Duration,
    most: Duration,
}

/// Taken for granted: queues of an interface that are read in turn differ by some microseconds.
const USUAL: Duration = Duration::from_millis(1);

impl Disorder {
    /// None seen yet; waiting for more than `most` helps nobody.
    pub(super) fn up_to(most: Duration) -> Self {
        Self { newest: Timestamp::MIN, seen: USUAL.min(most), most }
    }

    /// Takes note of the next frames; gives how far time ran back up to their end.
    pub(super) fn see(&mut self, frames: &FrameBatch) -> Duration {
        for at in frames.times() {
            if at >= self.newest {
                self.newest = at;
            } else {
                self.note(self.newest.since(at));
            }
        }
        self.seen
    }

    /// Takes note of how far time ran back; gives the same.
    pub(super) fn note(&mut self, ran_back: Duration) -> Duration {
        self.seen = self.seen.max(ran_back).min(self.most);
        self.seen
    }
}
