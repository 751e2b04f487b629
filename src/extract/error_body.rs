//! What the content of a refusal says: its code, how long to wait, which limit.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::dialect::{Quota, Unit};
use super::json::Json;
use super::phrases::Phrases;
use super::{WireRules, error_code, http_date, phrases, plain, retry_after, span};
use crate::model::{Amount, Body};

/// The content of a response, as far as it can be read.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// JSON.
    Json(Json<'a>),
    /// XML or HTML, and plain text: searched, never parsed.
    Text(Cow<'a, str>),
    /// Nothing that can be read.
    Unreadable,
}

/// More of a text is not searched.
const LONGEST_TEXT: usize = 4096;

/// Objects that hold the fields of an error.
const PARENTS: [&[&str]; 8] = [
    &[],
    &["error"],
    &["error", "details"],
    &["meta"],
    &["details"],
    &["error", "data", "rate"],
    &["errors", "0"],
    &["errors", "0", "extensions"],
];

/// Keys whose value is the wait, and the unit of a bare number.
const WAITS: [(&str, Unit); 13] = [
    ("retry_after", Unit::Unsaid),
    ("retryAfter", Unit::Unsaid),
    ("retry-after", Unit::Unsaid),
    ("retryAfterSeconds", Unit::Delta(1.0)),
    ("retryAfterSec", Unit::Delta(1.0)),
    ("retry_after_seconds", Unit::Delta(1.0)),
    ("retry_after_sec", Unit::Delta(1.0)),
    ("retry_after_s", Unit::Delta(1.0)),
    ("retry_in_seconds", Unit::Delta(1.0)),
    ("backoff_seconds", Unit::Delta(1.0)),
    ("retry_after_ms", Unit::Delta(0.001)),
    ("retryAfterMs", Unit::Delta(0.001)),
    ("retryAfterMilliseconds", Unit::Delta(0.001)),
];

/// How those keys begin.
const WAIT_STARTS: [&str; 2] = ["retry", "backoff"];

/// Keys whose value is the window, and the unit of a bare number.
const WINDOWS: [(&str, f64); 8] = [
    ("window", 1.0),
    ("window_s", 1.0),
    ("window_seconds", 1.0),
    ("windowSeconds", 1.0),
    ("window_ms", 0.001),
    ("windowMs", 0.001),
    ("period", 1.0),
    ("interval", 1.0),
];

/// What stands before the wait in sentences that providers document; a number and a unit follow.
const SENTENCES: [&str; 7] = [
    "retry after ",
    "try again in ",
    "retry in ",
    "try again after ",
    "expected available in ",
    "please wait ",
    "available again in ",
];

/// Whether there is such a sentence at all.
static WAITING: Phrases = Phrases::new(&[
    (SENTENCES[0], 1),
    (SENTENCES[1], 1),
    (SENTENCES[2], 1),
    (SENTENCES[3], 1),
    (SENTENCES[4], 1),
    (SENTENCES[5], 1),
    (SENTENCES[6], 1),
]);

/// Where the sentence for people stands.
const MESSAGES: [&[&str]; 10] = [
    &["message"],
    &["error", "message"],
    &["error"],
    &["errors", "0", "message"],
    &["errors", "0", "detail"],
    &["detail"],
    &["title"],
    &["error_description"],
    &["error_message"],
    &["msg"],
];

/// Where the name of what is limited stands.
const SCOPES: [&[&str]; 3] = [
    &["error", "details", "*", "metadata", "quota_limit"],
    &["error", "details", "*", "violations", "*", "quotaId"],
    &["policyName"],
];

impl<'a> Content<'a> {
    /// Reads a body by its first octet; what its type claims is not needed, and often wrong.
    pub(super) fn of(body: &'a Body) -> Self {
        let octets = body.octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body.octets).trim_ascii_start();
        match octets.first() {
            None => Self::Unreadable,
            Some(b'{' | b'[') => Json::read(octets).map_or(Self::Unreadable, Self::Json),
            Some(_) => {
                let start = octets.get(..LONGEST_TEXT).unwrap_or(octets);
                Self::Text(String::from_utf8_lossy(start))
            }
        }
    }

    /// The provider's code.
    pub(super) fn code(&self, status: u16, rules: Option<&WireRules>) -> Option<Arc<str>> {
        match self {
            Self::Json(body) => error_code::find(body, status, rules.map_or(&[], |rules| &rules.code_pointers)),
            Self::Text(text) => xml_code(text),
            Self::Unreadable => None,
        }
    }

    /// A code that says "too fast", wherever it stands.
    pub(super) fn throttling_code(&self, status: u16, is_throttling: impl Fn(&str) -> bool) -> Option<Arc<str>> {
        match self {
            Self::Json(body) => error_code::find_throttling(body, status, is_throttling),
            Self::Text(text) => xml_code(text).filter(|code| is_throttling(code)),
            Self::Unreadable => None,
        }
    }

    /// The JSON document.
    pub(super) const fn json(&self) -> Option<&Json<'a>> {
        match self {
            Self::Json(body) => Some(body),
            _ => None,
        }
    }

    /// The sentences for people: a few, and bounded.
    pub(super) fn messages(&self) -> impl Iterator<Item = &str> {
        let (body, page) = match self {
            Self::Json(body) => (Some(body), None),
            // A page for people quotes what it likes; only plain text is a message.
            Self::Text(page) if !page.starts_with('<') => (None, Some(&**page)),
            _ => (None, None),
        };
        let places = MESSAGES.iter().filter_map(move |place| error_code::at(body?, place)?.text());
        places.chain(page).map(beginning)
    }

    /// Whether it holds anything that may be a wait.
    pub(super) fn may_ask_to_wait(&self, rules: Option<&WireRules>) -> bool {
        let may_hold_wait = |parent: &Json<'_>| match parent {
            Json::Object(members) => members.iter().any(|(name, _)| WAIT_STARTS.iter().any(|s| name.starts_with(s))),
            _ => false,
        };
        let in_place = self.json().is_some_and(|body| {
            rules.is_some_and(|rules| !rules.retry_pointers.is_empty())
                || PARENTS.iter().filter_map(|parent| error_code::at(body, parent)).any(may_hold_wait)
                || error_code::at(body, &["error", "details"]).is_some()
        });
        in_place
            || rules.is_some_and(|rules| !rules.retry_messages.is_empty())
            || self.messages().any(|message| WAITING.are_in(message.as_bytes()))
    }

    /// Whether it holds anything that may be a quota.
    pub(super) fn may_state_quotas(&self) -> bool {
        self.json().is_some_and(|body| {
            body.get("extensions").is_some()
                || error_code::at(body, &["error", "details"]).is_some()
                || PARENTS.iter().any(|parent| error_code::at(body, parent).is_some_and(|p| p.get("limit").is_some()))
        })
    }

    /// The wait that the body asks for. `near` is how far the header's reset is, to settle a unit.
    pub(super) fn retry_after(
        &self,
        rules: Option<&WireRules>,
        clock: &Clock,
        near: Option<Duration>,
        doubts: &mut Vec<&'static str>,
    ) -> Option<Duration> {
        if let Self::Json(body) = self {
            let own = rules.map_or(&[][..], |rules| &rules.retry_pointers);
            for place in own {
                let steps: Vec<&str> = place.split('/').skip(1).collect();
                let wait = |value: &Json<'_>| wait(value, Unit::Delta(1.0), clock, near)?.ok();
                if let Some(wait) = error_code::first(body, &steps, wait) {
                    return Some(wait);
                }
            }
            for parent in PARENTS.iter().filter_map(|parent| error_code::at(body, parent)) {
                for (key, unit) in WAITS {
                    match parent.get(key).and_then(|value| wait(value, unit, clock, near)) {
                        Some(Ok(wait)) => return Some(wait),
                        Some(Err(doubt)) => doubts.push(doubt),
                        None => {}
                    }
                }
            }
            // google.rpc.RetryInfo
            for value in error_code::matches(body, &["error", "details", "*", "retryDelay"]) {
                let seconds = value.text().and_then(|text| span::seconds(text.as_bytes()));
                if let Some(wait) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
                    return Some(wait);
                }
            }
        }
        let own = rules.map_or(&[][..], |rules| &rules.retry_messages);
        self.messages().find_map(|message| {
            own.iter().find_map(|sentence| by_pattern(message, sentence)).or_else(|| {
                let known = WAITING.are_in(message.as_bytes()).then_some(SENTENCES);
                let rest = known?.iter().find_map(|start| phrases::after(message, start))?;
                leading_span(rest)
            })
        })
    }

    /// The quotas that the body states.
    pub(super) fn quotas(&self, throttled: bool, clock: &Clock) -> Vec<Quota> {
        let Self::Json(body) = self else { return Vec::new() };
        let mut quotas = Vec::new();
        let body_quota = || Quota { body: true, family: "body-only", ..Quota::default() };
        // A GraphQL API that counts costs.
        if let Some(state) = error_code::at(body, &["extensions", "cost", "throttleStatus"]) {
            quotas.push(Quota {
                dimension: Some(Arc::from("cost")),
                limit: state.get("maximumAvailable").and_then(amount),
                remaining: state.get("currentlyAvailable").and_then(amount),
                ..body_quota()
            });
        }
        if throttled {
            quotas.extend(PARENTS.iter().find_map(|parent| limit_of(error_code::at(body, parent)?, clock)));
            // google.rpc.QuotaFailure
            for violation in error_code::matches(body, &["error", "details", "*", "violations", "*"]) {
                let limit = violation.get("quotaValue").and_then(amount);
                let policy = violation.get("quotaId").and_then(Json::text).and_then(|id| plain::word(id.as_bytes()));
                if limit.is_some() {
                    quotas.push(Quota { policy, limit, ..body_quota() });
                }
            }
        }
        quotas.retain(Quota::says_something);
        quotas
    }

    /// What the body says is limited.
    pub(super) fn scope(&self) -> Option<Arc<str>> {
        let Self::Json(body) = self else { return None };
        if let Some(Json::List(policies)) = body.get("violated-policies") {
            let names: Vec<&str> = policies.iter().take(8).filter_map(Json::text).collect();
            return plain::word(names.join(",").as_bytes());
        }
        let named =
            SCOPES.iter().find_map(|place| error_code::first(body, place, |value| Some(value.text()?.to_owned())));
        if let Some(name) = named {
            return plain::word(name.as_bytes());
        }
        // OpenAI's type of a rate limit error is what ran out.
        let kind = error_code::at(body, &["error", "type"]).and_then(Json::text)?;
        matches!(kind, "tokens" | "requests" | "input_tokens" | "output_tokens").then(|| Arc::from(kind))
    }
}

