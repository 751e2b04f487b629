//! The bound on how many different things one run may name: hosts, endpoints, scopes, buckets, codes.
//!
//! Owned by the thread that takes observations in event order, so that the same input is bounded the same way however many
//! workers observed it. What was shown under a name keeps it; what comes after a bound is `other`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Observation, Scope, SettledNames, same_or_absent, same_text};

use super::recent::{Hash, Recent};
use super::settled::{Names, Settled};

/// What stands for all that is past a bound.
const OTHER: &str = "other";

/// How many different words one place in a host's paths may have before what else comes there is taken for values. The first
/// two segments name an API's resources, of which a large one has dozens.
const WORDS_AT: [usize; 2] = [64, 64];

/// The same for deeper segments.
const WORDS_BELOW: usize = 24;

/// How deep in a path words are learned, in segments: below, APIs have few values left that no shape tells.
const MAX_DEPTH: usize = 8;

/// The longest authority that is kept: a host name of 253 octets (RFC 1035), a colon and a port.
const MAX_HOST: usize = 259;

/// How many buckets, policies and error codes one owner may have: providers name a few, Discord a few hundred.
const MAX_NAMES: usize = 512;

/// Room for what was named lately, times four: the endpoints and callers of a busy integration have one place each.
const RECENT: usize = 512;

/// The bounds' sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundOptions {
    /// Hosts of which anything is kept; each holds up to `endpoints_per_host`.
    pub hosts: usize,
    /// Endpoints of one host. Real APIs have dozens; a scan has thousands, and would fill every table and label.
    pub endpoints_per_host: usize,
    /// Endpoints of all hosts together: each takes about two kilobytes at most, so that a scan of many hosts takes 40 megabytes.
    pub endpoints: usize,
    /// Parties that quotas are kept for, each some kilobytes in the tracker.
    pub scopes: usize,
}

impl Default for BoundOptions {
    fn default() -> Self {
        Self { hosts: 1_000, endpoints_per_host: 200, endpoints: 20_000, scopes: 10_000 }
    }
}

/// What was named so far.
///
/// What is within the bounds is given one allocation for each name, so that what comes after finds it by its place.
#[derive(Debug, Clone)]
pub struct Bounds {
    options: BoundOptions,
    other: Arc<str>,
    hosts: BTreeMap<Arc<str>, Host>,
    /// How many endpoints the hosts have together.
    endpoints: usize,
    scopes: BTreeSet<Scope>,
    /// Buckets, policies, dimensions and error codes, by owner.
    names: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    settled: Settled,
    /// Hosts and endpoints that are shown as they come.
    recent_endpoints: Recent<(Arc<str>, Arc<str>)>,
    recent_scopes: Recent<Scope>,
    /// Owners and their names.
    recent_names: Recent<(Arc<str>, Arc<str>)>,
}

/// What was seen of one host.
#[derive(Debug, Clone, Default)]
struct Host {
    name: Arc<str>,
    /// As shown.
    endpoints: BTreeMap<Arc<str>, Arc<str>>,
    /// The words that follow a template's beginning.
    words: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
}

impl Bounds {
    /// Nothing named yet.
    pub fn new(options: BoundOptions) -> Self {
        Self {
            options,
            other: OTHER.into(),
            hosts: BTreeMap::new(),
            endpoints: 0,
            scopes: BTreeSet::new(),
            names: BTreeMap::new(),
            settled: Settled::new(),
            recent_endpoints: Recent::new(RECENT),
            recent_scopes: Recent::new(RECENT),
            recent_names: Recent::new(RECENT),
        }
    }

    /// Replaces what is past a bound, and what has turned out to be a value in a path; the number of what is named then, where
    /// that is no more than most name.
    #[inline(always)]
    pub fn settle(&mut self, observation: &mut Observation) -> Option<SettledNames> {
        let known = self.settled.known(observation);
        if known.is_some() { known } else { self.settle_anew(observation) }
    }

    #[cold]
    fn settle_anew(&mut self, observation: &mut Observation) -> Option<SettledNames> {
        let came = Names::of(observation);
        self.settle_all(observation);
        self.settled.keep(came, observation)
    }

    fn settle_all(&mut self, observation: &mut Observation) {
        let came = observation.endpoint.clone().filter(|_| !observation.declared.is_empty());
        self.settle_endpoint(observation);
        let Observation { provider, host, endpoint, scope, error_code, readings, declared, .. } = observation;
        let owner = provider.as_ref().or(host.as_ref());
        self.settle_scope(scope);
        if let Some(code) = error_code {
            self.settle_name(owner, code);
        }
        for reading in readings {
            self.settle_scope(&mut reading.scope);
            let names = [reading.bucket.as_mut(), reading.policy.as_mut(), Some(&mut reading.dimension.0)];
            for name in names.into_iter().flatten() {
                self.settle_name(owner, name);
            }
        }
        for quota in declared {
            let mut scope = quota.scope.clone();
            self.settle_scope(&mut scope);
            if scope != quota.scope {
                Arc::make_mut(quota).scope = scope;
            }
            // The quota of a single endpoint is called after it.
            let settled = endpoint.as_ref().filter(|_| came.as_ref() == Some(&quota.policy));
            if let Some(settled) = settled.filter(|settled| **settled != quota.policy) {
                let quota = Arc::make_mut(quota);
                quota.policy = Arc::clone(settled);
                quota.endpoints = Arc::clone(settled);
            }
        }
    }

