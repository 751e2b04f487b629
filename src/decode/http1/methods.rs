//! Methods that came before.

use std::sync::Arc;

use super::waiting::Method;

/// Methods that were seen, each allocated once, shared by all connections.
#[derive(Debug, Default)]
pub(crate) struct Methods(Vec<KnownMethod>);

/// A method that came before.
#[derive(Debug)]
pub(super) struct KnownMethod {
    pub(super) text: Arc<str>,
    pub(super) method: Method,
    /// It and the blank behind it in one word, where they fit.
    word: Option<Word>,
}

/// The first octets of a word.
#[derive(Debug)]
struct Word {
    start: u64,
    /// Which of a word's octets they take.
    mask: u64,
}

/// Past this many different ones a new one is allocated each time: the list is searched from its start.
const METHODS: usize = 64;

impl Word {
    /// A method and the blank behind it; `None` where they are too long.
    fn of(method: &[u8]) -> Option<Self> {
        let (mut start, mut mask) = ([0; size_of::<u64>()], [0; size_of::<u64>()]);
        start.get_mut(..method.len())?.copy_from_slice(method);
        *start.get_mut(method.len())? = b' ';
        mask.get_mut(..=method.len())?.fill(u8::MAX);
        Some(Self { start: u64::from_le_bytes(start), mask: u64::from_le_bytes(mask) })
    }
}

impl Methods {
    /// The shared form of a method, a token.
    pub(super) fn share(&mut self, method: &[u8]) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| known.text.as_bytes() == method) {
            return Arc::clone(&known.text);
        }
        let text: Arc<str> = String::from_utf8_lossy(method).into();
        if self.0.len() < METHODS {
            let (text, method, word) = (Arc::clone(&text), Method::of(method), Word::of(method));
            self.0.push(KnownMethod { text, method, word });
        }
        text
    }

    /// The method that a request line starts with, if it is short and came before, and what follows the blank behind it.
    #[inline]
    pub(super) fn at_start<'a>(&self, line: &'a [u8]) -> Option<(&KnownMethod, &'a [u8])> {
        let start = u64::from_le_bytes(*line.first_chunk()?);
        let is_it = |known: &&KnownMethod| known.word.as_ref().is_some_and(|word| start & word.mask == word.start);
        let known = self.0.iter().find(is_it)?;
        Some((known, line.get(known.text.len().saturating_add(1)..)?))
    }
}
