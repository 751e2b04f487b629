//! A response to what it says of quotas, throttling and waiting.

use std::sync::Arc;
use std::time::Duration;

use super::dialect::{self, Known, Quota};
use super::explanation::{Explanation, Explanations};
use super::family::family;
use super::refusals::Refusals;
use super::throttle::Refusal;
use super::{WireRules, error_code, plain};
use crate::model::{Body, Reading, Response, ThrottleCause};

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

/// Reads one response alone. Whoever reads many has a [`Reader`], which says the same.
pub fn read_response(response: &Response, hints: &Hints<'_>) -> Said {
    Reader::new(1).read(response, hints)
}

/// Reads responses, and remembers what the names of their field lines, and values that stand in each, mean.
#[derive(Debug, Clone)]
pub struct Reader {
    known: Known,
    explanations: Explanations,
    refusals: Refusals,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(LAYOUT_SETS)
    }
}

/// Room for 256 lists of names: a lane sees the responses of some dozens of servers, each of which has a few.
const LAYOUT_SETS: usize = 64;

impl Reader {
    pub(super) fn new(sets: usize) -> Self {
        Self { known: Known::new(sets), explanations: Explanations::new(), refusals: Refusals::new() }
    }

    /// What a response says: the same as [`read_response`] finds, whatever was read before.
    pub fn read(&mut self, response: &Response, hints: &Hints<'_>) -> Said {
        self.read_into(response, hints.rules, Vec::new())
    }

    /// The same, in the memory of readings that are of no more use.
    pub(super) fn read_into(
        &mut self,
        response: &Response,
        rules: Option<&WireRules>,
        mut readings: Vec<Reading>,
    ) -> Said {
        match self.read_only_quota(response, rules, &mut readings) {
            Some(family) => Said { dialect: Some(family), readings, ..Said::default() },
            None => self.read_all(response, rules, readings),
        }
    }

    /// Reads a success that says nothing but the numbers of one quota, and gives their family; `None` of any other response.
    /// The reading takes the place of those that are of no more use.
    #[inline]
    pub(super) fn read_only_quota(
        &mut self,
        response: &Response,
        rules: Option<&WireRules>,
        readings: &mut Vec<Reading>,
    ) -> Option<&'static str> {
        if response.body.is_some() || !is_plain_success(response.status, rules) {
            return None;
        }
        let reset_rule = rules.and_then(|rules| rules.reset);
        dialect::read_only_quota(&response.fields, response.at, reset_rule, &mut self.known, readings)
    }

    /// Reads any response, in the memory of readings that are of no more use.
    pub(super) fn read_all(
        &mut self,
        response: &Response,
        rules: Option<&WireRules>,
        mut readings: Vec<Reading>,
    ) -> Said {
        readings.clear();
        read(response, rules, self, readings)
    }
}

/// `readings` are empty.
fn read(response: &Response, rules: Option<&WireRules>, reader: &mut Reader, mut readings: Vec<Reading>) -> Said {
    let Reader { known, explanations, refusals } = reader;
    let status = response.status;
    let digest = response.body.as_ref().and_then(|body| explanations.digest(body));
    if let Some(said) = digest.and_then(|digest| refusals.said(response, digest, rules)) {
        return said.again(readings);
    }
    let reset_rule = rules.and_then(|rules| rules.reset);
    let layout = known.layout(&response.fields);
    if layout.says_nothing() && response.body.is_none() && is_plain_success(status, rules) {
        return Said { readings, ..Said::default() };
    }
    let mut headers = dialect::read(&layout, &response.fields, response.at, reset_rule, known);
    let body = response.body.as_ref().filter(|body| is_worth_reading(body, status, rules));
    let content = body.map(|body| explanations.of(body, digest, status, rules));
    let refusal = Refusal { status, headers: &headers, content: content.as_ref(), rules };
    let throttled = refusal.is_throttled();
    let error_code = throttled.then(|| code(&refusal)).flatten();
    let nearest_reset = headers.quotas.iter().filter_map(|quota| quota.reset).min();
    let near = nearest_reset.map(|reset| reset.since(headers.clock.server));
    let mut quotas = std::mem::take(&mut headers.quotas);
    let of_body = content.as_ref().map(|content| content.quotas(throttled, &headers.clock)).unwrap_or_default();
    // Those of the field lines alone were united already; where some were one, the others may now be one with it.
    let are_united = of_body.is_empty() && headers.are_apart;
    for quota in of_body {
        add_body_quota(&mut quotas, quota);
    }
    if !are_united {
        dialect::unite(&mut quotas);
    }
    let refusal = Refusal { status, headers: &headers, content: content.as_ref(), rules };
    let cause = throttled.then(|| refusal.cause(error_code.as_deref(), &quotas));
    let mut doubts = std::mem::take(&mut headers.doubts);
    let retry_after = match headers.retry_after {
        Some(wait) => Some(believable(wait, near)),
        None if throttled => {
            let from_body = content.as_ref().and_then(|c| c.retry_after(&headers.clock, near, &mut doubts));
            from_body.or(headers.regain)
        }
        None => None,
    };
    let body_scope = throttled.then(|| content.as_ref().and_then(Explanation::scope)).flatten();
    let scope = headers.scope.clone().or_else(|| body_scope.map(|word| (Arc::clone(word), None)));
    let body_speaks = throttled
        && (headers.retry_after.is_none() && retry_after.is_some() || error_code.is_some() || scope.is_some())
        || quotas.iter().any(|quota| quota.body);
    let dialect = family(&quotas, &headers, body_speaks);
    doubts.sort_unstable();
    doubts.dedup();
    readings.reserve_exact(quotas.len());
    readings.extend(quotas.iter().map(Quota::reading));
    let said = Said { dialect, readings, retry_after, throttled: cause, error_code, scope, doubts };
    if throttled
        && said.doubts.is_empty()
        && content.as_ref().is_some_and(Explanation::is_timeless)
        && let Some(digest) = digest
        && let Some(lines) = layout.timeless_lines(&response.fields, reset_rule)
    {
        refusals.keep(response, lines, digest, rules, &said);
    }
    said
}

