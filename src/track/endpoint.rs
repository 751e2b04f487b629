//! One endpoint of a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{EndpointState, Observation, same_or_absent, same_text};

use super::tally::count_code;

/// What an endpoint answered so far.
pub(super) struct Endpoint {
    /// But for the statuses.
    state: EndpointState,
    /// Sorted: an endpoint answers with a handful. They need no bound: a status code has at most 800 values.
    statuses: Vec<(u16, u64)>,
}

impl Endpoint {
    pub(super) fn new(host: &Arc<str>, endpoint: &Arc<str>) -> Self {
        let state = EndpointState {
            provider: None,
            host: Arc::clone(host),
            endpoint: Arc::clone(endpoint),
            requests: 0,
            throttled: 0,
            statuses: BTreeMap::new(),
            error_codes: BTreeMap::new(),
        };
        Self { state, statuses: Vec::new() }
    }

    pub(super) fn is(&self, host: &Arc<str>, endpoint: &Arc<str>) -> bool {
        same_text(&self.state.host, host) && same_text(&self.state.endpoint, endpoint)
    }

    #[inline]
    pub(super) fn count(&mut self, observation: &Observation, codes: usize) {
        let state = &mut self.state;
        if !same_or_absent(state.provider.as_ref(), observation.provider.as_ref()) {
            state.provider.clone_from(&observation.provider);
        }
        state.requests = state.requests.saturating_add(1);
        state.throttled = state.throttled.saturating_add(u64::from(observation.throttled.is_some()));
        match self.statuses.binary_search_by_key(&observation.status, |(status, _)| *status) {
            Ok(index) => self.statuses[index].1 = self.statuses[index].1.saturating_add(1),
            Err(index) => self.statuses.insert(index, (observation.status, 1)),
        }
        if let Some(code) = observation.error_code.as_ref().filter(|_| observation.throttled.is_some()) {
            count_code(&mut state.error_codes, code, codes);
        }
    }

    pub(super) fn state(&self) -> EndpointState {
        EndpointState { statuses: self.statuses.iter().copied().collect(), ..self.state.clone() }
    }
}
