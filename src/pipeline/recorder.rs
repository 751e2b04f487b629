//! The thread that owns the store, and the outbox that it keeps.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::export::{MemoryOutbox, Outbox, Pending};
use crate::model::{Alert, Snapshot};
use crate::store::{Store, StoreError};

/// Writes snapshots and alerts into a store, on a thread of its own: a slow disk costs ticks, never traffic.
#[derive(Debug)]
pub struct Recorder {
    sender: Sender<Order>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
    shared: Arc<Shared>,
}

/// What the other threads may ask for.
#[derive(Debug, Default)]
struct Shared {
    trouble: Mutex<Option<Arc<str>>>,
    size: std::sync::atomic::AtomicU64,
    skipped: std::sync::atomic::AtomicU64,
}

#[derive(Debug)]
enum Order {
    Record(Arc<Snapshot>),
    Alert(Box<Alert>),
    Sent {
        id: Arc<str>,
        sequence: u32,
    },
    /// The last one. An outbox may hold on to the queue for longer than the recorder lives.
    Close,
}

/// Orders that wait while the disk is slow; past it ticks are skipped and counted.
const QUEUE: usize = 64;

/// Notifications and acknowledgements wait longer: they are few and must not be lost.
const ALERT_QUEUE: usize = 4_096;

impl Recorder {
    /// Starts the thread. `keep_outbox` says whether alerts wait in the store until a collector has them.
    pub fn start(store: Box<dyn Store>, keep_outbox: bool) -> Self {
        let (sender, orders) = bounded(ALERT_QUEUE);
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("store".to_owned())
                .spawn(move || run(store, &orders, &shared, keep_outbox))
        };
        if let Err(error) = &thread {
            shared.set_trouble(Some(format!("the store's thread cannot start: {error}")));
        }
        Self { sender, thread: thread.ok(), shared }
    }

    /// Records a snapshot; the store decides by its time whether it belongs to a new tick.
    pub fn record(&self, snapshot: &Arc<Snapshot>) {
        if self.sender.len() >= QUEUE {
            self.shared.skipped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return;
        }
        self.send(Order::Record(Arc::clone(snapshot)));
    }

    /// Records a change of an alert.
    pub fn record_alert(&self, alert: &Alert) {
        self.send(Order::Alert(Box::new(alert.clone())));
    }

    /// An outbox whose acknowledgements reach the store.
    pub fn outbox(&self) -> Box<dyn Outbox> {
        Box::new(StoredOutbox { memory: MemoryOutbox::new(), sender: self.sender.clone() })
    }

    /// What is wrong, in one sentence.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Octets on the disk.
    pub fn size(&self) -> u64 {
        self.shared.size.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Writes what is left and lets go of the store.
    ///
    /// # Errors
    /// Where the disk is full or fails.
    pub fn close(mut self) -> Result<(), StoreError> {
        // Waits for room: what is queued before it is written first. The thread is gone where nobody takes it.
        let _ = self.sender.send(Order::Close);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            // A thread that could not start, or that died, has said so as the store's trouble.
            Some(Err(_)) | None => Ok(()),
        }
    }

    fn send(&self, order: Order) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(order) {
            self.shared.skipped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.map(Arc::from);
    }
}

fn run(
    mut store: Box<dyn Store>,
    orders: &Receiver<Order>,
    shared: &Shared,
    keep_outbox: bool,
) -> Result<(), StoreError> {
    let mut newest: Option<Arc<Snapshot>> = None;
    for order in orders {
        let done = match &order {
            Order::Record(snapshot) => {
                newest = Some(Arc::clone(snapshot));
                snapshot.at.map_or(Ok(()), |at| store.record(at, snapshot))
            }
            Order::Alert(alert) => {
                let recorded = store.record_alert(alert);
                if keep_outbox { recorded.and_then(|()| store.outbox_push(alert)) } else { recorded }
            }
            Order::Sent { id, sequence } => store.outbox_acknowledge(id, *sequence),
            Order::Close => break,
        };
        let skipped = shared.skipped.load(std::sync::atomic::Ordering::Relaxed);
        let slow = (skipped > 0).then(|| format!("the disk is slow: {skipped} records were skipped"));
        shared.set_trouble(done.err().map(|error| error.to_string()).or_else(|| store.trouble()).or(slow));
        if matches!(order, Order::Record(_)) {
            shared.size.store(store.size_on_disk(), std::sync::atomic::Ordering::Relaxed);
        }
    }
    // What came after the last tick is kept, too.
    let last = newest.and_then(|snapshot| Some(store.record_last(snapshot.at?, &snapshot)));
    let closed = store.close();
    last.unwrap_or(Ok(())).and(closed)
}

/// Keeps notifications in memory, and tells the store which arrived; the store keeps its own copy from the alert itself.
struct StoredOutbox {
    memory: MemoryOutbox,
    sender: Sender<Order>,
}

impl Outbox for StoredOutbox {
    fn push(&mut self, pending: Pending) {
        self.memory.push(pending);
    }

    fn oldest(&self, most: usize) -> Vec<Pending> {
        self.memory.oldest(most)
    }

    fn len(&self) -> usize {
        self.memory.len()
    }

    fn dropped(&self) -> u64 {
        self.memory.dropped()
    }

    fn acknowledge(&mut self, id: &str, sequence: u32) {
        self.memory.acknowledge(id, sequence);
        // Where the queue is full the store's copy stays, and is sent once more after a restart.
        let _ = self.sender.try_send(Order::Sent { id: id.into(), sequence });
    }
}
