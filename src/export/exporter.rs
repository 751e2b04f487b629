//! The exporter: one runtime, one thread for metrics and one for alerts, none of which the pipeline ever waits for.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, bounded, select};
use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Histogram;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::LogExporter as _;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::ExportError;
use super::alerts::{Alerts, Queue};
use super::attributes::{self, Bounds};
use super::collection::{Collection, Counters};
use super::health::{self, Health};
use super::metrics;
use super::options::{ExportOptions, Signal, Target, process_environment};
use super::outbox::Outbox;
use super::points::SelfReport;
use super::resource;
use super::transport::{self, Transport};
use crate::model::{Alert, Observation, Snapshot};

/// Exports metrics and alerts over OTLP until it is shut down.
pub struct Exporter {
    /// For gRPC's channels and the follower of the snapshots.
    runtime: Option<Runtime>,
    metrics: Option<Metrics>,
    retry_after: Option<Histogram<f64>>,
    refusing: Mutex<Bounds>,
    alerts: Option<Alerts>,
    shared: Arc<Shared>,
    endpoints: Vec<(String, u16)>,
}

/// The metrics' part.
struct Metrics {
    provider: SdkMeterProvider,
    collection: Arc<Collection>,
    /// The thread that turns the pages ends with this.
    pages: Sender<()>,
}

/// What the agent says of its own exports.
struct Shared {
    queue: Arc<Queue>,
    metrics: Option<Arc<Health>>,
    logs: Option<Arc<Health>>,
    /// Octets; `u64::MAX` until somebody said it.
    store_size: AtomicU64,
}

const UNSAID: u64 = u64::MAX;

impl Exporter {
    /// Starts exporting what the snapshots say. May be called inside a tokio runtime; it uses only its own.
    ///
    /// # Errors
    /// Where an endpoint, a header, a certificate or the protocol cannot be used, or no thread can be started.
    pub fn start(
        options: &ExportOptions,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        outbox: Box<dyn Outbox>,
    ) -> Result<Self, ExportError> {
        let environment = &process_environment;
        let metrics_target = options.target(Signal::Metrics, environment)?;
        let logs_target = options.target(Signal::Logs, environment)?;
        let runtime = transport::runtime()?;
        let shared = Arc::new(Shared {
            queue: Arc::new(Queue::new(outbox)),
            metrics: metrics_target.as_ref().map(|target| Arc::new(Health::of(target))),
            logs: logs_target.as_ref().map(|target| Arc::new(Health::of(target))),
            store_size: AtomicU64::new(UNSAID),
        });
        let resource = resource::of_agent(options, environment);
        let scope =
            InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION")).build();

        let traces_target = options.target(Signal::Traces, environment)?;
        let mut exporter = Self {
            runtime: Some(runtime),
            metrics: None,
            retry_after: None,
            refusing: Mutex::default(),
            alerts: None,
            endpoints: endpoints([&metrics_target, &logs_target, &traces_target].into_iter().flatten()),
            shared: Arc::clone(&shared),
        };
        if let (Some(target), Some(health)) = (&metrics_target, &shared.metrics) {
            exporter.start_metrics(options, target, snapshots, &resource, &scope, health)?;
        }
        if let (Some(target), Some(health)) = (&logs_target, &shared.logs) {
            exporter.start_alerts(options, target, &resource, scope, health)?;
        }
        Ok(exporter)
    }

    /// Records the wait that a provider asked for when it refused an exchange; other observations change nothing.
    pub fn handle_retry_after(&self, observation: &Observation) {
        let (Some(histogram), Some(wait), Some(_)) =
            (&self.retry_after, observation.retry_after, observation.throttled)
        else {
            return;
        };
        let mut bounds = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        let attributes = attributes::of_refusal(
            observation.provider.as_ref(),
            observation.host.as_ref(),
            observation.status,
            &mut bounds,
        );
        drop(bounds);
        metrics::record(histogram, wait, &attributes);
    }

    /// Has a change of an alert delivered, at least once: now, or as soon as the collector takes it.
    pub fn emit(&self, alert: &Alert) {
        if let Some(alerts) = &self.alerts {
            alerts.emit(alert);
        }
    }

    /// The store's size in octets, for the agent's own metrics.
    pub fn handle_store_size(&self, octets: u64) {
        self.shared.store_size.store(octets, Ordering::Relaxed);
    }

    /// What is wrong with the exports, in one sentence; nothing while they arrive.
    pub fn trouble(&self) -> Option<Arc<str>> {
        let signals = [&self.shared.metrics, &self.shared.logs].into_iter().flatten().map(AsRef::as_ref);
        health::trouble(signals, self.shared.queue.waiting())
    }

    /// The collectors' hosts and ports, so that the agent never watches its own exports.
    pub fn endpoints(&self) -> Vec<(String, u16)> {
        self.endpoints.clone()
    }

    /// Exports once more and ends, within the patience: what takes longer is left behind.
    ///
    /// # Errors
    /// Where the last metrics or some alerts did not arrive in time; alerts stay in the outbox.
    pub fn shutdown(mut self, patience: Duration) -> Result<(), ExportError> {
        self.close(patience)
    }

