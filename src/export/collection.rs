//! One collection of the metrics, in requests that a collector takes.
//!
//! A gRPC server refuses messages above 4 MiB unless it is told otherwise, and one quota of which all is known takes about
//! 3 KB. So the gauges of many quotas are handed out in pages: each request has one page, and all pages are of one snapshot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;
use tokio::sync::watch;

use super::points::{self, Memory, Number, Point, Points, SelfReport};
use crate::model::Snapshot;

/// Octets of one request, as [`size`] estimates them: half of what a gRPC server takes by default, for the protocol's own
/// framing and the counters, which stay together on the first page.
const LARGEST_PAGE: usize = 2 << 20;

/// What all callbacks of one collection share, so that they tell of one moment.
pub(crate) struct Collection {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    memory: Mutex<Memory>,
    pages: Mutex<Pages>,
    own: Box<dyn Fn() -> SelfReport + Send + Sync>,
    /// Asks for the next page.
    more: Sender<()>,
    counters: Counters,
}

#[derive(Default)]
struct Pages {
    /// Those that are still to be exported, the first one next; none between collections.
    queue: VecDeque<Arc<Points>>,
    phase: Phase,
    /// Whether the last collection did not arrive.
    is_last_lost: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Phase {
    /// Collections follow each other.
    #[default]
    Open,
    /// One more collection is to come.
    Closing,
    /// The last collection has begun.
    Last,
}

impl Collection {
    pub(crate) fn new(
        snapshots: watch::Receiver<Arc<Snapshot>>,
        more: Sender<()>,
        counters: Counters,
        own: impl Fn() -> SelfReport + Send + Sync + 'static,
    ) -> Self {
        Self { snapshots, memory: Mutex::default(), pages: Mutex::default(), own: Box::new(own), more, counters }
    }

    /// Follows the snapshots between collections, for their peaks; ends with the pipeline.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut snapshots = self.snapshots.clone();
        while snapshots.changed().await.is_ok() {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            self.memory().peaks.handle_snapshot(&snapshot);
        }
    }

    /// The page that is being collected.
    pub(crate) fn page(&self) -> Arc<Points> {
        let mut pages = self.pages();
        if let Some(page) = pages.queue.front() {
            return Arc::clone(page);
        }
        match pages.phase {
            Phase::Open => {}
            Phase::Closing => pages.phase = Phase::Last,
            Phase::Last => return Arc::default(),
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let mut memory = self.memory();
        memory.peaks.take(&snapshot);
        let points = points::points(&snapshot, &mut memory, &(self.own)());
        pages.queue.extend(split(points, LARGEST_PAGE, self.counters).into_iter().map(Arc::new));
        pages.queue.front().map(Arc::clone).unwrap_or_default()
    }

    /// The page was collected: the next callback hands out the next one.
    pub(crate) fn handle_collected(&self) {
        self.pages().queue.pop_front();
    }

    /// The page arrived.
    pub(crate) fn handle_delivered(&self) {
        if self.has_more() {
            // Full: somebody asked already. Disconnected: the exporter is being shut down and asks by itself.
            let _ = self.more.try_send(());
        } else {
            self.memory().peaks.handle_delivered();
        }
    }

    /// The page did not arrive, and neither would the others: the next collection begins anew.
    pub(crate) fn handle_failure(&self) {
        let mut pages = self.pages();
        pages.queue.clear();
        if pages.phase != Phase::Open {
            pages.phase = Phase::Last;
            pages.is_last_lost = true;
        }
    }

    /// Whether pages are still to be exported.
    pub(crate) fn has_more(&self) -> bool {
        let pages = self.pages();
        !pages.queue.is_empty() || pages.phase == Phase::Closing
    }

    /// Allows one more collection after the one that goes on. Without an end in sight an interval that is shorter than a
    /// collection would begin new ones for ever.
    pub(crate) fn close(&self) {
        self.pages().phase = Phase::Closing;
    }

    /// Whether the last collection did not arrive.
    pub(crate) fn is_last_lost(&self) -> bool {
        self.pages().is_last_lost
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where counters stand in a collection of several pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counters {
    /// On the first page: a cumulative count is whole wherever it stands.
    Once,
    /// On every page. With delta temporality the SDK forgets what it reported as soon as a collection goes without it, and
    /// would report the whole count as new the next time; told again, it reports that nothing was added.
    OnEachPage,
}

/// Pages of at most about `largest` octets, at least one.
fn split(points: Points, largest: usize, counters: Counters) -> Vec<Points> {
    let mut counts = Points::new();
    let mut gauges = Vec::new();
    for (name, points) in points {
        for point in points {
            match point.number {
                Number::Count(_) => counts.entry(name).or_default().push(point),
                Number::Value(_) => gauges.push((name, point)),
            }
        }
    }
    // However many counters there are, a page has room for gauges: otherwise each would need a page.
    let of_counts: usize = counts.values().flatten().map(size).sum();
    let reserved = of_counts.min(largest / 2);
    let (further, of_further) = match counters {
        Counters::Once => (Points::new(), 0),
        Counters::OnEachPage => (counts.clone(), reserved),
    };
    let (mut page, mut filled, mut is_blank) = (counts, reserved, true);
    let mut pages = Vec::new();
    for (name, point) in gauges {
        let size = size(&point);
        if filled.saturating_add(size) > largest && !is_blank {
            pages.push(std::mem::replace(&mut page, further.clone()));
            filled = of_further;
        }
        filled = filled.saturating_add(size);
        is_blank = false;
        page.entry(name).or_default().push(point);
    }
    pages.push(page);
    pages
}

/// About what a point takes as protobuf: its attributes with a few octets of framing each, its value and its two times.
fn size(point: &Point) -> usize {
    let attributes = point.attributes.iter().map(|kv| kv.key.as_str().len() + kv.value.as_str().len() + 10);
    attributes.sum::<usize>() + 36
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    fn point(number: Number) -> Point {
        Point { number, attributes: vec![KeyValue::new("rate_limit.bucket", "x".repeat(37))] }
    }

    #[test]
    fn pages_hold_every_point_once_and_the_counters_together() {
        let points = Points::from([
            ("a", vec![point(Number::Value(1.0)); 5]),
            ("b", vec![point(Number::Count(1)); 3]),
            ("c", vec![point(Number::Value(2.0)); 2]),
        ]);
        // 100 octets a point.
        let lengths = |pages: Vec<Points>| -> Vec<Vec<(&str, usize)>> {
            pages.iter().map(|page| page.iter().map(|(name, points)| (*name, points.len())).collect()).collect()
        };
        assert_eq!(
            lengths(split(points.clone(), 600, Counters::Once)),
            [vec![("a", 3), ("b", 3)], vec![("a", 2), ("c", 2)]]
        );
        assert_eq!(
            lengths(split(points.clone(), 600, Counters::OnEachPage)),
            [vec![("a", 3), ("b", 3)], vec![("a", 2), ("b", 3), ("c", 1)], vec![("b", 3), ("c", 1)]]
        );
        assert_eq!(lengths(split(points.clone(), usize::MAX, Counters::OnEachPage)).len(), 1);
        assert_eq!(split(Points::new(), 0, Counters::Once).len(), 1);
        assert_eq!(split(points, 0, Counters::OnEachPage).len(), 7, "a gauge that is too large goes alone");
    }
}