/// Whether a status says by itself that nothing was refused.
fn is_plain_success(status: u16, rules: Option<&WireRules>) -> bool {
    (200..400).contains(&status) && !rules.is_some_and(|rules| rules.throttle_statuses.contains(&status))
}

/// Whether a response field name (in any case) may say something. Called for each field line: no allocation.
pub fn is_telling_field(name: &[u8]) -> bool {
    dialect::is_telling(name)
}

/// Whether the content of a response is worth keeping, because it may say why the exchange was refused.
///
/// Successful responses are kept only where the rules say that refusals hide in them: there are too many.
pub fn may_explain_refusal(status: u16, rules: Option<&WireRules>) -> bool {
    match status {
        400.. => true,
        200..=299 => rules.is_some_and(|rules| rules.throttles_in_success || rules.throttle_statuses.contains(&status)),
        _ => false,
    }
}

/// Content of a refusal is always read; of a success only where it might speak of a refusal at all.
fn is_worth_reading(body: &Body, status: u16, rules: Option<&WireRules>) -> bool {
    const HINTS: [&[u8]; 6] = [b"hrottl", b"HROTTL", b"imit", b"IMIT", b"oo many", b"OO_MANY"];
    if may_explain_refusal(status, rules) {
        return true;
    }
    let octets = &body.octets;
    matches!(octets.trim_ascii_start().first(), Some(b'{' | b'['))
        && octets.windows(7).any(|window| HINTS.iter().any(|hint| window.starts_with(hint)))
}

/// The body's code goes before the field's: it says more.
fn code(refusal: &Refusal<'_, '_>) -> Option<Arc<str>> {
    let Refusal { status, headers, content, rules } = *refusal;
    if headers.grpc_status == Some(b"8") {
        return Some(Arc::from("RESOURCE_EXHAUSTED"));
    }
    // A successful document has members of other meaning: only the code of the refusal itself counts.
    let is_success = (200..300).contains(&status);
    let of_refusal = content.filter(|_| is_success).and_then(|content| {
        let known = |code: &str| {
            error_code::says_throttled(code)
                || rules.is_some_and(|rules| rules.throttle_codes.iter().any(|known| known == code))
        };
        content.throttling_code(known)
    });
    let from_body = of_refusal.or_else(|| content?.code().cloned());
    from_body.or_else(|| {
        let name = headers.code?.split(|octet| *octet == b':').next()?;
        let name = name.rsplit(|octet| *octet == b'#').next()?;
        plain::word(name).filter(|word| !word.contains(' '))
    })
}

/// Milliseconds where seconds belong give themselves away beside a reset: 6457 beside a reset 6.5 seconds away.
fn believable(wait: Duration, near: Option<Duration>) -> Duration {
    let seconds = wait.as_secs_f64();
    match near.map(|near| near.as_secs_f64()) {
        Some(near) if seconds >= 1000.0 && near >= 1.0 && (seconds / 1000.0 - near).abs() <= 0.1 * near => wait / 1000,
        _ => wait,
    }
}

