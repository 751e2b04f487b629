//! What a profile adds to what a response says: which quotas an exchange counts against, and which of them the response's
//! numbers belong to.

use std::sync::Arc;

use crate::model::{Client, DeclaredQuota, Exchange, QuotaSource, Reading, Scope};

use super::profile::{Profile, QuotaClass, QuotaRule, Rank, ScopeRule, labelled};
use super::scope::Identities;

/// What a profile says of one exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) profile: &'a Profile,
    pub(super) identities: &'a Identities,
    /// The position of the environment.
    pub(super) environment: usize,
    /// The exchange's endpoint.
    pub(super) endpoint: Option<&'a Arc<str>>,
    /// Whether quotas are counted that responses announce.
    pub(super) count_announced: bool,
}

impl Context<'_> {
    /// What the quotas of a class are called; absent where that is the endpoint.
    fn bucket(&self, class: &QuotaClass) -> Option<Arc<str>> {
        let name = || labelled(class.name(), self.profile.environments(), self.environment);
        (!class.is_per_endpoint()).then(name)
    }
}

/// The classes that an exchange counts against.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection<'a> {
    /// The class that its endpoint falls in: the one with the best pattern, the first of equals.
    class: Option<&'a QuotaClass>,
    /// That class and those that count besides, the ones with the better patterns first.
    all: Vec<&'a QuotaClass>,
    /// The class that a refusal's error code names.
    refused: Option<&'a QuotaClass>,
}

impl<'a> Selection<'a> {
    /// The classes of a request; `path` by [`super::profile::segments`].
    pub(super) fn new(profile: &'a Profile, method: &str, path: &[&str]) -> Self {
        let best = profile.choice(method, path).map(|(rank, class)| (rank, &**class));
        let besides = profile.classes().iter().filter(|class| class.is_besides());
        let mut all: Vec<(Rank, &QuotaClass)> =
            besides.filter_map(|class| Some((class.matches(method, path)?, &**class))).chain(best).collect();
        all.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        let all = all.into_iter().map(|(_, class)| class).collect();
        Self { class: best.map(|(_, class)| class), all, refused: None }
    }

    /// Takes note of the class that a refusal's error code names.
    pub(super) fn refuse(&mut self, class: Option<&'a QuotaClass>) {
        self.refused = class;
    }

    /// Falls back to the profile's class for requests without credentials, where the exchange shows none and its response
    /// states that class's limit. Without such a statement nothing is concluded: a log may not show credentials at all.
    pub(super) fn consider_unauthenticated(&mut self, context: Context<'a>, readings: &[Reading]) {
        let request = context.exchange.request.as_ref();
        if context.exchange.client == Client::Unknown || request.is_none_or(|r| !r.credentials.is_empty()) {
            return;
        }
        let states = |rule: &QuotaRule| {
            readings.iter().any(|r| r.limit.is_some() && r.limit == rule.limit(context.environment) && fits(r, rule))
        };
        let classes = context.profile.classes().iter().filter(|class| class.is_unauthenticated());
        if let Some(class) = classes.map(|class| &**class).find(|class| class.quotas().iter().any(states)) {
            self.class = Some(class);
            self.all = vec![class];
        }
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
                reading.bucket = context.bucket(class);
            }
            let Some(rule) = rule else { continue };
            reading.window = reading.window.or_else(|| rule.window());
            reading.window_kind = reading.window_kind.or_else(|| rule.window_kind());
            if reading.remaining.is_some() || reading.used.is_some() {
                // Some responses say only what was used, or what is left; the documents say of how much.
                reading.limit = reading.limit.or_else(|| rule.limit(context.environment));
            }
            if reading.scope.is_none() {
                let own = context.identities.scope(context.exchange, rule.scope().or_else(|| context.profile.scope()));
                reading.scope = own.filter(|own| Some(own) != scope);
            }
            announced.push(rule);
        }
        let rules = self.all.iter().flat_map(|class| class.quotas().iter().map(move |rule| (*class, rule)));
        rules
            .filter(|(_, rule)| context.count_announced || !rule.is_announced())
            .filter(|(_, rule)| !announced.iter().any(|seen| std::ptr::eq(*seen, *rule)))
            .filter_map(|(class, rule)| declared(class, rule, context, scope))
            .collect()
    }

    /// The class and, where that can be told, the quota that a reading's numbers belong to.
    ///
    /// A refusal speaks of the quota that its code names. Otherwise it is the quota with the stated limit and window, then
    /// the one with the stated limit, then the one with the window, then the one that responses announce: of the class with
    /// the best pattern first, and only where there is just one such quota in it.
    fn owner(&self, reading: &Reading, environment: usize) -> Option<(&'a QuotaClass, Option<&'a QuotaRule>)> {
        let is_stated = |rule: &QuotaRule| reading.limit.is_some() && rule.limit(environment) == reading.limit;
        if let Some(class) = self.refused {
            let fitting = class.quotas().iter().find(|rule| fits(reading, rule));
            let meant = reading.limit.is_none() || fitting.is_some_and(is_stated);
            if reading.source == QuotaSource::Body || meant || self.class.is_none() {
                return Some((class, fitting));
            }
        }
        let same_window = |rule: &QuotaRule| reading.window.is_some() && rule.window() == reading.window;
        let wanted: [&dyn Fn(&QuotaRule) -> bool; 5] = [
            &|rule| is_stated(rule) && same_window(rule),
            &|rule| is_stated(rule) && rule.is_announced(),
            &is_stated,
            &same_window,
            &QuotaRule::is_announced,
        ];
        for wanted in wanted {
            for class in &self.all {
                let mut meant = class.quotas().iter().filter(|rule| fits(reading, rule) && wanted(rule));
                if let (Some(rule), None) = (meant.next(), meant.next()) {
                    return Some((class, Some(rule)));
                }
            }
        }
        self.class.map(|class| (class, None))
    }
}

/// Whether a reading may be of that quota at all.
fn fits(reading: &Reading, rule: &QuotaRule) -> bool {
    *rule.dimension() == reading.dimension
        && (reading.window.is_none() || rule.window().is_none() || rule.window() == reading.window)
}

/// A quota to count: with the party it is counted for where that is not the observation's, and with the endpoint where each
/// endpoint has its own.
fn declared(
    class: &QuotaClass,
    rule: &QuotaRule,
    context: Context<'_>,
    scope: Option<&Scope>,
) -> Option<Arc<DeclaredQuota>> {
    let quota = rule.declared(context.environment)?;
    let own = context.identities.scope(context.exchange, rule.scope().or_else(|| context.profile.scope()));
    let kind = own.as_ref().map_or(&quota.scope_kind, |own| &own.kind);
    let endpoint = context.endpoint.filter(|_| class.is_per_endpoint());
    if own.as_ref() == scope && *kind == quota.scope_kind && endpoint.is_none() {
        return Some(Arc::clone(quota));
    }
    let mut quota = (**quota).clone();
    quota.scope_kind = Arc::clone(kind);
    quota.scope = own.filter(|own| Some(own) != scope);
    if let Some(endpoint) = endpoint {
        quota.policy = Arc::clone(endpoint);
        quota.endpoints = Arc::clone(endpoint);
    }
    Some(Arc::new(quota))
}
