//! The grammar of names: what the words of a field name say together.
//!
//! Names are built from words: perhaps the provider (`anthropic`), the mark (`ratelimit`, `rate-limit`), a label
//! (`user`), what is counted (`input-tokens`), the window (`minute`), the field (`remaining`), the unit (`ms`), in any
//! order after the mark. So a provider that nobody has met is read right if it names its fields like the others.

use super::name::{Field, LONGEST_NAME, Mark, Name, Unit, hash};
use super::words::{self, Share, Word};

/// What the words of a name have said so far.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word that was heard or not")]
struct Heard {
    reset: bool,
    retry: bool,
    after: bool,
    moment: bool,
    window: Option<bool>,
    share: Option<Share>,
    remaining: bool,
    used: bool,
    tally: bool,
    status: bool,
    limit: bool,
    total: bool,
    time: bool,
    policy: bool,
    name: bool,
    scope: Option<u8>,
    /// The last word says for whom or what is counted.
    ends_in_scope: bool,
    unit: Option<f64>,
    /// Units of time in the plural: the unit of a length of time, or what is counted.
    plural: Option<f64>,
    quiet: bool,
    /// A label stands after the mark that is not in the list.
    strange: bool,
    /// `api`, `burst`: what has those is limited.
    evident: bool,
    /// Several of what is counted: `requests`, not `request`.
    several: bool,
    past_mark: bool,
    /// The word before.
    last: Option<(Word, usize)>,
}

impl Heard {
    /// Whether a word was heard that names a part of a quota.
    fn any_field(&self) -> bool {
        self.limit
            || self.remaining
            || self.used
            || self.tally
            || self.status
            || self.reset
            || self.retry
            || self.window.is_some()
            || self.share.is_some()
    }
}

/// Reads a name in lower case; `None` where it has nothing to do with a quota.
pub(super) fn read(name: &[u8]) -> Option<Name<'_>> {
    if name.len() > LONGEST_NAME || !name.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(name).ok()?;
    let mark = mark(name);
    let mut heard = Heard::default();
    let mut out = Name::marked(mark.map_or(Mark::Absent, |(_, mark)| mark));
    let separator = if name.contains(&b'-') { b'-' } else { b'_' };
    let mut start = 0;
    for part in name.split(|octet| *octet == separator) {
        let part_start = start;
        start += part.len() + 1;
        // `tokens_usage_based` is one word of a name whose parts are hyphenated.
        if part.contains(&b'_') {
            let mut words = part.split(|octet| *octet == b'_').map(words::word);
            let (first, last) = (words.next(), words.next_back());
            let is_narrowed = matches!((first, last), (Some(Word::Narrows(_)), Some(Word::Dimension(_))));
            if is_narrowed || matches!(first, Some(Word::Dimension(_))) {
                out.dimension = text.get(part_start..part_start + part.len());
                continue;
            }
        }
        words::split_glued(part, &mut |place, piece, word| {
            let place = part_start + place;
            let end = place + piece.len();
            match mark {
                Some((mark_end, _)) if !heard.past_mark && end >= mark_end => heard.past_mark = true,
                // `ms` before the mark is a provider, not a unit.
                Some(_) if !heard.past_mark && matches!(word, Word::Unit(_)) => {
                    out.hear(Word::Other, text, (place, end), &mut heard);
                }
                _ => out.hear(word, text, (place, end), &mut heard),
            }
        });
    }
    if !out.narrows.is_empty() && out.dimension.is_none() {
        match out.narrows {
            "input_" | "output_" | "prompt_" | "completion_" => out.dimension = Some("tokens"),
            narrows => {
                out.narrows = "";
                out.add_label(narrows.trim_end_matches('_'));
            }
        }
    }
    finish(out.sealed(), &heard)
}

