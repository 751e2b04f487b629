//! For whom a provider counts: the party behind a request, as a keyed hash, an alias or an address, never a credential.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::model::{Client, Credential, Exchange, Scope, keep_scope};

use super::profile::ScopeRule;
use super::recent::{Hash, Recent};

/// The scope's kind where a credential identifies the caller and nothing says what stands behind it.
const API_KEY: &str = "api-key";

/// The scope's kind where only the address identifies the caller.
const IP: &str = "ip";

/// The kinds that name a party. What else a response states as its scope is a word for the quota: GitHub's `core`, a
/// Google `quota_limit`.
const PARTIES: [&str; 9] = [IP, API_KEY, "account", "partner", "bank", "merchant", "user", "endpoint", "global"];

/// The longest name of a client that is used as an identity, in octets: the longest host name of RFC 1035.
const MAX_CLIENT_NAME: usize = 255;

/// The names that the user gave to parties.
#[derive(Debug, Clone)]
pub(super) struct Identities {
    /// The kinds of almost all scopes, allocated once.
    api_key: Arc<str>,
    ip: Arc<str>,
    /// Hash or address to name.
    aliases: BTreeMap<Arc<str>, Arc<str>>,
    /// Hash or alias to the party that several credentials share a quota under.
    pools: BTreeMap<Arc<str>, Arc<str>>,
}

impl Identities {
    pub(super) fn new(aliases: BTreeMap<Arc<str>, Arc<str>>, pools: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        Self { api_key: API_KEY.into(), ip: IP.into(), aliases, pools }
    }

    /// For whom a rule counts an exchange; without a rule, its credential's or else its address's owner.
    pub(super) fn scope(&self, caller: &Caller<'_>, rule: Option<&ScopeRule>) -> Option<Scope> {
        let Some(rule) = rule else {
            let mut scope = None;
            self.write_usual(caller, &mut scope);
            return scope;
        };
        Some(Scope { kind: Arc::clone(rule.kind()), id: self.of_kind(caller, rule.kind(), rule.credentials()) })
    }

    /// The same without a rule, written over a scope that is of no more use.
    pub(super) fn write_usual(&self, caller: &Caller<'_>, scope: &mut Option<Scope>) {
        let address;
        let (kind, id) = if let Some(id) = credential(caller.credentials, &[]) {
            (&self.api_key, self.party(id))
        } else {
            address = caller.address();
            let Some(address) = &address else {
                *scope = None;
                return;
            };
            (&self.ip, self.named(address))
        };
        keep_scope(scope, kind, id);
    }

    /// The same of an exchange that is of no more use: what the scope held before is left there in its place, so that no count
    /// that cores share is touched.
    #[inline]
    pub(super) fn move_usual(&self, exchange: &mut Exchange, addresses: &Addresses, scope: &mut Option<Scope>) {
        if self.names_nobody()
            && let Some([only]) = exchange.request.as_mut().map(|request| request.credentials.as_mut_slice())
            && let Some(Scope { kind, id: Some(id) }) = scope
            && Arc::ptr_eq(kind, &self.api_key)
        {
            std::mem::swap(id, &mut only.id);
        } else {
            self.write_usual(&Caller::of(exchange, addresses), scope);
        }
    }

    /// A scope whose kind a response states; its identity is the stated one, else that of the party that `rule` names.
    pub(super) fn stated(
        &self,
        caller: &Caller<'_>,
        (kind, id): &(Arc<str>, Option<Arc<str>>),
        rule: Option<&ScopeRule>,
    ) -> Scope {
        let carriers = rule.map_or(&[][..], ScopeRule::credentials);
        let id = id.as_ref().map(|id| Arc::clone(self.named(id))).or_else(|| self.of_kind(caller, kind, carriers));
        Scope { kind: Arc::clone(kind), id }
    }

    /// The identity of the party of that kind.
    fn of_kind(&self, caller: &Caller<'_>, kind: &str, carriers: &[Arc<str>]) -> Option<Arc<str>> {
        match kind {
            IP => caller.address().map(|address| Arc::clone(self.named(&address))),
            "global" | "endpoint" => None,
            _ => credential(caller.credentials, carriers).map(|id| Arc::clone(self.party(id))),
        }
    }

