//! A request's head to what is kept of it.

use std::sync::Arc;

use super::head::RequestHead;
use super::hosts::Host;
use super::lines::Roles;
use super::memory::Memory;
use super::names::Names;
use super::target::Target;
use crate::model::{Credential, HashKey, Interest, Request, Timestamp};

/// More credentials than this in one request are not looked at.
const CREDENTIALS: usize = 8;
/// A longer name of a query parameter carries no credential.
const PARAMETER_OCTETS: usize = 64;

/// What is kept of a request; `last_host` is the connection's former host, shared where it is the same.
pub(crate) fn read(
    head: &RequestHead<'_>,
    at: Timestamp,
    last_host: &mut Option<Arc<Host>>,
    Memory { names, hosts, .. }: &mut Memory,
    key: &HashKey,
    interest: &dyn Interest,
) -> Request {
    let target = Target::split(head.method, head.target);
    let authority = target.authority.or_else(|| head.lines.values(Roles::HOST).next());
    let host = authority.and_then(|authority| {
        let same =
            last_host.as_ref().filter(|last| last.is(authority, target.secure)).map(|last| Arc::clone(&last.name));
        same.or_else(|| {
            *last_host = hosts.host(authority, target.secure, interest);
            last_host.as_ref().map(|host| Arc::clone(&host.name))
        })
    });
    let path = if head.method == "CONNECT" { Box::default() } else { target.shown_path() };
    let credentials = credentials(head, &target, names, key, interest);
    Request { at: Some(at), method: names.share(head.method), host, path, credentials }
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
