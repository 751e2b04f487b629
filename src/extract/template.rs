//! Requests to endpoints: method and path template.
//!
//! Patterns of the configuration and of the profile come first, the shape of each segment else. What only varies in traffic
//! is learned later, in [`super::Bounds`], because this has no memory.

use super::profile::{EndpointPattern, HostPattern, MAX_SEGMENTS, Profile, Rank};
use super::shape;

/// The methods that keep their name; others are `_OTHER`, so that a client that makes methods up makes no endpoints.
///
/// Source: RFC 9110 section 9, RFC 5789, and OpenTelemetry's `http.request.method`.
const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/// What stands for all other methods.
const OTHER_METHOD: &str = "_OTHER";

/// The longest template, in octets; what follows is cut at a segment. Patterns and shapes of real APIs stay far below.
const MAX_TEMPLATE: usize = 256;

/// Room for almost every template, made at once.
const TEMPLATE_ROOM: usize = 64;

/// A pattern that the user gave, perhaps for some hosts only.
#[derive(Debug, Clone)]
pub(super) struct TemplateRule {
    pub(super) host: Option<HostPattern>,
    pub(super) pattern: EndpointPattern,
}

/// The method, or `_OTHER`.
pub(super) fn method_name(method: &str) -> &'static str {
    METHODS.iter().find(|known| **known == method).copied().unwrap_or(OTHER_METHOD)
}

/// What is shown of a request's target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Method and path template: `GET /v1/payment/{id}`.
    pub(super) endpoint: String,
    /// The path, where it holds a credential that must not be shown.
    pub(super) concealed: Option<String>,
}

/// The endpoint of a request, and its path without credentials; `parts` by [`super::profile::segments`].
pub(super) fn target(
    rules: &[TemplateRule],
    profile: Option<&Profile>,
    (host, method, path): (&str, &str, &str),
    parts: &[&str],
) -> Target {
    let mut endpoint = String::with_capacity(TEMPLATE_ROOM);
    endpoint.push_str(method_name(method));
    endpoint.push(' ');
    if !path.starts_with('/') {
        // `OPTIONS *` and `CONNECT host:port` have no path.
        endpoint.push('*');
        return Target { endpoint, concealed: None };
    }
    let of_host = |rule: &&TemplateRule| rule.host.as_ref().is_none_or(|h| h.matches(host, path));
    let own = rules.iter().filter(of_host).map(|rule| &rule.pattern);
    let classes = profile.into_iter().flat_map(Profile::classes).flat_map(|class| class.endpoints());
    let known = profile.into_iter().flat_map(Profile::templates).chain(classes);
    let (template, concealed) =
        best(own, method, parts).or_else(|| best(known, method, parts)).unwrap_or_else(|| (by_shape(parts), None));
    push_bounded(&template, &mut endpoint);
    Target { endpoint, concealed }
}

/// The template of the best pattern that means the request and says something of its path's shape, and the path as it shows
/// it where it hides something.
fn best<'a>(
    patterns: impl Iterator<Item = &'a EndpointPattern>,
    method: &str,
    parts: &[&str],
) -> Option<(String, Option<String>)> {
    let meant = patterns.filter(|pattern| pattern.rank().0 > 0 && pattern.matches(method, parts));
    let mut best: Option<(Rank, String, &EndpointPattern)> = None;
    for pattern in meant {
        let rank = pattern.rank();
        if best.as_ref().is_some_and(|(known, ..)| *known >= rank) {
            continue;
        }
        if let Some(template) = pattern.path().template(parts, |at, part, out| push_shape(parts.len(), at, part, out)) {
            best = Some((rank, template, pattern));
        }
    }
    best.map(|(_, template, pattern)| (template, pattern.path().conceal(parts)))
}

fn by_shape(parts: &[&str]) -> String {
    let mut out = String::with_capacity(TEMPLATE_ROOM);
    for (at, part) in parts.iter().enumerate() {
        out.push('/');
        push_shape(parts.len(), at, part, &mut out);
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}

fn push_shape(count: usize, at: usize, part: &str, out: &mut String) {
    if at >= MAX_SEGMENTS.saturating_sub(1) && part.contains('/') {
        out.push('*');
    } else {
        shape::push(part, at == 0, at.saturating_add(1) == count, out);
    }
}

/// Appends a template, cut at a segment where it is too long.
fn push_bounded(template: &str, out: &mut String) {
    if template.len() <= MAX_TEMPLATE {
        out.push_str(template);
        return;
    }
    let mut cut = String::new();
    for segment in template.split('/').skip(1) {
        if cut.len().saturating_add(segment.len()).saturating_add(3) > MAX_TEMPLATE {
            break;
        }
        cut.push('/');
        cut.push_str(segment);
    }
    out.push_str(&cut);
    out.push_str("/*");
}
