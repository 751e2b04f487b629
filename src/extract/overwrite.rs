//! What was found of an exchange, written over an observation that is of no more use: what of it stays the same is left as it is.

use std::sync::Arc;

use super::destination::Destination;
use super::response::Said;
use crate::model::{DeclaredQuota, Exchange, Observation, Scope, keep_text};

/// Writes what an exchange is, whatever its response says.
#[inline(always)]
pub(super) fn with_exchange(exchange: &mut Exchange, destination: Option<&Destination>, observation: &mut Observation) {
    // Each field is named, so that none keeps what another exchange said.
    let Observation {
        at,
        source,
        client,
        server,
        host,
        method,
        path,
        endpoint,
        status,
        provider,
        latency,
        content_cut,
        dialect: _,
        readings: _,
        declared: _,
        retry_after: _,
        throttled: _,
        error_code: _,
        scope: _,
        doubts: _,
    } = observation;
    let Exchange { request, response, .. } = exchange;
    *at = response.at;
    std::mem::swap(source, &mut exchange.source);
    std::mem::swap(client, &mut exchange.client);
    *server = exchange.server;
    if let Some(request) = request {
        std::mem::swap(host, &mut request.host);
        match method {
            Some(method) => std::mem::swap(method, &mut request.method),
            None => *method = Some(Arc::clone(&request.method)),
        }
        *path = Some(std::mem::take(&mut request.path));
    } else {
        (*host, *method, *path) = (None, None, None);
    }
    if let Some(concealed) = destination.and_then(|destination| destination.concealed.as_ref()) {
        *path = Some(concealed.clone());
    }
    keep_text(endpoint, destination.map(|destination| &destination.endpoint));
    *status = response.status;
    keep_text(provider, destination.and_then(|destination| destination.profile.as_ref()).map(|profile| profile.name()));
    *latency = exchange.latency;
    *content_cut = response.body.as_ref().is_some_and(|body| body.truncated);
}

/// Writes that a response said nothing but a quota of that family, whose reading and scope are written.
#[inline]
pub(super) fn with_only_quota(family: &'static str, observation: &mut Observation) {
    let Observation { dialect, declared, retry_after, throttled, error_code, doubts, .. } = observation;
    *dialect = Some(family);
    declared.clear();
    (*retry_after, *throttled, *error_code) = (None, None, None);
    doubts.clear();
}

/// Writes all that a response said, for whom is counted, and what the agent must count.
pub(super) fn with_said(
    said: Said,
    party: Option<Scope>,
    quotas: Vec<Arc<DeclaredQuota>>,
    observation: &mut Observation,
) {
    observation.dialect = said.dialect;
    observation.readings = said.readings;
    observation.declared = quotas;
    observation.retry_after = said.retry_after;
    observation.throttled = said.throttled;
    observation.error_code = said.error_code;
    observation.scope = party;
    observation.doubts = said.doubts;
}
