//! Words that come again with every message, allocated once.

use std::sync::Arc;

use super::lines::Roles;
use super::search::same;
use crate::model::{Credential, HashKey, Interest};

/// Carriers of credentials that were seen, shared by all connections.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Vec<Arc<str>>,
    /// Names as they were written, and in lower case.
    lowered: Vec<(Box<str>, Arc<str>)>,
    credentials: Vec<Known>,
    oldest_credential: usize,
    request_fields: Fields,
    response_fields: Fields,
}

/// A credential that came before: the same few callers come again and again.
#[derive(Debug)]
struct Known {
    /// The name of its field as it was written.
    name: Box<[u8]>,
    /// The keyed hash of the credential as it stood.
    fingerprint: u64,
    credential: Credential,
}

/// Names of field lines and what those are good for, each at the place of its hash.
#[derive(Debug)]
struct Fields(Vec<Asked>);

/// The answer to what the lines of a name are good for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    name: [u8; FIELD_OCTETS],
    len: usize,
    roles: Roles,
}

/// A longer name is asked for each time.
const FIELD_OCTETS: usize = 40;

/// Places for answers, a power of two; a server's responses have some dozens of names.
const FIELDS: usize = 256;

impl Default for Fields {
    fn default() -> Self {
        Self(vec![Asked { name: [0; FIELD_OCTETS], len: 0, roles: Roles::default() }; FIELDS])
    }
}

impl Fields {
    /// What the lines of a name are good for; `ask` is called once for names that come again.
    fn roles(&mut self, name: &[u8], ask: impl FnOnce() -> Roles) -> Roles {
        let (Some(first), Some(middle)) = (name.first(), name.get(name.len() / 2)) else { return Roles::default() };
        let last = name.last().unwrap_or(first);
        let hash = name.len() ^ usize::from(*first) << 3 ^ usize::from(*middle) << 1 ^ usize::from(*last) << 2;
        let Some(asked) = self.0.get_mut(hash & FIELDS.saturating_sub(1)) else { return ask() };
        if asked.name.get(..asked.len) == Some(name) {
            return asked.roles;
        }
        let roles = ask();
        if let Some(room) = asked.name.get_mut(..name.len()) {
            room.copy_from_slice(name);
            asked.len = name.len();
            asked.roles = roles;
        }
        roles
    }
}

/// Past this many different words a new one is allocated each time: the list is searched from its start.
const WORDS: usize = 64;

/// So many credentials are remembered; the list is searched from its start, and another one costs one more hash.
const CREDENTIALS: usize = 32;

impl Names {
    /// The shared form of a name in lower case, whatever its case.
    pub(crate) fn share_lower(&mut self, name: &str) -> Arc<str> {
        if let Some((_, known)) = self.lowered.iter().find(|(written, _)| &**written == name) {
            return Arc::clone(known);
        }
        let known = self.share(&name.to_ascii_lowercase());
        if self.lowered.len() < WORDS {
            self.lowered.push((name.into(), Arc::clone(&known)));
        }
        known
    }

    /// What a request's field line of that name is good for.
    pub(crate) fn request_roles(&mut self, name: &[u8], interest: &dyn Interest) -> Roles {
        self.request_fields.roles(name, || {
            let credential = if interest.credential_field(name) { Roles::CREDENTIAL } else { Roles::default() };
            Roles::of_name(name).and(credential)
        })
    }

    /// What a response's field line of that name is good for.
    pub(crate) fn response_roles(&mut self, name: &[u8], interest: &dyn Interest) -> Roles {
        self.response_fields.roles(name, || {
            let kept = if interest.response_field(name) { Roles::KEPT } else { Roles::default() };
            Roles::of_name(name).and(kept)
        })
    }

    /// The credential that a field line of that name holds; `None` where the name is no text.
    #[inline(always)]
    pub(super) fn credential(&mut self, key: &HashKey, name: &[u8], value: &[u8]) -> Option<Credential> {
        let fingerprint = key.fingerprint(value);
        for known in &self.credentials {
            if known.fingerprint == fingerprint && same(&known.name, name) {
                return Some(known.credential.clone());
            }
        }
        self.new_credential(key, name, value, fingerprint)
    }

    #[cold]
    fn new_credential(&mut self, key: &HashKey, name: &[u8], value: &[u8], fingerprint: u64) -> Option<Credential> {
        let carrier = self.share_lower(std::str::from_utf8(name).ok()?);
        let credential = Credential { carrier, id: key.identity(value) };
        let known = Known { name: name.into(), fingerprint, credential: credential.clone() };
        if self.credentials.len() < CREDENTIALS {
            self.credentials.push(known);
        } else if let Some(oldest) = self.credentials.get_mut(self.oldest_credential) {
            *oldest = known;
            self.oldest_credential = self.oldest_credential.saturating_add(1).checked_rem(CREDENTIALS).unwrap_or(0);
        }
        Some(credential)
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
