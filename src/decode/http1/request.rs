//! A request's head to what is kept of it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::head::RequestHead;
use super::hosts::Host;
use super::lines::{Lines, Roles};
use super::memory::Memory;
use super::names::Names;
use super::target::Target;
use crate::model::{Credential, HashKey, Interest, Path, Request, Timestamp};

/// More credentials than this in one request are not looked at.
pub(super) const CREDENTIALS: usize = 8;
/// A longer name of a query parameter carries no credential.
const PARAMETER_OCTETS: usize = 64;

/// What is kept of a request; `last_host` is the connection's former host, shared where it is the same.
pub(crate) fn read(
    head: &RequestHead<'_>,
    lines: &Lines<'_>,
    at: Timestamp,
    last_host: &mut Option<Arc<Host>>,
    Memory { methods, names, hosts, .. }: &mut Memory,
    key: &HashKey,
    interest: &dyn Interest,
) -> Request {
    let target = Target::of(head);
    let host = match &lines.host {
        Some(host) if target.authority.is_none() => {
            if last_host.as_ref().is_none_or(|last| !Arc::ptr_eq(last, host)) {
                *last_host = Some(Arc::clone(host));
            }
            Some(Arc::clone(&host.name))
        }
        _ => target.authority.or_else(|| lines.values(Roles::HOST).next()).and_then(|authority| {
            if !last_host.as_ref().is_some_and(|last| last.is(authority, target.secure)) {
                *last_host = hosts.host(authority, target.secure, interest);
            }
            last_host.as_ref().map(|host| Arc::clone(&host.name))
        }),
    };
    let path = if head.method == b"CONNECT" { Path::default() } else { target.shown_path() };
    let credentials = credentials(lines, &target, names, key, interest);
    Request { at: Some(at), method: methods.share(head.method), host, path, credentials }
}

fn credentials(
    lines: &Lines<'_>,
    target: &Target<'_>,
    names: &mut Names,
    key: &HashKey,
    interest: &dyn Interest,
) -> SmallVec<[Credential; 1]> {
    let mut credentials = SmallVec::new();
    for (count, line) in lines.of(Roles::CREDENTIAL).enumerate() {
        if count == CREDENTIALS {
            break;
        }
        if let Some(credential) = names.credential(key, line.name, line.value) {
            credentials.push(credential);
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
            let carrier = [b"?", name].concat();
            credentials.extend(names.credential(key, &carrier, value));
        }
    }
    credentials
}
