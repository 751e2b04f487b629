//! A request's head to what is kept of it.

use std::sync::Arc;

use super::head::RequestHead;
use super::lines::Roles;
use super::names::Names;
use super::target::{self, Target};
use crate::model::{Credential, HashKey, Interest, Request, Timestamp};

/// More credentials than this in one request are not looked at.
const CREDENTIALS: usize = 8;
/// A longer name of a query parameter carries no credential.
const PARAMETER_OCTETS: usize = 64;

/// The host of a connection's last request.
#[derive(Debug)]
pub(crate) struct LastHost {
    /// The authority as it stood, and whether its scheme was `https`.
    authority: Box<[u8]>,
    secure: bool,
    host: Arc<str>,
}

impl LastHost {
    /// A host that TLS named.
    pub(crate) fn named(host: &str) -> Self {
        Self { authority: Box::default(), secure: true, host: host.into() }
    }

    pub(crate) fn host(&self) -> Arc<str> {
        Arc::clone(&self.host)
    }
}

/// What is kept of a request; `last_host` is the connection's former host, shared where it is the same.
pub(crate) fn read(
    head: &RequestHead<'_>,
    at: Timestamp,
    last_host: &mut Option<LastHost>,
    names: &mut Names,
    key: &HashKey,
    interest: &dyn Interest,
) -> Request {
    let target = Target::split(head.method, head.target);
    let authority = target.authority.or_else(|| head.lines.values(Roles::HOST).next());
    let host = authority.and_then(|authority| host(authority, target.secure, last_host));
    let path = if head.method == "CONNECT" { Box::default() } else { target.shown_path() };
    let credentials = credentials(head, &target, names, key, interest);
    Request { at: Some(at), method: names.share(head.method), host, path, credentials }
}

fn host(authority: &[u8], secure: bool, last: &mut Option<LastHost>) -> Option<Arc<str>> {
    match last {
        Some(last) if *last.authority == *authority && last.secure == secure => Some(Arc::clone(&last.host)),
        _ => {
            let host = target::host(authority, secure)?;
            let host = match last {
                Some(last) if *last.host == *host => Arc::clone(&last.host),
                _ => host.into(),
            };
            // User information may be a password: it is not kept.
            *last = (!authority.contains(&b'@')).then(|| LastHost {
                authority: authority.into(),
                secure,
                host: Arc::clone(&host),
            });
            Some(host)
        }
    }
}

fn credentials(
    head: &RequestHead<'_>,
    target: &Target<'_>,
    names: &mut Names,
    key: &HashKey,
    interest: &dyn Interest,
) -> Vec<Credential> {
    let mut credentials = Vec::new();
    for line in head.lines.of(Roles::CREDENTIAL).take(CREDENTIALS) {
        if let Ok(name) = std::str::from_utf8(line.name) {
            credentials.push(Credential { carrier: names.share_lower(name), id: names.caller(key, line.value) });
        }
    }
    if target.query.is_empty() {
        return credentials;
    }
    for parameter in target.query.split(|octet| *octet == b'&') {
        let mut parts = parameter.splitn(2, |octet| *octet == b'=');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        if name.len() <= PARAMETER_OCTETS
            && name.iter().all(u8::is_ascii_graphic)
            && interest.credential_parameter(name)
            && credentials.len() < CREDENTIALS
        {
            let carrier = names.share(&format!("?{}", String::from_utf8_lossy(name).to_ascii_lowercase()));
            credentials.push(Credential { carrier, id: names.caller(key, value) });
        }
    }
    credentials
}
