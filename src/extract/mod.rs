//! Exchanges to observations: what a response says of quotas, and what the provider's documents add to it.
//!
//! [`Extractor::observe`] has no memory and may run on any worker; [`Bounds::settle`] has, and runs where observations come in
//! event order. Knows no packets, no files and no clock: profiles come as text, time comes with the exchange.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod bounds;
mod clock;
mod declared;
mod dialect;
mod error_body;
mod error_code;
mod http_date;
mod interest;
mod plain;
mod profile;
mod recent;
mod reset;
mod response;
mod retry_after;
mod route;
mod scope;
mod shape;
mod span;
mod structured;
mod template;
mod throttle;
mod wire_rules;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use bounds::{BoundOptions, Bounds};
pub use profile::{
    CodeRule, EndpointPattern, Environments, HostPattern, PathPattern, Profile, ProfileError, Profiles, QuotaClass,
    QuotaRule, Rank, ScopeRule, segments,
};
pub use response::{Hints, Said, is_telling_field, may_explain_refusal, read_response};
pub use wire_rules::{ResetUnit, WireRules};

use crate::model::{Exchange, Interest, Observation, Scope};

use declared::{Context, Selection};
use interest::Wanted;
use route::Routes;
use scope::Identities;
use template::TemplateRule;

/// What the user says beside the profiles.
#[derive(Debug, Clone, Default)]
pub struct ExtractOptions {
    /// Host pattern and the name of the profile that is meant, in order of importance: `*.example.com`, `ceypay`.
    pub providers: Vec<(String, String)>,
    /// Host pattern or profile name, and the name of the environment that is meant: `octopus-cards`, `sandbox`.
    pub environments: Vec<(String, String)>,
    /// The keyed hash of a credential, or an address, and the name that is shown in its place.
    pub aliases: BTreeMap<Arc<str>, Arc<str>>,
    /// The keyed hash of a credential, or its alias, and the party (merchant, account) whose quota it shares.
    pub pools: BTreeMap<Arc<str>, Arc<str>>,
    /// Endpoint patterns, perhaps for some hosts only: `GET /v1/payment/{id}`. The paths of an `OpenAPI` document are such.
    pub templates: Vec<(Option<String>, String)>,
    /// Whether quotas that responses announce are counted where a response does not announce them: for logs without response
    /// fields. Off by default, so that one response without them does not replace the provider's numbers by the agent's.
    pub count_announced: bool,
}

/// Exchanges to observations. Without memory: any number of workers may share one.
#[derive(Debug, Clone)]
pub struct Extractor {
    profiles: Profiles,
    routes: Arc<Routes>,
    wanted: Arc<Wanted>,
    identities: Identities,
    environments: Vec<EnvironmentRule>,
    templates: Vec<TemplateRule>,
    count_announced: bool,
}

impl Extractor {
    /// Makes one.
    ///
    /// # Errors
    /// Where an option names a profile or an environment that does not exist, or a pattern is none.
    pub fn new(profiles: Profiles, options: ExtractOptions) -> Result<Self, ProfileError> {
        let routes = Arc::new(Routes::new(&profiles, &options.providers)?);
        let wanted = Arc::new(Wanted::new(&profiles, Arc::clone(&routes)));
        let environments =
            options.environments.into_iter().map(|pair| environment_rule(&profiles, pair)).collect::<Result<_, _>>()?;
        let templates = options.templates.into_iter().map(template_rule).collect::<Result<_, _>>()?;
        let identities = Identities::new(options.aliases, options.pools);
        Ok(Self {
            profiles,
            routes,
            wanted,
            identities,
            environments,
            templates,
            count_announced: options.count_announced,
        })
    }

    /// What of a message must be kept for [`Extractor::observe`].
    pub fn interest(&self) -> Arc<dyn Interest> {
        Arc::clone(&self.wanted) as Arc<dyn Interest>
    }

    /// The profiles that it knows.
    pub const fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The profile that a host (in lower case, perhaps with a port) belongs to.
    pub fn profile(&self, host: &str, path: &str) -> Option<&Arc<Profile>> {
        self.routes.profile(host, path)
    }

    /// What an exchange says of quotas and throttling.
    pub fn observe(&self, exchange: &Exchange) -> Observation {
        let mut observation = Observation::of(exchange);
        let request = exchange.request.as_ref();
        let host = request.and_then(|r| r.host.as_deref());
        let path = request.map(|r| &*r.path);
        let profile = host.and_then(|host| self.profile(host, path.unwrap_or("/")));
        let hints =
            Hints { host, method: request.map(|r| &*r.method), path, rules: profile.map(|profile| profile.wire()) };
        let said = read_response(&exchange.response, &hints);
        observation.provider = profile.map(|profile| Arc::clone(profile.name()));
        observation.dialect = said.dialect;
        observation.readings = said.readings;
        observation.retry_after = said.retry_after;
        observation.throttled = said.throttled;
        observation.error_code = said.error_code;
        observation.doubts = said.doubts;

        let parts = path.map(segments).unwrap_or_default();
        if let Some(request) = request {
            let asked = (host.unwrap_or_default(), &*request.method, &*request.path);
            let target = template::target(&self.templates, profile.map(|p| &**p), asked, &parts);
            observation.endpoint = Some(target.endpoint.into());
            observation.path = target.concealed.map(String::into_boxed_str).or(observation.path);
        }
        match profile {
            Some(profile) => self.apply(profile, exchange, &parts, said.scope.as_ref(), &mut observation),
            None => self.apply_scope(exchange, said.scope.as_ref(), None, None, &mut observation),
        }
        observation
    }

