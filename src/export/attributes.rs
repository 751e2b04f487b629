//! What tells one series from another, and how many there may be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use opentelemetry::{KeyValue, Value};

use super::catalogue::attribute as a;
use crate::model::{Alert, EndpointState, Peer, Place, QuotaKey, QuotaState, Scope};

/// What stands for all that is past a bound, as the semantic conventions have it for `error.type`.
pub(crate) const OTHER: &str = "_OTHER";

/// Endpoints with series of their own. With some five status codes each they stay far below the SDK's limit of series
/// for one instrument; the tracker bounds endpoints too, so that this one is reached only by many hosts.
const MOST_ENDPOINTS: usize = 2000;

/// Octets of an endpoint's name. Real templates are far shorter; a path of 2 KB is somebody's data, and so many would not
/// fit into one request.
const LONGEST_ENDPOINT: usize = 256;

/// Error codes with series of their own for one owner; providers document some dozens.
const MOST_ERROR_CODES: usize = 100;

/// Hosts with a histogram of their own: its series are kept for good, and anybody can send a `Host`.
const MOST_HOSTS: usize = 500;

/// Which endpoints, error codes and hosts have series of their own: the first ones to come, for good, because a count that
/// moved between its own series and [`OTHER`] would seem to fall.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    endpoints: BTreeSet<(Arc<str>, Arc<str>)>,
    error_codes: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    hosts: BTreeSet<Arc<str>>,
}

impl Bounds {
    pub(crate) fn endpoint<'a>(&mut self, host: &Arc<str>, endpoint: &'a Arc<str>) -> Option<&'a str> {
        let key = (Arc::clone(host), Arc::clone(endpoint));
        let is_plausible = endpoint.len() <= LONGEST_ENDPOINT;
        (is_plausible && admit(&mut self.endpoints, key, MOST_ENDPOINTS)).then_some(&**endpoint)
    }

    pub(crate) fn error_code<'a>(&mut self, owner: &Arc<str>, code: &'a Arc<str>) -> &'a str {
        if !self.error_codes.contains_key(owner) && self.error_codes.len() >= MOST_HOSTS {
            return OTHER;
        }
        let codes = self.error_codes.entry(Arc::clone(owner)).or_default();
        if admit(codes, Arc::clone(code), MOST_ERROR_CODES) { code } else { OTHER }
    }

    pub(crate) fn host<'a>(&mut self, host: &'a Arc<str>) -> &'a str {
        if admit(&mut self.hosts, Arc::clone(host), MOST_HOSTS) { host } else { OTHER }
    }
}

fn admit<T: Ord>(admitted: &mut BTreeSet<T>, item: T, most: usize) -> bool {
    if admitted.contains(&item) {
        return true;
    }
    admitted.len() < most && admitted.insert(item)
}

/// A set of attributes in the making; a value that is not known is left out.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push(KeyValue::new(name, value));
        self
    }

    pub(crate) fn maybe<V: Into<Value>>(self, name: &'static str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The provider, the address and the port of a host as the model writes it: `api.example.com:8443`, `[::1]:8080`.
    fn server(self, provider: Option<&Arc<str>>, host: Option<&str>) -> Self {
        let named = self.maybe(a::PROVIDER, provider.map(Arc::clone));
        let Some(host) = host.filter(|host| !host.is_empty()) else { return named };
        let (address, port) = split_port(host);
        named.with(a::ADDRESS, address.to_owned()).maybe(a::PORT, port.map(i64::from))
    }

    fn scope(self, scope: Option<&Scope>) -> Self {
        let Some(scope) = scope else { return self };
        self.with(a::SCOPE_KIND, Arc::clone(&scope.kind)).maybe(a::SCOPE_ID, scope.id.clone())
    }

    fn quota_key(self, key: &QuotaKey) -> Self {
        self.with(a::BUCKET, Arc::clone(&key.bucket))
            .maybe(a::POLICY_WINDOW, key.window.map(|window| seconds(window.as_secs_f64())))
    }

    pub(crate) fn build(self) -> Vec<KeyValue> {
        self.0
    }
}

/// Whole seconds as an integer, so that a minute is `60`.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
fn seconds(value: f64) -> Value {
    if value.fract() == 0.0 && value < 1e15 { Value::I64(value as i64) } else { Value::F64(value) }
}

/// Why and where something was lost: a host is the same with and without its port.
pub(crate) fn place_key(place: &Place) -> (&'static str, String, Option<u16>) {
    let address = match &place.peer {
        Peer::Host(host) => split_port(host).0.to_owned(),
        Peer::Address(address) => address.to_string(),
        Peer::Others => OTHER.to_owned(),
    };
    (place.cause.label(), address, Some(place.port).filter(|port| *port > 0))
}

