//! Patterns for hosts and endpoints, as profiles and the configuration write them.
//!
//! Matching is linear in the input for the patterns that people write, and never worse than the product of both lengths,
//! which are bounded: a pattern by [`MAX_PATTERN`], a path by the model, its segments by [`MAX_SEGMENTS`].

use std::fmt;

/// The longest pattern, in octets: longer than any path template that documents write.
const MAX_PATTERN: usize = 512;

/// The most path segments that are looked at one by one; what follows is one last segment. No API nests that deep.
pub(in crate::extract) const MAX_SEGMENTS: usize = 48;

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

/// How much an endpoint pattern says, see [`EndpointPattern::rank`].
pub type Rank = (usize, bool, bool);

/// Which requests are meant: methods and a path pattern, `POST /v1/payment/{id}`, `GET *`, `GET,HEAD /v1/*`, `/health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPattern {
    /// In upper case; none means any.
    methods: Vec<Box<str>>,
    path: PathPattern,
}

impl EndpointPattern {
    /// Parses one.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "{text:?} is no endpoint pattern: {why}; write \"POST /v1/payment/{{id}}\", \"GET *\" or \"/v1/**\""
            )
        };
        let text = text.trim();
        let (methods, path) = match text.split_once(char::is_whitespace) {
            Some((methods, path)) => (methods, path.trim_start()),
            None if text.starts_with(['/', '*']) => ("*", text),
            None => return Err(wrong("it has no path")),
        };
        let methods = if methods == "*" {
            Vec::new()
        } else if methods.split(',').all(|m| !m.is_empty() && m.bytes().all(|b| b.is_ascii_alphabetic())) {
            methods.split(',').map(|m| m.to_ascii_uppercase().into()).collect()
        } else {
            return Err(wrong("methods are letters, with commas between them, or \"*\""));
        };
        Ok(Self { methods, path: PathPattern::parse(path).map_err(|why| wrong(&why))? })
    }

    /// Whether a request is meant; `path` by [`segments`].
    pub fn matches(&self, method: &str, path: &[&str]) -> bool {
        self.takes(method) && self.path.matches(path)
    }

    /// Whether requests of that method are meant.
    fn takes(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|m| m.eq_ignore_ascii_case(method))
    }

    /// The path pattern.
    pub const fn path(&self) -> &PathPattern {
        &self.path
    }

    /// How much it says; of two that match, the one with the higher rank is meant: more literal segments first, then the one
    /// that leaves no rest open, then the one that names its methods.
    pub fn rank(&self) -> Rank {
        (self.path.literals, self.path.is_exact(), !self.methods.is_empty())
    }
}

/// As a profile would write it, with `{id}` for `:id`.
impl fmt::Display for EndpointPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        fmt::Display::fmt(&self.path, f)
    }
}

/// A path as a pattern: `{id}`, `:id` and `*` stand for one segment, a last `*` for one or more, `**` for any number; within a
/// segment `*` and `{name}` stand for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    literals: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// Exactly this text.
    Literal(Box<str>),
    /// Any one segment; the text is `{name}` or `*`.
    Any(Box<str>),
    /// One segment of that shape: what it is shown as, and the glob.
    Shape(Box<str>, Box<str>),
    /// Any number of segments, at least so many.
    Rest(usize),
}

