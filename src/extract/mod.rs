//! Exchanges to observations: what a response says of quotas, and what the provider's documents add to it.
//!
//! What an [`Extractor`] finds depends on nothing but the exchange, so that it may run on any worker; an [`Observer`] finds the
//! same sooner, because it remembers what it found for the same names. [`Bounds::settle`] depends on what came before, and
//! runs where observations come in event order. Knows no packets, no files and no clock: profiles come as text, time comes
//! with the exchange.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod bounds;
mod clock;
mod declared;
mod destination;
mod dialect;
mod error_body;
mod error_code;
mod explanation;
mod family;
mod http_date;
mod interest;
mod json;
mod observer;
mod overwrite;
mod phrases;
mod plain;
mod profile;
mod recent;
mod refusals;
mod reset;
mod response;
mod retry_after;
mod route;
mod scope;
mod settled;
mod shape;
mod span;
mod structured;
mod template;
mod throttle;
mod wire_rules;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use bounds::{BoundOptions, Bounds};
pub use observer::Observer;
pub use profile::{
    CodeRule, EndpointPattern, Environments, HostPattern, PathPattern, Profile, ProfileError, Profiles, QuotaClass,
    QuotaRule, Rank, ScopeRule, segments,
};
pub use response::{Hints, Reader, Said, is_telling_field, may_explain_refusal, read_response};
pub use wire_rules::{ResetUnit, WireRules};

use crate::model::{DeclaredQuota, Exchange, Interest, Observation, Path, Request, Scope};

use declared::{Context, Made, Selection};
use destination::{Destination, Interchangeable};
use interest::Wanted;
use observer::Memory;
use route::Routes;
use scope::{Caller, Identities};
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

/// Exchanges to observations. It never changes: any number of workers may share one.
#[derive(Debug, Clone)]
pub struct Extractor {
    profiles: Profiles,
    routes: Arc<Routes>,
    wanted: Arc<Wanted>,
    identities: Identities,
    environments: Vec<EnvironmentRule>,
    templates: Vec<TemplateRule>,
    count_announced: bool,
    interchangeable: Interchangeable,
}

