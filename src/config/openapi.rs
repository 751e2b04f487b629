//! An `OpenAPI` document to endpoint patterns: its paths with their methods, behind the paths of its servers.
//!
//! JSON is parsed; of YAML the block style is read that generators and people write, line by line: only the keys below
//! `paths` and the servers' addresses matter, so that what stands deeper need not be understood.
//!
//! Source: <https://spec.openapis.org/oas/v3.1.1.html> sections 4.8.5 and 4.8.8, Swagger 2.0 `basePath`.

use serde_json::Value;

/// The methods that a path item may have.
const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// More servers with different paths than any document names.
const MOST_BASES: usize = 8;

/// What matters of a document.
#[derive(Debug, Default)]
struct Document {
    /// The addresses of its servers.
    servers: Vec<String>,
    /// Paths with the methods that they have.
    paths: Vec<(String, Vec<String>)>,
}

/// Whether an entry of the templates names a document rather than an endpoint.
pub(super) fn is_document(entry: &str) -> bool {
    let path = std::path::Path::new(entry);
    let extensions = ["json", "yaml", "yml"];
    let extension = path.extension().is_some_and(|known| extensions.iter().any(|e| known.eq_ignore_ascii_case(e)));
    extension && !entry.contains(' ') && (!entry.starts_with('/') || path.is_file())
}

/// The endpoint patterns of a document: `GET /v1/orders/{order}`.
///
/// # Errors
/// Where the text is no such document.
pub(super) fn patterns(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = if text.trim_start().starts_with('{') {
        from_json(&serde_json::from_str(text).map_err(|error| format!("is no JSON document: {error}"))?)
    } else {
        from_yaml(text)
    };
    if document.paths.is_empty() {
        return Err("is no OpenAPI document: it has no paths, or writes them in braces".to_owned());
    }
    let mut bases: Vec<&str> = document.servers.iter().map(|server| path_of(server)).take(MOST_BASES).collect();
    bases.sort_unstable();
    bases.dedup();
    if bases.is_empty() {
        bases.push("");
    }
    let mut patterns = Vec::new();
    for base in bases {
        for (path, methods) in &document.paths {
            let path = path.split(['?', '#']).next().unwrap_or_default();
            let whole = format!("{base}{path}");
            if methods.is_empty() {
                patterns.push(whole);
            } else {
                patterns.push(format!("{} {whole}", methods.join(",").to_ascii_uppercase()));
            }
        }
    }
    Ok(patterns)
}

/// `/v1` of `https://api.example.com/v1/`.
fn path_of(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default().trim_end_matches('/')
}

fn from_json(value: &Value) -> Document {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut servers: Vec<String> = value.get("basePath").and_then(text).into_iter().collect();
    let listed = value.get("servers").and_then(Value::as_array).into_iter().flatten();
    servers.extend(listed.filter_map(|server| server.get("url").and_then(text)));
    let paths = value.get("paths").and_then(Value::as_object).into_iter().flatten();
    let paths = paths.filter(|(path, _)| path.starts_with('/')).map(|(path, item)| {
        let keys = item.as_object().into_iter().flat_map(serde_json::Map::keys);
        (path.clone(), keys.filter(|key| is_method(key)).cloned().collect())
    });
    Document { servers, paths: paths.collect() }
}

fn is_method(key: &str) -> bool {
    METHODS.contains(&key)
}

/// The section of a YAML document that a line is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Paths,
    Servers,
    Other,
}

fn from_yaml(text: &str) -> Document {
    let mut document = Document::default();
    let mut section = Section::Other;
    let (mut of_paths, mut of_methods) = (None, None);
    for line in text.lines() {
        let content = line.trim_start_matches(' ');
        if content.trim_end().is_empty() || content.starts_with(['#', '%']) || content.starts_with("---") {
            continue;
        }
        let indent = line.len().saturating_sub(content.len());
        // A list may stand as deep as the key that it belongs to.
        let item = content.strip_prefix("- ");
        let pair = pair(item.unwrap_or(content).trim_start());
        if indent == 0 && item.is_none() {
            let Some((key, value)) = pair else { continue };
            section = match key {
                "paths" => Section::Paths,
                "servers" => Section::Servers,
                _ => Section::Other,
            };
            if key == "basePath" && !value.is_empty() {
                document.servers.push(value.to_owned());
            }
            continue;
        }
        match (section, pair) {
            (Section::Servers, Some(("url", url))) => document.servers.push(url.to_owned()),
            (Section::Paths, Some((key, _))) if item.is_none() => {
                if *of_paths.get_or_insert(indent) == indent {
                    of_methods = None;
                    document.paths.push((key.to_owned(), Vec::new()));
                } else if *of_methods.get_or_insert(indent) == indent && is_method(key) {
                    document.paths.last_mut().into_iter().for_each(|(_, methods)| methods.push(key.to_owned()));
                }
            }
            _ => {}
        }
    }
    document.paths.retain(|(path, _)| path.starts_with('/'));
    document
}

/// A key and its value, each perhaps quoted: `"/v1/orders/{order}": …`.
fn pair(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let (key, value) = match quote {
        Some(quote) => {
            let (key, rest) = text.get(1..)?.split_once(quote)?;
            (key, rest.trim_start().strip_prefix(':')?)
        }
        None => match text.split_once(": ") {
            Some(pair) => pair,
            None => (text.trim_end().strip_suffix(':')?, ""),
        },
    };
    let value = value.split(" #").next().unwrap_or_default().trim();
    let unquoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    Some((key.trim_end(), unquoted('"').or_else(|| unquoted('\'')).unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_json_and_yaml() {
        let json = r#"{"openapi":"3.1.0","servers":[{"url":"https://api.example.com/v2/"}],"paths":{
            "/shops/{city}":{"get":{},"parameters":[],"post":{}},"/any":{"$ref":"x"},"x-note":{}}}"#;
        assert_eq!(patterns(json).unwrap(), ["GET,POST /v2/shops/{city}", "/v2/any"]);
        let yaml = "\
openapi: 3.0.3
info:
  title: Shops
  description: |
    paths:
      /not/this: {}
servers:
- url: 'https://api.example.com/v2'   # production
  description: one
- url: https://{region}.example.com/v2
tags:
  - name: a
paths:
  # the shops
  /shops/{city}:
    parameters:
    - name: city
      in: path
    get:
      description: >-
        Lists
        post: nothing
      responses: {}
    post:
      responses: {}
  \"/shops/{city}/items.{format}\":
    delete:
      get: 1
components:
  /nor/this:
    get: {}
";
        assert_eq!(patterns(yaml).unwrap(), ["GET,POST /v2/shops/{city}", "DELETE /v2/shops/{city}/items.{format}"]);
        let swagger = "swagger: '2.0'\nhost: api.example.com\nbasePath: /v1\npaths:\n    /a/{b}:\n        get:\n            x: 1\n";
        assert_eq!(patterns(swagger).unwrap(), ["GET /v1/a/{b}"]);
        for none in ["", "{}", "name: x\n", "{\"paths\":"] {
            assert!(patterns(none).is_err(), "{none}");
        }
    }

    #[test]
    fn tells_documents_from_endpoints() {
        assert!(is_document("openapi.yaml") && is_document("specs/api.JSON"));
        assert!(!is_document("GET /v1/report.json") && !is_document("/v1/report.json") && !is_document("GET *"));
    }
}
