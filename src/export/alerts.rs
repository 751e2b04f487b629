//! Sends the changes of alerts, each at least once.
//!
//! A thread of its own takes the oldest changes from the outbox, exports them as log records, and acknowledges them only
//! when the exporter says that the collector took them. The SDK's batch processor is left out on purpose: it drops a
//! batch that failed, drops records while its queue is full, and reports a flush as done although the collector was
//! not there. What failed is tried again after a pause that doubles up to half a minute.
//!
//! A collector that answers with a partial success took the request; the protocol forbids to send it again.
//! Source: <https://opentelemetry.io/docs/specs/otlp/#partial-success>.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded, select};
use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLogRecord, SdkLogger, SdkLoggerProvider};

use super::ExportError;
use super::event::AlertEvent;
use super::health::Health;
use super::outbox::{Outbox, Pending};
use crate::clock;
use crate::model::Alert;

/// Records in one request: some 200 KB, far below the 4 MB that a gRPC server takes by default.
const MOST_IN_BATCH: usize = 256;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The changes that wait, shared by who emits them and who sends them.
pub(crate) struct Queue {
    outbox: Mutex<Box<dyn Outbox>>,
    delivered: AtomicU64,
    /// Payloads that nobody can read any more, so that they were given up.
    unreadable: AtomicU64,
}

impl Queue {
    pub(crate) fn new(outbox: Box<dyn Outbox>) -> Self {
        Self { outbox: Mutex::new(outbox), delivered: AtomicU64::new(0), unreadable: AtomicU64::new(0) }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped().saturating_add(self.unreadable.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Outbox>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle of the sending thread.
pub(crate) struct Alerts {
    queue: Arc<Queue>,
    wake: Sender<()>,
    finish: Sender<()>,
    finished: Receiver<()>,
}

impl Alerts {
    /// Starts the thread. What waits from an earlier run is sent at once.
    pub(crate) fn start<E: LogExporter + 'static>(
        exporter: E,
        scope: InstrumentationScope,
        queue: Arc<Queue>,
        health: Arc<Health>,
    ) -> Result<Self, ExportError> {
        let (wake, woken) = bounded(1);
        let (finish, finishing) = bounded(1);
        let (done, finished) = bounded(1);
        let provider = SdkLoggerProvider::builder().build();
        let logger = provider.logger_with_scope(scope.clone());
        let sender = AlertSender { exporter, scope, logger, queue: Arc::clone(&queue), health };
        std::thread::Builder::new()
            .name("otlp-alerts".into())
            .spawn(move || {
                sender.run(&woken, &finishing);
                // Nobody listens if the patience ended first.
                let _ = done.send(());
            })
            .map_err(ExportError::Thread)?;
        Ok(Self { queue, wake, finish, finished })
    }

    /// Keeps a change of an alert and has it sent.
    pub(crate) fn emit(&self, alert: &Alert) {
        let event = AlertEvent::of(alert, clock::now());
        if let Some(pending) = event.pending(alert) {
            self.queue.lock().push(pending);
        }
        match self.wake.try_send(()) {
            // Full: the thread is about to look anyway. Disconnected: it is over; the outbox keeps the change.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }

    /// Asks the thread for a last attempt; the answer tells when it is over.
    pub(crate) fn finish(self) -> Receiver<()> {
        let _ = self.finish.try_send(());
        self.finished
    }
}

struct AlertSender<E> {
    exporter: E,
    scope: InstrumentationScope,
    logger: SdkLogger,
    queue: Arc<Queue>,
    health: Arc<Health>,
}

impl<E: LogExporter> AlertSender<E> {
    fn run(&self, woken: &Receiver<()>, finishing: &Receiver<()>) {
        let mut pause = FIRST_PAUSE;
        let mut is_last = false;
        loop {
            let arrived = catch_unwind(AssertUnwindSafe(|| self.send_all())).unwrap_or_else(|_panic| {
                self.health.handle_failure("the log exporter panicked");
                false
            });
            if is_last {
                break;
            }
            if arrived {
                pause = FIRST_PAUSE;
                select! {
                    recv(woken) -> ended => is_last = ended.is_err(),
                    recv(finishing) -> _ => is_last = true,
                }
            } else {
                // New changes wait for the pause too: the collector is not there for them either.
                match finishing.recv_timeout(pause) {
                    Err(RecvTimeoutError::Timeout) => pause = (pause * 2).min(LONGEST_PAUSE),
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => is_last = true,
                }
            }
        }
        // The exporter's own shutdown closes its connection; there is nothing to wait for.
        let _ = self.exporter.shutdown_with_timeout(Duration::ZERO);
    }

    /// Sends until nothing waits; `false` as soon as something did not arrive.
    fn send_all(&self) -> bool {
        loop {
            let batch = self.queue.lock().oldest(MOST_IN_BATCH);
            if batch.is_empty() {
                return true;
            }
            if !self.send(&batch) {
                return false;
            }
        }
    }

    fn send(&self, batch: &[Pending]) -> bool {
        let records: Vec<SdkLogRecord> = batch.iter().filter_map(|pending| self.record(pending)).collect();
        if !records.is_empty() {
            let borrowed: Vec<_> = records.iter().map(|record| (record, &self.scope)).collect();
            if let Err(error) = block_on(self.exporter.export(LogBatch::new(&borrowed))) {
                self.health.handle_failure(&error.to_string());
                return false;
            }
            self.health.handle_success();
        }
        let mut outbox = self.queue.lock();
        for pending in batch {
            outbox.acknowledge(&pending.id, pending.sequence);
        }
        drop(outbox);
        let delivered = u64::try_from(records.len()).unwrap_or(u64::MAX);
        self.queue.delivered.fetch_add(delivered, Ordering::Relaxed);
        true
    }

    fn record(&self, pending: &Pending) -> Option<SdkLogRecord> {
        let Some(event) = AlertEvent::read(pending) else {
            self.queue.unreadable.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let mut record = self.logger.create_log_record();
        event.fill(&mut record);
        Some(record)
    }
}

/// Drives a future on this thread. Over HTTP the exporter blocks inside its future, which a runtime would not bear; over gRPC
/// the runtime of the channel wakes us.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
