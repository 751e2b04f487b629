//! The configuration file: its sections and keys, nothing of what they do.
//!
//! Each key is optional; one that is not there leaves the default. An unknown key is an error, so that a typo never
//! goes unnoticed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::quantity::{Octets, Span};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// Live capture.
    pub capture: Capture,
    /// Files that are read or followed.
    pub input: Input,
    /// Which host is which provider.
    pub provider: Vec<Provider>,
    /// Provider profiles of the user's own.
    pub profiles: Profiles,
    /// Names for callers.
    pub callers: Callers,
    /// Endpoint templates by host, or files of `OpenAPI` documents; `"*"` is any host.
    pub templates: BTreeMap<String, Vec<String>>,
    /// Time series.
    pub store: Store,
    /// OTLP.
    pub export: Export,
    /// Thresholds.
    pub alerts: Alerts,
    /// Bounds on what the network can make the agent hold.
    pub bounds: Bounds,
}

/// `[capture]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capture {
    /// Interfaces; `any` is all of them.
    pub interfaces: Option<Vec<String>>,
    /// A BPF expression.
    pub filter: Option<String>,
    /// The kernel's buffer, each interface.
    pub buffer: Option<Octets>,
    /// Octets captured of each frame.
    pub snaplen: Option<u32>,
    /// Whether frames are handed over at once rather than in batches.
    pub immediate: Option<bool>,
    /// The user whom the agent becomes once its captures are open.
    pub user: Option<String>,
}

/// `[input]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Files that are read once.
    pub read: Option<Vec<PathBuf>>,
    /// Growing files that are followed.
    pub tail: Option<Vec<PathBuf>>,
}

/// `[[provider]]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// A host, or `*.example.com`; with a port where it is not the scheme's own.
    pub host: String,
    /// The profile: a name or a file.
    pub profile: Option<String>,
    /// Which of the profile's environments it is: `sandbox`, `production`.
    pub environment: Option<String>,
}

/// `[profiles]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profiles {
    /// Files with profiles; one with a built-in profile's name replaces it.
    pub files: Vec<PathBuf>,
}

/// `[callers]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callers {
    /// Names for the hashes of credentials: `"k:5f2c9a01" = "prod key"`.
    pub aliases: BTreeMap<String, String>,
    /// Credentials that share one quota, by hash or alias: `"prod key" = "merchant 9"`.
    pub pools: BTreeMap<String, String>,
}

/// `[store]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Whether time series are kept.
    pub enabled: Option<bool>,
    /// Where.
    pub directory: Option<PathBuf>,
    /// The size on the disk above which the oldest points are dropped.
    pub size: Option<Octets>,
    /// What is left free on the disk.
    pub reserve: Option<Octets>,
    /// The database's cache.
    pub cache: Option<Octets>,
}

/// `[export]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Export {
    /// The collector.
    pub endpoint: Option<String>,
    /// `grpc` or `http/protobuf`.
    pub protocol: Option<String>,
    /// Fields that each request carries. A value `env:NAME` is read from the environment.
    pub headers: BTreeMap<String, String>,
    /// `gzip` or `zstd`.
    pub compression: Option<String>,
    /// From one export of metrics to the next.
    pub interval: Option<Span>,
    /// How long one request may take.
    pub timeout: Option<Span>,
    /// Certificates to trust instead of the system's.
    pub certificate: Option<PathBuf>,
    /// The certificate that is shown to the collector.
    pub client_certificate: Option<PathBuf>,
    /// Its private key.
    pub client_key: Option<PathBuf>,
    /// Attributes of the resource.
    pub resource: BTreeMap<String, String>,
    /// Whether the agent's own spans are exported too.
    pub traces: Option<bool>,
}

/// `[alerts]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// `utilization` fires from here …
    pub utilization: Option<f64>,
    /// … held for this long …
    pub utilization_hold: Option<Span>,
    /// … and clears below.
    pub utilization_clear: Option<f64>,
    /// `utilization_high` fires from here …
    pub utilization_high: Option<f64>,
    /// … and clears below.
    pub utilization_high_clear: Option<f64>,
    /// `throttled_ratio` fires above …
    pub throttled_ratio: Option<f64>,
    /// … and clears below.
    pub throttled_ratio_clear: Option<f64>,
    /// `error_code` fires when a code comes more often than this a minute.
    pub error_codes_per_minute: Option<u32>,
    /// How long a condition must be gone.
    pub clear_after: Option<Span>,
    /// `capture_stalled` fires after this silence …
    pub capture_silence: Option<Span>,
    /// … or above this share of lost packets.
    pub capture_loss: Option<f64>,
}

/// `[bounds]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// What decoding takes of the memory at most.
    pub memory: Option<Octets>,
    /// Connections that are followed at a time; by default as many as half of the memory takes.
    pub connections: Option<usize>,
    /// Hosts.
    pub hosts: Option<usize>,
    /// Endpoints of each host.
    pub endpoints_per_host: Option<usize>,
    /// Parties that quotas are counted for.
    pub scopes: Option<usize>,
    /// Quotas.
    pub quotas: Option<usize>,
}
