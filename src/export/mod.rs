//! Snapshots and alerts as OTLP metrics and log records, over gRPC or HTTP.
//!
//! - [`catalogue`] is the one list of metrics and events; instruments are made from it.
//! - A [`Snapshot`](crate::model::Snapshot) becomes points (`points`), which the SDK's callbacks hand out: a quota that is gone
//!   from the snapshot stops being exported, and what is unknown has no point.
//! - An [`Alert`](crate::model::Alert)'s change waits in an [`Outbox`] until the collector took it: at least once. Receivers tell
//!   repeats by `alert.id` and `alert.sequence`.
//! - A collector that is down costs a line in [`Exporter::trouble`], never memory without bound and never a wait.
//!
//! Knows nothing of packets, quotas' rules or screens. Follows the OpenTelemetry Protocol 1.x,
//! <https://opentelemetry.io/docs/specs/otlp/>.

use std::path::PathBuf;

mod alerts;
mod attributes;
pub mod catalogue;
mod collection;
mod event;
mod exporter;
mod health;
mod metrics;
mod options;
mod outbox;
mod peaks;
mod points;
mod resource;
#[cfg(test)]
mod sample;
mod traces;
mod transport;

pub use exporter::Exporter;
pub use options::{Compression, ExportOptions, Protocol};
pub use outbox::{MOST_PENDING, MemoryOutbox, Outbox, Pending};

pub(crate) use traces::Traces;

/// Why nothing can be exported, or not all was.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// An endpoint that is no URL of a collector.
    #[error("OTLP endpoint `{endpoint}` cannot be used: {reason}; write it like http://collector:4318")]
    Endpoint {
        /// As it was set, without user and password.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A transport that is not built in.
    #[error("OTLP protocol `{value}` is not supported; use grpc or http/protobuf")]
    Protocol {
        /// As it was set.
        value: String,
    },
    /// A compression that is not built in.
    #[error("OTLP compression `{value}` is not supported; use gzip or zstd")]
    Compression {
        /// As it was set.
        value: String,
    },
    /// A header that cannot be sent. Its value is not shown: it may be a secret.
    #[error("OTLP header `{name}` cannot be sent: its name or its value has characters that no header may have")]
    Header {
        /// Its name.
        name: String,
    },
    /// A file that cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of certificates without one.
    #[error("{}: holds no PEM certificate, so no collector would be trusted", path.display())]
    NoCertificate {
        /// Which one.
        path: PathBuf,
    },
    /// A client certificate without its key, or the other way round.
    #[error("a client certificate and its key must both be set, but only one of them is")]
    HalfIdentity,
    /// The SDK refused to build an exporter.
    #[error("OTLP exporter cannot be built: {0}")]
    Build(String),
    /// No thread or runtime could be started.
    #[error("cannot start a thread for OTLP: {0}")]
    Thread(#[source] std::io::Error),
    /// The end came before all was delivered.
    #[error("collector did not take everything before the end: {alerts} alerts wait{}", if *metrics { ", the last metrics are lost" } else { "" })]
    NotDelivered {
        /// Whether the last metrics are missing.
        metrics: bool,
        /// How many changes of alerts still wait.
        alerts: usize,
    },
}
