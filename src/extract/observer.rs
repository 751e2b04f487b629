//! An extractor with a memory, one for each worker.

use std::sync::Arc;

use super::declared::Made;
use super::destination::Destinations;
use super::scope::Addresses;
use super::{Extractor, Reader};
use crate::model::{Exchange, Observation};

/// Exchanges to observations, as its extractor finds them: the same, sooner, because what depends on names alone (a server's
/// list of field names, a request's endpoint) is found once and then remembered.
#[derive(Debug, Clone)]
pub struct Observer {
    extractor: Arc<Extractor>,
    memory: Memory,
}

/// Room for so many lists of names, endpoints, addresses and quotas, times four: what a worker sees in turn is some dozens of
/// servers with some dozens of endpoints each. Full, all of it takes a few megabytes.
const SETS: usize = 256;

impl Observer {
    /// An observer that has seen nothing.
    pub fn new(extractor: Arc<Extractor>) -> Self {
        Self { extractor, memory: Memory::new(SETS) }
    }

    /// What an exchange says of quotas and throttling: the same as [`Extractor::observe`] finds, whatever came before.
    #[inline]
    pub fn observe(&mut self, mut exchange: Exchange) -> Observation {
        let mut observation = Observation::default();
        self.observe_into(&mut exchange, &mut observation);
        observation
    }

    /// The same, written over an observation that is of no more use; what it takes out of the exchange is not there afterwards.
    #[inline(always)]
    pub fn observe_into(&mut self, exchange: &mut Exchange, used: &mut Observation) {
        self.extractor.observe_into(exchange, &mut self.memory, used);
    }
}

/// What one extractor found before; of no use to another one.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    pub(super) reader: Reader,
    pub(super) destinations: Destinations,
    pub(super) addresses: Addresses,
    pub(super) made: Made,
}

impl Memory {
    pub(super) fn new(sets: usize) -> Self {
        Self {
            reader: Reader::new(sets),
            destinations: Destinations::new(sets),
            addresses: Addresses::new(sets),
            made: Made::new(sets),
        }
    }
}
