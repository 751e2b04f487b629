//! The words that field names are made of.
//!
//! A provider that builds its names from these words needs no row in the table. To teach a new word, add it here.

/// What a word in a field name means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word {
    /// Says nothing: `x`, `api`, `unified`.
    Noise,
    /// Half of the mark `rate-limit`.
    Rate,
    /// The mark of a rate limit in one word: `ratelimit`.
    Mark,
    /// How many units there are.
    Limit,
    /// How many units there are, where it is certain that a quota is spoken of: pages have totals, too.
    Total,
    /// How many are left.
    Remaining,
    /// How many were used.
    Used,
    /// How many were used, where it is certain that a quota is spoken of: others count, too.
    Tally,
    /// A number that is what remains where it stands beside a limit.
    Status,
    /// When the quota is whole again.
    Reset,
    /// With `after` or `in`: when to try again.
    Retry,
    /// What precedes is counted from now.
    After,
    /// What precedes is a point in time.
    Moment,
    /// The length of the window; the flag: its unit is not settled when the number is bare.
    Window(bool),
    /// How much is used, as a ratio or in percent.
    Utilization(Share),
    /// The list of policies, or the policy's name.
    Policy,
    /// The name of the quota or bucket.
    Name,
    /// What is limited; the lower the number, the more it says.
    Scope(u8),
    /// A unit of time: seconds, what it is called as a policy. In `reset-ms` it is the value's unit.
    Span(Option<f64>, &'static str),
    /// A unit of time that never is a window: `milliseconds`.
    Unit(f64),
    /// `per`, `this`: a unit of time follows.
    Per,
    /// What is counted.
    Dimension(&'static str),
    /// Narrows what is counted: `input` of `input-tokens`.
    Narrows(&'static str),
    /// A part of the quota's name.
    Label,
    /// The whole field says nothing of a quota's state: `cost`, `requested`.
    Quiet,
    /// Not in the list: the provider's name, or a part of the quota's name.
    Other,
}

/// How a utilization is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// 0.42, perhaps above 1.
    Ratio,
    /// 42.
    Percent,
}

/// The meaning of a word in lower case.
pub(super) fn word(text: &[u8]) -> Word {
    use Word::{
        After, Dimension, Label, Limit, Mark, Moment, Name, Narrows, Noise, Per, Policy, Quiet, Rate, Remaining, Reset,
        Retry, Scope, Span, Status, Tally, Total, Unit, Used, Utilization, Window,
    };
    match text {
        b"x" | b"api" | b"unified" | b"time" | b"the" | b"of" | b"number" | b"info" => Noise,
        b"rate" => Rate,
        b"ratelimit" | b"ratelimits" | b"ratelimiting" | b"throttle" | b"throttling" => Mark,
        b"limit" | b"limits" | b"max" | b"maximum" | b"quota" | b"allowed" | b"capacity" | b"allowance"
        | b"ceiling" => Limit,
        b"remaining" | b"remain" | b"remains" | b"available" | b"left" => Remaining,
        b"total" => Total,
        b"used" | b"usage" | b"observed" | b"consumed" => Used,
        b"count" | b"current" | b"state" => Tally,
        b"status" => Status,
        b"reset" | b"resets" | b"expiry" | b"expires" | b"expire" | b"next" | b"renew" | b"renews" => Reset,
        b"retry" => Retry,
        b"after" | b"in" => After,
        b"timestamp" | b"at" | b"epoch" | b"utc" | b"date" | b"unix" => Moment,
        b"window" | b"period" | b"duration" => Window(false),
        b"interval" => Window(true),
        b"utilization" | b"utilisation" | b"ratio" => Utilization(Share::Ratio),
        b"percent" | b"percentage" | b"pct" => Utilization(Share::Percent),
        b"policy" => Policy,
        b"name" | b"bucket" => Name,
        b"reason" | b"problem" => Scope(0),
        b"scope" => Scope(1),
        b"type" => Scope(2),
        b"resource" => Scope(3),
        b"source" => Scope(4),
        b"category" => Scope(5),
        b"milliseconds" | b"millis" | b"millisecond" | b"msec" | b"ms" => Unit(0.001),
        b"second" | b"seconds" | b"sec" | b"secs" => Span(Some(1.0), "second"),
        b"secondly" => Span(Some(1.0), "secondly"),
        b"minute" | b"minutes" | b"min" | b"mins" => Span(Some(60.0), "minute"),
        b"minutely" => Span(Some(60.0), "minutely"),
        b"hour" | b"hours" | b"hr" | b"hrs" => Span(Some(3600.0), "hour"),
        b"hourly" => Span(Some(3600.0), "hourly"),
        b"day" | b"days" | b"today" => Span(Some(86_400.0), "day"),
        b"daily" => Span(Some(86_400.0), "daily"),
        b"week" | b"weeks" => Span(Some(604_800.0), "week"),
        b"weekly" => Span(Some(604_800.0), "weekly"),
        // The calendar decides how long these are.
        b"month" | b"months" => Span(None, "month"),
        b"monthly" => Span(None, "monthly"),
        b"year" | b"years" => Span(None, "year"),
        b"yearly" | b"annual" | b"annually" => Span(None, "yearly"),
        b"per" | b"this" => Per,
        b"requests" | b"request" | b"req" | b"reqs" | b"call" | b"calls" => Dimension("requests"),
        b"tokens" | b"token" | b"bysize" => Dimension("tokens"),
        b"complexity" => Dimension("complexity"),
        b"weight" => Dimension("weight"),
        b"order" | b"orders" => Dimension("orders"),
        b"point" | b"points" => Dimension("points"),
        b"credit" | b"credits" => Dimension("credits"),
        b"byte" | b"bytes" => Dimension("bytes"),
        b"query" | b"queries" => Dimension("queries"),
        b"message" | b"messages" => Dimension("messages"),
        b"image" | b"images" => Dimension("images"),
        b"email" | b"emails" => Dimension("emails"),
        b"event" | b"events" => Dimension("events"),
        b"unit" | b"units" => Dimension("units"),
        b"concurrent" | b"concurrency" | b"inflight" | b"parallel" => Dimension("concurrent-requests"),
        b"input" => Narrows("input_"),
        b"output" => Narrows("output_"),
        b"prompt" => Narrows("prompt_"),
        b"completion" => Narrows("completion_"),
        b"user" | b"client" | b"ip" | b"account" | b"post" | b"app" | b"application" | b"method" | b"upstream"
        | b"read" | b"write" | b"reads" | b"writes" | b"search" | b"path" | b"endpoint" | b"route" | b"shop"
        | b"business" | b"subscription" | b"tenant" | b"org" | b"organization" | b"project" | b"key" | b"team"
        | b"workspace" | b"burst" | b"short" | b"medium" | b"long" | b"primary" | b"secondary" | b"merchant"
        | b"partner" | b"bank" => Label,
        // The second half: what pages, uploads and caches are limited to is no quota.
        b"cost" | b"requested" | b"near" | b"nearlimit" | b"replenish" | b"refill" | b"penalty" | b"enabled"
        | b"version" | b"precision" | b"rules" | b"representative" | b"claim" | b"fallback" | b"overage"
        | b"warning" | b"threshold" | b"delay" | b"forwarded" | b"remote" | b"addr" | b"global" | b"ratelimited"
        | b"limited" | b"exceeded" | b"id" | b"page" | b"pagination" | b"pages" | b"paging" | b"item" | b"items"
        | b"size" | b"length" | b"upload" | b"body" | b"cache" | b"age" | b"offset" | b"cursor" | b"results"
        | b"records" | b"rows" | b"depth" | b"memory" | b"cpu" | b"disk" | b"storage" | b"file" | b"files"
        | b"timeout" | b"hops" | b"bandwidth" => Quiet,
        _ => counted_span(text).unwrap_or(Word::Other),
    }
}

/// `1s`, `15m`, `5h`, `7d`, `24hours`.
fn counted_span(text: &[u8]) -> Option<Word> {
    let starts_with_digit = text.first().is_some_and(u8::is_ascii_digit);
    let seconds = if starts_with_digit { crate::extract::span::seconds(text)? } else { return None };
    (seconds >= 1.0).then_some(Word::Span(Some(seconds), ""))
}

/// The window that a tail such as `-1m` says.
pub(super) fn span_of(tail: &[u8]) -> Option<(Option<f64>, &str)> {
    let text = tail.strip_prefix(b"-")?;
    match word(text) {
        Word::Span(seconds, "") => Some((seconds, std::str::from_utf8(text).ok()?)),
        Word::Span(seconds, called) => Some((seconds, called)),
        _ => None,
    }
}

/// Splits a part of a name that is several words written together, and calls `each` for them in order, with the place
/// of the word in the part.
///
/// HTTP/2 writes names in lower case, so that the humps of `UserLimit` are gone: only the list of words can tell.
/// Where the list does not cover the whole part, a known end (`…ratelimit`) is split off, else it is one word.
pub(super) fn split_glued<'a>(part: &'a [u8], each: &mut impl FnMut(usize, &'a [u8], Word)) {
    let known = word(part);
    if known != Word::Other || !(5..=32).contains(&part.len()) {
        return each(0, part, known);
    }
    let mut ends = [0usize; MOST_GLUED];
    let mut tries = 0;
    if let Some(count) = cover(part, 0, &mut ends, 0, &mut tries) {
        let mut start = 0;
        for end in ends.iter().take(count) {
            let piece = part.get(start..*end).unwrap_or_default();
            each(start, piece, word(piece));
            start = *end;
        }
        return;
    }
    let ends: [&[u8]; 4] = [b"ratelimit", b"limit", b"remaining", b"reset"];
    let cut =
        ends.iter().find(|end| part.ends_with(end) && part.len() >= end.len() + 2).map(|end| part.len() - end.len());
    let cut = cut.or_else(|| part.starts_with(b"ratelimit").then_some(b"ratelimit".len()));
    match cut.and_then(|cut| Some((cut, part.split_at_checked(cut)?))) {
        Some((cut, (head, tail))) => {
            each(0, head, word(head));
            each(cut, tail, word(tail));
        }
        None => each(0, part, Word::Other),
    }
}

/// `appminlimit`, `perminuteratelimit`: no name seen needs more.
const MOST_GLUED: usize = 4;

/// How often the list of words is asked for one part of a name, so that no name costs much.
const MOST_TRIES: usize = 96;

/// Covers `part` from `start` with words of the list, the longest first.
fn cover(part: &[u8], start: usize, ends: &mut [usize; MOST_GLUED], count: usize, tries: &mut usize) -> Option<usize> {
    if start == part.len() {
        return Some(count);
    }
    for end in (start + 2..=part.len()).rev() {
        *tries += 1;
        if *tries > MOST_TRIES {
            return None;
        }
        let piece = part.get(start..end)?;
        if word(piece) != Word::Other {
            *ends.get_mut(count)? = end;
            if let Some(count) = cover(part, end, ends, count + 1, tries) {
                return Some(count);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_words_that_are_written_together() {
        for (part, wanted) in [
            ("userlimit", "user limit"),
            ("clientremaining", "client remaining"),
            ("appminlimit", "app min limit"),
            ("perminuteratelimit", "per minute ratelimit"),
            ("readratelimit", "read ratelimit"),
            ("ratelimitbysize", "ratelimit bysize"),
            ("resettime", "reset time"),
            ("acmeratelimit", "acme ratelimit"),
            ("ratelimit", "ratelimit"),
            ("hubspot", "hubspot"),
            ("today", "today"),
            ("perhour", "per hour"),
        ] {
            let mut words = Vec::new();
            split_glued(part.as_bytes(), &mut |_, piece, _| words.push(std::str::from_utf8(piece).unwrap().to_owned()));
            assert_eq!(words.join(" "), wanted);
        }
    }
}
