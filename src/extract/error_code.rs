//! Where providers put their error codes, what is plausible as one, and which ones say "too fast".

use std::sync::Arc;

use super::json::Json;
use super::phrases::Phrases;
use super::plain::LONGEST_WORD;

/// The longest code that is kept where it is a problem type, which is a URI (RFC 9457 section 3.1.1).
const LONGEST_TYPE: usize = 128;

/// What a place in a body is believed to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A code, whatever it looks like.
    Code,
    /// A type; some words there only say that it is an error.
    Type,
    /// A name or an identity: only a word of letters is a code.
    Word,
    /// Prose, unless it is one word.
    Text,
}

/// The places, in the order in which they are believed: the steps of RFC 6901 pointers, `*` for any element of an array.
const PLACES: &[(&[&str], Holds)] = &[
    (&["error", "details", "*", "reason"], Holds::Code),
    (&["error", "code"], Holds::Code),
    (&["errors", "0", "extensions", "code"], Holds::Code),
    (&["errors", "0", "code"], Holds::Code),
    (&["code"], Holds::Code),
    (&["error_code"], Holds::Code),
    (&["errorCode"], Holds::Code),
    (&["0", "errorCode"], Holds::Code),
    (&["serviceErrorCode"], Holds::Code),
    (&["retCode"], Holds::Code),
    (&["status", "error_code"], Holds::Code),
    (&["error", "type"], Holds::Type),
    (&["error", "reason", ".tag"], Holds::Code),
    (&["error", "errors", "0", "reason"], Holds::Code),
    (&["error", "status"], Holds::Code),
    (&["errorType"], Holds::Code),
    (&["error_type"], Holds::Code),
    (&["errors", "0", "type"], Holds::Type),
    (&["errors", "0", "id"], Holds::Word),
    (&["errors", "0", "error"], Holds::Text),
    (&["__type"], Holds::Type),
    (&["Error", "Code"], Holds::Code),
    (&["details", "0", "code"], Holds::Code),
    (&["type"], Holds::Type),
    (&["detail", "code"], Holds::Code),
    (&["name"], Holds::Word),
    (&["id"], Holds::Word),
    (&["reason"], Holds::Word),
    (&["sys", "id"], Holds::Word),
    (&["error"], Holds::Text),
    (&["message"], Holds::Text),
    (&["1"], Holds::Code),
    (&["error", "0"], Holds::Text),
];

/// Types that only say that the document is an error.
const MERE_TYPES: [&str; 8] =
    ["error", "error.list", "errorresponse", "about:blank", "object", "list", "fault", "exception"];

/// Words that providers use as codes for "too fast", in lower case without punctuation, where a longer code may contain them;
/// and those that turn such a code into something else: settings of a limit, a limit that is not there.
static THROTTLE_WORDS: Phrases = Phrases::new(&[
    ("ratelimit", THROTTLED),
    ("throttl", THROTTLED),
    ("toomanyrequest", THROTTLED),
    ("toomanycalls", THROTTLED),
    ("requestlimitexceeded", THROTTLED),
    ("requestlimitreached", THROTTLED),
    ("requestsexceeded", THROTTLED),
    ("requestquotaexceeded", THROTTLED),
    ("quotaexceeded", THROTTLED),
    ("slowdown", THROTTLED),
    ("resourceexhausted", THROTTLED),
    ("rateexceeded", THROTTLED),
    ("dailylimitexceeded", THROTTLED),
    ("calllimitexceeded", THROTTLED),
    ("apilimitexceeded", THROTTLED),
    ("usagelimitreached", THROTTLED),
    ("provisionedthroughputexceeded", THROTTLED),
    ("bandwidthlimitexceeded", THROTTLED),
    ("temporaryreducedcapacity", THROTTLED),
    ("abnormalusagedetected", THROTTLED),
    ("concurrencylimit", THROTTLED),
    ("invalid", NOT_THROTTLED),
    ("notfound", NOT_THROTTLED),
    ("missing", NOT_THROTTLED),
    ("storagequota", NOT_THROTTLED),
    ("disk", NOT_THROTTLED),
    ("unsupported", NOT_THROTTLED),
]);

