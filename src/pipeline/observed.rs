//! Exchanges to observations, in memory that is used again.

use std::sync::Arc;

use crate::decode::Exchanges;
use crate::extract::{Extractor, Observer};
use crate::model::{Exchange, Observation};

/// What the exchanges of a stream came to, as far as one thread looks at them.
pub(super) struct Observed {
    observer: Observer,
    observations: Vec<Made>,
    /// Which of its stream's decode threads it runs on.
    thread: usize,
    /// Observations that were judged, whose memory is used again.
    spare: Vec<Made>,
}

/// An observation on its way to the engine and back.
#[derive(Debug)]
pub(super) struct Made {
    /// In an allocation of its own, because it moves through several queues.
    pub(super) observation: Box<Observation>,
    /// Which of its stream's decode threads made it.
    pub(super) thread: usize,
}

/// Observations that are kept to be used again: about those of a few blocks of frames, a kilobyte or two each.
const SPARE: usize = 512;
/// One with room for more readings is not: hardly an exchange has so many.
const FEW_READINGS: usize = 8;

impl Observed {
    /// None yet, on the only thread.
    pub(super) fn new(extractor: Arc<Extractor>) -> Self {
        Self { observer: Observer::new(extractor), observations: Vec::new(), thread: 0, spare: Vec::new() }
    }

    /// The same on the decode thread of that number.
    pub(super) fn on_thread(self, thread: usize) -> Self {
        Self { thread, ..self }
    }

    /// Looks at an exchange, whose texts are taken out of it.
    #[inline(always)]
    pub(super) fn look_at(&mut self, exchange: &mut Exchange) -> Made {
        let new = || Made { observation: Box::default(), thread: self.thread };
        let mut made = self.spare.pop().unwrap_or_else(new);
        self.observer.observe_into(exchange, &mut made.observation);
        made
    }

    /// The same, for what is taken together with others.
    #[inline(always)]
    pub(super) fn add(&mut self, exchange: &mut Exchange) {
        let made = self.look_at(exchange);
        self.observations.push(made);
    }

    /// Looks at all of them, and clears them.
    #[inline(always)]
    pub(super) fn add_all(&mut self, exchanges: &mut Exchanges) {
        for exchange in exchanges.iter_mut() {
            self.add(exchange);
        }
        exchanges.clear();
    }

    /// How many wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.observations.len()
    }

    /// Takes out what has come together.
    pub(super) fn take(&mut self) -> Vec<Made> {
        // The next ones will likely be as many.
        let room = Vec::with_capacity(self.observations.len());
        std::mem::replace(&mut self.observations, room)
    }

    /// Takes back what was judged.
    #[inline(always)]
    pub(super) fn take_back(&mut self, made: Made) {
        // Room for many quotas would be lent to exchanges that have none.
        if self.spare.len() < SPARE && made.observation.readings.capacity() <= FEW_READINGS {
            self.spare.push(made);
        }
    }
}
