//! What a quota is, and whose.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a quota counts: `requests`, `tokens`, `input_tokens`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Dimension(pub Arc<str>);

impl Dimension {
    /// A count of requests, the default where nothing else is said.
    pub fn requests() -> Self {
        // One for each thread: with almost every response another one is counted, and a count that cores share is slow.
        thread_local! {
            static REQUESTS: Arc<str> = "requests".into();
        }
        Self(REQUESTS.with(Arc::clone))
    }

    /// The unit of one, for `rate_limit.unit`: `requests` gives `request`.
    pub fn unit(&self) -> &str {
        self.0.strip_suffix('s').unwrap_or(&self.0)
    }
}

impl Default for Dimension {
    fn default() -> Self {
        Self::requests()
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who said a quota's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotaSource {
    /// A response's field said it.
    #[default]
    Header,
    /// An error body said it.
    Body,
    /// A profile or the user's configuration says the limit; the agent counts the requests.
    Declared,
    /// Inferred from traffic: an estimate.
    Learned,
}

impl QuotaSource {
    /// The word of the JSON and of `rate_limit.source`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Body => "body",
            Self::Declared => "declared",
            Self::Learned => "learned",
        }
    }
}

/// What a quota is counted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Scope {
    /// `ip`, `account`, `api-key`, `partner`, `bank`, `merchant`, `endpoint`, `global`, or the provider's own word.
    pub kind: Arc<str>,
    /// A keyed hash (`k:…`), the alias that the user gave it, or an IP address; never a credential.
    pub id: Option<Arc<str>>,
}

/// The same as `==`, sooner where both are one allocation: names that come again have one, see
/// [`Bounds`](crate::extract::Bounds).
#[inline]
pub(crate) fn same_text(a: &Arc<str>, b: &Arc<str>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// The same of texts that may be absent.
#[inline]
pub(crate) fn same_or_absent(a: Option<&Arc<str>>, b: Option<&Arc<str>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_text(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Makes a text that is kept the same as another: where it is that already, no count that cores share is touched.
#[inline]
pub(crate) fn keep_text(kept: &mut Option<Arc<str>>, text: Option<&Arc<str>>) {
    let is_kept = match (&*kept, text) {
        (Some(kept), Some(text)) => Arc::ptr_eq(kept, text),
        (kept, text) => kept.is_none() && text.is_none(),
    };
    if !is_kept {
        *kept = text.cloned();
    }
}

/// Makes a scope that is kept that of a party, as [`keep_text`] does.
#[inline]
pub(crate) fn keep_scope(kept: &mut Option<Scope>, kind: &Arc<str>, id: &Arc<str>) {
    let is_kept = kept.as_ref().is_some_and(|kept| {
        Arc::ptr_eq(&kept.kind, kind) && kept.id.as_ref().is_some_and(|known| Arc::ptr_eq(known, id))
    });
    if !is_kept {
        *kept = Some(Scope { kind: Arc::clone(kind), id: Some(Arc::clone(id)) });
    }
}

/// The same as `==` of scopes.
#[inline]
pub(crate) fn same_scope(a: Option<&Scope>, b: Option<&Scope>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_or_absent(a.id.as_ref(), b.id.as_ref()) && same_text(&a.kind, &b.kind),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// What tells one quota from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaKey {
    /// The provider's name, or the host where no profile knows it.
    pub owner: Arc<str>,
    /// For whom it is counted.
    pub scope: Option<Scope>,
    /// The provider's name for it, else the endpoint class or the endpoint that it is counted over.
    pub bucket: Arc<str>,
    /// What it counts.
    pub dimension: Dimension,
    /// The time it is counted over, where known: one bucket may have a limit per minute and another per hour.
    pub window: Option<Duration>,
}