impl<'a> Name<'a> {
    /// Takes in the next word, which stands at that place of the name.
    fn hear(&mut self, word: Word, name: &'a str, (start, end): (usize, usize), heard: &mut Heard) {
        let text = name.get(start..end).unwrap_or_default();
        let last = heard.last.replace((word, start));
        let from = last.map_or(start, |(_, from)| from);
        let before = name.get(from..start).unwrap_or_default().trim_end_matches(['-', '_']);
        heard.ends_in_scope &= word == Word::Noise;
        match word {
            Word::Noise => {
                heard.evident |= text == "api";
                if text == "x" {
                    self.x = true;
                    self.owner = hash(self.owner, text.as_bytes());
                }
            }
            Word::Other => {
                let before_mark = self.mark != Mark::Absent && !heard.past_mark;
                let first_of_unmarked =
                    self.mark == Mark::Absent && !self.vendor && !heard.any_field() && !self.has_labels();
                if before_mark || first_of_unmarked {
                    self.vendor = true;
                    self.owner = hash(self.owner, text.as_bytes());
                } else {
                    heard.strange = true;
                    self.add_label(text);
                }
            }
            // `api-key` is one word.
            Word::Label if before == "api" => self.add_label(name.get(from..end).unwrap_or(text)),
            Word::Label => {
                heard.evident |= text == "burst";
                self.add_label(text);
            }
            // `concurrent-requests` is one dimension.
            Word::Dimension(_) if self.dimension == Some(CONCURRENT) => {}
            // The token that somebody has is none of those that a model reads.
            Word::Dimension("tokens") if text == "token" && before == "api" => {
                self.add_label(name.get(from..end).unwrap_or(text));
            }
            Word::Dimension("tokens") if text == "token" && OWNERS_OF_TOKENS.contains(&before) => self.add_label(text),
            Word::Dimension(name) => {
                heard.several |= text.ends_with('s');
                self.dimension = Some(name);
            }
            Word::Narrows(prefix) => self.narrows = prefix,
            Word::Time => match last {
                // `query-time` counts time, not queries.
                Some((Word::Dimension(_), _)) => {
                    self.add_label(before);
                    self.dimension = Some("time");
                }
                _ => heard.time = true,
            },
            Word::Span(seconds, called) => {
                let is_plural = text.ends_with('s') && text.len() > 3 && !called.is_empty();
                let count = before.parse::<u16>().ok().filter(|count| *count > 0 && !called.is_empty());
                if let Some(count) = count {
                    // `10-second`, its number a label already.
                    self.span = Some((seconds.map(|seconds| seconds * f64::from(count)), called));
                } else if is_plural && matches!(last, Some((Word::Narrows(_), _))) {
                    // `audio-seconds`
                    self.dimension = Some(text);
                } else if is_plural && !matches!(last, Some((Word::Per, _))) {
                    heard.plural = seconds;
                } else {
                    self.span = Some((seconds, if called.is_empty() { text } else { called }));
                }
            }
            Word::Pace(dimension, seconds) => {
                self.dimension = Some(dimension);
                self.span = Some((Some(seconds), text));
            }
            Word::Unit(seconds) => heard.unit = Some(seconds),
            Word::Rate | Word::Mark | Word::Per => {}
            Word::Limit => {
                heard.evident |= text == "quota" && !self.vendor;
                heard.limit = true;
            }
            Word::Total => heard.total = true,
            Word::Remaining => heard.remaining = true,
            Word::Used => heard.used = true,
            Word::Tally => heard.tally = true,
            Word::Status => heard.status = true,
            Word::Reset => heard.reset = true,
            Word::Retry => heard.retry = true,
            Word::After => heard.after = true,
            Word::Moment => heard.moment = true,
            Word::Window(loose) => heard.window = Some(loose),
            Word::Utilization(share) => heard.share = Some(share),
            Word::Policy => heard.policy = true,
            Word::Name => heard.name = true,
            Word::Scope(rank) => {
                heard.scope = Some(heard.scope.unwrap_or(rank).min(rank));
                heard.ends_in_scope = true;
            }
            Word::Quiet => heard.quiet = true,
        }
    }
}

/// What several requests at a time are called.
const CONCURRENT: &str = "concurrent-requests";

/// What stands before `token` where it is a credential.
const OWNERS_OF_TOKENS: [&str; 7] = ["auth", "access", "bearer", "client", "personal", "session", "user"];

/// The rank of the last scope that no count is made for: `problem`, `reason`, `scope`, `type`.
const MOST_TELLING_SCOPES: u8 = 2;

