//! Provider profiles: what a provider's documents say and its responses do not.
//!
//! Turns a profile's text (`profiles/README.md` describes the format) into checked values. Knows no file: built-in profiles
//! are part of the program, a user's profile comes as text with the name of where it came from.

mod class;
mod code;
mod document;
mod endpoint_pattern;
mod environment;
mod error;
mod host_pattern;
mod parse;
mod parse_codes;
mod parse_wire;
mod path_pattern;
mod pattern;
mod set;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use class::{QuotaClass, QuotaRule, ScopeRule};
pub use code::CodeRule;
pub use endpoint_pattern::{EndpointPattern, Rank};
pub use environment::Environments;
pub use error::ProfileError;
pub use host_pattern::HostPattern;
pub(super) use path_pattern::MAX_SEGMENTS;
pub use path_pattern::{PathPattern, segments};
pub(super) use pattern::glob;
pub use set::Profiles;

pub(super) use parse::labelled;

use super::WireRules;

/// One provider, as its documents describe it.
#[derive(Debug, Clone)]
pub struct Profile {
    name: Arc<str>,
    title: Arc<str>,
    documentation: Option<Arc<str>>,
    hosts: Vec<HostPattern>,
    environments: Environments,
    scope: Option<ScopeRule>,
    classes: Vec<Arc<QuotaClass>>,
    templates: Vec<EndpointPattern>,
    codes: BTreeMap<Arc<str>, CodeRule>,
    wire: WireRules,
    /// The paths whose successful responses may carry a refusal; none means all.
    success_paths: Vec<EndpointPattern>,
    source_text: Arc<str>,
    origin: Arc<str>,
    built_in: bool,
}

impl Profile {
    /// Its name, by which `--provider HOST=NAME` and every output call it: `ceypay`.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The provider's name for people: `CeyPay`.
    pub const fn title(&self) -> &Arc<str> {
        &self.title
    }

    /// The address of the documents that it follows.
    pub const fn documentation(&self) -> Option<&Arc<str>> {
        self.documentation.as_ref()
    }

    /// The hosts that it knows.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// The environments that its limits differ by.
    pub const fn environments(&self) -> &Environments {
        &self.environments
    }

    /// For whom the provider counts where a quota does not say otherwise.
    pub const fn scope(&self) -> Option<&ScopeRule> {
        self.scope.as_ref()
    }

    /// The classes of endpoints that share quotas, in the order of the profile.
    pub fn classes(&self) -> &[Arc<QuotaClass>] {
        &self.classes
    }

    /// The class of that name.
    pub fn class(&self, name: &str) -> Option<&Arc<QuotaClass>> {
        self.classes.iter().find(|class| **class.name() == *name)
    }

    /// The class that a request falls in: of those that are a choice, the one with the best pattern, the first of equals.
    pub fn class_of(&self, method: &str, path: &str) -> Option<&Arc<QuotaClass>> {
        let parts = segments(path);
        self.choice(method, &parts).map(|(_, class)| class)
    }

    /// The same, with the pattern's rank; `path` by [`segments`].
    pub(super) fn choice(&self, method: &str, path: &[&str]) -> Option<(Rank, &Arc<QuotaClass>)> {
        let mut best: Option<(Rank, &Arc<QuotaClass>)> = None;
        for class in self.classes.iter().filter(|class| !class.is_besides()) {
            match class.matches(method, path) {
                Some(rank) if best.is_none_or(|(known, _)| rank > known) => best = Some((rank, class)),
                _ => {}
            }
        }
        best
    }

    /// Endpoints whose templates it knows besides those of its classes.
    pub fn templates(&self) -> &[EndpointPattern] {
        &self.templates
    }

    /// What it says of an error code.
    pub fn code(&self, code: &str) -> Option<&CodeRule> {
        self.codes.get(code)
    }

    /// The error codes that it knows, with what it says of each.
    pub fn codes(&self) -> impl Iterator<Item = (&Arc<str>, &CodeRule)> {
        self.codes.iter()
    }

    /// How to read what the provider sends.
    pub const fn wire(&self) -> &WireRules {
        &self.wire
    }

    /// Whether a successful response of that path may carry a refusal in its content.
    pub fn may_refuse_in_success(&self, path: &str) -> bool {
        let parts = segments(path);
        self.wire.throttles_in_success
            && (self.success_paths.is_empty() || self.success_paths.iter().any(|p| p.path().matches(&parts)))
    }

    /// Whether a success of any path may be a refusal.
    pub(in crate::extract) fn may_refuse_in_any_success(&self) -> bool {
        self.wire.throttles_in_success || self.wire.throttle_statuses.iter().any(|status| *status < 400)
    }

    /// The carriers of credentials that its scopes name, in lower case.
    pub fn carriers(&self) -> impl Iterator<Item = &Arc<str>> {
        let rules = self.classes.iter().flat_map(|class| class.quotas().iter().map(QuotaRule::scope));
        self.scope.iter().chain(rules.flatten()).flat_map(ScopeRule::credentials)
    }

    /// The text that it was read from.
    pub const fn source_text(&self) -> &Arc<str> {
        &self.source_text
    }

    /// Where its text came from.
    pub const fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// Whether it is part of the program.
    pub const fn is_built_in(&self) -> bool {
        self.built_in
    }
}
