//! Rates from counters that only grow: how much came in between two snapshots.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Snapshot, Timestamp};

/// Over how much of the past a rate is averaged: long enough to be calm, short enough to follow.
const SPAN: Duration = Duration::from_secs(5);

/// The marks of the last few seconds; at a snapshot each quarter of a second they are 20.
const MOST_MARKS: usize = 64;

/// Counters of the last few seconds, in event time.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    marks: VecDeque<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Timestamp,
    packets: u64,
    exchanges: u64,
}

impl Rates {
    /// Takes the counters of a newer snapshot. Counters that ran back (the agent was started anew) start anew.
    pub(crate) fn handle_snapshot(&mut self, snapshot: &Snapshot) {
        let Some(at) = snapshot.at else { return };
        let mark = Mark { at, packets: snapshot.input.packets, exchanges: snapshot.input.exchanges };
        match self.marks.back_mut() {
            Some(last) if at < last.at || mark.packets < last.packets || mark.exchanges < last.exchanges => {
                self.marks.clear();
            }
            Some(last) if at == last.at => {
                *last = mark;
                return;
            }
            _ => {}
        }
        self.marks.push_back(mark);
        // The oldest mark kept is the last one that lies a whole span back, so that the rate covers the span.
        while self.marks.get(1).is_some_and(|second| at.since(second.at) >= SPAN) || self.marks.len() > MOST_MARKS {
            self.marks.pop_front();
        }
    }

    /// Packets a second; unknown before the second snapshot.
    pub(crate) fn packets(&self) -> Option<f64> {
        self.per_second(|mark| mark.packets)
    }

    /// Exchanges a second; unknown before the second snapshot.
    pub(crate) fn exchanges(&self) -> Option<f64> {
        self.per_second(|mark| mark.exchanges)
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate on a screen")]
    fn per_second(&self, counter: impl Fn(&Mark) -> u64) -> Option<f64> {
        let (first, last) = (self.marks.front()?, self.marks.back()?);
        let seconds = last.at.since(first.at).as_secs_f64();
        (seconds > 0.0).then(|| counter(last).saturating_sub(counter(first)) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(second: i64, packets: u64) -> Snapshot {
        let mut snapshot = Snapshot { at: Some(Timestamp::from_secs(second)), ..Snapshot::default() };
        snapshot.input.packets = packets;
        snapshot
    }

    #[test]
    fn averages_over_the_last_seconds() {
        let mut rates = Rates::default();
        rates.handle_snapshot(&snapshot(0, 1_000_000));
        assert_eq!(rates.packets(), None);
        for second in 1..=20 {
            rates.handle_snapshot(&snapshot(second, 1_000_000 + 100 * second.unsigned_abs()));
        }
        assert_eq!(rates.packets(), Some(100.0));
        rates.handle_snapshot(&snapshot(21, 3));
        assert_eq!(rates.packets(), None, "the counters started anew");
    }
}
