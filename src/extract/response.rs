//! A response to what it says of quotas, throttling and waiting.

use std::sync::Arc;
use std::time::Duration;

use super::WireRules;
use crate::model::{Reading, Response, ThrottleCause};

/// What the reader may know beside the response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The authority that was asked, in lower case.
    pub host: Option<&'a str>,
    /// The request's method.
    pub method: Option<&'a str>,
    /// The request's path, without its query.
    pub path: Option<&'a str>,
    /// What the provider's documents say of its wire format.
    pub rules: Option<&'a WireRules>,
}

/// What a response says. Unknown is absent; nothing is guessed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The family of the survey that the quotas came in; absent where the response says nothing.
    pub dialect: Option<&'static str>,
    /// The quotas, in an order that does not depend on the order of the field lines.
    pub readings: Vec<Reading>,
    /// The wait that the provider asks for.
    pub retry_after: Option<Duration>,
    /// Present where the provider refused the exchange for its rate.
    pub throttled: Option<ThrottleCause>,
    /// The provider's own code; only where throttled. Printable ASCII, at most 64 octets.
    pub error_code: Option<Arc<str>>,
    /// For whom or what is counted: a kind or the provider's own word, and an identity that is no secret.
    pub scope: Option<(Arc<str>, Option<Arc<str>>)>,
    /// Values that stood on the wire but could not be believed, by reason.
    pub doubts: Vec<&'static str>,
}

/// Reads one response.
pub fn read_response(_response: &Response, _hints: &Hints<'_>) -> Said {
    Said::default()
}

/// Whether a response field name (in any case) may say something. Called for each field line: no allocation.
pub fn is_telling_field(_name: &[u8]) -> bool {
    true
}

/// Whether the content of a response is worth keeping, because it may say why the exchange was refused.
pub fn may_explain_refusal(status: u16, rules: Option<&WireRules>) -> bool {
    status >= 400 || rules.is_some_and(|r| r.throttles_in_success || r.throttle_statuses.contains(&status))
}