/// A limit with its window, what remains of it, or when it is whole again.
fn limit_of(parent: &Json<'_>, clock: &Clock) -> Option<Quota> {
    let limit = parent.get("limit").and_then(amount)?;
    let window = WINDOWS.iter().find_map(|(key, unit)| seconds(parent.get(key)?, *unit));
    let remaining = parent.get("remaining").and_then(amount);
    let reset = ["reset", "reset_at", "resetAt", "resets_at"].iter().find_map(|key| match parent.get(key)? {
        Json::Text(text) => http_date::read(text.as_bytes(), clock.server),
        _ => None,
    });
    let stated = window.is_some() || remaining.is_some() || reset.is_some();
    stated.then(|| Quota {
        limit: Some(limit),
        remaining,
        window,
        reset,
        body: true,
        family: "body-only",
        ..Quota::default()
    })
}

fn seconds(value: &Json<'_>, unit: f64) -> Option<f64> {
    let seconds = match value {
        Json::Number(number) => number.as_f64()? * unit,
        Json::Text(text) => {
            span::seconds(text.as_bytes()).or_else(|| plain::number(text.as_bytes()).map(|number| number * unit))?
        }
        _ => return None,
    };
    (seconds > 0.0 && seconds <= 366.0 * 86_400.0).then_some(seconds)
}