/// A quota that the body states may be one that the field lines stated: then it only adds its window.
fn add_body_quota(quotas: &mut Vec<Quota>, quota: Quota) {
    let mut same = quotas.iter_mut().filter(|other| {
        other.limit.is_some()
            && other.limit == quota.limit
            && other.dimension.as_deref().unwrap_or("requests") == quota.dimension.as_deref().unwrap_or("requests")
            && other.window.zip(quota.window).is_none_or(|(a, b)| (a - b).abs() < 1e-6)
            && other.remaining.zip(quota.remaining).is_none_or(|(a, b)| a == b)
    });
    match (same.next(), same.next()) {
        (Some(only), None) => only.absorb(quota),
        _ => quotas.push(quota),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extract::ResetUnit;
    use crate::model::{CommonFields, Fields, Timestamp};

    const NAMES: [&str; 12] = [
        "date",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-used",
        "x-ratelimit-reset",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "ratelimit-policy",
        "x-rate-limit-remaining-day",
        "retry-after",
        "age",
    ];
    const VALUES: [&str; 14] = [
        "0",
        "5",
        "100",
        "5000",
        "60",
        "1790000000",
        "1790000060000",
        "",
        "abc",
        "5, 10",
        "100;w=60",
        "1.5",
        "-1",
        "Mon, 21 Sep 2026 12:53:20 GMT",
    ];

    /// Statuses and contents: of accepted and of refused exchanges.
    const ANSWERS: [(u16, Option<&str>); 8] = [
        (200, None),
        (200, None),
        (429, None),
        (429, Some(r#"{"error":{"code":"rate_limited"}}"#)),
        (403, Some(r#"{"error":{"code":"rate_limited"}}"#)),
        (403, Some(r#"{"message":"no"}"#)),
        (429, Some(r#"{"message":"too fast","retry_after":"2025-08-20T12:00:00Z"}"#)),
        (429, Some(r#"{"limit":100,"remaining":0,"reset":60}"#)),
    ];

    /// A head with values of its own where its server's heads have none in common.
    fn head_of(common: &Arc<CommonFields>, lines: &[(&str, Option<&str>)], values: &[&str]) -> (Fields, Fields) {
        let (mut shared, mut own) = (Fields::new(), Fields::new());
        shared.begin(common);
        let mut values = values.iter();
        for (name, value) in lines {
            let value = value.unwrap_or_else(|| {
                let value = values.next().unwrap();
                shared.push_value(value.as_bytes());
                value
            });
            own.push(name.as_bytes(), value.as_bytes());
        }
        (shared, own)
    }

    proptest! {
        /// What the heads of a server have in common says what it would say in a head alone.
        #[test]
        fn what_heads_have_in_common_means_the_same(
            servers in prop::collection::vec(
                prop::collection::vec(
                    (prop::sample::select(&NAMES[..6]), prop::option::of(prop::sample::select(&VALUES[..9]))), 0..5),
                1..3),
            heads in prop::collection::vec(
                (0usize..3, prop::collection::vec(prop::sample::select(&VALUES[2..8]), 5), 0i64..4, 0usize..3,
                 prop::sample::select(&ANSWERS[..])), 1..24),
        ) {
            let in_common = |lines: &Vec<(&str, Option<&str>)>| {
                let mut common = CommonFields::default();
                for (name, value) in lines {
                    common.push(name.as_bytes(), value.map(str::as_bytes));
                }
                Arc::new(common)
            };
            let common: Vec<_> = servers.iter().map(in_common).collect();
            let mut reader = Reader::default();
            for (server, values, when, rule, (status, content)) in heads {
                let server = server % servers.len();
                let (shared, own) = head_of(&common[server], &servers[server], &values);
                // Among them are times from which the points in time are too far ahead.
                let at = Timestamp::from_secs(1_755_000_000 + when * 170_000);
                let reset = [None, Some(ResetUnit::EpochSeconds), Some(ResetUnit::DeltaSeconds)][rule];
                let rules = WireRules { reset, ..WireRules::default() };
                let hints = Hints { rules: Some(&rules), ..Hints::default() };
                let body = content.map(|content| Body { octets: content.into(), truncated: false });
                let response = |fields| Response { at, status, fields, body: body.clone() };
                prop_assert_eq!(&shared, &own);
                prop_assert_eq!(reader.read(&response(shared), &hints), read_response(&response(own), &hints));
            }
        }

        /// The short way of plain numbers says what the full way says.
        #[test]
        fn plain_numbers_mean_the_same_on_both_ways(
            lines in prop::collection::vec((prop::sample::select(&NAMES[..]), prop::sample::select(&VALUES[..])), 0..5),
            status in prop::sample::select(vec![200u16, 204, 302, 403, 429, 503]),
        ) {
            let mut fields = Fields::new();
            for (name, value) in &lines {
                fields.push(name.as_bytes(), value.as_bytes());
            }
            let response = Response { at: Timestamp::from_secs(1_790_000_000), status, fields, body: None };
            let full = read(&response, None, &mut Reader::new(1), Vec::new());
            prop_assert_eq!(read_response(&response, &Hints::default()), full);
        }
    }
}