    /// Adds what the profile says.
    fn apply(
        &self,
        profile: &Profile,
        exchange: &Exchange,
        parts: &[&str],
        stated: Option<&Stated>,
        observation: &mut Observation,
    ) {
        let endpoint = observation.endpoint.clone();
        let context = Context {
            exchange,
            party_is_stated: stated.is_some_and(scope::names_party),
            endpoint: endpoint.as_ref(),
            count_announced: self.count_announced,
            profile,
            identities: &self.identities,
            environment: self.environment(
                profile,
                observation.host.as_deref().unwrap_or_default(),
                observation.path.as_deref().unwrap_or("/"),
            ),
        };
        let mut selection = match (&observation.method, &observation.path) {
            (Some(method), Some(_)) => Selection::new(profile, method, parts),
            _ => Selection::default(),
        };
        let code =
            observation.error_code.as_deref().and_then(|code| profile.code(code)).filter(|code| code.throttles());
        if let Some(code) = code {
            selection.refuse(code.quota().and_then(|name| profile.class(name)).map(|class| &**class));
            observation.throttled = observation.throttled.map(|cause| code.cause().unwrap_or(cause));
        }
        selection.consider_unauthenticated(context, &observation.readings);
        let usual = selection.scope_rule(profile);
        let own = code.and_then(|code| code.scope());
        let scope = self.scope(exchange, stated, own, usual);
        observation.declared = selection.apply(context, &mut observation.readings, scope.as_ref());
        self.apply_scope(exchange, stated, own, usual, observation);
    }

    /// For whom the provider counts: what the response states, else what its error code means, else the usual.
    fn scope(
        &self,
        exchange: &Exchange,
        stated: Option<&Stated>,
        of_code: Option<&ScopeRule>,
        usual: Option<&ScopeRule>,
    ) -> Option<Scope> {
        match stated {
            Some(stated) => Some(self.identities.stated(exchange, stated, usual)),
            None => self.identities.scope(exchange, of_code.or(usual)),
        }
    }

    /// Says for whom the provider counts. Quotas that the response announces are counted for the usual party even where it
    /// names their scope by a word of its own, or a refusal speaks of another one: the same quota must not look like two.
    fn apply_scope(
        &self,
        exchange: &Exchange,
        stated: Option<&Stated>,
        of_code: Option<&ScopeRule>,
        usual: Option<&ScopeRule>,
        observation: &mut Observation,
    ) {
        observation.scope = self.scope(exchange, stated, of_code, usual);
        if !stated.is_some_and(scope::names_party) {
            let party = self.identities.scope(exchange, usual);
            for reading in observation.readings.iter_mut().filter(|reading| reading.scope.is_none()) {
                reading.scope.clone_from(&party);
            }
        }
        for reading in observation.readings.iter_mut().filter(|reading| reading.scope == observation.scope) {
            reading.scope = None;
        }
    }

    /// The position of the environment that a host belongs to: what the user says of the host, then of the provider, then
    /// what the profile says.
    fn environment(&self, profile: &Profile, host: &str, path: &str) -> usize {
        let known = profile.environments();
        let stated = |meant: &dyn Fn(&EnvironmentOf) -> bool| {
            self.environments.iter().filter(|rule| meant(&rule.of)).find_map(|rule| known.position(&rule.environment))
        };
        stated(&|of| matches!(of, EnvironmentOf::Host(pattern) if pattern.matches(host, path)))
            .or_else(|| stated(&|of| matches!(of, EnvironmentOf::Provider(name) if name == profile.name())))
            .unwrap_or_else(|| known.of(host, path))
    }
}

/// A scope that a response states: a kind or the provider's own word, and perhaps an identity.
type Stated = (Arc<str>, Option<Arc<str>>);

/// What the user says of an environment.
#[derive(Debug, Clone)]
struct EnvironmentRule {
    of: EnvironmentOf,
    environment: Arc<str>,
}

/// Whose environment it is.
#[derive(Debug, Clone)]
enum EnvironmentOf {
    Host(HostPattern),
    Provider(Arc<str>),
}

fn environment_rule(profiles: &Profiles, (of, environment): (String, String)) -> Result<EnvironmentRule, ProfileError> {
    let origin = format!("environment {of}={environment}");
    let refuse = |message: String| ProfileError { origin: origin.as_str().into(), line: None, key: None, message };
    let provider = profiles.find(&of);
    let mut known = profiles.iter().filter(|profile| provider.is_none_or(|meant| meant.name() == profile.name()));
    if !known.any(|profile| profile.environments().position(&environment).is_some()) {
        return Err(refuse(format!("no environment is called {environment:?}; `quotascope profiles show` names them")));
    }
    let of = match provider {
        Some(profile) => EnvironmentOf::Provider(Arc::clone(profile.name())),
        None => EnvironmentOf::Host(HostPattern::parse(&of).map_err(refuse)?),
    };
    Ok(EnvironmentRule { of, environment: environment.into() })
}

fn template_rule((host, pattern): (Option<String>, String)) -> Result<TemplateRule, ProfileError> {
    let refuse =
        |message: String| ProfileError { origin: "templates".into(), line: None, key: Some(pattern.clone()), message };
    Ok(TemplateRule {
        host: host.as_deref().map(HostPattern::parse).transpose().map_err(refuse)?,
        pattern: EndpointPattern::parse(&pattern).map_err(refuse)?,
    })
}
