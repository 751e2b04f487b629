//! Patterns for hosts, as profiles and the configuration write them.

use std::fmt;

use super::pattern::{MAX_PATTERN, glob};

/// A host as a pattern: `api.example.com`, `*.example.com`, `*sandbox*`, `127.0.0.1:8080`, each optionally followed by a path
/// prefix (`www.example.com/api/`). Without a port it matches any port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    host: Box<str>,
    /// How many octets stand before the first star and behind the last one; all where there is none.
    ends: (usize, usize),
    with_port: bool,
    prefix: Box<str>,
}

impl HostPattern {
    /// Parses one.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, path) = text.find('/').map_or((text, ""), |slash| text.split_at(slash));
        if host.is_empty() || text.len() > MAX_PATTERN || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!("{text:?} is no host pattern; write \"api.example.com\" or \"*.example.com\""));
        }
        if text.contains("://") || host.ends_with(':') {
            return Err(format!("{text:?} is a URL; write its host only, \"api.example.com\" or \"*.example.com\""));
        }
        let prefix = path.trim_end_matches('*').trim_end_matches('/');
        let with_port = split_port(host).1.is_some();
        let ends =
            (host.find('*').unwrap_or(host.len()), host.rfind('*').map_or(host.len(), |star| host.len() - star - 1));
        Ok(Self { host: host.to_ascii_lowercase().into(), ends, with_port, prefix: prefix.into() })
    }

    /// Whether a host (in lower case, perhaps with a port) and a path are meant.
    pub fn matches(&self, host: &str, path: &str) -> bool {
        self.matches_host(host)
            && path
                .strip_prefix(&*self.prefix)
                .is_some_and(|rest| self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it means a host, on some path at least.
    pub(in crate::extract) fn matches_host(&self, host: &str) -> bool {
        let host = if self.with_port { host } else { split_port(host).0 };
        glob(self.host.as_bytes(), host.as_bytes())
    }

    /// The host or domain that every host it means equals or ends with; `None` for other shapes and where it has a port.
    pub(in crate::extract) fn domain(&self) -> Option<&str> {
        let domain = self.host.strip_prefix("*.").unwrap_or(&self.host);
        (!self.with_port && !domain.contains('*')).then_some(domain)
    }

    /// Whether the ends of a host fit, with its port (`host`) and without (`name`): a cheap look before [`Self::matches`].
    pub(in crate::extract) fn may_match(&self, name: &str, host: &str) -> bool {
        let (text, pattern) = (if self.with_port { host } else { name }.as_bytes(), self.host.as_bytes());
        let (start, end) = self.ends;
        let same_end = pattern.iter().rev().take(end).zip(text.iter().rev()).all(|(a, b)| a == b);
        text.len() >= start.max(end) && same_end && text.get(..start) == pattern.get(..start)
    }

    /// The segments of the path prefix.
    pub(in crate::extract) fn texts(&self) -> impl Iterator<Item = &str> {
        self.prefix.split('/')
    }

    /// A host without its port.
    pub(in crate::extract) fn name_of(host: &str) -> &str {
        split_port(host).0
    }

    /// How much it says; of two that match, the one with the higher rank is meant.
    pub fn rank(&self) -> (bool, usize, usize) {
        let stars = self.host.bytes().filter(|b| *b == b'*').count();
        (stars == 0, self.prefix.len(), self.host.len().saturating_sub(stars))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, self.prefix)
    }
}

/// An authority's host and port.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !ends_inside_brackets(name) =>
        {
            (name, Some(port))
        }
        _ => (host, None),
    }
}

/// Whether the text so far is an IPv6 literal that is still open.
fn ends_inside_brackets(text: &str) -> bool {
    text.starts_with('[') && !text.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_with_and_without_port() {
        for (pattern, host, path, wanted) in [
            ("api.example.com", "api.example.com", "/", true),
            ("API.example.com", "api.example.com:8443", "/", true),
            ("api.example.com:80", "api.example.com:8443", "/", false),
            ("127.0.0.1:8080", "127.0.0.1:8080", "/", true),
            ("*.example.com", "a.b.example.com", "/", true),
            ("*.example.com", "example.com", "/", false),
            ("*.example.com", "badexample.com", "/", false),
            ("*sandbox*", "sandbox-api.example.com", "/", true),
            ("[::1]", "[::1]:9000", "/", true),
            ("[::1]:9000", "[::1]", "/", false),
            ("www.example.com/api/", "www.example.com", "/api/v1", true),
            ("www.example.com/api", "www.example.com", "/apiary", false),
        ] {
            assert_eq!(HostPattern::parse(pattern).unwrap().matches(host, path), wanted, "{pattern} on {host}{path}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_pattern() {
        assert!(HostPattern::parse("https://api.example.com/").unwrap_err().contains("URL"));
    }
}
