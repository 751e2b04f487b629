//! Classes of endpoints and the quotas that they share.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Amount, DeclaredQuota, Dimension, WindowKind};

use super::{EndpointPattern, Rank};

/// For whom a provider counts, and what of a request identifies that party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRule {
    pub(super) kind: Arc<str>,
    pub(super) credentials: Vec<Arc<str>>,
}

impl ScopeRule {
    /// `ip`, `account`, `merchant`, `global`, …
    pub const fn kind(&self) -> &Arc<str> {
        &self.kind
    }

    /// Where the credential stands that identifies the party, best first; none means any, `authorization` first.
    pub fn credentials(&self) -> &[Arc<str>] {
        &self.credentials
    }
}

/// Endpoints that share quotas.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaClass {
    pub(super) name: Arc<str>,
    pub(super) endpoints: Vec<EndpointPattern>,
    pub(super) besides: bool,
    pub(super) unauthenticated: bool,
    pub(super) per_endpoint: bool,
    pub(super) quotas: Vec<QuotaRule>,
}

impl QuotaClass {
    /// The profile's name for it; where it gives none, the endpoint's.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The endpoints; none where only an error code leads to it.
    pub fn endpoints(&self) -> &[EndpointPattern] {
        &self.endpoints
    }

    /// Whether it counts besides the class that an endpoint falls in, instead of being a choice among them.
    pub const fn is_besides(&self) -> bool {
        self.besides
    }

    /// Whether it is for requests without credentials, whatever their endpoint.
    pub const fn is_unauthenticated(&self) -> bool {
        self.unauthenticated
    }

    /// Whether each of its endpoints has the quotas for itself, instead of sharing them.
    pub const fn is_per_endpoint(&self) -> bool {
        self.per_endpoint
    }

    /// Its quotas: one a window and dimension.
    pub fn quotas(&self) -> &[QuotaRule] {
        &self.quotas
    }

    /// The rank of its best pattern that means a request; `None` where none does.
    pub(in crate::extract) fn matches(&self, method: &str, path: &[&str]) -> Option<Rank> {
        self.endpoints.iter().filter(|p| p.matches(method, path)).map(EndpointPattern::rank).max()
    }
}

/// One quota of a class.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaRule {
    pub(super) dimension: Dimension,
    pub(super) window: Option<Duration>,
    pub(super) window_kind: Option<WindowKind>,
    pub(super) announced: bool,
    pub(super) scope: Option<ScopeRule>,
    /// By environment.
    pub(super) limits: Vec<Option<Amount>>,
    /// By environment.
    pub(super) bursts: Vec<Option<Amount>>,
    /// By environment; ready to be handed on.
    pub(super) declared: Vec<Option<Arc<DeclaredQuota>>>,
}

impl QuotaRule {
    /// What it counts.
    pub const fn dimension(&self) -> &Dimension {
        &self.dimension
    }

    /// The length of its window; absent only where responses announce it.
    pub const fn window(&self) -> Option<Duration> {
        self.window
    }

    /// How the provider counts, where the profile says.
    pub const fn window_kind(&self) -> Option<WindowKind> {
        self.window_kind
    }

    /// Whether responses carry its numbers, so that the agent need not count.
    pub const fn is_announced(&self) -> bool {
        self.announced
    }

    /// For whom it is counted.
    pub const fn scope(&self) -> Option<&ScopeRule> {
        self.scope.as_ref()
    }

    /// How many units its window allows in an environment; absent where the documents do not say.
    pub fn limit(&self, environment: usize) -> Option<Amount> {
        self.limits.get(environment).copied().flatten()
    }

    /// Units beyond the limit that a short burst may take.
    pub fn burst(&self, environment: usize) -> Option<Amount> {
        self.bursts.get(environment).copied().flatten()
    }

    /// What the agent counts, where it must; absent where the documents state no limit.
    pub(in crate::extract) fn declared(&self, environment: usize) -> Option<&Arc<DeclaredQuota>> {
        self.declared.get(environment)?.as_ref()
    }
}
