//! Whether a provider refused an exchange for its rate, and why.

use super::dialect::{Headers, Quota};
use super::error_body::Content;
use super::{WireRules, error_code};
use crate::model::{Amount, ThrottleCause};

/// What is known beside the field lines and the content.
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a Headers<'a>,
    pub(super) content: Option<&'a Content>,
    pub(super) rules: Option<&'a WireRules>,
}

impl Refusal<'_> {
    /// Whether the exchange was refused for its rate.
    pub(super) fn is_throttled(&self) -> bool {
        if let Some(rules) = self.rules {
            let code = self.content.and_then(|content| content.code(self.status, self.rules));
            if let Some(code) = code {
                if rules.other_codes.iter().any(|other| **other == *code) {
                    return false;
                }
                if rules.throttle_codes.iter().any(|other| **other == *code) {
                    return true;
                }
            }
            if rules.throttle_statuses.contains(&self.status) {
                return true;
            }
        }
        match self.status {
            // 420 and 430 are what two large providers send in place of 429.
            429 | 420 | 430 => true,
            200..=299 => self.is_refused_in_success(),
            // These say who asks, or for what: a quota that has run out beside them is a coincidence.
            401 | 404 | 405 | 407 | 410 => false,
            403 | 503 => self.has_run_out() || self.headers.refused || self.has_code() || self.says_so(),
            400..=599 => self.headers.refused || self.has_code(),
            _ => false,
        }
    }

    /// Why it was refused, as far as anything says.
    ///
    /// `quotas` are those of the field lines and of the content together.
    pub(super) fn cause(&self, code: Option<&str>, quotas: &[Quota]) -> ThrottleCause {
        let mut words = self.content.map(Content::messages).unwrap_or_default();
        words.extend(code.map(str::to_ascii_lowercase));
        words.extend(self.headers.scope.iter().map(|(kind, _)| kind.to_ascii_lowercase()));
        words.extend(self.content.and_then(Content::scope).map(|scope| scope.to_ascii_lowercase()));
        let says = |wanted: &[&str]| words.iter().any(|word| wanted.iter().any(|w| word.contains(w)));
        if says(&["insufficient_quota", "billing", "insufficient_credit", "upgrade your plan", "payment required"]) {
            return ThrottleCause::Billing;
        }
        if says(&["concurren", "in flight", "inflight", "simultaneous", "lock_timeout"])
            || ran_out_of_concurrency(quotas)
        {
            return ThrottleCause::Concurrency;
        }
        if says(&["secondary rate limit", "abuse", "abnormal-usage", "banned", "spam", "suspicious"]) {
            return ThrottleCause::Abuse;
        }
        if says(&["burst", "spike", "per second", "per-second", "persecond", "qps", "secondly"]) || is_burst(quotas) {
            return ThrottleCause::Burst;
        }
        if quotas.iter().any(|quota| is_spent(quota) || quota.body)
            || says(&["quota", "daily", "per day", "perday", "per month", "per hour", "per minute"])
        {
            return ThrottleCause::Quota;
        }
        ThrottleCause::Unspecified
    }

    /// gRPC and JSON-RPC report refusals in a successful response, as do GraphQL APIs.
    fn is_refused_in_success(&self) -> bool {
        if self.headers.grpc_status == Some(b"8") {
            return true;
        }
        // A successful document may speak of rate limits as its subject: only what is marked as an error counts.
        let Some(body) = self.content.and_then(Content::json) else { return false };
        let marked =
            ["errors", "error", "__type"].iter().any(|key| body.get(key).is_some_and(|value| !value.is_null()));
        marked && (self.has_code() || is_json_rpc_limit(body))
    }

    fn has_code(&self) -> bool {
        let in_header = self.headers.code.and_then(|code| std::str::from_utf8(code).ok());
        in_header.is_some_and(error_code::says_throttled)
            || self
                .content
                .is_some_and(|content| content.throttling_code(self.status, error_code::says_throttled).is_some())
    }

    /// Whether a quota has nothing left.
    fn has_run_out(&self) -> bool {
        self.headers.quotas.iter().any(is_spent)
    }

    /// Whether a sentence says that a rate limit was passed.
    fn says_so(&self) -> bool {
        const LIMITS: [&str; 4] = ["rate limit", "rate-limit", "request limit", "api limit"];
        const PASSED: [&str; 6] = ["exceed", "reached", "secondary", "hit", "too many", "been rate limited"];
        const ALONE: [&str; 4] = ["too many requests", "throttled", "too many calls", "request rate is too"];
        self.content.is_some_and(|content| {
            content.messages().iter().any(|message| {
                ALONE.iter().any(|words| message.contains(words))
                    || LIMITS.iter().any(|limit| message.contains(limit))
                        && PASSED.iter().any(|passed| message.contains(passed))
            })
        })
    }
}

/// JSON-RPC servers refuse with -32005, "limit exceeded".
///
/// Source: <https://eips.ethereum.org/EIPS/eip-1474>
fn is_json_rpc_limit(body: &serde_json::Value) -> bool {
    body.get("jsonrpc").is_some() && body.pointer("/error/code").and_then(serde_json::Value::as_i64) == Some(-32_005)
}

fn is_spent(quota: &Quota) -> bool {
    quota.remaining == Some(Amount::ZERO)
        || matches!((quota.used, quota.limit), (Some(used), Some(limit)) if used >= limit && limit > Amount::ZERO)
}

fn ran_out_of_concurrency(quotas: &[Quota]) -> bool {
    let concurrency = |quota: &Quota| quota.dimension.as_deref().is_some_and(|name| name.starts_with("concurrent"));
    quotas.iter().any(|quota| is_spent(quota) && concurrency(quota))
}

/// Whether only a short window has run out, while a longer one has room.
fn is_burst(quotas: &[Quota]) -> bool {
    let counted = |quota: &&Quota| quota.remaining.is_some() || quota.used.is_some();
    let windows = |spent: bool| {
        quotas.iter().filter(counted).filter(move |quota| is_spent(quota) == spent).filter_map(|quota| quota.window)
    };
    let longest_spent = windows(true).fold(0.0, f64::max);
    longest_spent > 0.0 && windows(false).any(|left| left > longest_spent)
}
