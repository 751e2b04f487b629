//! What a profile adds to what a response says: which quotas an exchange counts against, and which of them the response's
//! numbers belong to.

use std::sync::Arc;

use crate::model::{DeclaredQuota, QuotaSource, Reading, Scope};

use super::profile::{Profile, QuotaClass, QuotaRule, Rank, ScopeRule, labelled};
use super::recent::{Hash, Recent};
use super::scope::{Caller, Identities};

/// What a profile says of one exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) caller: &'a Caller<'a>,
    pub(super) profile: &'a Profile,
    pub(super) identities: &'a Identities,
    /// The position of the environment.
    pub(super) environment: usize,
    /// The exchange's endpoint.
    pub(super) endpoint: &'a Arc<str>,
    /// Whether the response itself says for whom its quotas are counted.
    pub(super) party_is_stated: bool,
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

/// The class that a request falls in, and that class with those that count besides, the ones with the better patterns first;
/// `path` by [`super::profile::segments`].
pub(super) fn classes(
    profile: &Profile,
    method: &str,
    path: &[&str],
) -> (Option<Arc<QuotaClass>>, Vec<Arc<QuotaClass>>) {
    let best = profile.choice(method, path);
    let besides = profile.classes().iter().filter(|class| class.is_besides());
    let mut all: Vec<(Rank, &Arc<QuotaClass>)> =
        besides.filter_map(|class| Some((class.matches(method, path)?, class))).chain(best).collect();
    all.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    (best.map(|(_, class)| Arc::clone(class)), all.into_iter().map(|(_, class)| Arc::clone(class)).collect())
}

/// The classes that an exchange counts against.
#[derive(Debug, Clone)]
pub(super) struct Selection<'a> {
    class: Option<&'a QuotaClass>,
    all: &'a [Arc<QuotaClass>],
    /// The class that a refusal's error code names.
    refused: Option<&'a QuotaClass>,
}

impl<'a> Selection<'a> {
    /// From the request's [`classes`].
    pub(super) fn new(class: Option<&'a Arc<QuotaClass>>, all: &'a [Arc<QuotaClass>]) -> Self {
        Self { class: class.map(|class| &**class), all, refused: None }
    }

    /// Takes note of the class that a refusal's error code names.
    pub(super) fn refuse(&mut self, class: Option<&'a QuotaClass>) {
        self.refused = class;
    }

