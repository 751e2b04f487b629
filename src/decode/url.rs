//! Absolute addresses: the host and the path that an exchange is counted under, and the query for its credentials.
//!
//! Source: RFC 3986.

use std::fmt::Write;

/// The parts of an address. User information and fragment are gone.
pub(super) struct Url {
    /// The host in lower case, with the port only where it is not the scheme's own; absent in `/path` alone.
    pub(super) host: Option<String>,
    /// The path, at least `/`; at most [`PATH`] octets, control octets percent-encoded.
    pub(super) path: String,
    /// The query without its question mark.
    pub(super) query: Option<String>,
}

/// The model's bound on a path.
const PATH: usize = 2048;
/// The longest host name (RFC 1035 section 2.3.4) with a port.
const HOST: usize = 255 + 6;

/// Takes an absolute address apart, or a path alone. `None`: it is neither.
pub(super) fn parse(url: &str) -> Option<Url> {
    let url = url.trim();
    let (address, _fragment) = url.split_once('#').unwrap_or((url, ""));
    let (address, query) = match address.split_once('?') {
        Some((address, query)) => (address, Some(query.to_owned())),
        None => (address, None),
    };
    if address.starts_with('/') {
        return Some(Url { host: None, path: path(address), query });
    }
    let (scheme, rest) = address.split_once("://")?;
    let is_scheme =
        !scheme.is_empty() && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    if !is_scheme {
        return None;
    }
    let (authority, behind) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    // User information is a credential: it ends at the last "@".
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(Url { host: Some(host(authority, default_port(scheme))?), path: path(behind), query })
}

/// An authority in lower case, without the port where that is `default`. `None`: it is no host.
pub(super) fn host(authority: &str, default: Option<&str>) -> Option<String> {
    let authority = authority.trim();
    let (name, port) = match authority.rsplit_once(':') {
        // A colon inside brackets belongs to an IPv6 address.
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (authority, None),
    };
    let is_host = !name.is_empty()
        && authority.len() <= HOST
        && !name.chars().any(|c| c.is_control() || c.is_whitespace() || "/?#@<>\"\\".contains(c));
    if !is_host {
        return None;
    }
    let name = name.to_lowercase();
    match port.filter(|port| !port.is_empty() && Some(*port) != default) {
        Some(port) => Some(format!("{name}:{}", port.parse::<u16>().ok()?)),
        None => Some(name),
    }
}

/// The first octets of a text, whole characters only.
pub(super) fn start(text: &str, octets: usize) -> &str {
    text.get(..text.floor_char_boundary(octets)).unwrap_or_default()
}

fn default_port(scheme: &str) -> Option<&'static str> {
    let known = [("http", "80"), ("https", "443"), ("ws", "80"), ("wss", "443")];
    known.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)).map(|(_, port)| port)
}

fn path(path: &str) -> String {
    if path.is_empty() {
        return "/".into();
    }
    if !path.chars().any(char::is_control) {
        return start(path, PATH).into();
    }
    let mut clean = String::with_capacity(path.len().min(PATH));
    for character in path.chars() {
        let room = PATH.saturating_sub(clean.len());
        let mut octets = [0; 4];
        let octets = character.encode_utf8(&mut octets);
        let length = if character.is_control() { octets.len().saturating_mul(3) } else { octets.len() };
        if length > room {
            break;
        }
        if character.is_control() {
            for octet in octets.bytes() {
                // Writing to a string never fails.
                let _ = write!(clean, "%{octet:02X}");
            }
        } else {
            clean.push(character);
        }
    }
    clean
}
