//! A profile's text to a checked profile.

use std::sync::Arc;

use crate::model::{Amount, DeclaredQuota, Dimension, WindowKind};

use super::document::{Origin, Table, Value};
use super::parse_codes::code_rules;
use super::parse_wire::read_wire;
use super::{
    EndpointPattern, Environments, HostPattern, Profile, ProfileError, Profiles, QuotaClass, QuotaRule, ScopeRule,
    window,
};

const PROFILE_KEYS: &[&str] = &[
    "name",
    "title",
    "documentation",
    "extends",
    "hosts",
    "environments",
    "scope",
    "window_kind",
    "announced",
    "templates",
    "quotas",
    "codes",
    "wire",
];
const QUOTA_KEYS: &[&str] = &[
    "name",
    "endpoints",
    "besides",
    "unauthenticated",
    "per_endpoint",
    "limit",
    "window",
    "window_kind",
    "burst",
    "dimension",
    "announced",
    "scope",
    "limits",
];
const LIMIT_KEYS: &[&str] = &["limit", "window", "window_kind", "burst", "dimension", "announced", "scope"];
const SCOPE_KEYS: &[&str] = &["kind", "credentials"];

/// The longest name of a profile, quota or scope: it becomes a column and a label.
const MAX_NAME: usize = 64;

/// The longest text that lists a class's endpoints for people: what a column has room for.
const MAX_ENDPOINTS_TEXT: usize = 48;

/// What quotas take over from their profile where they do not say it themselves.
struct Defaults<'a> {
    environments: &'a Environments,
    scope: Option<ScopeRule>,
    window_kind: Option<WindowKind>,
    announced: bool,
}

impl Profile {
    /// Reads a profile.
    pub(super) fn parse(text: &str, origin: &str, built_in: bool, known: &Profiles) -> Result<Self, ProfileError> {
        let origin: Arc<str> = origin.into();
        let source = Origin { name: &origin, text };
        let document = source.parse()?;
        let root = Table::root(source, &document);
        root.accept(PROFILE_KEYS)?;

        let name: Arc<str> =
            name_of(&root, "name", "acme")?.ok_or_else(|| root.error("name is missing; write name = \"acme\""))?;
        let base = match root.value("extends") {
            Some(value) => {
                Some(known.find(value.string()?).ok_or_else(|| value.error("no profile of that name is known"))?)
            }
            None => None,
        };
        let environments = match root.table("environments")? {
            Some(table) => environments(&table)?,
            None => base.map(|b| b.environments.clone()).unwrap_or_default(),
        };
        let scope = root.value("scope").map(|v| scope(&v)).transpose()?.or_else(|| base.and_then(|b| b.scope.clone()));
        let defaults = Defaults {
            environments: &environments,
            scope: scope.clone(),
            window_kind: root.value("window_kind").map(|v| window_kind(&v)).transpose()?,
            announced: root.boolean("announced")?.unwrap_or(false),
        };
        let mut hosts = base.map(|b| b.hosts.clone()).unwrap_or_default();
        hosts.extend(patterns(&root, "hosts", HostPattern::parse)?);
        let mut templates = patterns(&root, "templates", EndpointPattern::parse)?;
        templates.extend(base.into_iter().flat_map(|b| b.templates.iter().cloned()));

        let mut classes: Vec<Arc<QuotaClass>> = Vec::new();
        for table in root.tables("quotas")? {
            let class = quota_class(&table, &defaults)?;
            if classes.iter().any(|other| other.name == class.name) {
                return Err(
                    table.error(format!("a quota named {:?} stands above; put its limits in one entry", class.name))
                );
            }
            classes.push(Arc::new(class));
        }
        for inherited in base.into_iter().flat_map(|b| &b.classes) {
            if !classes.iter().any(|class| class.name == inherited.name) {
                classes.push(Arc::clone(inherited));
            }
        }

        let mut codes = base.map(|b| b.codes.clone()).unwrap_or_default();
        if let Some(table) = root.table("codes")? {
            codes.extend(code_rules(&table, &classes)?);
        }
        let mut wire = base.map(|b| b.wire.clone()).unwrap_or_default();
        let mut success_paths = base.map(|b| b.success_paths.clone()).unwrap_or_default();
        if let Some(table) = root.table("wire")? {
            read_wire(&table, &mut wire)?;
            let paths = table.value("throttles_in_success").filter(|value| value.items().is_some());
            if paths.is_some() {
                success_paths = patterns(&table, "throttles_in_success", EndpointPattern::parse)?;
            }
        }
        for (code, rule) in &codes {
            let list = if rule.throttles { &mut wire.throttle_codes } else { &mut wire.other_codes };
            if !list.iter().any(|known| **known == **code) {
                list.push((**code).to_owned());
            }
        }
        let text_of = |key: &str, inherited: Option<Arc<str>>| Ok(root.string(key)?.map(Arc::from).or(inherited));
        Ok(Self {
            title: text_of("title", base.map(|b| Arc::clone(&b.title)))?.unwrap_or_else(|| Arc::clone(&name)),
            documentation: text_of("documentation", base.and_then(|b| b.documentation.clone()))?,
            hosts,
            scope,
            classes,
            templates,
            codes,
            wire,
            success_paths,
            source_text: text.into(),
            built_in,
            name,
            environments,
            origin: Arc::clone(&origin),
        })
    }
}

