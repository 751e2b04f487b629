//! The SDK's instruments over the latest snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::metrics::{AsyncInstrument, Histogram, Meter, MeterProvider as _};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality};
use tokio::sync::watch;

use super::catalogue::{Kind, METRICS, Metric, RETRY_AFTER_BOUNDS};
use super::health::Health;
use super::points::{self, Memory, Number, Points, SelfReport};
use crate::model::Snapshot;

/// Series of one instrument. The SDK's own limit of 2000 is less than a busy host has; ours is far above what the tracker
/// and [`super::attributes::Bounds`] let through, and still bounds memory to some 20 MB.
const MOST_SERIES: usize = 20_000;

/// What all callbacks of one collection share, so that they tell of one moment.
pub(crate) struct Collection {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    memory: Mutex<Memory>,
    /// The points of the collection that goes on; none between collections.
    current: Mutex<Option<Arc<Points>>>,
    own: Box<dyn Fn() -> SelfReport + Send + Sync>,
}

impl Collection {
    pub(crate) fn new(
        snapshots: watch::Receiver<Arc<Snapshot>>,
        own: impl Fn() -> SelfReport + Send + Sync + 'static,
    ) -> Self {
        Self { snapshots, memory: Mutex::default(), current: Mutex::default(), own: Box::new(own) }
    }

    /// Follows the snapshots between collections, for their peaks; ends with the pipeline.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut snapshots = self.snapshots.clone();
        while snapshots.changed().await.is_ok() {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).peaks.handle_snapshot(&snapshot);
        }
    }

    fn points(&self) -> Arc<Points> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(points) = &*current {
            return Arc::clone(points);
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.peaks.take(&snapshot);
        let points = Arc::new(points::points(&snapshot, &mut memory, &(self.own)()));
        *current = Some(Arc::clone(&points));
        points
    }

    fn handle_collected(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn handle_delivered(&self) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).peaks.handle_delivered();
    }
}

/// Makes the provider that exports every `interval`, and the one instrument that is not observed but told.
pub(crate) fn provider<E: PushMetricExporter>(
    exporter: E,
    interval: Duration,
    resource: Resource,
    scope: InstrumentationScope,
    collection: &Arc<Collection>,
    health: Arc<Health>,
) -> (SdkMeterProvider, Option<Histogram<f64>>) {
    let watched = Watched { inner: exporter, collection: Arc::clone(collection), health };
    let reader = PeriodicReader::builder(watched).with_interval(interval).build();
    let provider = SdkMeterProvider::builder()
        .with_reader(reader)
        .with_resource(resource)
        .with_view(|_: &Instrument| Stream::builder().with_cardinality_limit(MOST_SERIES).build().ok())
        .build();
    let meter = provider.meter_with_scope(scope);
    let mut histogram = None;
    for metric in METRICS {
        match metric.kind {
            Kind::Histogram => histogram = Some(told(&meter, *metric)),
            _ => observed(&meter, *metric, collection),
        }
    }
    (provider, histogram)
}

fn told(meter: &Meter, metric: Metric) -> Histogram<f64> {
    meter
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_boundaries(RETRY_AFTER_BOUNDS.to_vec())
        .build()
}

/// Registers an instrument whose callback hands out the collection's points. The provider keeps the callback.
fn observed(meter: &Meter, metric: Metric, collection: &Arc<Collection>) {
    let collection = Arc::clone(collection);
    match metric.kind {
        Kind::Gauge => {
            meter
                .f64_observable_gauge(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.description)
                .with_callback(move |observer| hand_out(&collection, metric, observer, as_value))
                .build();
        }
        Kind::Counter => {
            meter
                .u64_observable_counter(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.description)
                .with_callback(move |observer| hand_out(&collection, metric, observer, as_count))
                .build();
        }
        Kind::UpDownCounter => {
            meter
                .i64_observable_up_down_counter(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.description)
                .with_callback(move |observer| {
                    hand_out(&collection, metric, observer, |number| {
                        as_count(number).map(|count| i64::try_from(count).unwrap_or(i64::MAX))
                    });
                })
                .build();
        }
        Kind::Histogram => {}
    }
}

/// A panic in a callback would end the SDK's thread, and with it all exports, so it ends here.
fn hand_out<T>(
    collection: &Collection,
    metric: Metric,
    observer: &dyn AsyncInstrument<T>,
    number: impl Fn(Number) -> Option<T>,
) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let points = collection.points();
        for point in points.get(metric.name).into_iter().flatten() {
            if let Some(number) = number(point.number) {
                observer.observe(number, &point.attributes);
            }
        }
    }));
}

fn as_value(number: Number) -> Option<f64> {
    match number {
        Number::Value(value) => Some(value),
        Number::Count(_) => None,
    }
}

fn as_count(number: Number) -> Option<u64> {
    match number {
        Number::Count(count) => Some(count),
        Number::Value(_) => None,
    }
}

/// An exporter whose outcome is known to us, not only to the SDK.
struct Watched<E> {
    inner: E,
    collection: Arc<Collection>,
    health: Arc<Health>,
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.collection.handle_collected();
        let result = self.inner.export(metrics).await;
        match &result {
            Ok(()) => {
                self.collection.handle_delivered();
                self.health.handle_success();
            }
            Err(error) => self.health.handle_failure(&error.to_string()),
        }
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

/// Records a wait that a provider asked for.
pub(crate) fn record(histogram: &Histogram<f64>, wait: Duration, attributes: &[KeyValue]) {
    histogram.record(wait.as_secs_f64(), attributes);
}
