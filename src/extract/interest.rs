//! Which field lines, parameters and bodies are worth keeping.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::Interest;

use super::profile::Profiles;
use super::route::Routes;
use super::{is_telling_field, may_explain_refusal};

/// Request fields that identify the caller wherever they are sent.
///
/// Source: RFC 9110 section 11.6.2 for `Authorization` and section 11.7.1 for `Proxy-Authorization` (which identifies the
/// caller to a proxy, not to the provider, and so is not here); the others are the providers' own documents.
const CREDENTIAL_FIELDS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "apikey",
    "x-apikey",
    "x-api-token",
    "x-auth-token",
    "x-auth-key",
    "x-access-token",
    "private-token",
    "job-token",
    "x-shopify-access-token",
    "x-shopify-storefront-access-token",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
    "x-functions-key",
    "x-mbx-apikey",
    "x-bapi-api-key",
    "kc-api-key",
    "ok-access-key",
    "cb-access-key",
    "api-sign",
    "x-figma-token",
    "x-octopus-apikey",
    "x-rapidapi-key",
    "x-vault-token",
    "x-riot-token",
    "x-subscription-token",
    "x-cmc_pro_api_key",
    "dd-api-key",
    "x-n8n-api-key",
    "circle-token",
    "x-airtable-api-key",
    "key",
    "x-auth",
    "x-token",
    "x-client-id",
    "client-id",
];

/// Query parameters that identify the caller.
const CREDENTIAL_PARAMETERS: &[&str] = &[
    "api_key",
    "apikey",
    "api-key",
    "key",
    "access_token",
    "token",
    "auth_token",
    "auth",
    "app_id",
    "appid",
    "subscription-key",
    "private_token",
    "client_id",
    "x-amz-credential",
];

/// The longest name that is looked at, in octets; longer than any carrier of a credential.
const MAX_NAME: usize = 64;

/// A set of short names that is asked for each field line of each message: one that is not in it is mostly refused by its
/// length and first letter alone, and asking never allocates.
#[derive(Debug, Clone)]
struct Names {
    /// By length, the first letters that occur, a bit each; 27th bit: any other octet.
    first_letters: [u32; MAX_NAME + 1],
    names: BTreeSet<Box<[u8]>>,
}

impl Names {
    fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut set = Self { first_letters: [0; MAX_NAME + 1], names: BTreeSet::new() };
        for name in names {
            let name = name.to_ascii_lowercase().into_bytes();
            if let (Some(letters), Some(first)) = (set.first_letters.get_mut(name.len()), name.first()) {
                *letters |= letter_bit(*first);
                set.names.insert(name.into());
            }
        }
        set
    }

    fn contains(&self, name: &[u8]) -> bool {
        let (Some(letters), Some(first)) = (self.first_letters.get(name.len()), name.first()) else { return false };
        if letters & letter_bit(first.to_ascii_lowercase()) == 0 {
            return false;
        }
        let mut lower = [0u8; MAX_NAME];
        let Some(lower) = lower.get_mut(..name.len()) else { return false };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.names.contains(&*lower)
    }
}

fn letter_bit(octet: u8) -> u32 {
    if octet.is_ascii_lowercase() { 1 << (octet - b'a') } else { 1 << 26 }
}

/// What the extractor wants to see of a message.
#[derive(Debug)]
pub(super) struct Wanted {
    fields: Names,
    parameters: Names,
    routes: Arc<Routes>,
}

impl Wanted {
    pub(super) fn new(profiles: &Profiles, routes: Arc<Routes>) -> Self {
        let carriers = || profiles.iter().flat_map(|profile| profile.carriers()).map(|carrier| &**carrier);
        let fields = CREDENTIAL_FIELDS.iter().copied().chain(carriers().filter(|c| !c.starts_with('?')));
        let parameters = CREDENTIAL_PARAMETERS.iter().copied().chain(carriers().filter_map(|c| c.strip_prefix('?')));
        Self { fields: Names::new(fields), parameters: Names::new(parameters), routes }
    }
}

impl Interest for Wanted {
    fn response_field(&self, name: &[u8]) -> bool {
        is_telling_field(name)
    }

    fn credential_field(&self, name: &[u8]) -> bool {
        self.fields.contains(name)
    }

    fn credential_parameter(&self, name: &[u8]) -> bool {
        self.parameters.contains(name)
    }

    fn content_of_success(&self, host: &str) -> bool {
        self.routes.profiles(host).any(|profile| profile.may_refuse_in_any_success())
    }

    fn content(&self, status: u16, host: Option<&str>, path: Option<&str>) -> bool {
        if may_explain_refusal(status, None) {
            return true;
        }
        let path = path.unwrap_or("/");
        let Some(profile) = host.and_then(|host| self.routes.profile(host, path)) else {
            return false;
        };
        let is_success = status < 400 && !profile.wire().throttle_statuses.contains(&status);
        if is_success { profile.may_refuse_in_success(path) } else { may_explain_refusal(status, Some(profile.wire())) }
    }
}
