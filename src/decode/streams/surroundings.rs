//! What all connections share.

use std::sync::Arc;

use crate::decode::exchanges::Exchanges;
use crate::decode::http1::{Context, Memory};
use crate::decode::options::DecodeOptions;
use crate::model::{HashKey, InputCounters, Interest};

/// What connections need beside themselves, and what they give out.
pub(super) struct Surroundings {
    pub(super) options: DecodeOptions,
    key: HashKey,
    interest: Arc<dyn Interest>,
    pub(super) counters: InputCounters,
    memory: Memory,
    pub(super) exchanges: Exchanges,
}

impl Surroundings {
    /// Nothing was counted, learned or given out.
    pub(super) fn new(options: DecodeOptions, key: HashKey, interest: Arc<dyn Interest>) -> Self {
        Self {
            options,
            key,
            interest,
            counters: InputCounters::default(),
            memory: Memory::default(),
            exchanges: Exchanges::default(),
        }
    }

    /// The same, lent to a connection.
    #[inline]
    pub(super) fn context(&mut self) -> Context<'_> {
        Context {
            options: &self.options,
            key: &self.key,
            interest: &*self.interest,
            counters: &mut self.counters,
            memory: &mut self.memory,
            exchanges: &mut self.exchanges,
        }
    }
}
