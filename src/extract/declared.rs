//! What a profile adds to what a response says: which quotas an exchange counts against, and which of them the response's
//! numbers belong to.

use std::sync::Arc;

use crate::model::{DeclaredQuota, Exchange, QuotaSource, Reading, Scope};

use super::profile::{Profile, QuotaClass, QuotaRule, ScopeRule, labelled};
use super::scope::Identities;

/// What a profile says of one exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) profile: &'a Profile,
    pub(super) identities: &'a Identities,
    /// The position of the environment.
    pub(super) environment: usize,
}

/// The classes that an exchange counts against.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection<'a> {
    /// The class that its endpoint falls in: the one with the best pattern, the first of equals.
    pub(super) class: Option<&'a QuotaClass>,
    /// Those that count besides.
    pub(super) besides: Vec<&'a QuotaClass>,
    /// The class that a refusal's error code names.
    pub(super) refused: Option<&'a QuotaClass>,
}

impl<'a> Selection<'a> {
    /// The classes of a request; `path` by [`super::profile::segments`].
    pub(super) fn new(profile: &'a Profile, method: &str, path: &[&str]) -> Self {
        let mut best: Option<((usize, bool, bool), &QuotaClass)> = None;
        let mut besides = Vec::new();
        for class in profile.classes() {
            match class.matches(method, path) {
                Some(_) if class.is_besides() => besides.push(&**class),
                Some(rank) if best.is_none_or(|(known, _)| rank > known) => best = Some((rank, class)),
                _ => {}
            }
        }
        Self { class: best.map(|(_, class)| class), besides, refused: None }
    }

    /// For whom its endpoint's class counts; absent where neither it nor the profile says.
    pub(super) fn scope_rule(&self, profile: &'a Profile) -> Option<&'a ScopeRule> {
        let of = |class: &'a QuotaClass| class.quotas().first().and_then(QuotaRule::scope);
        self.class.and_then(of).or_else(|| profile.scope())
    }

    /// Gives the readings what the profile knows of their quotas, and returns the quotas that the agent must count.
    pub(super) fn apply(
        &self,
        context: Context<'_>,
        readings: &mut [Reading],
        scope: Option<&Scope>,
    ) -> Vec<Arc<DeclaredQuota>> {
        let mut announced: Vec<&QuotaRule> = Vec::new();
        for reading in readings {
            let Some((class, rule)) = self.owner(reading, context.environment) else { continue };
            if reading.bucket.is_none() && reading.policy.is_none() {
                reading.bucket = Some(labelled(class.name(), context.profile.environments(), context.environment));
            }
            let Some(rule) = rule else { continue };
            reading.window = reading.window.or(rule.window());
            reading.window_kind = reading.window_kind.or(rule.window_kind());
            if reading.scope.is_none() {
                let own = context.identities.scope(context.exchange, rule.scope().or_else(|| context.profile.scope()));
                reading.scope = own.filter(|own| Some(own) != scope);
            }
            announced.push(rule);
        }
        let classes = self.class.into_iter().chain(self.besides.iter().copied());
        let rules = classes
            .flat_map(QuotaClass::quotas)
            .filter(|rule| !announced.iter().any(|seen| std::ptr::eq(*seen, *rule)));
        rules.filter_map(|rule| declared(rule, context, scope)).collect()
    }

    /// The class and, where that can be told, the quota that a reading's numbers belong to.
    fn owner(&self, reading: &Reading, environment: usize) -> Option<(&'a QuotaClass, Option<&'a QuotaRule>)> {
        let classes = self.class.into_iter().chain(self.besides.iter().copied());
        let candidates = || classes.clone().flat_map(|class| class.quotas().iter().map(move |rule| (class, rule)));
        let is_stated = |rule: &QuotaRule| reading.limit.is_some() && rule.limit(environment) == reading.limit;
        if let Some(class) = self.refused {
            let fitting = class.quotas().iter().find(|rule| fits(reading, rule));
            let elsewhere = candidates().any(|(_, rule)| fits(reading, rule) && is_stated(rule));
            let meant = fitting.is_some_and(|rule| is_stated(rule) && !elsewhere);
            if reading.source == QuotaSource::Body || meant || self.class.is_none() {
                return Some((class, fitting));
            }
        }
        let fitting: Vec<_> = candidates().filter(|(_, rule)| fits(reading, rule)).collect();
        let one = |wanted: &dyn Fn(&QuotaRule) -> bool| {
            let mut meant = fitting.iter().filter(|(_, rule)| wanted(rule));
            meant.next().filter(|_| meant.next().is_none()).copied()
        };
        let same_window = |rule: &QuotaRule| reading.window.is_some() && rule.window() == reading.window;
        let found = one(&|rule| is_stated(rule) && same_window(rule))
            .or_else(|| one(&|rule| is_stated(rule) && rule.is_announced()))
            .or_else(|| one(&is_stated))
            .or_else(|| one(&same_window))
            .or_else(|| one(&|rule| rule.is_announced()));
        match found {
            Some((class, rule)) => Some((class, Some(rule))),
            None => self.class.map(|class| (class, None)),
        }
    }
}

/// Whether a reading may be of that quota at all.
fn fits(reading: &Reading, rule: &QuotaRule) -> bool {
    *rule.dimension() == reading.dimension
        && (reading.window.is_none() || rule.window().is_none() || rule.window() == reading.window)
}

/// A quota to count, with the party it is counted for where that is not the observation's.
fn declared(rule: &QuotaRule, context: Context<'_>, scope: Option<&Scope>) -> Option<Arc<DeclaredQuota>> {
    let quota = rule.declared(context.environment)?;
    let own = context.identities.scope(context.exchange, rule.scope().or_else(|| context.profile.scope()));
    let kind = own.as_ref().map_or(&quota.scope_kind, |own| &own.kind);
    if own.as_ref() == scope && *kind == quota.scope_kind {
        return Some(Arc::clone(quota));
    }
    let scope_kind = Arc::clone(kind);
    let scope = own.filter(|own| Some(own) != scope);
    Some(Arc::new(DeclaredQuota { scope_kind, scope, ..(**quota).clone() }))
}
