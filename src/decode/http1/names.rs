//! Words that come again with every message, allocated once.

use std::sync::Arc;

/// Methods and carriers of credentials that were seen, shared by all connections.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Vec<Arc<str>>,
}

/// Past this many different words a new one is allocated each time: the list is searched from its start.
const WORDS: usize = 64;

impl Names {
    /// The shared form of a word.
    pub(crate) fn share(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.known.iter().find(|known| &***known == word) {
            return Arc::clone(known);
        }
        let new: Arc<str> = word.into();
        if self.known.len() < WORDS {
            self.known.push(Arc::clone(&new));
        }
        new
    }
}
