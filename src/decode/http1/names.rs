//! Words that come again with every message, allocated once.

use std::sync::Arc;

use crate::model::{HashKey, Interest};

/// Methods and carriers of credentials that were seen, shared by all connections.
#[derive(Debug)]
pub(crate) struct Names {
    known: Vec<Arc<str>>,
    /// The keyed hash of a credential as it stood, and whose it is: the same few callers come again and again.
    callers: Vec<(u64, Arc<str>)>,
    oldest_caller: usize,
    /// Names of response fields, and whether their lines are kept, each at the place of its hash.
    fields: Vec<Asked>,
}

/// The answer to whether the lines of a name are kept.
#[derive(Debug, Clone, Copy)]
struct Asked {
    name: [u8; FIELD_OCTETS],
    len: usize,
    kept: bool,
}

/// A longer name is asked for each time.
const FIELD_OCTETS: usize = 40;

/// Places for answers, a power of two; a server's responses have some dozens of names.
const FIELDS: usize = 256;

impl Default for Names {
    fn default() -> Self {
        let nothing = Asked { name: [0; FIELD_OCTETS], len: 0, kept: false };
        Self { known: Vec::new(), callers: Vec::new(), oldest_caller: 0, fields: vec![nothing; FIELDS] }
    }
}

/// Past this many different words a new one is allocated each time: the list is searched from its start.
const WORDS: usize = 64;

/// So many callers are remembered; the list is searched from its start, and another one costs one more hash.
const CALLERS: usize = 32;

impl Names {
    /// The shared form of a name in lower case, whatever its case.
    pub(crate) fn share_lower(&mut self, name: &str) -> Arc<str> {
        match self.known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) if !known.bytes().any(|octet| octet.is_ascii_uppercase()) => Arc::clone(known),
            _ => self.share(&name.to_ascii_lowercase()),
        }
    }

    /// Whether the lines of a response field are kept; `interest` is asked once for names that come again.
    pub(crate) fn keeps(&mut self, name: &[u8], interest: &dyn Interest) -> bool {
        let (Some(first), Some(middle)) = (name.first(), name.get(name.len() / 2)) else { return false };
        let last = name.last().unwrap_or(first);
        let hash = name.len() ^ usize::from(*first) << 3 ^ usize::from(*middle) << 1 ^ usize::from(*last) << 2;
        let place = self.fields.get_mut(hash & FIELDS.saturating_sub(1));
        let Some(asked) = place else { return interest.response_field(name) };
        if asked.name.get(..asked.len) == Some(name) {
            return asked.kept;
        }
        let kept = interest.response_field(name);
        if let Some(room) = asked.name.get_mut(..name.len()) {
            room.copy_from_slice(name);
            asked.len = name.len();
            asked.kept = kept;
        }
        kept
    }

    /// Whose a credential is, see [`HashKey::identity`].
    pub(crate) fn caller(&mut self, key: &HashKey, credential: &[u8]) -> Arc<str> {
        let fingerprint = key.fingerprint(credential);
        if let Some((_, known)) = self.callers.iter().find(|(known, _)| *known == fingerprint) {
            return Arc::clone(known);
        }
        let caller = key.identity(credential);
        let entry = (fingerprint, Arc::clone(&caller));
        if self.callers.len() < CALLERS {
            self.callers.push(entry);
        } else if let Some(slot) = self.callers.get_mut(self.oldest_caller) {
            *slot = entry;
            self.oldest_caller = self.oldest_caller.saturating_add(1).checked_rem(CALLERS).unwrap_or(0);
        }
        caller
    }

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
