//! Names that are known to be within the bounds.

use std::sync::Arc;

use super::recent::{Hash, Recent};
use crate::model::{Observation, Scope};

/// Room for those of a busy integration's endpoints and callers, times four.
const SETS: usize = 512;

/// Remembers by where they lie in memory which names were settled together. What was settled once stays so: names that come
/// again in the same allocations need no search.
///
/// Names in other allocations cost the search that this would have saved.
#[derive(Debug, Clone)]
pub(super) struct Settled(Recent<Names>);

/// What one exchange named.
#[derive(Debug, Clone)]
struct Names {
    host: Arc<str>,
    endpoint: Arc<str>,
    scope: Scope,
    /// Whose names those of the reading are, and what that counts, where there was one.
    owner: Arc<str>,
    dimension: Option<Arc<str>>,
}

/// The same, as an exchange says it.
#[derive(Clone, Copy)]
struct Named<'a> {
    host: &'a Arc<str>,
    endpoint: &'a Arc<str>,
    scope: &'a Scope,
    id: &'a Arc<str>,
    owner: &'a Arc<str>,
    dimension: Option<&'a Arc<str>>,
}

impl Settled {
    pub(super) const fn new() -> Self {
        Self(Recent::new(SETS))
    }

    /// Whether everything that an exchange names is known to be settled: only where it names no more than most do.
    #[inline]
    pub(super) fn knows(&self, observation: &Observation) -> bool {
        let Some(named) = Named::of(observation) else { return false };
        let same = |known: &Option<Arc<str>>, name| known.as_ref().is_some_and(|known| Arc::ptr_eq(known, name));
        let is_meant = |known: &Names| {
            Arc::ptr_eq(&known.endpoint, named.endpoint)
                && same(&known.scope.id, named.id)
                && Arc::ptr_eq(&known.scope.kind, &named.scope.kind)
                && Arc::ptr_eq(&known.host, named.host)
                && Arc::ptr_eq(&known.owner, named.owner)
                && named.dimension.is_none_or(|dimension| same(&known.dimension, dimension))
        };
        self.0.known(named.hash(), is_meant).is_some()
    }

    /// Remembers what an exchange names, all of it settled.
    pub(super) fn keep(&mut self, observation: &Observation) {
        let Some(named) = Named::of(observation) else { return };
        let names = Names {
            host: Arc::clone(named.host),
            endpoint: Arc::clone(named.endpoint),
            scope: named.scope.clone(),
            owner: Arc::clone(named.owner),
            dimension: named.dimension.cloned(),
        };
        self.0.keep(named.hash(), names);
    }
}

impl<'a> Named<'a> {
    /// What an exchange names, where that is a host, an endpoint, a party and what one reading counts.
    #[inline]
    fn of(observation: &'a Observation) -> Option<Self> {
        let dimension = match observation.readings.as_slice() {
            [] => None,
            [reading] if reading.bucket.is_none() && reading.policy.is_none() && reading.scope.is_none() => {
                Some(&reading.dimension.0)
            }
            _ => return None,
        };
        if observation.error_code.is_some() || !observation.declared.is_empty() {
            return None;
        }
        let (host, scope) = (observation.host.as_ref()?, observation.scope.as_ref()?);
        let owner = observation.provider.as_ref().unwrap_or(host);
        Some(Self { host, endpoint: observation.endpoint.as_ref()?, scope, id: scope.id.as_ref()?, owner, dimension })
    }

    #[inline]
    fn hash(self) -> Hash {
        Hash::of_places(&[self.endpoint, self.id, self.host])
    }
}
