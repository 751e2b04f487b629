//! Names that are known to be within the bounds.

use std::sync::Arc;

use crate::model::{Observation, Scope, place_of};

/// Places kept: those of a busy integration's endpoints and callers.
const PLACES: usize = 2048;

/// Remembers by where they lie in memory which names were settled together. What was settled once stays so: names that come
/// again in the same allocations need no search.
///
/// A memory, not a table: names in other allocations, or several that meet in one place, cost the search that this would
/// have saved.
#[derive(Debug, Clone)]
pub(super) struct Settled(Box<[Option<Names>]>);

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
    pub(super) fn new() -> Self {
        Self(vec![None; PLACES].into())
    }

    /// Whether everything that an exchange names is known to be settled: only where it names no more than most do.
    #[inline]
    pub(super) fn knows(&self, observation: &Observation) -> bool {
        let Some(named) = Named::of(observation) else { return false };
        let same = |known: &Option<Arc<str>>, name| known.as_ref().is_some_and(|known| Arc::ptr_eq(known, name));
        self.0.get(named.place()).and_then(Option::as_ref).is_some_and(|known| {
            Arc::ptr_eq(&known.endpoint, named.endpoint)
                && same(&known.scope.id, named.id)
                && Arc::ptr_eq(&known.scope.kind, &named.scope.kind)
                && Arc::ptr_eq(&known.host, named.host)
                && Arc::ptr_eq(&known.owner, named.owner)
                && named.dimension.is_none_or(|dimension| same(&known.dimension, dimension))
        })
    }

    /// Remembers what an exchange names, all of it settled.
    pub(super) fn keep(&mut self, observation: &Observation) {
        let Some(named) = Named::of(observation) else { return };
        if let Some(kept) = self.0.get_mut(named.place()) {
            *kept = Some(Names {
                host: Arc::clone(named.host),
                endpoint: Arc::clone(named.endpoint),
                scope: named.scope.clone(),
                owner: Arc::clone(named.owner),
                dimension: named.dimension.cloned(),
            });
        }
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
    fn place(self) -> usize {
        place_of([Some(self.endpoint), Some(self.id), Some(self.host)], PLACES)
    }
}