impl Extractor {
    /// Makes one.
    ///
    /// # Errors
    /// Where an option names a profile or an environment that does not exist, or a pattern is none.
    pub fn new(profiles: Profiles, options: ExtractOptions) -> Result<Self, ProfileError> {
        let routes = Arc::new(Routes::new(&profiles, &options.providers)?);
        let wanted = Arc::new(Wanted::new(&profiles, Arc::clone(&routes)));
        let environments: Vec<EnvironmentRule> =
            options.environments.into_iter().map(|pair| environment_rule(&profiles, pair)).collect::<Result<_, _>>()?;
        let templates: Vec<TemplateRule> =
            options.templates.into_iter().map(template_rule).collect::<Result<_, _>>()?;
        let identities = Identities::new(options.aliases, options.pools);
        let interchangeable = interchangeable(&profiles, &routes, &environments, &templates);
        Ok(Self {
            profiles,
            routes,
            wanted,
            identities,
            environments,
            templates,
            count_announced: options.count_announced,
            interchangeable,
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

    /// What one exchange says of quotas and throttling. Whoever has many has an [`Observer`], which says the same.
    pub fn observe(&self, exchange: &Exchange) -> Observation {
        let mut observation = Observation::default();
        self.observe_into(&mut exchange.clone(), &mut Memory::new(1), &mut observation);
        observation
    }

    /// The same, written over an observation that is of no more use: what of it stays the same is left as it is. The texts of
    /// the exchange are taken out of it.
    #[inline(always)]
    fn observe_into(&self, exchange: &mut Exchange, memory: &mut Memory, observation: &mut Observation) {
        let Memory { reader, destinations, addresses, made } = memory;
        #[expect(clippy::manual_map, reason = "a closure would be called, not be a part of this")]
        let destination = match &exchange.request {
            Some(request) => Some(destinations.of(request, &self.interchangeable, || self.destination(request))),
            None => None,
        };
        let profile = destination.and_then(|destination| destination.profile.as_deref());
        // What most responses say needs nothing else.
        if profile.is_none()
            && let Some(family) = reader.read_only_quota(&exchange.response, None, &mut observation.readings)
        {
            self.identities.move_usual(exchange, addresses, &mut observation.scope);
            overwrite::with_only_quota(family, observation);
        } else {
            let caller = Caller::of(exchange, addresses);
            let response = &exchange.response;
            let used = std::mem::take(&mut observation.readings);
            if let (Some(destination), Some(profile)) = (destination, profile) {
                let mut said = reader.read_into(response, Some(profile.wire()), used);
                let (scope, declared) = self.apply(profile, destination, &caller, &mut said, made);
                overwrite::with_said(said, scope, declared, observation);
            } else {
                let mut said = reader.read_all(response, None, used);
                let scope = self.scope(&caller, said.scope.as_ref(), None, None);
                self.apply_scope(&caller, &mut said, scope.as_ref(), None, None);
                overwrite::with_said(said, scope, Vec::new(), observation);
            }
        }
        overwrite::with_exchange(exchange, destination, observation);
    }

    /// What a request leads to.
    fn destination(&self, request: &Request) -> Destination {
        let (host, method, path) = (request.host.as_deref(), &*request.method, &*request.path);
        let profile = host.and_then(|host| self.profile(host, path));
        let host = host.unwrap_or_default();
        let parts = segments(path);
        let target = template::target(&self.templates, profile.map(|p| &**p), (host, method, path), &parts);
        let shown_path = target.concealed.as_deref().unwrap_or(path);
        let environment = profile.map_or(0, |profile| self.environment(profile, host, shown_path));
        let (class, classes) = profile.map(|profile| declared::classes(profile, method, &parts)).unwrap_or_default();
        Destination {
            profile: profile.cloned(),
            environment,
            endpoint: target.endpoint.into(),
            concealed: target.concealed.map(Path::from),
            class,
            classes,
        }
    }

    /// Adds what the profile says; gives for whom is counted, and what the agent must count.
    fn apply(
        &self,
        profile: &Profile,
        destination: &Destination,
        caller: &Caller<'_>,
        said: &mut Said,
        made: &mut Made,
    ) -> (Option<Scope>, Vec<Arc<DeclaredQuota>>) {
        let context = Context {
            caller,
            party_is_stated: said.scope.as_ref().is_some_and(scope::names_party),
            endpoint: &destination.endpoint,
            count_announced: self.count_announced,
            profile,
            identities: &self.identities,
            environment: destination.environment,
        };
        let mut selection = Selection::new(destination.class.as_ref(), &destination.classes);
        let code = said.error_code.as_deref().and_then(|code| profile.code(code)).filter(|code| code.throttles());
        if let Some(code) = code {
            selection.refuse(code.quota().and_then(|name| profile.class(name)).map(|class| &**class));
            said.throttled = said.throttled.map(|cause| code.cause().unwrap_or(cause));
        }
        selection.consider_unauthenticated(context, &said.readings);
        let usual = selection.scope_rule(profile);
        let own = code.and_then(|code| code.scope());
        let scope = self.scope(caller, said.scope.as_ref(), own, usual);
        let declared = selection.apply(context, &mut said.readings, scope.as_ref(), made);
        self.apply_scope(caller, said, scope.as_ref(), own, usual);
        (scope, declared)
    }

    /// For whom the provider counts: what the response states, else what its error code means, else the usual.
    fn scope(
        &self,
        caller: &Caller<'_>,
        stated: Option<&Stated>,
        of_code: Option<&ScopeRule>,
        usual: Option<&ScopeRule>,
    ) -> Option<Scope> {
        match stated {
            Some(stated) => Some(self.identities.stated(caller, stated, usual)),
            None => self.identities.scope(caller, of_code.or(usual)),
        }
    }

    /// Says for whom the provider counts. Quotas that the response announces are counted for the usual party even where it
    /// names their scope by a word of its own, or a refusal speaks of another one: the same quota must not look like two.
    fn apply_scope(
        &self,
        caller: &Caller<'_>,
        said: &mut Said,
        scope: Option<&Scope>,
        of_code: Option<&ScopeRule>,
        usual: Option<&ScopeRule>,
    ) {
        let is_usual = said.scope.is_none() && of_code.is_none();
        if !is_usual && !said.scope.as_ref().is_some_and(scope::names_party) {
            let party = self.identities.scope(caller, usual);
            for reading in said.readings.iter_mut().filter(|reading| reading.scope.is_none()) {
                reading.scope.clone_from(&party);
            }
        }
        for reading in said.readings.iter_mut().filter(|reading| reading.scope.as_ref() == scope) {
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

/// The segments of paths that nothing here tells apart: all patterns that a path is compared with say their texts.
fn interchangeable(
    profiles: &Profiles,
    routes: &Routes,
    environments: &[EnvironmentRule],
    templates: &[TemplateRule],
) -> Interchangeable {
    let own_hosts = environments.iter().filter_map(|rule| match &rule.of {
        EnvironmentOf::Host(pattern) => Some(pattern),
        EnvironmentOf::Provider(_) => None,
    });
    let hosts = routes
        .hosts()
        .chain(profiles.iter().flat_map(|profile| profile.environments().hosts()))
        .chain(own_hosts)
        .chain(templates.iter().filter_map(|rule| rule.host.as_ref()));
    let endpoints = profiles
        .iter()
        .flat_map(|profile| profile.classes().iter().flat_map(|class| class.endpoints()).chain(profile.templates()))
        .chain(templates.iter().map(|rule| &rule.pattern));
    Interchangeable::new(hosts.flat_map(HostPattern::texts).chain(endpoints.flat_map(|pattern| pattern.path().texts())))
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