fn amount(value: &Json<'_>) -> Option<Amount> {
    match value {
        Json::Number(number) => number.as_f64().and_then(Amount::new),
        Json::Text(text) => plain::number(text.as_bytes()).and_then(Amount::new),
        _ => None,
    }
}

/// A wait as a number, a numeral, a length of time or a date; `None` where the value is none of them.
fn wait(value: &Json<'_>, unit: Unit, clock: &Clock, near: Option<Duration>) -> Option<Result<Duration, &'static str>> {
    let text = match value {
        Json::Number(number) => number.to_string(),
        Json::Text(text) if text.len() <= 64 => text.to_string(),
        _ => return None,
    };
    let read = retry_after::read(text.as_bytes(), unit, clock);
    let bare = plain::number(text.as_bytes());
    Some(match (read, bare, unit) {
        (Ok(wait), Some(number), Unit::Unsaid) => settled(wait, number, near),
        (read, ..) => read,
    })
}

/// The same key holds seconds here and milliseconds there: a large number that is no round time needs a witness.
fn settled(wait: Duration, number: f64, near: Option<Duration>) -> Result<Duration, &'static str> {
    let close = |a: f64, b: f64| (a - b).abs() <= 0.1 * b.max(1.0);
    if number < 1000.0 || number % 60.0 == 0.0 {
        return Ok(wait);
    }
    match near.map(|near| near.as_secs_f64()) {
        Some(near) if close(number, near) => Ok(wait),
        Some(near) if close(number / 1000.0, near) => Ok(wait / 1000),
        _ => Err("retry-after-unit-unknown"),
    }
}

