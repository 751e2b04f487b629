//! Hosts that were asked before, each with its name and what is known of it.

use std::sync::Arc;

use super::target;
use crate::model::Interest;

/// The hosts that were asked lately, shared by all connections.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    known: Vec<Arc<Host>>,
    /// Which one makes room for the next.
    oldest: usize,
}

/// A host as requests name it.
#[derive(Debug)]
pub(crate) struct Host {
    /// The authority as it stood, empty where it is not kept, and whether its scheme was `https`.
    authority: Box<[u8]>,
    secure: bool,
    /// In lower case, with the port only where it is not the scheme's own.
    pub(crate) name: Arc<str>,
    /// See [`Interest::content_of_success`].
    pub(crate) success_matters: bool,
}

/// So many hosts are remembered: the list is searched from its start when a connection names another one than before.
const HOSTS: usize = 64;

impl Host {
    /// A host that TLS named, in which no request is seen.
    pub(crate) fn named(name: &str) -> Arc<Self> {
        Arc::new(Self { authority: Box::default(), secure: true, name: name.into(), success_matters: true })
    }

    /// Whether it was named so.
    pub(crate) fn is(&self, authority: &[u8], secure: bool) -> bool {
        *self.authority == *authority && self.secure == secure && !authority.is_empty()
    }
}

impl Hosts {
    /// The host that an authority names; `None` where it names none.
    pub(crate) fn host(&mut self, authority: &[u8], secure: bool, interest: &dyn Interest) -> Option<Arc<Host>> {
        if let Some(known) = self.known.iter().find(|known| known.is(authority, secure)) {
            return Some(Arc::clone(known));
        }
        let name = target::host(authority, secure)?;
        let success_matters = interest.content_of_success(&name);
        // User information may be a password: it is not kept, and such a host is looked at anew each time.
        let kept: &[u8] = if authority.contains(&b'@') { &[] } else { authority };
        let host = Arc::new(Host { authority: kept.into(), secure, name: name.into(), success_matters });
        if !kept.is_empty() {
            self.remember(Arc::clone(&host));
        }
        Some(host)
    }

    fn remember(&mut self, host: Arc<Host>) {
        if self.known.len() < HOSTS {
            self.known.push(host);
        } else if let Some(oldest) = self.known.get_mut(self.oldest) {
            *oldest = host;
            self.oldest = self.oldest.saturating_add(1).checked_rem(HOSTS).unwrap_or(0);
        }
    }
}