impl PathPattern {
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PATTERN || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("its path is too long, or holds characters that a path cannot have".into());
        }
        if text == "*" || text == "/*" || text == "**" || text == "/**" {
            return Ok(Self { segments: vec![Segment::Rest(0)], literals: 0 });
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err("a path begins with \"/\"".into());
        };
        if text.contains('?') || text.contains('#') {
            return Err("a path has no query".into());
        }
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').filter(|part| !part.is_empty()).collect();
        if parts.len() > MAX_SEGMENTS {
            return Err(format!("it has more than {MAX_SEGMENTS} segments"));
        }
        let last = parts.len().saturating_sub(1);
        let segments: Vec<Segment> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| match *part {
                "**" => Segment::Rest(0),
                "*" if at == last => Segment::Rest(1),
                part => Segment::parse(part),
            })
            .collect();
        let literals = segments.iter().filter(|s| matches!(s, Segment::Literal(_) | Segment::Shape(..))).count();
        Ok(Self { segments, literals })
    }

    /// The texts that it compares segments with; a `*` in one stands for any characters.
    pub(in crate::extract) fn texts(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(text) | Segment::Shape(_, text) => Some(&**text),
            Segment::Any(_) | Segment::Rest(_) => None,
        })
    }

    /// Whether it leaves no rest open.
    pub fn is_exact(&self) -> bool {
        !self.segments.iter().any(|s| matches!(s, Segment::Rest(_)))
    }

    /// Whether a path is meant; `path` by [`segments`].
    pub fn matches(&self, path: &[&str]) -> bool {
        let (mut at, mut wanted) = (0usize, 0usize);
        // Where to go on when a segment does not match: after the last rest, having let it take one segment more.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.segments.get(wanted), path.get(at)) {
                (Some(Segment::Rest(least)), _) => {
                    let from = at.saturating_add(*least);
                    if from > path.len() {
                        return false;
                    }
                    wanted += 1;
                    at = from;
                    retry = Some((wanted, at));
                    continue;
                }
                (None, None) => return true,
                (Some(segment), Some(text)) if segment.matches(text) => {
                    at += 1;
                    wanted += 1;
                    continue;
                }
                _ => {}
            }
            match retry {
                Some((after, from)) if from < path.len() => {
                    retry = Some((after, from + 1));
                    wanted = after;
                    at = from + 1;
                }
                _ => return false,
            }
        }
    }

    /// The path that it matches without the credentials in it: `{token}` and `{secret}` stand where the pattern says so.
    /// `None` where it holds none.
    pub fn conceal(&self, path: &[&str]) -> Option<String> {
        if !self.segments.iter().any(Segment::is_secret) || self.open_before_end() {
            return None;
        }
        let shown = path.iter().enumerate().map(|(at, text)| match self.segments.get(at) {
            Some(segment @ (Segment::Any(name) | Segment::Shape(name, _))) if segment.is_secret() => &**name,
            _ => text,
        });
        Some(shown.fold(String::new(), |path, text| path + "/" + text))
    }

    /// Whether an open part stands before its end, so that its segments do not stand where the path's do.
    fn open_before_end(&self) -> bool {
        let fixed = self.segments.split_last().map_or(&[][..], |(_, fixed)| fixed);
        fixed.iter().any(|segment| matches!(segment, Segment::Rest(_)))
    }

    /// The template of a path that it matches: its own words, and `rest` for each segment that it leaves open at its end.
    ///
    /// `None` where an open part stands before its end: then it says nothing of the path's shape.
    pub fn template(&self, path: &[&str], mut rest: impl FnMut(usize, &str, &mut String)) -> Option<String> {
        let fixed = match self.segments.split_last() {
            Some((Segment::Rest(_), fixed)) => fixed,
            _ => &self.segments,
        };
        let mut out = String::new();
        for (at, segment) in fixed.iter().enumerate() {
            out.push('/');
            match segment {
                Segment::Literal(text) | Segment::Shape(text, _) => out.push_str(text),
                Segment::Any(name) if &**name != "*" => out.push_str(name),
                Segment::Any(_) => rest(at, path.get(at).copied().unwrap_or_default(), &mut out),
                Segment::Rest(_) => return None,
            }
        }
        for (at, text) in path.iter().enumerate().skip(fixed.len()) {
            out.push('/');
            rest(at, text, &mut out);
        }
        if out.is_empty() {
            out.push('/');
        }
        Some(out)
    }
}

