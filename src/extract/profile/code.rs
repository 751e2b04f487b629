//! What a profile says of one error code.

use std::sync::Arc;

use crate::model::{Severity, ThrottleCause};

use super::ScopeRule;

/// What a provider's error code means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeRule {
    pub(super) description: Option<Arc<str>>,
    pub(super) scope: Option<ScopeRule>,
    pub(super) quota: Option<Arc<str>>,
    pub(super) cause: Option<ThrottleCause>,
    pub(super) severity: Option<Severity>,
    pub(super) throttles: bool,
}

impl CodeRule {
    /// What it says, for people.
    pub const fn description(&self) -> Option<&Arc<str>> {
        self.description.as_ref()
    }

    /// For whom the limit is counted that it speaks of.
    pub const fn scope(&self) -> Option<&ScopeRule> {
        self.scope.as_ref()
    }

    /// The class of quotas that it says ran out.
    pub const fn quota(&self) -> Option<&Arc<str>> {
        self.quota.as_ref()
    }

    /// Why the provider refuses with it.
    pub const fn cause(&self) -> Option<ThrottleCause> {
        self.cause
    }

    /// How bad it is, where the profile says.
    pub const fn severity(&self) -> Option<Severity> {
        self.severity
    }

    /// Whether it is a refusal for the rate at all.
    pub const fn throttles(&self) -> bool {
        self.throttles
    }
}