/// A key's name: short, printable, and fit for a command line.
fn name_of(table: &Table<'_>, key: &str, example: &str) -> Result<Option<Arc<str>>, ProfileError> {
    let Some(value) = table.value(key) else { return Ok(None) };
    let name = value.string()?;
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) || name.contains('=') {
        return Err(value.error(format!("must have 1 to {MAX_NAME} printable characters, such as {example:?}")));
    }
    Ok(Some(name.into()))
}

fn patterns<T>(table: &Table<'_>, key: &str, parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, ProfileError> {
    table.strings(key)?.into_iter().map(|(text, value)| parse(text).map_err(|why| value.error(why))).collect()
}

fn environments(table: &Table<'_>) -> Result<Environments, ProfileError> {
    let mut named: Vec<(Arc<str>, Vec<HostPattern>)> = Vec::new();
    for (name, _) in table.values().filter(|(name, _)| *name != "default") {
        named.push((name.into(), patterns(table, name, HostPattern::parse)?));
    }
    let mut environments = Environments { named, default: 0 };
    let wanted = table.string("default")?.unwrap_or("production");
    environments.default = environments.position(wanted).ok_or_else(|| {
        table.error(format!("no environment is called {wanted:?}; add it, or name another: default = \"…\""))
    })?;
    Ok(environments)
}

/// `scope = "account"`, or `scope = { kind = "account", credentials = ["x-api-key"] }`.
pub(super) fn scope(value: &Value<'_>) -> Result<ScopeRule, ProfileError> {
    let Some(table) = value.table() else {
        return Ok(ScopeRule { kind: scope_kind(value)?, credentials: Vec::new() });
    };
    table.accept(SCOPE_KEYS)?;
    let kind = table.value("kind").ok_or_else(|| table.error("kind is missing; write kind = \"account\""))?;
    let credentials = table.strings("credentials")?.into_iter().map(|(text, value)| {
        let is_name = !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(|b| b.is_ascii_graphic());
        is_name
            .then(|| text.to_ascii_lowercase().into())
            .ok_or_else(|| value.error("must be a field name (\"x-api-key\") or a query parameter (\"?api_key\")"))
    });
    Ok(ScopeRule { kind: scope_kind(&kind)?, credentials: credentials.collect::<Result<_, _>>()? })
}

fn scope_kind(value: &Value<'_>) -> Result<Arc<str>, ProfileError> {
    let kind = value.string()?;
    let is_word = (1..=32).contains(&kind.len())
        && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    is_word.then(|| kind.into()).ok_or_else(|| {
        value.error(
            "must be a word: ip, account, api-key, partner, bank, merchant, endpoint, global, or the provider's own",
        )
    })
}

/// A word of a closed list.
pub(super) fn word<T: Copy>(value: &Value<'_>, words: &[(&str, T)]) -> Result<T, ProfileError> {
    let text = value.string()?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        value.error(format!("{text:?} is unknown; accepted are {}", words.join(", ")))
    })
}

fn window_kind(value: &Value<'_>) -> Result<WindowKind, ProfileError> {
    let words = [
        ("fixed", WindowKind::Fixed),
        ("sliding", WindowKind::Sliding),
        ("rolling", WindowKind::Sliding),
        ("token-bucket", WindowKind::TokenBucket),
    ];
    word(value, &words)
}

fn quota_class(table: &Table<'_>, defaults: &Defaults<'_>) -> Result<QuotaClass, ProfileError> {
    table.accept(QUOTA_KEYS)?;
    let unauthenticated = table.boolean("unauthenticated")?.unwrap_or(false);
    let endpoints = match table.value("endpoints") {
        None if unauthenticated => Vec::new(),
        Some(_) => patterns(table, "endpoints", EndpointPattern::parse)?,
        None => vec![EndpointPattern::parse("*").map_err(|why| table.error(why))?],
    };
    let name = match (name_of(table, "name", "orders")?, endpoints.first()) {
        (Some(name), _) => name,
        (None, Some(first)) => first.to_string().into(),
        (None, None) => {
            return Err(table.error("a quota without endpoints needs a name, which an error code then names"));
        }
    };
    let endpoints_text = endpoints_text(&endpoints);
    let entries = table.tables("limits")?;
    let quotas = if entries.is_empty() {
        vec![quota_rule(table, &name, &endpoints_text, defaults)?]
    } else {
        for key in LIMIT_KEYS.iter().filter(|key| !matches!(**key, "announced" | "scope" | "window_kind" | "dimension"))
        {
            if let Some(value) = table.value(key) {
                return Err(value.error("stands beside limits; put it into each of them"));
            }
        }
        let shared = Defaults {
            environments: defaults.environments,
            scope: scope_or(table, defaults)?,
            window_kind: window_kind_or(table, defaults)?,
            announced: table.boolean("announced")?.unwrap_or(defaults.announced),
        };
        let read = |entry: &Table<'_>| {
            entry.accept(LIMIT_KEYS)?;
            quota_rule(entry, &name, &endpoints_text, &shared)
        };
        entries.iter().map(read).collect::<Result<_, _>>()?
    };
    Ok(QuotaClass {
        name,
        endpoints,
        besides: table.boolean("besides")?.unwrap_or(false),
        unauthenticated,
        per_endpoint: table.boolean("per_endpoint")?.unwrap_or(false),
        quotas,
    })
}