/// From what was heard to the field and its unit.
fn finish<'a>(mut out: Name<'a>, heard: &Heard) -> Option<Name<'a>> {
    let marked = out.mark != Mark::Absent;
    let unit = heard.unit.or(heard.plural);
    if heard.retry {
        out.field = Field::Retry;
        out.unit = unit.map_or(Unit::Unsaid, Unit::Delta);
        return heard.after.then_some(out);
    }
    if heard.quiet {
        return None;
    }
    out.field = if heard.reset {
        out.unit = match unit {
            Some(seconds) => Unit::Delta(seconds),
            None if heard.after => Unit::Delta(1.0),
            None if heard.moment => Unit::Moment,
            None => Unit::Unsaid,
        };
        Field::Reset
    } else if let Some(rank) = heard.scope.filter(|rank| heard.ends_in_scope && *rank <= MOST_TELLING_SCOPES) {
        // `limit-type` is no limit.
        out.field = Field::Scope(rank);
        return marked.then_some(out);
    } else if let Some(share) = heard.share {
        if heard.remaining { Field::RemainingShare(share) } else { Field::Utilization(share) }
    } else if heard.remaining {
        Field::Remaining
    } else if let Some(loose) = heard.window {
        out.unit = unit.map_or(Unit::Unsaid, Unit::Delta);
        Field::Window(loose)
    } else if heard.used || heard.tally && (marked || out.span.is_some() || out.dimension == Some(CONCURRENT)) {
        Field::Used
    } else if heard.status {
        Field::Status
    } else if heard.limit || heard.total && marked {
        Field::Limit
    } else if heard.policy && marked {
        Field::Policy
    } else if heard.name && marked {
        Field::Name
    } else if let Some(rank) = heard.scope.filter(|_| marked) {
        Field::Scope(rank)
    } else if marked {
        Field::Bare
    } else {
        return None;
    };
    let is_count = matches!(out.field, Field::Limit | Field::Remaining | Field::Used | Field::Status);
    if is_count && (heard.time || heard.plural.is_some()) {
        // `days-left`, `time-limit`: time itself is what is counted.
        return None;
    }
    let common = matches!(out.dimension, Some("requests" | "tokens" | "credits" | CONCURRENT | "weight"));
    out.evident = marked || heard.evident || common || out.span.is_some();
    out.certain = if marked {
        out.field != Field::Bare || !heard.strange
    } else {
        match out.field {
            Field::Remaining => out.span.is_some() || common,
            // The most tokens that a model takes is no quota, nor is the size of a request.
            Field::Limit => {
                let of_calls = heard.several && matches!(out.dimension, Some("requests" | "credits"));
                out.span.is_some() || out.dimension == Some(CONCURRENT) || of_calls
            }
            Field::Used => out.span.is_some() && out.dimension.is_some(),
            _ => false,
        }
    };
    Some(out)
}

/// Where the mark ends, and how it is spelled. The first one counts.
fn mark(name: &[u8]) -> Option<(usize, Mark)> {
    const JOINED: [&[u8]; 3] = [b"ratelimiting", b"ratelimits", b"ratelimit"];
    const HYPHENATED: [&[u8]; 6] =
        [b"rate-limiting", b"rate-limits", b"rate-limit", b"rate_limiting", b"rate_limits", b"rate_limit"];
    let (place, rest) = (0..name.len())
        .filter_map(|place| Some((place, name.get(place..)?)))
        .find(|(_, rest)| matches!(rest, [b'r', b'a', b't', b'e', ..] | [b't', b'h', b'r', b'o', ..]))?;
    let begins_a_part =
        place.checked_sub(1).is_none_or(|before| name.get(before).is_some_and(|b| !b.is_ascii_alphabetic()));
    if let Some(mark) = JOINED.iter().find(|mark| rest.starts_with(mark)) {
        return Some((place + mark.len(), Mark::Joined)).filter(|_| !rest.starts_with(b"ratelimited"));
    }
    if let Some(mark) = HYPHENATED.iter().find(|mark| rest.starts_with(mark)) {
        let ends = rest.get(mark.len()).is_none_or(|octet| !octet.is_ascii_alphabetic());
        return (ends && begins_a_part).then_some((place + mark.len(), Mark::Hyphenated));
    }
    [&b"throttling"[..], b"throttle"]
        .iter()
        .find(|mark| rest.starts_with(mark))
        .map(|mark| (place + mark.len(), Mark::Joined))
}
