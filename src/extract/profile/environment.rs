//! Environments of one provider: sandbox and production with limits of their own.

use std::sync::Arc;

use super::HostPattern;

/// A provider's environments. A provider without any has one, which has no name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environments {
    pub(super) named: Vec<(Arc<str>, Vec<HostPattern>)>,
    pub(super) default: usize,
}

impl Environments {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.named.iter().map(|(name, _)| name)
    }

    /// The patterns of their hosts.
    pub(in crate::extract) fn hosts(&self) -> impl Iterator<Item = &HostPattern> {
        self.named.iter().flat_map(|(_, patterns)| patterns)
    }

    /// The position of the one of that name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.named.iter().position(|(known, _)| **known == *name)
    }

    /// The position of the one that a host belongs to: the best of the host patterns that match, else the default.
    pub fn of(&self, host: &str, path: &str) -> usize {
        let matches =
            |patterns: &[HostPattern]| patterns.iter().filter(|p| p.matches(host, path)).map(HostPattern::rank).max();
        self.named
            .iter()
            .enumerate()
            .filter_map(|(at, (_, patterns))| matches(patterns).map(|rank| (rank, at)))
            .max_by_key(|(rank, _)| *rank)
            .map_or(self.default, |(_, at)| at)
    }

    /// The position of the environment that holds where no host says otherwise.
    pub const fn default_position(&self) -> usize {
        self.default
    }

    /// The name of one, where it is not the default: quotas of the sandbox must not mix with those of production.
    pub fn label(&self, position: usize) -> Option<&Arc<str>> {
        self.named.get(position).map(|(name, _)| name).filter(|_| position != self.default)
    }

    /// How many there are, at least one.
    pub fn count(&self) -> usize {
        self.named.len().max(1)
    }
}