    /// Falls back to the profile's class for requests without credentials, where the exchange shows none and its response
    /// states that class's limit. Without such a statement nothing is concluded: a log may not show credentials at all.
    pub(super) fn consider_unauthenticated(&mut self, context: Context<'a>, readings: &[Reading]) {
        if !context.caller.is_known() || !context.caller.credentials.is_empty() {
            return;
        }
        let states = |rule: &QuotaRule| {
            readings.iter().any(|r| r.limit.is_some() && r.limit == rule.limit(context.environment) && fits(r, rule))
        };
        let mut classes = context.profile.classes().iter().filter(|class| class.is_unauthenticated());
        if let Some(class) = classes.find(|class| class.quotas().iter().any(states)) {
            self.class = Some(class);
            self.all = std::slice::from_ref(class);
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
        made: &mut Made,
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
            if reading.scope.is_none() && !context.party_is_stated {
                let own = rule.scope().or_else(|| context.profile.scope());
                reading.scope = context.identities.scope(context.caller, own);
            }
            announced.push(rule);
        }
        let rules = self.all.iter().flat_map(|class| class.quotas().iter().map(move |rule| (class, rule)));
        rules
            .filter(|(_, rule)| context.count_announced || !rule.is_announced())
            .filter(|(_, rule)| !announced.iter().any(|seen| std::ptr::eq(*seen, *rule)))
            .filter_map(|(class, rule)| made.declared(class, rule, context, scope))
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
            for class in self.all {
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

/// The quotas that were made last for single endpoints and for parties that are not the observation's, each with the profile's
/// own.
#[derive(Debug, Clone)]
pub(super) struct Made(Recent<(Arc<DeclaredQuota>, Arc<DeclaredQuota>)>);

impl Made {
    /// Room for four times so many.
    pub(super) const fn new(sets: usize) -> Self {
        Self(Recent::new(sets))
    }

    /// A quota to count: with the party it is counted for where that is not the observation's, and with the endpoint where
    /// each endpoint has its own.
    fn declared(
        &mut self,
        class: &QuotaClass,
        rule: &QuotaRule,
        context: Context<'_>,
        scope: Option<&Scope>,
    ) -> Option<Arc<DeclaredQuota>> {
        let quota = rule.declared(context.environment)?;
        let own = context.identities.scope(context.caller, rule.scope().or_else(|| context.profile.scope()));
        let kind = own.as_ref().map_or(&quota.scope_kind, |own| &own.kind);
        let endpoint = Some(context.endpoint).filter(|_| class.is_per_endpoint());
        if own.as_ref() == scope && *kind == quota.scope_kind && endpoint.is_none() {
            return Some(Arc::clone(quota));
        }
        let party = own.as_ref().filter(|own| Some(*own) != scope);
        let policy = endpoint.unwrap_or(&quota.policy);
        let id = party.and_then(|party| party.id.as_deref()).unwrap_or_default();
        let hash = Hash::of(&[policy.as_bytes(), id.as_bytes(), &quota.window.as_nanos().to_le_bytes()]);
        let known = self.0.known(hash, |(of, made)| {
            Arc::ptr_eq(of, quota) && made.policy == *policy && made.scope_kind == *kind && made.scope.as_ref() == party
        });
        if let Some((_, made)) = known {
            return Some(Arc::clone(made));
        }
        let mut made = (**quota).clone();
        made.scope_kind = Arc::clone(kind);
        made.scope = party.cloned();
        if let Some(endpoint) = endpoint {
            made.policy = Arc::clone(endpoint);
            made.endpoints = Arc::clone(endpoint);
        }
        let made = Arc::new(made);
        self.0.keep(hash, (Arc::clone(quota), Arc::clone(&made)));
        Some(made)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::extract::scope::Addresses;
    use crate::extract::{Profiles, segments};
    use crate::model::{Amount, Client, Credential, Dimension, Exchange, Fields, Request, Response, Timestamp};

    fn exchange(request: &str, credential: Option<&str>) -> Exchange {
        let (method, path) = request.split_once(' ').unwrap();
        let credential = credential.map(|id| Credential { carrier: "authorization".into(), id: id.into() });
        Exchange {
            source: "test".into(),
            client: Client::Address(SocketAddr::from(([10, 0, 0, 7], 1))),
            server: None,
            request: Some(Request {
                at: None,
                method: method.into(),
                host: None,
                path: path.into(),
                credentials: credential.into_iter().collect(),
            }),
            response: Response { at: Timestamp::from_secs(0), status: 200, fields: Fields::new(), body: None },
            latency: None,
        }
    }

    /// A reading of so many units, of which `used` or `remaining` may be known.
    fn reading(source: QuotaSource, limit: Option<u64>) -> Reading {
        Reading {
            dimension: Dimension::requests(),
            policy: None,
            limit: limit.map(Amount::from_count),
            remaining: Some(Amount::ZERO),
            used: None,
            utilization: None,
            window: None,
            reset_at: None,
            source,
            bucket: None,
            scope: None,
            window_kind: None,
        }
    }

    /// Applies a profile: what became of the readings (`bucket limit/window scope`), and what is to be counted.
    fn applied(
        (provider, request, credential): (&str, &str, Option<&str>),
        refused: Option<&str>,
        mut readings: Vec<Reading>,
    ) -> (Vec<String>, Vec<String>) {
        let profiles = Profiles::built_in().unwrap();
        let profile = profiles.find(provider).unwrap();
        let exchange = exchange(request, credential);
        let identities = Identities::new(std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
        let endpoint: Arc<str> = request.into();
        let addresses = Addresses::new(1);
        let caller = Caller::of(&exchange, &addresses);
        let context = Context {
            caller: &caller,
            profile,
            identities: &identities,
            environment: profile.environments().default_position(),
            endpoint: &endpoint,
            party_is_stated: false,
            count_announced: false,
        };
        let (method, path) = request.split_once(' ').unwrap();
        let (class, all) = classes(profile, method, &segments(path));
        let mut selection = Selection::new(class.as_ref(), &all);
        let code = refused.and_then(|code| profile.code(code));
        selection.refuse(code.and_then(|c| c.quota()).and_then(|name| profile.class(name)).map(|class| &**class));
        selection.consider_unauthenticated(context, &readings);
        let rule = code.and_then(|code| code.scope()).or_else(|| selection.scope_rule(profile));
        let scope = identities.scope(&caller, rule);
        let declared = selection.apply(context, &mut readings, scope.as_ref(), &mut Made::new(1));
        let shown = readings.iter().map(|reading| {
            let bucket = reading.bucket.as_deref().unwrap_or("-");
            let limit = reading.limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
            let window = reading.window.map_or_else(|| "-".to_owned(), |window| window.as_secs().to_string());
            let scope = reading.scope.as_ref().or(scope.as_ref()).unwrap();
            format!("{bucket} {limit}/{window} {} {}", scope.kind, scope.id.as_deref().unwrap_or("-"))
        });
        let counted = declared.iter().map(|quota| {
            let scope = quota.scope.as_ref().or(scope.as_ref()).unwrap();
            format!("{} {}/{} {}", quota.policy, quota.limit, quota.window.as_secs(), scope.kind)
        });
        (shown.collect(), counted.collect())
    }

    const HOUR: &str = "payment-provider 60000/3600 partner";

    #[test]
    fn announced_numbers_get_class_window_and_scope() {
        let partner = Some("k:1");
        let header = |limit| vec![reading(QuotaSource::Header, Some(limit))];
        for (request, limit, wanted, hour) in [
            ("GET /v1/payments/42", 1_000, "payment-provider 1000/60 partner k:1", HOUR),
            ("GET /v1/payments/42", 5_000, "payment-provider 5000/60 partner k:1", HOUR),
            ("POST /v1/payments", 1_000, "payment-processing 1000/60 payment-processing k:1", HOUR),
            ("GET /v1/banks/EXB", 200, "bank 200/60 bank k:1", "bank 12000/3600 bank"),
            ("GET /v1/settings", 100, "general 100/60 account k:1", "general 6000/3600 account"),
        ] {
            let (shown, counted) = applied(("fluid-network", request, partner), None, header(limit));
            assert_eq!((shown, counted), (vec![wanted.into()], vec![hour.to_owned()]), "{request}");
        }
        let (shown, counted) = applied(("fluid-network", "GET /v1/payments/42", partner), None, header(60_000));
        assert_eq!(shown, ["payment-provider 60000/3600 partner k:1"]);
        assert_eq!(counted, [""; 0], "what a response announces is not counted");
    }

    #[test]
    fn a_refusal_speaks_of_the_quota_that_its_code_names() {
        let both = |limit| vec![reading(QuotaSource::Header, Some(limit)), reading(QuotaSource::Body, Some(limit))];
        for (request, code, limit, wanted) in [
            ("GET /v1/settings", "1453", 100, "ip 100/60 ip 10.0.0.7"),
            ("POST /v1/payments", "1456", 1_000, "payment-processing 1000/60 payment-processing k:1"),
            ("POST /v1/payments", "1454", 1_000, "payment-provider 1000/60 partner k:1"),
            ("GET /v1/transactions", "1455", 200, "bank 200/60 bank k:1"),
            ("GET /v1/payments/1", "1429", 100, "general 100/60 account k:1"),
        ] {
            let (shown, _) = applied(("fluid-network", request, Some("k:1")), Some(code), both(limit));
            assert_eq!(shown, [wanted; 2], "{request} refused with {code}");
        }
        let (_, counted) = applied(("fluid-network", "GET /v1/payments/1", Some("k:1")), Some("1453"), both(100));
        assert_eq!(counted, [HOUR], "the hour goes on counting for the partner");
    }

    #[test]
    fn without_credentials_the_stated_limit_decides() {
        let at = |limit| {
            applied(
                ("fluid-network", "GET /v1/payments/1", None),
                None,
                vec![reading(QuotaSource::Header, Some(limit))],
            )
            .0
        };
        assert_eq!(at(100), ["ip 100/60 ip 10.0.0.7"]);
        assert_eq!(at(1_000), ["payment-provider 1000/60 partner -"]);
    }

    #[test]
    fn the_documents_say_of_how_much_was_used() {
        let mut weight = reading(QuotaSource::Header, None);
        weight.dimension = Dimension("weight".into());
        weight.window = Some(Duration::from_mins(1));
        (weight.remaining, weight.used) = (None, Some(Amount::from_count(6_100)));
        let spot = applied(("binance", "GET /api/v3/depth", None), None, vec![weight.clone()]).0;
        assert_eq!(spot, ["weight (spot) 6000/60 ip 10.0.0.7"]);
        let futures = applied(("binance", "GET /fapi/v1/depth", None), None, vec![weight]).0;
        assert_eq!(futures, ["weight -/60 ip 10.0.0.7"], "no limit is documented");
    }

    #[test]
    fn an_endpoint_may_have_its_quota_for_itself() {
        let (shown, counted) = applied(
            ("bybit", "POST /v5/order/create", Some("k:1")),
            None,
            vec![reading(QuotaSource::Header, Some(10))],
        );
        assert_eq!(shown, ["- 10/1 account -"], "the endpoint is the bucket");
        assert_eq!(counted, ["requests per address 600/5 ip"]);
    }
}