const THROTTLED: u32 = 1;
const NOT_THROTTLED: u32 = 1 << 1;

/// A code from the first place that holds a plausible one; the provider's own places, as JSON pointers, come first.
pub(super) fn find(body: &Json<'_>, status: u16, own_places: &[String]) -> Option<Arc<str>> {
    let own = own_places.iter().find_map(|place| {
        let steps: Vec<&str> = place.split('/').skip(1).collect();
        first(body, &steps, |value| plausible(value, Holds::Code, status))
    });
    own.or_else(|| {
        PLACES.iter().find_map(|(place, holds)| first(body, place, |value| plausible(value, *holds, status)))
    })
}

/// The first code, at any place, that says "too fast".
pub(super) fn find_throttling(body: &Json<'_>, status: u16, is_throttling: impl Fn(&str) -> bool) -> Option<Arc<str>> {
    PLACES.iter().find_map(|(place, holds)| {
        first(body, place, |value| plausible(value, *holds, status).filter(|code| is_throttling(code)))
    })
}

/// The first value at a place of which something can be made.
pub(super) fn first<T>(body: &Json<'_>, place: &[&str], mut make: impl FnMut(&Json<'_>) -> Option<T>) -> Option<T> {
    if place.contains(&"*") {
        return matches(body, place).into_iter().find_map(make);
    }
    make(at(body, place)?)
}

/// The value at a place without a `*`.
pub(super) fn at<'v, 'a>(body: &'v Json<'a>, place: &[&str]) -> Option<&'v Json<'a>> {
    place.iter().try_fold(body, |value, step| value.step(step))
}

/// Whether the code says "too fast" in anyone's words.
pub(super) fn says_throttled(code: &str) -> bool {
    let letters: Vec<u8> = code.bytes().filter(u8::is_ascii_alphanumeric).collect();
    THROTTLE_WORDS.groups_in(&letters) == THROTTLED
}

/// The values at a place, at most a few where it has a `*`.
pub(super) fn matches<'v, 'a>(body: &'v Json<'a>, place: &[&str]) -> Vec<&'v Json<'a>> {
    /// More elements than any list of details has.
    const MOST: usize = 16;
    let (fixed, open) = place.split_at(place.iter().position(|step| *step == "*").unwrap_or(place.len()));
    let Some(parent) = at(body, fixed) else { return Vec::new() };
    let mut found = vec![parent];
    for step in open {
        let mut next = Vec::new();
        for value in found {
            match (value, *step) {
                (Json::List(list), "*") => next.extend(list.iter().take(MOST)),
                (value, step) => next.extend(value.step(step)),
            }
        }
        if next.is_empty() {
            return next;
        }
        next.truncate(MOST);
        found = next;
    }
    found
}

/// The code that a value is, if it is one: no flag, no echo of the status, no prose, bounded and printable.
fn plausible(value: &Json<'_>, holds: Holds, status: u16) -> Option<Arc<str>> {
    match value {
        Json::Number(number) => {
            let text = match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => whole.to_string(),
                (None, Some(whole)) if whole.fract() == 0.0 && whole.abs() < 1e15 => format!("{whole:.0}"),
                _ => return None,
            };
            (holds == Holds::Code && text != "0" && !is_echo(&text, status)).then(|| Arc::from(text))
        }
        Json::Text(text) => text_code(text, holds, status),
        _ => None,
    }
}

fn text_code(text: &str, holds: Holds, status: u16) -> Option<Arc<str>> {
    let text = text.trim();
    if holds == Holds::Text && is_kraken(text) {
        return Some(Arc::from(text));
    }
    // `com.amazon.coral.availability#ThrottlingException`
    let text = match text.rsplit_once('#') {
        Some((_, name)) if holds == Holds::Type && !text.contains("://") => name,
        _ => text,
    };
    let longest = if holds == Holds::Type && text.contains("://") { LONGEST_TYPE } else { LONGEST_WORD };
    let printable = text.bytes().all(|b| b.is_ascii_graphic());
    if text.is_empty() || text.len() > longest || !printable || text == "0" || is_echo(text, status) {
        return None;
    }
    let fits = match holds {
        Holds::Code => true,
        Holds::Type => !MERE_TYPES.iter().any(|mere| text.eq_ignore_ascii_case(mere)),
        Holds::Word => is_word(text),
        Holds::Text => is_word(text) && (is_compound(text) || says_throttled(text)),
    };
    fits.then(|| Arc::from(text))
}

