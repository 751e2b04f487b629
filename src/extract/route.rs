//! Hosts to profiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::profile::{HostPattern, Profile, ProfileError, Profiles};

/// What a host's pattern leads to, with how much the pattern says.
#[derive(Debug, Clone)]
struct Route {
    pattern: HostPattern,
    profile: Arc<Profile>,
}

/// Which profile a host belongs to. The user's own mapping goes before the profiles' hosts, a user's profile before a
/// built-in one, an exact host before a pattern.
#[derive(Debug, Clone)]
pub(super) struct Routes {
    overrides: Vec<Route>,
    /// Routes whose pattern is an exact host or `*.domain`, by the length of that host or domain, then by itself: a lookup
    /// for each label of a host.
    by_domain: Vec<(Box<str>, Vec<Route>)>,
    /// All others.
    others: Vec<Route>,
}

impl Routes {
    pub(super) fn new(profiles: &Profiles, overrides: &[(String, String)]) -> Result<Self, ProfileError> {
        let mut routes = Self { overrides: Vec::new(), by_domain: Vec::new(), others: Vec::new() };
        for (host, name) in overrides {
            let refuse = |message: String| ProfileError {
                origin: format!("provider {host}={name}").into(),
                line: None,
                key: None,
                message,
            };
            let profile = profiles.find(name).ok_or_else(|| {
                refuse(format!("no profile is called {name:?}; `quotascope profiles list` shows those that are known"))
            })?;
            let pattern = HostPattern::parse(host).map_err(refuse)?;
            routes.overrides.push(Route { pattern, profile: Arc::clone(profile) });
        }
        let mut by_domain: BTreeMap<(usize, &str), Vec<Route>> = BTreeMap::new();
        for profile in profiles.iter() {
            for pattern in profile.hosts() {
                let route = Route { pattern: pattern.clone(), profile: Arc::clone(profile) };
                match pattern.domain() {
                    Some(domain) => by_domain.entry((domain.len(), domain)).or_default().push(route),
                    None => routes.others.push(route),
                }
            }
        }
        routes.by_domain = by_domain.into_iter().map(|((_, domain), routes)| (domain.into(), routes)).collect();
        Ok(routes)
    }

    /// The patterns of all hosts.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &HostPattern> {
        let by_domain = self.by_domain.iter().flat_map(|(_, routes)| routes);
        self.overrides.iter().chain(by_domain).chain(&self.others).map(|route| &route.pattern)
    }

    /// The profiles that some path of a host may belong to.
    pub(super) fn profiles(&self, host: &str) -> impl Iterator<Item = &Arc<Profile>> {
        let by_domain = self.by_domain.iter().flat_map(|(_, routes)| routes);
        let routes = self.overrides.iter().chain(by_domain).chain(&self.others);
        routes.filter(move |route| route.pattern.matches_host(host)).map(|route| &route.profile)
    }

    /// The profile of a host (in lower case, perhaps with a port).
    pub(super) fn profile(&self, host: &str, path: &str) -> Option<&Arc<Profile>> {
        if let Some(route) = best_of(self.overrides.iter(), host, path) {
            return Some(&route.profile);
        }
        let name = HostPattern::name_of(host);
        let labels = std::iter::once(name).chain(name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..)));
        let indexed = labels.filter_map(|domain| self.of_domain(domain)).flatten();
        let others = self.others.iter().filter(|route| route.pattern.may_match(name, host));
        best_of(indexed.chain(others), host, path).map(|route| &route.profile)
    }
}

impl Routes {
    fn of_domain(&self, domain: &str) -> Option<&[Route]> {
        let order = |known: &str| known.len().cmp(&domain.len()).then_with(|| known.cmp(domain));
        let place = self.by_domain.binary_search_by(|(known, _)| order(known)).ok()?;
        self.by_domain.get(place).map(|(_, routes)| routes.as_slice())
    }
}

fn best_of<'a>(routes: impl Iterator<Item = &'a Route>, host: &str, path: &str) -> Option<&'a Route> {
    routes.filter(|route| route.pattern.matches(host, path)).max_by_key(|route| rank(route))
}

fn rank(route: &Route) -> ((bool, usize, usize), bool) {
    (route.pattern.rank(), !route.profile.is_built_in())
}
