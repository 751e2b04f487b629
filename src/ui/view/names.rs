//! What quotas, scopes and alerts are called on the screen.

use super::super::format;
use super::super::text;
use crate::model::{Alert, QuotaSource, QuotaState, Scope};

/// The provider, or the host where no profile knows it.
pub(super) fn owner(quota: &QuotaState) -> String {
    text::clean(quota.provider.as_deref().unwrap_or(&quota.host)).into_owned()
}

/// The endpoint or the class of endpoints: `POST /v1/payments`, `core (7 endpoints)`.
pub(super) fn quota(quota: &QuotaState) -> String {
    let name = [&*quota.endpoint, &*quota.key.bucket].into_iter().find(|name| !name.is_empty());
    let name = text::clean(name.or(quota.policy.as_deref()).unwrap_or(format::UNKNOWN)).into_owned();
    match quota.endpoints.len() {
        0 | 1 => name,
        // The tracker names 64 at most.
        64.. => format!("{name} (64+ endpoints)"),
        several => format!("{name} ({several} endpoints)"),
    }
}

/// What tells it from others of that name: `· burst · tokens · /min · declared`; short of what other columns say too.
pub(super) fn qualifiers(quota: &QuotaState, whole: bool) -> String {
    let mut qualifiers = String::new();
    let mut add = |word: &str| {
        qualifiers.push_str(" · ");
        qualifiers.push_str(&text::clean(word));
    };
    let name = if quota.endpoint.is_empty() { &quota.key.bucket } else { &quota.endpoint };
    if let Some(policy) = quota.policy.as_deref().filter(|policy| !policy.is_empty() && **policy != **name) {
        add(policy);
    }
    if &*quota.dimension.0 != "requests" {
        add(&quota.dimension.0);
    }
    if let Some(window) = quota.window.filter(|_| whole) {
        add(&format!("/{}", format::per(window)));
    }
    match quota.source {
        QuotaSource::Declared => add("declared"),
        // The numbers carry a `~` besides.
        QuotaSource::Learned if whole => add("learned"),
        QuotaSource::Learned | QuotaSource::Header | QuotaSource::Body => {}
    }
    qualifiers
}

/// `partner k:5f2c9a01`, `api-key "ci bot"`, `ip`.
pub(super) fn scope(scope: Option<&Scope>) -> String {
    let Some(scope) = scope else { return format::UNKNOWN.to_owned() };
    let kind = text::clean(&scope.kind);
    match scope.id.as_deref() {
        None => kind.into_owned(),
        Some(id) if id.contains(' ') => format!("{kind} \"{}\"", text::clean(id)),
        Some(id) => format!("{kind} {}", text::clean(id)),
    }
}

/// What an alert is about: provider or host, policy, scope, code or interface.
pub(super) fn subject(alert: &Alert) -> String {
    let subject = &alert.subject;
    let owner = subject.provider.as_ref().or(subject.host.as_ref());
    let parts = [owner, subject.interface.as_ref(), subject.policy.as_ref()];
    let mut words: Vec<String> = parts.into_iter().flatten().map(|part| text::clean(part).into_owned()).collect();
    if let Some(code) = &subject.error_code {
        words.push(format!("code {}", text::clean(code)));
    }
    if subject.scope.is_some() {
        words.push(scope(subject.scope.as_ref()));
    }
    words.join(" · ")
}

/// `~` where the number is an estimate.
pub(super) fn estimate(quota: &QuotaState) -> &'static str {
    if quota.source == QuotaSource::Learned { "~" } else { "" }
}
