//! Which quota it is, in borrowed parts, so that a known quota is found without allocating.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{DeclaredQuota, Dimension, Observation, QuotaKey, Reading, Scope, same_or_absent, same_text};

/// What tells quotas apart, all but the window: that one appears and disappears on the wire.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) owner: &'a Arc<str>,
    pub(super) scope: Option<ScopeRef<'a>>,
    /// Bucket, policy or endpoint, the first that is known.
    pub(super) name: &'a Arc<str>,
    /// The policy, where the bucket has a name of its own.
    pub(super) policy: Option<&'a Arc<str>>,
    pub(super) dimension: &'a Dimension,
}

/// A scope in borrowed parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ScopeRef<'a> {
    pub(super) kind: &'a Arc<str>,
    pub(super) id: Option<&'a Arc<str>>,
}

impl<'a> ScopeRef<'a> {
    pub(super) fn of(scope: Option<&'a Scope>) -> Option<Self> {
        scope.map(|scope| Self { kind: &scope.kind, id: scope.id.as_ref() })
    }

    /// Whether it is that scope.
    #[inline]
    pub(super) fn is(self, scope: &Scope) -> bool {
        same_or_absent(self.id, scope.id.as_ref()) && same_text(self.kind, &scope.kind)
    }

    pub(super) fn to_scope(self) -> Scope {
        Scope { kind: Arc::clone(self.kind), id: self.id.cloned() }
    }
}

impl<'a> Identity<'a> {
    /// Of what a response announced.
    #[inline]
    pub(super) fn of_reading(
        reading: &'a Reading,
        observation: &'a Observation,
        owner: &'a Arc<str>,
        endpoint: &'a Arc<str>,
    ) -> Self {
        let (name, policy) = match (&reading.bucket, &reading.policy) {
            (Some(bucket), policy) => (bucket, policy.as_ref().filter(|policy| *policy != bucket)),
            (None, Some(policy)) => (policy, None),
            (None, None) => (endpoint, None),
        };
        let scope = ScopeRef::of(reading.scope.as_ref().or(observation.scope.as_ref()));
        Self { owner, scope, name, policy, dimension: &reading.dimension }
    }

    /// Of a limit that the agent counts itself. An exchange whose scope is of another kind says nothing of whose quota it
    /// burnt, so it counts for the nameless scope of the declared kind.
    pub(super) fn of_declared(declared: &'a DeclaredQuota, observation: &'a Observation, owner: &'a Arc<str>) -> Self {
        let known = observation.scope.as_ref().filter(|scope| scope.kind == declared.scope_kind);
        let scope = ScopeRef::of(declared.scope.as_ref().or(known));
        let scope = scope.or(Some(ScopeRef { kind: &declared.scope_kind, id: None }));
        Self { owner, scope, name: &declared.policy, policy: None, dimension: &declared.dimension }
    }

    pub(super) fn hash(&self, state: &impl BuildHasher) -> u64 {
        let mut hasher = state.build_hasher();
        self.owner.hash(&mut hasher);
        self.scope.hash(&mut hasher);
        self.name.hash(&mut hasher);
        self.policy.hash(&mut hasher);
        self.dimension.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn to_key(self, window: Option<Duration>, ordinal: u32) -> QuotaKey {
        let bucket = match (self.policy, ordinal) {
            (None, 0) => Arc::clone(self.name),
            (None, _) => format!("{} #{}", self.name, ordinal.saturating_add(1)).into(),
            (Some(policy), 0) => format!("{} {policy}", self.name).into(),
            (Some(policy), _) => format!("{} {policy} #{}", self.name, ordinal.saturating_add(1)).into(),
        };
        QuotaKey {
            owner: Arc::clone(self.owner),
            scope: self.scope.map(ScopeRef::to_scope),
            bucket,
            dimension: self.dimension.clone(),
            window,
        }
    }
}