impl Segment {
    fn parse(part: &str) -> Self {
        if part == "*" {
            return Self::Any("*".into());
        }
        if let Some(name) = part.strip_prefix(':').filter(|n| is_name(n)) {
            return Self::Any(format!("{{{name}}}").into());
        }
        if part.strip_prefix('{').and_then(|p| p.strip_suffix('}')).is_some_and(is_name) {
            return Self::Any(part.into());
        }
        let mut glob = String::new();
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((_, after)) = after.split_once('}') else { break };
            glob.push_str(before);
            glob.push('*');
            rest = after;
        }
        glob.push_str(rest);
        if glob.contains('*') { Self::Shape(part.into(), glob.into()) } else { Self::Literal(part.into()) }
    }

    /// Whether a credential stands there.
    fn is_secret(&self) -> bool {
        match self {
            Self::Any(text) | Self::Shape(text, _) => text.contains("{token}") || text.contains("{secret}"),
            Self::Literal(_) | Self::Rest(_) => false,
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Any(_) | Self::Rest(_) => true,
            Self::Shape(_, shape) => glob(shape.as_bytes(), text.as_bytes()),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.segments {
            [] => f.write_str("/"),
            [Segment::Rest(_)] => f.write_str("*"),
            segments => segments.iter().try_for_each(|segment| match segment {
                Segment::Literal(text) | Segment::Any(text) | Segment::Shape(text, _) => write!(f, "/{text}"),
                Segment::Rest(0) => f.write_str("/**"),
                Segment::Rest(_) => f.write_str("/*"),
            }),
        }
    }
}

/// A path's segments, without empty ones; at most [`MAX_SEGMENTS`], the last of which holds whatever follows.
pub fn segments(path: &str) -> Vec<&str> {
    path.splitn(MAX_SEGMENTS.saturating_add(1), '/').filter(|part| !part.is_empty()).collect()
}

/// A name of a placeholder.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Whether a text is of a shape in which `*` stands for any characters.
fn glob(shape: &[u8], text: &[u8]) -> bool {
    let (mut at, mut wanted) = (0usize, 0usize);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (shape.get(wanted), text.get(at)) {
            (Some(b'*'), _) => {
                wanted += 1;
                retry = Some((wanted, at));
            }
            (None, None) => return true,
            (Some(a), Some(b)) if a == b => {
                at += 1;
                wanted += 1;
            }
            _ => match retry {
                Some((after, from)) if from < text.len() => {
                    retry = Some((after, from + 1));
                    wanted = after;
                    at = from + 1;
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> EndpointPattern {
        EndpointPattern::parse(text).unwrap()
    }

    #[test]
    fn endpoints_match_by_method_and_path() {
        for (pattern, method, path, wanted) in [
            ("POST /v1/payment", "POST", "/v1/payment", true),
            ("POST /v1/payment", "POST", "/v1/payment/", true),
            ("POST /v1/payment", "GET", "/v1/payment", false),
            ("GET /v1/payment/:id", "GET", "/v1/payment/42", true),
            ("GET /v1/payment/{id}", "GET", "/v1/payment/42/refunds", false),
            ("GET *", "GET", "/", true),
            ("GET *", "GET", "/a/b/c", true),
            ("GET,HEAD /v1/*", "HEAD", "/v1/a/b", true),
            ("/v1/*", "GET", "/v1", false),
            ("/v1/**", "GET", "/v1", true),
            ("/**/banks/**", "GET", "/api/v1/banks", true),
            ("/**/banks/**", "GET", "/api/v1/banks/EXB/accounts", true),
            ("/**/banks/**", "GET", "/api/v1/bank", false),
            ("/**/a/**/b", "GET", "/a/a/x/b/b", true),
            ("/v1/{model}:predict", "POST", "/v1/text-1:predict", true),
            ("/v1/*/x", "GET", "/v1/a/x", true),
            ("/", "GET", "/", true),
        ] {
            assert_eq!(endpoint(pattern).matches(method, &segments(path)), wanted, "{pattern} on {method} {path}");
        }
    }

    #[test]
    fn the_more_literal_pattern_ranks_higher() {
        assert!(endpoint("GET /v1/payment/list").rank() > endpoint("GET /v1/payment/:id").rank());
        assert!(endpoint("GET /v1/payment/:id").rank() > endpoint("GET /v1/payment/*").rank());
        assert!(endpoint("GET /v1/payment/*").rank() > endpoint("GET *").rank());
        assert!(endpoint("GET *").rank() > endpoint("*").rank());
    }

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
        assert!(EndpointPattern::parse("POST").unwrap_err().contains("no path"));
        assert!(EndpointPattern::parse("POST v1").unwrap_err().contains("begins with"));
        assert!(EndpointPattern::parse("P0ST /v1").unwrap_err().contains("letters"));
        assert!(HostPattern::parse("https://api.example.com/").unwrap_err().contains("URL"));
    }
}
