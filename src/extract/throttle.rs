//! Whether a provider refused an exchange for its rate, and why.

use super::dialect::{Headers, Quota};
use super::explanation::Explanation;
use super::json::Json;
use super::phrases::Phrases;
use super::{WireRules, error_code};
use crate::model::{Amount, ThrottleCause};

/// What is known beside the field lines and the content.
pub(super) struct Refusal<'a, 'c> {
    pub(super) status: u16,
    pub(super) headers: &'a Headers<'a>,
    pub(super) content: Option<&'a Explanation<'c>>,
    pub(super) rules: Option<&'a WireRules>,
}

impl Refusal<'_, '_> {
    /// Whether the exchange was refused for its rate.
    pub(super) fn is_throttled(&self) -> bool {
        if let Some(rules) = self.rules {
            if let Some(code) = self.content.and_then(Explanation::code) {
                if rules.other_codes.iter().any(|other| **other == **code) {
                    return false;
                }
                if rules.throttle_codes.iter().any(|other| **other == **code) {
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
        let scope = self.content.and_then(Explanation::scope).map(|scope| &**scope);
        let kind = self.headers.scope.as_ref().map(|(kind, _)| &**kind);
        let words = [code, kind, scope].into_iter().flatten();
        let said = words.fold(self.content.map_or(0, Explanation::causes), |said, text| said | causes_in(text));
        let says = |group: u32| said & group != 0;
        if says(BILLING) {
            return ThrottleCause::Billing;
        }
        if says(CONCURRENCY) || ran_out_of_concurrency(quotas) {
            return ThrottleCause::Concurrency;
        }
        if says(ABUSE) {
            return ThrottleCause::Abuse;
        }
        if says(BURST) || is_burst(quotas) {
            return ThrottleCause::Burst;
        }
        if quotas.iter().any(|quota| is_spent(quota) || quota.body) || says(QUOTA) {
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
        let Some(body) = self.content.and_then(Explanation::json) else { return false };
        let marked =
            ["errors", "error", "__type"].iter().any(|key| body.get(key).is_some_and(|value| *value != Json::Null));
        marked && (self.has_code() || is_json_rpc_limit(body))
    }

    fn has_code(&self) -> bool {
        let in_header = self.headers.code.and_then(|code| std::str::from_utf8(code).ok());
        in_header.is_some_and(error_code::says_throttled) || self.content.is_some_and(Explanation::says_throttled)
    }

    /// Whether a quota has nothing left.
    fn has_run_out(&self) -> bool {
        self.headers.quotas.iter().any(is_spent)
    }

    /// Whether a sentence says that a rate limit was passed.
    fn says_so(&self) -> bool {
        self.content.is_some_and(Explanation::says_refused)
    }
}

/// Whether a sentence says that a rate limit was passed.
pub(super) fn is_refusal(sentence: &str) -> bool {
    let said = REFUSALS.groups_in(sentence.as_bytes());
    said & ALONE != 0 || said & (LIMIT | PASSED) == LIMIT | PASSED
}

/// What words say of a refusal's cause, a bit for each cause.
pub(super) fn causes_in(words: &str) -> u32 {
    CAUSES.groups_in(words.as_bytes())
}

/// The causes.
const BILLING: u32 = 1;
const CONCURRENCY: u32 = 1 << 1;
const ABUSE: u32 = 1 << 2;
const BURST: u32 = 1 << 3;
const QUOTA: u32 = 1 << 4;

static CAUSES: Phrases = Phrases::new(&[
    ("insufficient_quota", BILLING),
    ("billing", BILLING),
    ("insufficient_credit", BILLING),
    ("upgrade your plan", BILLING),
    ("payment required", BILLING),
    ("concurren", CONCURRENCY),
    ("in flight", CONCURRENCY),
    ("inflight", CONCURRENCY),
    ("simultaneous", CONCURRENCY),
    ("lock_timeout", CONCURRENCY),
    ("secondary rate limit", ABUSE),
    ("abuse", ABUSE),
    ("abnormal-usage", ABUSE),
    ("banned", ABUSE),
    ("spam", ABUSE),
    ("suspicious", ABUSE),
    ("burst", BURST),
    ("spike", BURST),
    ("per second", BURST),
    ("per-second", BURST),
    ("persecond", BURST),
    ("qps", BURST),
    ("secondly", BURST),
    ("quota", QUOTA),
    ("daily", QUOTA),
    ("per day", QUOTA),
    ("perday", QUOTA),
    ("per month", QUOTA),
    ("per hour", QUOTA),
    ("per minute", QUOTA),
]);

/// What a sentence says of a refusal: that there is a limit, that it was passed, or both at once.
const LIMIT: u32 = 1;
const PASSED: u32 = 1 << 1;
const ALONE: u32 = 1 << 2;

static REFUSALS: Phrases = Phrases::new(&[
    ("rate limit", LIMIT),
    ("rate-limit", LIMIT),
    ("request limit", LIMIT),
    ("api limit", LIMIT),
    ("exceed", PASSED),
    ("reached", PASSED),
    ("secondary", PASSED),
    ("hit", PASSED),
    ("too many", PASSED),
    ("been rate limited", PASSED),
    ("too many requests", ALONE),
    ("throttled", ALONE),
    ("too many calls", ALONE),
    ("request rate is too", ALONE),
]);

/// JSON-RPC servers refuse with -32005, "limit exceeded".
///
/// Source: <https://eips.ethereum.org/EIPS/eip-1474>
fn is_json_rpc_limit(body: &Json<'_>) -> bool {
    let code = error_code::at(body, &["error", "code"]);
    body.get("jsonrpc").is_some() && matches!(code, Some(Json::Number(code)) if code.as_i64() == Some(-32_005))
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
