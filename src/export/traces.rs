//! The agent's own spans.

use std::time::Duration;

use crossbeam_channel::bounded;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Runtime;

use super::options::{ExportOptions, Signal, process_environment};
use super::transport::{self, Transport};
use super::{ExportError, resource};

/// Exports spans until it is shut down. Spans are lost while the collector is down; they tell of the agent, not of quotas.
pub(crate) struct Traces {
    runtime: Option<Runtime>,
    provider: Option<SdkTracerProvider>,
}

impl Traces {
    /// Nothing, where no endpoint is set for spans.
    pub(crate) fn start(options: &ExportOptions) -> Result<Option<Self>, ExportError> {
        let Some(target) = options.target(Signal::Traces, &process_environment)? else { return Ok(None) };
        let runtime = transport::runtime()?;
        let exporter = transport::build_apart(&runtime, options, &target, Signal::Traces, Transport::span_exporter)?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource::of_agent(options, &process_environment))
            .build();
        Ok(Some(Self { runtime: Some(runtime), provider: Some(provider) }))
    }

    /// What makes the spans.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        Some(self.provider.as_ref()?.tracer_with_scope(resource::scope()))
    }

    /// Exports what is left, within the patience.
    pub(crate) fn shutdown(mut self, patience: Duration) {
        self.close(patience);
    }

    fn close(&mut self, patience: Duration) {
        let Some(provider) = self.provider.take() else { return };
        let (done, flushed) = bounded(1);
        let flushing = std::thread::Builder::new().name("otlp-flush".into()).spawn(move || {
            // The outcome concerns nobody: spans are no data of the user's.
            let _ = provider.shutdown();
            let _ = done.send(());
        });
        if flushing.is_ok() {
            let _ = flushed.recv_timeout(patience);
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One that is dropped without its shutdown tries once more, but nobody waits for it.
impl Drop for Traces {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}
