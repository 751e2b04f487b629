//! The words that field names are made of.
//!
//! A provider that builds its names from these words needs no row in the table. To teach a new word, add it here.

/// What a word in a field name means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word {
    /// Says nothing: `x`, `api`, `unified`.
    Noise,
    /// Says nothing of a point in time or a window; what is counted, elsewhere.
    Time,
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
    /// What is counted, and over how many seconds: `rpm`.
    Pace(&'static str, f64),
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

/// The words, sorted.
///
/// What pages, uploads and caches are limited to is no quota, so that their words are quiet; what the calendar decides
/// (a month, a year) has no fixed length.
#[rustfmt::skip]
const WORDS: &[(&str, Word)] = &[
    ("account", Word::Label),
    ("addr", Word::Quiet),
    ("after", Word::After),
    ("age", Word::Quiet),
    ("allowance", Word::Limit),
    ("allowed", Word::Limit),
    ("annual", Word::Span(None, "yearly")),
    ("annually", Word::Span(None, "yearly")),
    ("api", Word::Noise),
    ("app", Word::Label),
    ("application", Word::Label),
    ("at", Word::Moment),
    ("audio", Word::Narrows("audio_")),
    ("available", Word::Remaining),
    ("bandwidth", Word::Quiet),
    ("bank", Word::Label),
    ("body", Word::Quiet),
    ("bucket", Word::Name),
    ("burst", Word::Label),
    ("business", Word::Label),
    ("bysize", Word::Dimension("tokens")),
    ("byte", Word::Dimension("bytes")),
    ("bytes", Word::Dimension("bytes")),
    ("cache", Word::Quiet),
    ("call", Word::Dimension("requests")),
    ("calls", Word::Dimension("requests")),
    ("capacity", Word::Limit),
    ("category", Word::Scope(5)),
    ("ceiling", Word::Limit),
    ("character", Word::Dimension("characters")),
    ("characters", Word::Dimension("characters")),
    ("chars", Word::Dimension("characters")),
    ("claim", Word::Quiet),
    ("client", Word::Label),
    ("completion", Word::Narrows("completion_")),
    ("complexity", Word::Dimension("complexity")),
    ("compute", Word::Narrows("compute_")),
    ("concurrency", Word::Dimension("concurrent-requests")),
    ("concurrent", Word::Dimension("concurrent-requests")),
    ("consumed", Word::Used),
    ("cost", Word::Quiet),
    ("count", Word::Tally),
    ("cpu", Word::Quiet),
    ("credit", Word::Dimension("credits")),
    ("credits", Word::Dimension("credits")),
    ("current", Word::Tally),
    ("currentrequest", Word::Quiet),
    ("cursor", Word::Quiet),
    ("daily", Word::Span(Some(86_400.0), "daily")),
    ("date", Word::Moment),
    ("day", Word::Span(Some(86_400.0), "day")),
    ("days", Word::Span(Some(86_400.0), "day")),
    ("delay", Word::Quiet),
    ("depth", Word::Quiet),
    ("disk", Word::Quiet),
    ("documents", Word::Dimension("documents")),
    ("duration", Word::Window(false)),
    ("email", Word::Dimension("emails")),
    ("emails", Word::Dimension("emails")),
    ("embeddings", Word::Dimension("embeddings")),
    ("enabled", Word::Quiet),
    ("endpoint", Word::Label),
    ("epoch", Word::Moment),
    ("event", Word::Dimension("events")),
    ("events", Word::Dimension("events")),
    ("exceeded", Word::Quiet),
    ("expire", Word::Reset),
    ("expires", Word::Reset),
    ("expiry", Word::Reset),
    ("fallback", Word::Quiet),
    ("file", Word::Quiet),
    ("files", Word::Quiet),
    ("forwarded", Word::Quiet),
    ("frame", Word::Quiet),
    ("generations", Word::Dimension("generations")),
    ("global", Word::Label),
    ("gpu", Word::Narrows("gpu_")),
    ("group", Word::Scope(3)),
    ("hops", Word::Quiet),
    ("hour", Word::Span(Some(3600.0), "hour")),
    ("hourly", Word::Span(Some(3600.0), "hourly")),
    ("hours", Word::Span(Some(3600.0), "hour")),
    ("hr", Word::Span(Some(3600.0), "hour")),
    ("hrs", Word::Span(Some(3600.0), "hour")),
    ("id", Word::Quiet),
    ("image", Word::Dimension("images")),
    ("images", Word::Dimension("images")),
    ("in", Word::After),
    ("inflight", Word::Dimension("concurrent-requests")),
    ("info", Word::Noise),
    ("input", Word::Narrows("input_")),
    ("interval", Word::Window(true)),
    ("ip", Word::Label),
    ("item", Word::Quiet),
    ("items", Word::Quiet),
    ("jobs", Word::Dimension("jobs")),
    ("key", Word::Label),
    ("left", Word::Remaining),
    ("length", Word::Quiet),
    ("level", Word::Used),
    ("limit", Word::Limit),
    ("limited", Word::Quiet),
    ("limits", Word::Limit),
    ("long", Word::Label),
    ("lookups", Word::Dimension("lookups")),
    ("max", Word::Limit),
    ("maximum", Word::Limit),
    ("medium", Word::Label),
    ("memory", Word::Quiet),
    ("merchant", Word::Label),
    ("message", Word::Dimension("messages")),
    ("messages", Word::Dimension("messages")),
    ("method", Word::Label),
    ("millis", Word::Unit(0.001)),
    ("millisecond", Word::Unit(0.001)),
    ("milliseconds", Word::Unit(0.001)),
    ("min", Word::Span(Some(60.0), "minute")),
    ("mins", Word::Span(Some(60.0), "minute")),
    ("minute", Word::Span(Some(60.0), "minute")),
    ("minutely", Word::Span(Some(60.0), "minutely")),
    ("minutes", Word::Span(Some(60.0), "minute")),
    ("month", Word::Span(None, "month")),
    ("monthly", Word::Span(None, "monthly")),
    ("months", Word::Span(None, "month")),
    ("ms", Word::Unit(0.001)),
    ("msec", Word::Unit(0.001)),
    ("mutations", Word::Dimension("mutations")),
    ("name", Word::Name),
    ("near", Word::Quiet),
    ("nearlimit", Word::Quiet),
    ("neurons", Word::Dimension("neurons")),
    ("next", Word::Reset),
    ("number", Word::Noise),
    ("observed", Word::Used),
    ("of", Word::Noise),
    ("offset", Word::Quiet),
    ("operations", Word::Dimension("operations")),
    ("order", Word::Dimension("orders")),
    ("orders", Word::Dimension("orders")),
    ("org", Word::Label),
    ("organization", Word::Label),
    ("output", Word::Narrows("output_")),
    ("overage", Word::Quiet),
    ("page", Word::Quiet),
    ("pages", Word::Quiet),
    ("pagination", Word::Quiet),
    ("paging", Word::Quiet),
    ("parallel", Word::Dimension("concurrent-requests")),
    ("partner", Word::Label),
    ("path", Word::Label),
    ("pct", Word::Utilization(Share::Percent)),
    ("penalty", Word::Quiet),
    ("per", Word::Per),
    ("percent", Word::Utilization(Share::Percent)),
    ("percentage", Word::Utilization(Share::Percent)),
    ("period", Word::Window(false)),
    ("point", Word::Dimension("points")),
    ("points", Word::Dimension("points")),
    ("policy", Word::Policy),
    ("post", Word::Label),
    ("precision", Word::Quiet),
    ("primary", Word::Label),
    ("problem", Word::Scope(0)),
    ("project", Word::Label),
    ("prompt", Word::Narrows("prompt_")),
    ("qpm", Word::Pace("queries", 60.0)),
    ("qps", Word::Pace("queries", 1.0)),
    ("queries", Word::Dimension("queries")),
    ("query", Word::Dimension("queries")),
    ("quota", Word::Limit),
    ("rate", Word::Rate),
    ("ratelimit", Word::Mark),
    ("ratelimited", Word::Quiet),
    ("ratelimiting", Word::Mark),
    ("ratelimits", Word::Mark),
    ("ratio", Word::Utilization(Share::Ratio)),
    ("read", Word::Label),
    ("reads", Word::Label),
    ("reason", Word::Scope(0)),
    ("records", Word::Quiet),
    ("refill", Word::Quiet),
    ("remain", Word::Remaining),
    ("remaining", Word::Remaining),
    ("remains", Word::Remaining),
    ("remote", Word::Quiet),
    ("renew", Word::Reset),
    ("renewal", Word::Noise),
    ("renews", Word::Reset),
    ("replenish", Word::Quiet),
    ("representative", Word::Quiet),
    ("req", Word::Dimension("requests")),
    ("reqs", Word::Dimension("requests")),
    ("request", Word::Dimension("requests")),
    ("requested", Word::Quiet),
    ("requests", Word::Dimension("requests")),
    ("reset", Word::Reset),
    ("resets", Word::Reset),
    ("resource", Word::Scope(3)),
    ("results", Word::Quiet),
    ("retry", Word::Retry),
    ("route", Word::Label),
    ("rows", Word::Quiet),
    ("rpd", Word::Pace("requests", 86_400.0)),
    ("rpm", Word::Pace("requests", 60.0)),
    ("rps", Word::Pace("requests", 1.0)),
    ("rules", Word::Quiet),
    ("scope", Word::Scope(1)),
    ("search", Word::Label),
    ("searches", Word::Dimension("searches")),
    ("sec", Word::Span(Some(1.0), "second")),
    ("second", Word::Span(Some(1.0), "second")),
    ("secondary", Word::Label),
    ("secondly", Word::Span(Some(1.0), "secondly")),
    ("seconds", Word::Span(Some(1.0), "second")),
    ("secs", Word::Span(Some(1.0), "second")),
    ("service", Word::Label),
    ("shop", Word::Label),
    ("short", Word::Label),
    ("size", Word::Quiet),
    ("sms", Word::Dimension("sms")),
    ("source", Word::Scope(4)),
    ("state", Word::Tally),
    ("status", Word::Status),
    ("storage", Word::Quiet),
    ("subscription", Word::Label),
    ("tasks", Word::Dimension("tasks")),
    ("team", Word::Label),
    ("tenant", Word::Label),
    ("the", Word::Noise),
    ("this", Word::Per),
    ("threshold", Word::Quiet),
    ("throttle", Word::Mark),
    ("throttling", Word::Mark),
    ("time", Word::Time),
    ("timeout", Word::Quiet),
    ("timestamp", Word::Moment),
    ("to", Word::After),
    ("today", Word::Span(Some(86_400.0), "day")),
    ("token", Word::Dimension("tokens")),
    ("tokens", Word::Dimension("tokens")),
    ("total", Word::Total),
    ("tpd", Word::Pace("tokens", 86_400.0)),
    ("tpm", Word::Pace("tokens", 60.0)),
    ("transactions", Word::Dimension("transactions")),
    ("type", Word::Scope(2)),
    ("unified", Word::Noise),
    ("unit", Word::Dimension("units")),
    ("units", Word::Dimension("units")),
    ("unix", Word::Moment),
    ("until", Word::After),
    ("upload", Word::Quiet),
    ("upstream", Word::Label),
    ("usage", Word::Used),
    ("used", Word::Used),
    ("user", Word::Label),
    ("utc", Word::Moment),
    ("utilisation", Word::Utilization(Share::Ratio)),
    ("utilization", Word::Utilization(Share::Ratio)),
    ("version", Word::Quiet),
    ("video", Word::Narrows("video_")),
    ("warning", Word::Quiet),
    ("week", Word::Span(Some(604_800.0), "week")),
    ("weekly", Word::Span(Some(604_800.0), "weekly")),
    ("weeks", Word::Span(Some(604_800.0), "week")),
    ("weight", Word::Dimension("weight")),
    ("window", Word::Window(false)),
    ("workspace", Word::Label),
    ("write", Word::Label),
    ("writes", Word::Label),
    ("x", Word::Noise),
    ("year", Word::Span(None, "year")),
    ("yearly", Word::Span(None, "yearly")),
    ("years", Word::Span(None, "year")),
];

/// Where the words of each letter begin in [`WORDS`], so that a word is found among a few.
const LETTERS: [usize; 27] = {
    let mut starts = [0; 27];
    let mut letter = 0;
    let mut place = 0;
    while letter < starts.len() {
        while place < WORDS.len() && ((WORDS[place].0.as_bytes()[0] - b'a') as usize) < letter {
            place += 1;
        }
        starts[letter] = place;
        letter += 1;
    }
    starts
};

/// The meaning of a word in lower case.
pub(super) fn word(text: &[u8]) -> Word {
    let Some(first) = text.first().filter(|first| first.is_ascii_lowercase()) else {
        return counted_span(text).unwrap_or(Word::Other);
    };
    let letter = usize::from(first - b'a');
    let range = LETTERS.get(letter).copied().unwrap_or(0)..LETTERS.get(letter + 1).copied().unwrap_or(0);
    let among = WORDS.get(range).unwrap_or_default();
    among.iter().find(|(known, _)| known.as_bytes() == text).map_or(Word::Other, |(_, meaning)| *meaning)
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
    fn each_word_is_found() {
        assert!(WORDS.is_sorted_by(|a, b| a.0 < b.0), "sorted, and none twice");
        for (text, meaning) in WORDS {
            assert_eq!(word(text.as_bytes()), *meaning, "{text}");
        }
        assert_eq!(word(b"zebra"), Word::Other);
        assert_eq!(word(b"15m"), Word::Span(Some(900.0), ""));
    }

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
