//! Names that are known to be within the bounds.

use std::sync::Arc;

use super::recent::{Hash, Recent};
use crate::model::{Observation, Scope, SettledNames};

/// Room for those of a busy integration's endpoints and callers, times four.
const SETS: usize = 512;

/// Remembers by where they lie in memory which names were settled together. What was settled once stays so: names that come
/// again in the same allocations need no search.
///
/// Names in other allocations cost the search that this would have saved.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    recent: Recent<(Names, SettledNames)>,
    /// How many sets were kept so far: numbers the last one.
    last: u64,
}

/// What one exchange named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    host: Arc<str>,
    endpoint: Arc<str>,
    scope: Scope,
    /// Whose names those of the reading are, whether that is a profile, and what the reading counts, where there was one.
    owner: Arc<str>,
    is_profiled: bool,
    dimension: Option<Arc<str>>,
    /// What it was refused with, where it was.
    code: Option<Arc<str>>,
}

/// The same, as an exchange says it.
#[derive(Clone, Copy)]
struct Named<'a> {
    host: &'a Arc<str>,
    endpoint: &'a Arc<str>,
    scope: &'a Scope,
    id: Option<&'a Arc<str>>,
    owner: &'a Arc<str>,
    is_profiled: bool,
    dimension: Option<&'a Arc<str>>,
    code: Option<&'a Arc<str>>,
}

impl Settled {
    pub(super) const fn new() -> Self {
        Self { recent: Recent::new(SETS), last: 0 }
    }

    /// The number of what an exchange names, where that is known to be settled: only where it names no more than most do.
    #[inline(always)]
    pub(super) fn known(&self, observation: &Observation) -> Option<SettledNames> {
        let named = Named::of(observation)?;
        let is_meant = |(known, _): &(Names, SettledNames)| {
            Arc::ptr_eq(&known.endpoint, named.endpoint)
                && is_at(known.scope.id.as_ref(), named.id)
                && Arc::ptr_eq(&known.scope.kind, &named.scope.kind)
                && Arc::ptr_eq(&known.host, named.host)
                && Arc::ptr_eq(&known.owner, named.owner)
                && known.is_profiled == named.is_profiled
                && (named.dimension.is_none() || is_at(known.dimension.as_ref(), named.dimension))
                && is_at(known.code.as_ref(), named.code)
        };
        self.recent.known(named.hash(), is_meant).map(|(_, number)| *number)
    }

    /// Remembers what an exchange names, all of it settled; gives its number. Where it `came` with the same names in other
    /// allocations, those come again too: each decode thread has its own.
    pub(super) fn keep(&mut self, came: Option<Names>, observation: &Observation) -> Option<SettledNames> {
        let named = Named::of(observation)?;
        let number = self.known(observation).unwrap_or_else(|| {
            self.last = self.last.saturating_add(1);
            self.recent.keep(named.hash(), (named.names(), SettledNames(self.last)));
            SettledNames(self.last)
        });
        if let Some(came) = came.filter(|came| *came == named.names()) {
            let hash = came.named().hash();
            if hash != named.hash() {
                self.recent.keep(hash, (came, number));
            }
        }
        Some(number)
    }
}

impl Names {
    /// What an exchange names, as it does.
    pub(super) fn of(observation: &Observation) -> Option<Self> {
        Named::of(observation).map(Named::names)
    }

    fn named(&self) -> Named<'_> {
        let Self { host, endpoint, scope, owner, is_profiled, dimension, code } = self;
        let (id, dimension, code) = (scope.id.as_ref(), dimension.as_ref(), code.as_ref());
        Named { host, endpoint, scope, id, owner, is_profiled: *is_profiled, dimension, code }
    }
}

impl<'a> Named<'a> {
    /// What an exchange names, where that is a host, an endpoint, a party, what one reading counts and an error code.
    #[inline]
    fn of(observation: &'a Observation) -> Option<Self> {
        let dimension = match observation.readings.as_slice() {
            [] => None,
            [reading] if reading.bucket.is_none() && reading.policy.is_none() && reading.scope.is_none() => {
                Some(&reading.dimension.0)
            }
            _ => return None,
        };
        if !observation.declared.is_empty() {
            return None;
        }
        let (host, scope) = (observation.host.as_ref()?, observation.scope.as_ref()?);
        let owner = observation.provider.as_ref().unwrap_or(host);
        let (endpoint, is_profiled) = (observation.endpoint.as_ref()?, observation.provider.is_some());
        let (id, code) = (scope.id.as_ref(), observation.error_code.as_ref());
        Some(Self { host, endpoint, scope, id, owner, is_profiled, dimension, code })
    }

    fn names(self) -> Names {
        Names {
            host: Arc::clone(self.host),
            endpoint: Arc::clone(self.endpoint),
            scope: self.scope.clone(),
            owner: Arc::clone(self.owner),
            is_profiled: self.is_profiled,
            dimension: self.dimension.cloned(),
            code: self.code.cloned(),
        }
    }

    #[inline]
    fn hash(self) -> Hash {
        Hash::of_places(&[self.endpoint, self.id.unwrap_or(&self.scope.kind), self.host])
    }
}

/// Whether a name is that one, in the same allocation, or both are absent.
#[inline]
fn is_at(known: Option<&Arc<str>>, name: Option<&Arc<str>>) -> bool {
    match (known, name) {
        (Some(known), Some(name)) => Arc::ptr_eq(known, name),
        (known, name) => known.is_none() && name.is_none(),
    }
}