/// Why and where something was lost.
pub(crate) fn of_place((cause, address, port): (&'static str, String, Option<u16>)) -> Vec<KeyValue> {
    let attributes = Attributes::default().with(a::CAUSE, cause).with(a::ADDRESS, address);
    attributes.maybe(a::PORT, port.map(i64::from)).build()
}

/// A host by itself.
pub(crate) fn of_host(host: &str) -> Vec<KeyValue> {
    Attributes::default().server(None, Some(host)).build()
}

/// A quota's own attributes. The host is given apart: a quota that is seen on several hosts keeps one.
pub(crate) fn of_quota(quota: &QuotaState, host: &str) -> Vec<KeyValue> {
    Attributes::default()
        .server(quota.provider.as_ref(), Some(host))
        .maybe(a::POLICY, quota.policy.clone())
        .quota_key(&quota.key)
        .scope(quota.scope.as_ref())
        .with(a::UNIT, quota.dimension.unit().to_owned())
        .with(a::SOURCE, quota.source.as_str())
        .build()
}

/// The endpoint's attributes, to which a counter adds its own; the endpoint itself is [`OTHER`] past the bound.
pub(crate) fn of_endpoint(endpoint: &EndpointState, bounds: &mut Bounds) -> Attributes {
    let server = Attributes::default().server(endpoint.provider.as_ref(), Some(&endpoint.host));
    match bounds.endpoint(&endpoint.host, &endpoint.endpoint) {
        Some(known) => match known.split_once(' ') {
            Some((method, template)) => {
                server.with(a::METHOD, method.to_owned()).with(a::TEMPLATE, template.to_owned())
            }
            None => server.maybe(a::TEMPLATE, Some(known).filter(|k| !k.is_empty()).map(str::to_owned)),
        },
        None => server.with(a::TEMPLATE, OTHER),
    }
}

/// A refusing host's attributes.
pub(crate) fn of_refusal(
    provider: Option<&Arc<str>>,
    host: Option<&Arc<str>>,
    status: u16,
    bounds: &mut Bounds,
) -> Vec<KeyValue> {
    let host = host.map(|host| bounds.host(host));
    Attributes::default().server(provider, host).with(a::STATUS, i64::from(status)).build()
}

/// What an alert is about, and its rule and severity.
pub(crate) fn of_alert(alert: &Alert) -> Vec<KeyValue> {
    let subject = &alert.subject;
    let named = Attributes::default()
        .with(a::ALERT_RULE, alert.rule.as_str())
        .with(a::ALERT_SEVERITY, alert.severity.as_str())
        .server(subject.provider.as_ref(), subject.host.as_deref())
        .maybe(a::POLICY, subject.policy.clone());
    let keyed = match &alert.quota {
        Some(key) => named.quota_key(key),
        None => named,
    };
    keyed
        .scope(subject.scope.as_ref())
        .maybe(a::UNIT, subject.dimension.as_ref().map(|dimension| dimension.unit().to_owned()))
        .maybe(a::ERROR, subject.error_code.clone())
        .maybe(a::INTERFACE, subject.interface.clone())
        .build()
}

/// Splits `host:port`; an IPv6 address stands in brackets and loses them.
pub(crate) fn split_port(authority: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (authority, None),
        },
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_the_port_off() {
        for (authority, address, port) in [
            ("api.example.com", "api.example.com", None),
            ("api.example.com:8443", "api.example.com", Some(8443)),
            ("[::1]:8080", "::1", Some(8080)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("2001:db8::1", "2001:db8::1", None),
            ("host:port", "host:port", None),
        ] {
            assert_eq!(split_port(authority), (address, port), "{authority}");
        }
    }

    #[test]
    fn past_the_bound_all_are_other_and_the_first_stay() {
        let mut bounds = Bounds::default();
        let owner: Arc<str> = "ceypay".into();
        let codes: Vec<Arc<str>> = (0..MOST_ERROR_CODES + 5).map(|code| code.to_string().into()).collect();
        let named = codes.iter().filter(|code| bounds.error_code(&owner, code) != OTHER).count();
        assert_eq!(named, MOST_ERROR_CODES);
        assert_eq!(bounds.error_code(&owner, &codes[0]), "0");
        assert_eq!(bounds.error_code(&owner, &codes[MOST_ERROR_CODES]), OTHER);
        assert_eq!(bounds.error_code(&"another".into(), &codes[MOST_ERROR_CODES]), "100");
        let long: Arc<str> =
            "GET /".chars().chain(std::iter::repeat_n('x', LONGEST_ENDPOINT)).collect::<String>().into();
        assert_eq!(bounds.endpoint(&owner, &long), None);
        assert_eq!(bounds.endpoint(&owner, &codes[0]), Some("0"));
    }
}
