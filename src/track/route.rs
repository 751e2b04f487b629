//! An endpoint as one caller uses it, and the quotas that it burns.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use crate::model::{Scope, Timestamp, same_scope, same_text};

use super::identity::ScopeRef;
use super::quota::QuotaId;
use super::recent::RecentCounts;

/// Quotas remembered for one route; a response announces a handful.
const QUOTAS: usize = 8;

/// Remembers which quotas an endpoint burns, so that an exchange that announces nothing (a bare 429, a cached answer)
/// still counts against them; and counts, so that a quota that first shows at its refusal knows what came before.
pub(super) struct Route {
    owner: Arc<str>,
    scope: Option<Scope>,
    endpoint: Arc<str>,
    pub(super) requests: u64,
    pub(super) recent: RecentCounts,
    quotas: Vec<QuotaId>,
}

impl Route {
    pub(super) fn new(owner: &Arc<str>, scope: Option<&Scope>, endpoint: &Arc<str>) -> Self {
        Self {
            owner: Arc::clone(owner),
            scope: scope.cloned(),
            endpoint: Arc::clone(endpoint),
            requests: 0,
            recent: RecentCounts::default(),
            quotas: Vec::new(),
        }
    }

    pub(super) fn hash(state: &impl BuildHasher, owner: &str, scope: Option<&Scope>, endpoint: &str) -> u64 {
        let mut hasher = state.build_hasher();
        owner.hash(&mut hasher);
        ScopeRef::of(scope).hash(&mut hasher);
        endpoint.hash(&mut hasher);
        hasher.finish()
    }

    #[inline]
    pub(super) fn is(&self, owner: &Arc<str>, scope: Option<&Scope>, endpoint: &Arc<str>) -> bool {
        same_text(&self.endpoint, endpoint) && same_scope(self.scope.as_ref(), scope) && same_text(&self.owner, owner)
    }

    /// Counts an exchange as long as no quota does.
    pub(super) fn count(&mut self, now: Timestamp) {
        if self.quotas.is_empty() {
            self.requests = self.requests.saturating_add(1);
            self.recent.add(now, false);
        }
    }

    pub(super) fn quotas(&self) -> &[QuotaId] {
        &self.quotas
    }

    /// Whether a quota is remembered.
    #[inline]
    pub(super) fn knows(&self, quota: QuotaId) -> bool {
        self.quotas.contains(&quota)
    }

    /// Remembers a quota that is not yet known. The first one takes over what was counted so far.
    pub(super) fn link(&mut self, quota: QuotaId) -> Option<(u64, RecentCounts)> {
        let first = self.quotas.is_empty();
        if self.quotas.len() >= QUOTAS {
            self.quotas.remove(0);
        }
        self.quotas.push(quota);
        first.then(|| (std::mem::take(&mut self.requests), std::mem::take(&mut self.recent)))
    }
}
