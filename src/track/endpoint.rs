//! One endpoint of a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{EndpointState, Observation, keep_text, same_text};

use super::tally::count_code;

/// What an endpoint answered so far.
pub(super) struct Endpoint {
    /// But for the statuses.
    state: EndpointState,
    /// Sorted: an endpoint answers with a handful. They need no bound: a status code has at most 800 values.
    statuses: Vec<(u16, u64)>,
    /// Where the last one stands among them: the next is mostly the same.
    last: usize,
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
        Self { state, statuses: Vec::new(), last: 0 }
    }

    pub(super) fn is(&self, host: &Arc<str>, endpoint: &Arc<str>) -> bool {
        same_text(&self.state.host, host) && same_text(&self.state.endpoint, endpoint)
    }

    #[inline]
    pub(super) fn count(&mut self, observation: &Observation, codes: usize) {
        let state = &mut self.state;
        keep_text(&mut state.provider, observation.provider.as_ref());
        state.requests += 1;
        if observation.throttled.is_some() {
            self.count_refusal(observation, codes);
        }
        match self.statuses.get_mut(self.last) {
            Some((status, count)) if *status == observation.status => *count += 1,
            _ => self.count_status(observation.status),
        }
    }

    #[cold]
    fn count_refusal(&mut self, observation: &Observation, codes: usize) {
        self.state.throttled += 1;
        if let Some(code) = &observation.error_code {
            count_code(&mut self.state.error_codes, code, codes);
        }
    }

    #[cold]
    fn count_status(&mut self, status: u16) {
        self.last = match self.statuses.binary_search_by_key(&status, |(status, _)| *status) {
            Ok(index) => {
                self.statuses[index].1 = self.statuses[index].1.saturating_add(1);
                index
            }
            Err(index) => {
                self.statuses.insert(index, (status, 1));
                index
            }
        };
    }

    pub(super) fn state(&self) -> EndpointState {
        EndpointState { statuses: self.statuses.iter().copied().collect(), ..self.state.clone() }
    }
}
