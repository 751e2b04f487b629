//! A request's head to what is kept of it.

use std::sync::Arc;

use super::head::RequestHead;
use super::names::Names;
use super::target::{self, Target};
use crate::model::{Credential, HashKey, Interest, Request, Timestamp};

/// More credentials than this in one request are not looked at.
const CREDENTIALS: usize = 8;
/// A longer name of a query parameter carries no credential.
const PARAMETER_OCTETS: usize = 64;

/// What is kept of a request; `last_host` is the connection's former host, shared where it is the same.
pub(crate) fn read(
    head: &RequestHead<'_, '_>,
    at: Timestamp,
    last_host: &mut Option<Arc<str>>,
    names: &mut Names,
    key: &HashKey,
    interest: &dyn Interest,
) -> Request {
    let target = Target::split(head.method, head.target);
    let authority = target.authority.or_else(|| head.lines.values(b"host").next());
    let host = authority.and_then(|authority| target::host(authority, target.secure)).map(|host| match last_host {
        Some(last) if **last == *host => Arc::clone(last),
        _ => {
            let new: Arc<str> = host.into();
            *last_host = Some(Arc::clone(&new));
            new
        }
    });
    let path = if head.method == "CONNECT" { Box::default() } else { target.shown_path() };
    let credentials = credentials(head, &target, names, key, interest);
    Request { at: Some(at), method: names.share(head.method), host, path, credentials }
}

fn credentials(
    head: &RequestHead<'_, '_>,
    target: &Target<'_>,
    names: &mut Names,
    key: &HashKey,
    interest: &dyn Interest,
) -> Vec<Credential> {
    let mut credentials = Vec::new();
    for (name, value) in head.lines.iter() {
        if interest.credential_field(name)
            && credentials.len() < CREDENTIALS
            && let Ok(name) = std::str::from_utf8(name)
        {
            let carrier = names.share_lower(name);
            credentials.push(Credential { carrier, id: names.caller(key, value) });
        }
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
