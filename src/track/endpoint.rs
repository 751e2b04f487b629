//! One endpoint of a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{EndpointState, Observation, same_or_absent, same_text};

use super::tally::count_code;

/// What an endpoint answered so far.
pub(super) struct Endpoint(EndpointState);

impl Endpoint {
    pub(super) fn new(host: &Arc<str>, endpoint: &Arc<str>) -> Self {
        Self(EndpointState {
            provider: None,
            host: Arc::clone(host),
            endpoint: Arc::clone(endpoint),
            requests: 0,
            throttled: 0,
            statuses: BTreeMap::new(),
            error_codes: BTreeMap::new(),
        })
    }

    pub(super) fn is(&self, host: &Arc<str>, endpoint: &Arc<str>) -> bool {
        same_text(&self.0.host, host) && same_text(&self.0.endpoint, endpoint)
    }

    pub(super) fn count(&mut self, observation: &Observation, codes: usize) {
        let state = &mut self.0;
        if !same_or_absent(state.provider.as_ref(), observation.provider.as_ref()) {
            state.provider.clone_from(&observation.provider);
        }
        state.requests = state.requests.saturating_add(1);
        state.throttled = state.throttled.saturating_add(u64::from(observation.throttled.is_some()));
        // Statuses need no bound: a status code has at most 800 values.
        match state.statuses.get_mut(&observation.status) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                state.statuses.insert(observation.status, 1);
            }
        }
        if let Some(code) = observation.error_code.as_ref().filter(|_| observation.throttled.is_some()) {
            count_code(&mut state.error_codes, code, codes);
        }
    }

    pub(super) const fn state(&self) -> &EndpointState {
        &self.0
    }
}
