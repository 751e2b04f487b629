//! The whole state at one moment, immutable: what the screen, the exporters and the reports read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Alert, Amount, Dimension, InputCounters, QuotaKey, QuotaSource, Scope, Timestamp, WindowKind};

/// The whole state at one moment. Lists are in a stable order: the same input gives the same lists.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The moment, in event time; absent before the first exchange or tick.
    pub at: Option<Timestamp>,
    /// What came in.
    pub input: InputCounters,
    /// The live interfaces; empty in a replay.
    pub captures: Vec<CaptureState>,
    /// The quotas, by owner, bucket, scope, dimension and window.
    pub quotas: Vec<QuotaState>,
    /// The endpoints, by host and endpoint.
    pub endpoints: Vec<EndpointState>,
    /// The throttling error codes, most frequent first.
    pub error_codes: Vec<ErrorCodeCount>,
    /// The alerts: firing ones first, the worst first, then the last resolved ones (at most 256).
    pub alerts: Vec<Alert>,
    /// How the client behaves.
    pub findings: Vec<Finding>,
    /// The share of throttled exchanges over time, all quotas together.
    pub trend: Trend,
    /// The exporter's trouble in one sentence, where it has any: "collector down since 12:03:41".
    pub export_trouble: Option<Arc<str>>,
    /// The store's trouble in one sentence, where it has any.
    pub store_trouble: Option<Arc<str>>,
}

/// A live interface, as libpcap counts it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaptureState {
    /// Its name.
    pub interface: Arc<str>,
    /// Frames that were received.
    pub received: u64,
    /// Frames that the kernel dropped because the buffer was full.
    pub dropped: u64,
    /// Frames that the interface dropped.
    pub interface_dropped: u64,
    /// Batches that the agent itself dropped because its queue was full, in frames.
    pub queue_dropped: u64,
    /// When the last frame came.
    pub last_frame_at: Option<Timestamp>,
    /// Why it ended, where it did.
    pub trouble: Option<Arc<str>>,
}

/// One quota as last known.
#[derive(Debug, Clone)]
pub struct QuotaState {
    /// What tells it from others.
    pub key: QuotaKey,
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// The host it was last seen on.
    pub host: Arc<str>,
    /// The endpoint, or the class of endpoints that share the quota.
    pub endpoint: Arc<str>,
    /// The endpoints that burn it, with their requests, most first (at most 64).
    pub endpoints: Vec<(Arc<str>, u64)>,
    /// For whom it is counted.
    pub scope: Option<Scope>,
    /// The provider's name for it.
    pub policy: Option<Arc<str>>,
    /// What it counts.
    pub dimension: Dimension,
    /// Who said its numbers.
    pub source: QuotaSource,
    /// How many units the window allows.
    pub limit: Option<Amount>,
    /// How many are left, as last known; past the reset that is the limit again only where the window is fixed.
    pub remaining: Option<Amount>,
    /// `1 - remaining/limit`, a ratio from 0.
    pub utilization: Option<f64>,
    /// The highest utilization since the start.
    pub peak_utilization: Option<f64>,
    /// The length of the window.
    pub window: Option<Duration>,
    /// How the provider counts.
    pub window_kind: Option<WindowKind>,
    /// When it is whole again.
    pub reset_at: Option<Timestamp>,
    /// Exchanges since the start that count against it.
    pub requests: u64,
    /// Of those, throttled ones.
    pub throttled: u64,
    /// Exchanges of the last five minutes.
    pub recent_requests: u64,
    /// Of those, throttled ones.
    pub recent_throttled: u64,
    /// Throttling error codes since the start.
    pub error_codes: BTreeMap<Arc<str>, u64>,
    /// The wait that the provider last asked for.
    pub retry_after: Option<Duration>,
    /// Until when the provider asked to wait.
    pub blocked_until: Option<Timestamp>,
    /// Units a second at the current pace.
    pub consumption_rate: Option<f64>,
    /// When it runs out at the current pace; absent if not before its reset.
    pub exhausts_at: Option<Timestamp>,
    /// The delay between requests that spends what remains evenly until the reset, in seconds.
    pub pace: Option<f64>,
    /// When an exchange last said something of it.
    pub seen_at: Timestamp,
    /// Whether several endpoints were found to share it by how its numbers run down: an estimate.
    pub learned_sharing: bool,
    /// How sure a learned limit is, a ratio: how likely the next run into it agrees; absent where it was stated.
    pub confidence: Option<f64>,
    /// Whether its reset has passed since, so that the numbers are history.
    pub stale: bool,
    /// Utilization and counts over time.
    pub trend: Trend,
}

impl QuotaState {
    /// Throttled exchanges among all since the start; 0 where there were none.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn throttled_ratio(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.throttled as f64 / self.requests as f64 }
    }
}

/// Points over the last hour, evenly spaced, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trend {
    /// The distance of two points.
    pub step: Duration,
    /// At most 360; the last one ends at the snapshot's moment.
    pub points: Vec<TrendPoint>,
}

/// One step of a trend.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TrendPoint {
    /// The highest utilization in the step; absent where nothing was seen.
    pub utilization: Option<f64>,
    /// Exchanges in the step.
    pub requests: u32,
    /// Of those, throttled ones.
    pub throttled: u32,
}

/// One endpoint of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointState {
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// The host.
    pub host: Arc<str>,
    /// Method and path template.
    pub endpoint: Arc<str>,
    /// Exchanges.
    pub requests: u64,
    /// Of those, throttled ones.
    pub throttled: u64,
    /// By status code.
    pub statuses: BTreeMap<u16, u64>,
    /// Throttling error codes.
    pub error_codes: BTreeMap<Arc<str>, u64>,
}

/// How often a throttling error code came, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCodeCount {
    /// The provider's name or the host.
    pub owner: Arc<str>,
    /// The code.
    pub code: Arc<str>,
    /// What the code's scope is, where a profile says: `partner`, `bank`, …
    pub scope_kind: Option<Arc<str>>,
    /// How often since the start.
    pub count: u64,
}

/// Something in how the client behaves that costs quota.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What: `retried_too_early`, `polls`, …
    pub kind: &'static str,
    /// Where.
    pub host: Arc<str>,
    /// Where, exactly.
    pub endpoint: Arc<str>,
    /// How often.
    pub count: u64,
    /// What was seen.
    pub evidence: Arc<str>,
    /// What to do.
    pub advice: Arc<str>,
}