    fn settle_endpoint(&mut self, observation: &mut Observation) {
        let Some(name) = &observation.host else { return };
        let endpoint = observation.endpoint.as_deref().unwrap_or_default();
        let place = Hash::of_ends([name.as_bytes(), endpoint.as_bytes()].into_iter());
        let is_meant = |(host, endpoint): &(Arc<str>, Arc<str>)| {
            same_text(host, name) && observation.endpoint.as_ref().is_some_and(|own| same_text(own, endpoint))
        };
        if let Some((host, endpoint)) = self.recent_endpoints.known(place, is_meant) {
            replace(&mut observation.host, host);
            replace(&mut observation.endpoint, endpoint);
            return;
        }
        let is_name = name.len() <= MAX_HOST && name.bytes().all(|b| b.is_ascii_graphic());
        let room = is_name && self.hosts.len() < self.options.hosts;
        if room && !self.hosts.contains_key(name) {
            self.hosts.insert(Arc::clone(name), Host { name: Arc::clone(name), ..Host::default() });
        }
        let Some(host) = self.hosts.get_mut(name) else {
            observation.host = Some(Arc::clone(&self.other));
            observation.endpoint = observation.endpoint.take().map(|_| Arc::clone(&self.other));
            return;
        };
        replace(&mut observation.host, &host.name);
        let Some(endpoint) = &observation.endpoint else { return };
        let shown = if let Some(shown) = host.endpoints.get(endpoint) {
            Arc::clone(shown)
        } else {
            let room = self.options.endpoints.saturating_sub(self.endpoints);
            let before = host.endpoints.len();
            let most = self.options.endpoints_per_host.min(before.saturating_add(room));
            let shown = host.learn(endpoint, most, &self.other);
            self.endpoints = self.endpoints.saturating_add(host.endpoints.len().saturating_sub(before));
            shown
        };
        // What is shown under another name may be so for want of room, or of words: that is found out each time.
        if shown == *endpoint {
            self.recent_endpoints.keep(place, (Arc::clone(&host.name), Arc::clone(&shown)));
        }
        observation.endpoint = Some(shown);
    }

    fn settle_scope(&mut self, scope: &mut Option<Scope>) {
        let Some(Scope { kind, id: Some(id) }) = scope else { return };
        let place = Hash::of_ends([kind.as_bytes(), id.as_bytes()].into_iter());
        let is_meant = |known: &Scope| same_text(&known.kind, kind) && same_or_absent(known.id.as_ref(), Some(id));
        if let Some(known) = self.recent_scopes.known(place, is_meant) {
            if !known.id.as_ref().is_some_and(|known| Arc::ptr_eq(known, id)) {
                *scope = Some(known.clone());
            }
            return;
        }
        let Some(named) = scope else { return };
        if !self.scopes.contains(named) {
            if self.scopes.len() >= self.options.scopes {
                named.id = Some(Arc::clone(&self.other));
                return;
            }
            self.scopes.insert(named.clone());
        }
        if let Some(known) = self.scopes.get(named) {
            *named = known.clone();
            self.recent_scopes.keep(place, known.clone());
        }
    }

    fn settle_name(&mut self, owner: Option<&Arc<str>>, name: &mut Arc<str>) {
        let owner = owner.unwrap_or(&self.other);
        let place = Hash::of_ends([owner.as_bytes(), name.as_bytes()].into_iter());
        let is_meant = |(of, known): &(Arc<str>, Arc<str>)| same_text(of, owner) && same_text(known, name);
        if self.recent_names.known(place, is_meant).is_some() {
            return;
        }
        if !self.names.contains_key(owner) && self.names.len() > self.options.hosts {
            *name = Arc::clone(&self.other);
            return;
        }
        let names = self.names.entry(Arc::clone(owner)).or_default();
        if !names.contains(name) {
            if names.len() >= MAX_NAMES {
                *name = Arc::clone(&self.other);
                return;
            }
            names.insert(Arc::clone(name));
        }
        self.recent_names.keep(place, (Arc::clone(owner), Arc::clone(name)));
    }
}

/// Gives a name the allocation that it is known by.
fn replace(name: &mut Option<Arc<str>>, known: &Arc<str>) {
    if !name.as_ref().is_some_and(|name| Arc::ptr_eq(name, known)) {
        *name = Some(Arc::clone(known));
    }
}

impl Host {
    /// What a new endpoint is shown as: with `{id}` where too many words came before it, `other` past the bound.
    fn learn(&mut self, endpoint: &Arc<str>, most: usize, other: &Arc<str>) -> Arc<str> {
        let learned = self.with_values(endpoint);
        if let Some(shown) = self.endpoints.get(&*learned) {
            return Arc::clone(shown);
        }
        if self.endpoints.len() >= most {
            return Arc::clone(other);
        }
        let shown: Arc<str> = if *learned == **endpoint { Arc::clone(endpoint) } else { learned.into() };
        self.note_words(&shown);
        self.endpoints.insert(Arc::clone(&shown), Arc::clone(&shown));
        shown
    }

    /// The template with `{id}` in each place that has had too many words, unless its own word is among them.
    fn with_values(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len());
        for (at, segment) in template.split('/').enumerate() {
            if at == 0 {
                out.push_str(segment);
                continue;
            }
            let most = WORDS_AT.get(at.saturating_sub(1)).copied().unwrap_or(WORDS_BELOW);
            let is_value = !segment.starts_with('{')
                && at <= MAX_DEPTH
                && self.words.get(out.as_str()).is_some_and(|words| words.len() >= most && !words.contains(segment));
            out.push('/');
            out.push_str(if is_value { "{id}" } else { segment });
        }
        out
    }

    fn note_words(&mut self, template: &str) {
        let mut beginning = String::with_capacity(template.len());
        for (at, segment) in template.split('/').enumerate().take(MAX_DEPTH + 1) {
            if at > 0 {
                if !segment.starts_with('{') {
                    self.words.entry(beginning.as_str().into()).or_default().insert(segment.into());
                }
                beginning.push('/');
            }
            beginning.push_str(segment);
        }
    }
}
