//! The SDK's instruments over the latest snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::{AsyncInstrument, Histogram, Meter, MeterProvider as _};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality};

use super::catalogue::{Kind, METRICS, Metric, RETRY_AFTER_BOUNDS};
use super::collection::Collection;
use super::health::Health;
use super::points::Number;

/// Series of one instrument. The SDK's own limit of 2000 is less than a busy host has; ours is far above what the tracker
/// and [`super::attributes::Bounds`] let through, and still bounds memory to some 20 MB.
const MOST_SERIES: usize = 20_000;

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
        let points = collection.page();
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
                self.health.handle_success();
                self.collection.handle_delivered();
            }
            Err(error) => {
                self.health.handle_failure(&error.to_string());
                self.collection.handle_failure();
            }
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