/// Letters with `_`, `-` or `.` between: no identity of a request, no number.
fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphabetic() || b"_-.:".contains(&b))
        && text.bytes().next_back().is_some_and(|b| b.is_ascii_alphabetic())
        && text.bytes().filter(u8::is_ascii_alphabetic).count() >= 3
}

/// Several words written as one, as no prose is.
fn is_compound(text: &str) -> bool {
    text.contains(['_', '-', '.']) || text.bytes().all(|b| b.is_ascii_uppercase())
}

/// `EAPI:Rate limit exceeded`: a severity, a category, and a text that is the code.
///
/// Source: <https://docs.kraken.com/api/docs/guides/spot-errors>
fn is_kraken(text: &str) -> bool {
    text.split_once(':').is_some_and(|(category, rest)| {
        category.len() > 2
            && category.starts_with('E')
            && category.bytes().all(|b| b.is_ascii_alphabetic())
            && (1..=LONGEST_WORD).contains(&rest.len())
            && text.len() <= LONGEST_WORD
            && text.bytes().all(|b| (b' '..=b'~').contains(&b))
            && rest.contains(' ')
    })
}

/// A repetition of the status says nothing new.
fn is_echo(text: &str, status: u16) -> bool {
    text.parse() == Ok(status) || text == "429"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Option<String> {
        find(&Json::read(body.as_bytes()).unwrap(), 429, &[]).map(|code| code.to_string())
    }

    #[test]
    fn finds_the_code_and_nothing_else() {
        for (body, wanted) in [
            (r#"{"error":{"code":1454,"message":"x y"}}"#, Some("1454")),
            (r#"{"error":{"code":"TOO_MANY_REQUESTS"}}"#, Some("TOO_MANY_REQUESTS")),
            (r#"{"statusCode":429,"message":"Rate limit exceeded.","error":"Too Many Requests"}"#, None),
            (r#"{"message":"RATE_LIMIT_EXCEEDED"}"#, Some("RATE_LIMIT_EXCEEDED")),
            (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, Some("RESOURCE_EXHAUSTED")),
            (r#"{"error":{"code":429,"details":[{},{"reason":"QUOTA_SPENT"}]}}"#, Some("QUOTA_SPENT")),
            (r#"{"type":"about:blank","title":"Slow down"}"#, None),
            (r#"{"type":"error","error":{"type":"rate_limit_error"}}"#, Some("rate_limit_error")),
            (r#"{"__type":"com.example#ThrottlingException"}"#, Some("ThrottlingException")),
            (r#"{"error":{"code":null,"type":""},"code":false,"errorCode":-7}"#, Some("-7")),
            (r#"{"error":["EAPI:Rate limit exceeded"]}"#, Some("EAPI:Rate limit exceeded")),
            (r#"{"id":"5f2c9a0177","message":"Throttled."}"#, None),
            (r#"["error",11010,"ratelimit: error"]"#, Some("11010")),
            (r#"{"code":42901.0}"#, Some("42901")),
        ] {
            assert_eq!(code(body).as_deref(), wanted, "{body}");
        }
        let long = format!(r#"{{"code":"{}"}}"#, "x".repeat(65));
        assert_eq!(code(&long), None);
        assert_eq!(code("{\"code\":\"a\\u0007b\"}"), None);
    }

    #[test]
    fn tells_too_fast_from_other_refusals() {
        for yes in ["RATE_LIMITED", "rateLimitExceeded", "ThrottlingException", "SlowDown", "EAPI:Rate limit exceeded"]
        {
            assert!(says_throttled(yes), "{yes}");
        }
        for no in ["limit_invalid", "invalid_rate_limit", "rate_limit_not_found", "not_found", "LimitExceededException"]
        {
            assert!(!says_throttled(no), "{no}");
        }
    }
}