    /// The party that a credential belongs to: its pool, else its alias, else its hash.
    fn party<'a>(&'a self, id: &'a Arc<str>) -> &'a Arc<str> {
        if self.names_nobody() {
            return id;
        }
        self.pools.get(id).unwrap_or_else(|| {
            let name = self.named(id);
            self.pools.get(name).unwrap_or(name)
        })
    }

    /// Whether the user gave no party a name, as most do not.
    #[inline]
    fn names_nobody(&self) -> bool {
        self.pools.is_empty() && self.aliases.is_empty()
    }

    fn named<'a>(&'a self, id: &'a Arc<str>) -> &'a Arc<str> {
        self.aliases.get(id).unwrap_or(id)
    }
}

/// Whether a stated scope says for whom the response's quotas are counted.
pub(super) fn names_party((kind, id): &(Arc<str>, Option<Arc<str>>)) -> bool {
    id.is_some() || PARTIES.contains(&&**kind)
}

/// The hash of the credential that identifies the caller: the best of the named carriers; where none is named,
/// `authorization`, else a field before a parameter, by name, so that the order on the wire does not matter.
#[inline]
fn credential<'c>(credentials: &'c [Credential], carriers: &[Arc<str>]) -> Option<&'c Arc<str>> {
    match (credentials, carriers) {
        ([only], []) => Some(&only.id),
        _ => best_credential(credentials, carriers),
    }
}

fn best_credential<'c>(credentials: &'c [Credential], carriers: &[Arc<str>]) -> Option<&'c Arc<str>> {
    let at = |carrier: &str| credentials.iter().find(|c| *c.carrier == *carrier);
    let found = if carriers.is_empty() {
        at("authorization").or_else(|| credentials.iter().min_by_key(|c| (c.carrier.starts_with('?'), &c.carrier)))
    } else {
        carriers.iter().find_map(|carrier| at(carrier))
    };
    found.map(|c| &c.id)
}

/// What of an exchange may identify who asked.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) credentials: &'a [Credential],
    client: &'a Client,
    addresses: &'a Addresses,
}

impl<'a> Caller<'a> {
    /// Who asked in an exchange.
    #[inline]
    pub(super) fn of(exchange: &'a Exchange, addresses: &'a Addresses) -> Self {
        let credentials = exchange.request.as_ref().map_or(&[][..], |request| &request.credentials);
        Self { credentials, client: &exchange.client, addresses }
    }

    /// Whether the input says who asked.
    pub(super) fn is_known(&self) -> bool {
        *self.client != Client::Unknown
    }

    /// The address that asked, without its port, or the name that a log gives the client. Most scopes do not ask for it.
    fn address(&self) -> Option<Arc<str>> {
        self.addresses.address(self.client)
    }
}

/// The addresses of the clients that came last, as they are shown; asking changes what is remembered, not what is said.
#[derive(Debug, Clone)]
pub(super) struct Addresses(RefCell<Recent<(IpAddr, Arc<str>)>>);

impl Addresses {
    /// Room for four times so many.
    pub(super) const fn new(sets: usize) -> Self {
        Self(RefCell::new(Recent::new(sets)))
    }

    fn address(&self, client: &Client) -> Option<Arc<str>> {
        match client {
            Client::Address(address) => Some(self.shown(address.ip())),
            Client::Named(name) => {
                let ip = name.parse::<IpAddr>().ok().or_else(|| name.parse::<SocketAddr>().ok().map(|a| a.ip()));
                match ip {
                    Some(ip) => Some(self.shown(ip)),
                    None => {
                        (name.len() <= MAX_CLIENT_NAME && !name.chars().any(char::is_control)).then(|| Arc::clone(name))
                    }
                }
            }
            Client::Unknown => None,
        }
    }

    fn shown(&self, ip: IpAddr) -> Arc<str> {
        let hash = match ip {
            IpAddr::V4(ip) => Hash::of(&[&ip.octets()]),
            IpAddr::V6(ip) => Hash::of(&[&ip.octets()]),
        };
        if let Some((_, known)) = self.0.borrow().known(hash, |(known, _)| *known == ip) {
            return Arc::clone(known);
        }
        let shown: Arc<str> = ip.to_canonical().to_string().into();
        self.0.borrow_mut().keep(hash, (ip, Arc::clone(&shown)));
        shown
    }
}