fn scope_or(table: &Table<'_>, defaults: &Defaults<'_>) -> Result<Option<ScopeRule>, ProfileError> {
    Ok(table.value("scope").map(|v| scope(&v)).transpose()?.or_else(|| defaults.scope.clone()))
}

fn window_kind_or(table: &Table<'_>, defaults: &Defaults<'_>) -> Result<Option<WindowKind>, ProfileError> {
    Ok(table.value("window_kind").map(|v| window_kind(&v)).transpose()?.or(defaults.window_kind))
}

fn quota_rule(
    table: &Table<'_>,
    name: &Arc<str>,
    endpoints: &Arc<str>,
    defaults: &Defaults<'_>,
) -> Result<QuotaRule, ProfileError> {
    let announced = table.boolean("announced")?.unwrap_or(defaults.announced);
    let limits = amounts(table, "limit", defaults.environments)?;
    let bursts = amounts(table, "burst", defaults.environments)?;
    let window = table.value("window").map(|v| window_of(&v)).transpose()?;
    if !announced && (limits.iter().all(Option::is_none) || window.is_none()) {
        let missing = if window.is_none() {
            "window is missing; write window = \"1m\""
        } else {
            "limit is missing; write limit = 100"
        };
        return Err(table.error(format!("{missing} (or announced = true, where responses carry it)")));
    }
    let dimension = name_of(table, "dimension", "requests")?.map_or_else(Dimension::requests, Dimension);
    let scope = scope_or(table, defaults)?;
    let window_kind = window_kind_or(table, defaults)?;
    let declare = |environment: usize| {
        let limit = limits.get(environment).copied().flatten()?;
        Some(Arc::new(DeclaredQuota {
            policy: labelled(name, defaults.environments, environment),
            dimension: dimension.clone(),
            limit,
            window: window?,
            // Over a sliding window no count of a fixed one is missed, so it is the safe reading where nothing is said.
            window_kind: window_kind.unwrap_or(WindowKind::Sliding),
            endpoints: Arc::clone(endpoints),
            scope_kind: scope.as_ref().map_or_else(|| "api-key".into(), |s| Arc::clone(&s.kind)),
            scope: None,
            burst: bursts.get(environment).copied().flatten(),
        }))
    };
    let declared = (0..defaults.environments.count()).map(declare).collect();
    Ok(QuotaRule { dimension, window, window_kind, announced, scope, limits, bursts, declared })
}

/// A class's name with its environment, where that is not the default.
pub(in crate::extract) fn labelled(name: &Arc<str>, environments: &Environments, environment: usize) -> Arc<str> {
    environments.label(environment).map_or_else(|| Arc::clone(name), |label| format!("{name} ({label})").into())
}

/// A class's endpoints for people: all of them where that is short, else the first.
fn endpoints_text(endpoints: &[EndpointPattern]) -> Arc<str> {
    let all = endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match endpoints {
        [first, rest @ ..] if all.len() > MAX_ENDPOINTS_TEXT => format!("{first} and {} more", rest.len()).into(),
        _ => all.into(),
    }
}

/// One number for every environment, or a table of them.
fn amounts(table: &Table<'_>, key: &str, environments: &Environments) -> Result<Vec<Option<Amount>>, ProfileError> {
    let Some(value) = table.value(key) else { return Ok(vec![None; environments.count()]) };
    let amount = |value: &Value<'_>| {
        let amount = value.number().and_then(Amount::new).filter(|amount| *amount > Amount::ZERO);
        amount.ok_or_else(|| value.error("must be a number above 0"))
    };
    let Some(by_environment) = value.table() else { return Ok(vec![Some(amount(&value)?); environments.count()]) };
    let names: Vec<&str> = environments.names().map(|name| &**name).collect();
    if names.is_empty() {
        return Err(value.error("differs by environment, but the profile has none; add [environments]"));
    }
    by_environment.accept(&names)?;
    names.iter().map(|name| by_environment.value(name).map(|v| amount(&v)).transpose()).collect()
}

fn window_of(value: &Value<'_>) -> Result<std::time::Duration, ProfileError> {
    let window = match value.number() {
        Some(seconds) => window::from_seconds(seconds),
        None => window::parse(value.string()?),
    };
    window.ok_or_else(|| value.error("must be a length of time: \"1m\", \"1h\", \"30s\", or a number of seconds"))
}
