//! Fields whose values are documents of their own: JSON usage, Sentry's limits, Azure's lists.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Context;
use super::forms::MOST_ELEMENTS;
use super::quota::Quota;
use crate::extract::{plain, span};
use crate::model::Amount;

/// How the names of fields end whose value may be an object of percentages.
pub(super) const NAME_END: &[u8] = b"-usage";

/// The keys of a usage object that are percentages, what they count, and the policy where the key says another one.
///
/// Source: <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>
const PERCENTAGES: [(&str, &str, &str); 5] = [
    ("call_count", "requests", ""),
    ("total_time", "time", ""),
    ("total_cputime", "cputime", ""),
    ("acc_id_util_pct", "requests", ""),
    ("app_id_util_pct", "requests", "app"),
];

/// `acme` of `x-acme-usage`.
pub(super) fn policy_of(name: &[u8]) -> &str {
    let name = name.strip_suffix(NAME_END).unwrap_or(name);
    std::str::from_utf8(name.strip_prefix(b"x-").unwrap_or(name)).unwrap_or_default()
}

/// Percentages in a JSON object, or in objects below the identities of accounts.
pub(super) fn json(value: &[u8], policy: &str, context: &mut Context<'_>, quotas: &mut Vec<Quota>) {
    let Ok(Value::Object(object)) = serde_json::from_slice(value) else {
        context.doubt("json-unreadable");
        return;
    };
    if percentages(&object, policy, context, quotas) {
        return;
    }
    for (account, uses) in object.iter().take(MOST_ELEMENTS) {
        for one in uses.as_array().into_iter().flatten().take(MOST_ELEMENTS).filter_map(Value::as_object) {
            let kind = one.get("type").and_then(Value::as_str).unwrap_or("");
            let policy = if kind.is_empty() { account.clone() } else { format!("{account}/{kind}") };
            percentages(one, &policy, context, quotas);
        }
    }
}

fn percentages(
    object: &serde_json::Map<String, Value>,
    policy: &str,
    context: &mut Context<'_>,
    quotas: &mut Vec<Quota>,
) -> bool {
    let mut any = false;
    let policy = plain::word(policy.as_bytes());
    for (key, dimension, own) in PERCENTAGES {
        let Some(percent) = object.get(key).and_then(number) else { continue };
        any = true;
        quotas.push(Quota {
            dimension: Some(Arc::from(dimension)),
            policy: if own.is_empty() { policy.clone() } else { plain::word(own.as_bytes()) },
            utilization: Some(percent / 100.0),
            family: "json-usage",
            ..Quota::default()
        });
    }
    let minutes = object.get("estimated_time_to_regain_access").and_then(number).filter(|minutes| *minutes > 0.0);
    if let Some(wait) = minutes.and_then(|minutes| Duration::try_from_secs_f64(minutes * 60.0).ok()) {
        context.regain = context.regain.max(Some(wait));
    }
    any
}

/// A number that is not negative, perhaps in quotes.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|number| number.is_finite() && *number >= 0.0),
        Value::String(text) => plain::number(text.as_bytes()),
        _ => None,
    }
}

/// `60:error;transaction:key, 2700:default:organization`: seconds, categories, scope, reason, namespaces.
///
/// Source: <https://develop.sentry.dev/sdk/expected-features/rate-limiting/>
pub(super) fn sentry(lines: &[&[u8]], context: &mut Context<'_>, quotas: &mut Vec<Quota>) {
    let mut longest: Option<(f64, Arc<str>)> = None;
    for entry in lines.iter().flat_map(|line| plain::split(line, b',')).take(MOST_ELEMENTS) {
        let mut parts = entry.split(|octet| *octet == b':');
        let Some(seconds) = parts.next().and_then(plain::number) else {
            context.doubt("list-unreadable");
            continue;
        };
        let categories = parts.next().unwrap_or_default();
        let scope = parts.next().and_then(plain::word);
        let reset = Duration::try_from_secs_f64(seconds).ok().map(|wait| context.clock.seen.after(wait));
        let dimension = if categories.is_empty() { plain::word(b"all") } else { plain::word(categories) };
        quotas.push(Quota {
            dimension,
            policy: scope.clone(),
            reset: reset.filter(|_| seconds <= LONGEST_LIMIT),
            family: "sentry",
            ..Quota::default()
        });
        if let Some(scope) = scope
            && longest.as_ref().is_none_or(|(other, word)| seconds > *other || (seconds >= *other && scope < *word))
        {
            longest = Some((seconds, scope));
        }
    }
    if let Some((_, scope)) = longest {
        context.scope(1, &scope, None);
    }
}

/// Nobody is shut out for longer than a year.
const LONGEST_LIMIT: f64 = 366.0 * 86_400.0;

/// `Microsoft.Compute/GetVM3Min;197, …`: policies with what remains; some names end with their window.
///
/// Source: <https://learn.microsoft.com/azure/virtual-machines/troubleshooting/troubleshooting-throttling-errors>
pub(super) fn named_remaining(lines: &[&[u8]], context: &mut Context<'_>, quotas: &mut Vec<Quota>) {
    for entry in lines.iter().flat_map(|line| plain::split(line, b',')).take(MOST_ELEMENTS) {
        let mut parts = plain::split(entry, b';');
        let policy = parts.next().and_then(plain::word);
        let remaining = parts.next().and_then(plain::number).and_then(Amount::new);
        let (Some(policy), Some(remaining)) = (policy, remaining) else {
            context.doubt("list-unreadable");
            continue;
        };
        let window = window_of(&policy);
        quotas.push(Quota {
            policy: Some(policy),
            remaining: Some(remaining),
            window,
            family: "remaining-only",
            ..Quota::default()
        });
    }
}

/// The window at the end of a policy's name: `GetVMScaleSet30Min`.
fn window_of(policy: &str) -> Option<f64> {
    let letters = policy.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let head = policy.len().checked_sub(letters)?;
    let digits = policy.bytes().take(head).rev().take_while(u8::is_ascii_digit).count();
    let start = head.checked_sub(digits).filter(|_| (1..=4).contains(&digits) && letters >= 3)?;
    span::seconds(policy.as_bytes().get(start..)?.to_ascii_lowercase().as_slice())
}
