//! What one exchange says of quotas.

use std::sync::Arc;
use std::time::Duration;

use super::quota::{keep_text, same_scope};
use super::{Amount, Client, Dimension, Path, QuotaSource, Scope, Timestamp};

/// What an exchange says of quotas and throttling. Every value is as stated or exactly derived; unknown is absent.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// When the response's head was seen.
    pub at: Timestamp,
    /// The file or interface it was seen on.
    pub source: Arc<str>,
    /// Who asked.
    pub client: Client,
    /// Whom.
    pub server: Option<std::net::SocketAddr>,
    /// The authority, in lower case; absent where the request was not captured.
    pub host: Option<Arc<str>>,
    /// The method; absent where the request was not captured.
    pub method: Option<Arc<str>>,
    /// The path without its query; absent where the request was not captured.
    pub path: Option<Path>,
    /// Method and path template, `POST /v1/payment/{id}`; absent where the request was not captured.
    pub endpoint: Option<Arc<str>>,
    /// The status code of the final response.
    pub status: u16,
    /// The name of the profile that knows the host.
    pub provider: Option<Arc<str>>,
    /// The family of field names and units that the quotas came in; a word of the dialect table.
    pub dialect: Option<&'static str>,
    /// The quotas that the response announced, by header or body.
    pub readings: Vec<Reading>,
    /// The limits that a profile or the user declares for this endpoint, and that the agent must count itself.
    pub declared: Vec<Arc<DeclaredQuota>>,
    /// The wait that the provider asks for.
    pub retry_after: Option<Duration>,
    /// Present where the provider refused the exchange for its rate.
    pub throttled: Option<ThrottleCause>,
    /// The provider's own error code; only on a throttled exchange, bounded in length and plain ASCII.
    pub error_code: Option<Arc<str>>,
    /// For whom the provider counts.
    pub scope: Option<Scope>,
    /// From the request's last octet to the end of the response's head.
    pub latency: Option<Duration>,
    /// Whether content that may explain a refusal was seen in part only, so that a code in it may be missing.
    pub content_cut: bool,
    /// Numbers that stood on the wire but could not be believed, by reason; counted, never guessed.
    pub doubts: Vec<&'static str>,
}

/// One quota as a response announced it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// What it counts.
    pub dimension: Dimension,
    /// The provider's name for the quota, where it gives one.
    pub policy: Option<Arc<str>>,
    /// How many units the window allows.
    pub limit: Option<Amount>,
    /// How many are left.
    pub remaining: Option<Amount>,
    /// How many were used.
    pub used: Option<Amount>,
    /// `1 - remaining/limit`, or as stated; a ratio from 0, above 1 when overrun.
    pub utilization: Option<f64>,
    /// The length of the window.
    pub window: Option<Duration>,
    /// When the quota is whole again.
    pub reset_at: Option<Timestamp>,
    /// Header or body.
    pub source: QuotaSource,
    /// What the quota is counted over when it is not the single endpoint: a bucket, a resource or an endpoint class that
    /// the response or the profile names. Quotas of one owner, scope, bucket, dimension and window are one quota.
    pub bucket: Option<Arc<str>>,
    /// For whom this quota is counted, where it differs from the observation's scope.
    pub scope: Option<Scope>,
    /// How the provider counts, where the profile says.
    pub window_kind: Option<WindowKind>,
}

impl Reading {
    /// Makes it the same as another: where texts are that already, no count that cores share is touched.
    #[inline]
    pub(crate) fn keep(&mut self, other: &Self) {
        let Self {
            dimension,
            policy,
            limit,
            remaining,
            used,
            utilization,
            window,
            reset_at,
            source,
            bucket,
            scope,
            window_kind,
        } = self;
        if !Arc::ptr_eq(&dimension.0, &other.dimension.0) {
            *dimension = other.dimension.clone();
        }
        keep_text(policy, other.policy.as_ref());
        *limit = other.limit;
        *remaining = other.remaining;
        *used = other.used;
        *utilization = other.utilization;
        *window = other.window;
        *reset_at = other.reset_at;
        *source = other.source;
        keep_text(bucket, other.bucket.as_ref());
        if !same_scope(scope.as_ref(), other.scope.as_ref()) {
            scope.clone_from(&other.scope);
        }
        *window_kind = other.window_kind;
    }
}

/// A limit that no response announces.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredQuota {
    /// The profile's name for the quota or endpoint class.
    pub policy: Arc<str>,
    /// What it counts.
    pub dimension: Dimension,
    /// How many units the window allows.
    pub limit: Amount,
    /// The length of the window.
    pub window: Duration,
    /// How the provider counts.
    pub window_kind: WindowKind,
    /// The endpoints it is counted over, for people: `POST /api/v1/orders`, `GET *`.
    pub endpoints: Arc<str>,
    /// The scope's kind.
    pub scope_kind: Arc<str>,
    /// For whom this quota is counted, where it differs from the observation's scope: a refusal may name another scope
    /// than the quotas that are counted all along.
    pub scope: Option<Scope>,
    /// Units beyond the limit that the provider tolerates in a short burst, where its documents say so.
    pub burst: Option<Amount>,
}

/// How a provider counts over its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowKind {
    /// Windows stand side by side; the count starts anew at each reset.
    Fixed,
    /// The window moves with the clock: each request leaves it one window after it came.
    Sliding,
    /// A bucket that refills at an even rate.
    TokenBucket,
}

/// Why a provider refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThrottleCause {
    /// A quota ran out.
    Quota,
    /// Too many at once, though the longer window has room.
    Burst,
    /// Too many requests in flight.
    Concurrency,
    /// A secondary or abuse limit.
    Abuse,
    /// A plan's or an account's paid allowance ran out.
    Billing,
    /// Refused for its rate; nothing says which limit.
    Unspecified,
}

impl Observation {
    /// Whether it says something of a quota, or was throttled.
    pub fn is_telling(&self) -> bool {
        !self.readings.is_empty() || self.retry_after.is_some() || self.throttled.is_some()
    }
}