    fn start_metrics(
        &mut self,
        options: &ExportOptions,
        target: &Target,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        resource: &Resource,
        scope: &InstrumentationScope,
        health: &Arc<Health>,
    ) -> Result<(), ExportError> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let exporter = transport::build_apart(runtime, options, target, Signal::Metrics, Transport::metric_exporter)?;
        let shared = Arc::clone(&self.shared);
        let (more, asked) = bounded(1);
        let counters =
            if exporter.temporality() == Temporality::Cumulative { Counters::Once } else { Counters::OnEachPage };
        let collection = Arc::new(Collection::new(snapshots, more, counters, move || shared.report()));
        runtime.spawn(Arc::clone(&collection).follow());
        let interval = options.interval(&process_environment);
        let (provider, retry_after) =
            metrics::provider(exporter, interval, resource.clone(), scope.clone(), &collection, Arc::clone(health));
        let ended = turn_pages(&provider, asked)?;
        self.metrics = Some(Metrics { provider, collection, pages: ended });
        self.retry_after = retry_after;
        Ok(())
    }

    fn start_alerts(
        &mut self,
        options: &ExportOptions,
        target: &Target,
        resource: &Resource,
        scope: InstrumentationScope,
        health: &Arc<Health>,
    ) -> Result<(), ExportError> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let mut exporter = transport::build_apart(runtime, options, target, Signal::Logs, Transport::log_exporter)?;
        exporter.set_resource(resource);
        self.alerts = Some(Alerts::start(exporter, scope, Arc::clone(&self.shared.queue), Arc::clone(health))?);
        Ok(())
    }

    fn close(&mut self, patience: Duration) -> Result<(), ExportError> {
        // Both flush at the same time, on their own threads; here is only waited.
        let flushing = self.metrics.take().map(flush);
        let finishing = self.alerts.take().map(Alerts::finish);
        let mut deadline = Deadline { over: after(patience), is_over: false };
        let metrics_arrived = flushing.is_none_or(|done| deadline.wait(&done).unwrap_or(false));
        if let Some(done) = finishing {
            deadline.wait(&done);
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        let alerts = self.shared.queue.waiting();
        if metrics_arrived && alerts == 0 {
            Ok(())
        } else {
            Err(ExportError::NotDelivered { metrics: !metrics_arrived, alerts })
        }
    }
}

/// An exporter that is dropped without its shutdown tries once more, but nobody waits for it.
impl Drop for Exporter {
    fn drop(&mut self) {
        if self.runtime.is_some() {
            let _ = self.close(Duration::ZERO);
        }
    }
}

impl Shared {
    fn report(&self) -> SelfReport {
        let failures = |health: &Option<Arc<Health>>| health.as_ref().map_or(0, |health| health.failures());
        SelfReport {
            store_size: Some(self.store_size.load(Ordering::Relaxed)).filter(|size| *size != UNSAID),
            memory: resident_memory(),
            failed_metric_exports: failures(&self.metrics),
            failed_log_exports: failures(&self.logs),
            alerts_waiting: u64::try_from(self.queue.waiting()).unwrap_or(u64::MAX),
            alerts_delivered: self.queue.delivered(),
            alerts_dropped: self.queue.dropped(),
        }
    }
}

/// One moment that several waits share.
struct Deadline {
    over: Receiver<Instant>,
    is_over: bool,
}

impl Deadline {
    /// What `done` says before the deadline; after it, only what it has said already.
    fn wait<T>(&mut self, done: &Receiver<T>) -> Option<T> {
        if self.is_over {
            return done.try_recv().ok();
        }
        select! {
            recv(done) -> said => said.ok(),
            recv(self.over) -> _ => {
                self.is_over = true;
                done.try_recv().ok()
            }
        }
    }
}

/// Exports the further pages of a collection as soon as the one before arrived; the SDK itself would wait for its interval.
fn turn_pages(provider: &SdkMeterProvider, asked: Receiver<()>) -> Result<Sender<()>, ExportError> {
    let provider = provider.clone();
    let (end, ended) = bounded::<()>(0);
    let turn = move || {
        loop {
            select! {
                recv(asked) -> more => match more {
                    // A failure is known to the collection: the next interval begins anew.
                    Ok(()) => drop(provider.force_flush()),
                    Err(_over) => break,
                },
                recv(ended) -> _ => break,
            }
        }
    };
    std::thread::Builder::new().name("otlp-pages".into()).spawn(turn).map_err(ExportError::Thread)?;
    Ok(end)
}

/// Exports once more and ends the provider on a thread of its own; says whether the collector took it.
fn flush(metrics: Metrics) -> Receiver<bool> {
    let (done, flushed) = bounded(1);
    let flushing = std::thread::Builder::new().name("otlp-flush".into()).spawn(move || {
        let Metrics { provider, collection, pages } = metrics;
        drop(pages);
        collection.close();
        let mut arrived = true;
        while arrived && collection.has_more() {
            arrived = provider.force_flush().is_ok();
        }
        let ended = provider.shutdown().is_ok();
        // Nobody listens if the patience ended first.
        let _ = done.send(arrived && ended && !collection.is_last_lost());
    });
    // Without a thread the sender is gone, which reads as not delivered.
    drop(flushing);
    flushed
}

fn endpoints<'a>(targets: impl Iterator<Item = &'a Target>) -> Vec<(String, u16)> {
    let distinct: BTreeSet<(String, u16)> = targets.map(|target| (target.host.clone(), target.port)).collect();
    distinct.into_iter().collect()
}

/// The agent's resident memory in octets, where the system tells it (Linux).
///
/// Source: proc(5), `/proc/pid/status`, the line `VmRSS`.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
