//! Patterns for requests, as profiles and the configuration write them: methods and a path.

use std::fmt;

use super::path_pattern::PathPattern;

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

    /// Whether a request is meant; `path` by [`segments`](super::segments).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::segments;

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
    fn says_what_is_wrong_with_a_pattern() {
        assert!(EndpointPattern::parse("POST").unwrap_err().contains("no path"));
        assert!(EndpointPattern::parse("POST v1").unwrap_err().contains("begins with"));
        assert!(EndpointPattern::parse("P0ST /v1").unwrap_err().contains("letters"));
    }
}