/// What of a text is looked at.
fn beginning(text: &str) -> &str {
    // A text of so many octets has no more characters.
    let end = (text.len() > LONGEST_TEXT).then(|| text.char_indices().nth(LONGEST_TEXT)).flatten();
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The seconds at `{n}` of a sentence, in any case.
fn by_pattern(message: &str, sentence: &str) -> Option<Duration> {
    let (before, after) = sentence.split_once("{n}")?;
    let rest = phrases::after(message, before)?;
    let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let follows = rest.get(..after.len()).is_some_and(|start| start.eq_ignore_ascii_case(after));
    follows.then(|| plain::number(number.as_bytes()))?.and_then(|n| Duration::try_from_secs_f64(n).ok())
}

/// `45 seconds.`, `524ms.`, `1h2m3s`, `1 minute`: the length of time at the start of a text.
fn leading_span(text: &str) -> Option<Duration> {
    let mut words =
        text.split(|c: char| c.is_whitespace()).map(|word| word.trim_end_matches(['.', ',', ';', '!', ')', ':']));
    let first = words.next()?;
    let seconds = match plain::number(first.as_bytes()) {
        Some(number) => number * span::unit(words.next()?.as_bytes())?,
        None => span::seconds(first.as_bytes()).filter(|_| first.starts_with(|c: char| c.is_ascii_digit()))?,
    };
    (seconds <= 366.0 * 86_400.0).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

/// The code of an XML error: the content of `Code` or `faultcode`, without a namespace.
fn xml_code(text: &str) -> Option<Arc<str>> {
    const TAGS: [&str; 3] = ["Code", "faultcode", "code"];
    if !text.starts_with('<') {
        return None;
    }
    let mut found: [Option<Arc<str>>; 3] = [None, None, None];
    for element in text.split('<').skip(1) {
        let Some((tag, content)) = element.split_once('>') else { continue };
        let name = tag.split_ascii_whitespace().next().unwrap_or_default();
        let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
        let Some(slot) = TAGS.iter().position(|known| *known == name).and_then(|place| found.get_mut(place)) else {
            continue;
        };
        if slot.is_none() {
            let code = content.trim();
            let code = code.rsplit_once(':').map_or(code, |(_, name)| name);
            *slot = plain::word(code.as_bytes()).filter(|code| !code.contains(' '));
        }
    }
    found.into_iter().flatten().next()
}
