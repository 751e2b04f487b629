//! Field lines to quotas: what providers write, as data and a grammar of names.
//!
//! [`table`] has the names that only their documents explain, [`words`] the words that all other names are made of.

mod counts;
mod draft;
mod forms;
mod ietf;
mod name;
mod quota;
mod resets;
mod special;
mod table;
mod usage;
mod words;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub(super) use name::Unit;
pub(super) use quota::{Quota, unite};

use self::draft::{Claim, Draft};
use self::name::{Field, Name};
use self::table::Means;
use super::clock::Clock;
use super::retry_after::{self, Rank};
use super::wire_rules::ResetUnit;
use super::{http_date, plain};
use crate::model::{Fields, Timestamp};

/// A longer value is not read: Facebook's lists of accounts, the longest seen, stay below 8 KiB.
const LONGEST_VALUE: usize = 16 * 1024;

/// More field lines than any honest response has that speak of quotas.
const MOST_LINES: usize = 96;

/// More quotas than any honest response announces: each is compared with each, and 96 lines can hold thousands.
const MOST_QUOTAS: usize = 128;

/// What a response's field lines say.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    pub(super) quotas: Vec<Quota>,
    /// The wait that the fields ask for.
    pub(super) retry_after: Option<Duration>,
    /// The wait that a usage field asks of whoever is shut out.
    pub(super) regain: Option<Duration>,
    pub(super) scope: Option<(Arc<str>, Option<Arc<str>>)>,
    /// Whether a field says that a rate limiter refused.
    pub(super) refused: bool,
    /// A field's error code.
    pub(super) code: Option<&'a [u8]>,
    pub(super) grpc_status: Option<&'a [u8]>,
    pub(super) clock: Clock,
    /// Whether a field spoke of quotas at all.
    pub(super) spoke: bool,
    pub(super) doubts: Vec<&'static str>,
}

/// What the readers of single fields share.
pub(super) struct Context<'c> {
    clock: Clock,
    reset_rule: Option<ResetUnit>,
    /// Seconds that the response asks to wait.
    wait: Option<f64>,
    regain: Option<Duration>,
    scopes: Option<(u8, Arc<str>, Option<Arc<str>>)>,
    doubts: &'c mut Vec<&'static str>,
}

impl Context<'_> {
    fn doubt(&mut self, reason: &'static str) {
        if !self.doubts.contains(&reason) {
            self.doubts.push(reason);
        }
    }

    /// Keeps the scope that says most: the lowest rank, whatever the order of the fields.
    fn scope(&mut self, rank: u8, kind: &Arc<str>, id: Option<Arc<str>>) {
        let new = (rank, Arc::clone(kind), id);
        if self.scopes.as_ref().is_none_or(|old| new < *old) {
            self.scopes = Some(new);
        }
    }
}

/// Whether a name (in any case) may say something. Cheap: called for each field line of each response.
pub(super) fn is_telling(name: &[u8]) -> bool {
    if name.len() > name::LONGEST_NAME {
        return false;
    }
    if name.len() <= 4 {
        return name.eq_ignore_ascii_case(b"date") || name.eq_ignore_ascii_case(b"age");
    }
    name.iter().enumerate().any(|(place, octet)| {
        let words = RARE.get(usize::from(*octet)).copied().unwrap_or(0);
        words != 0 && tells_at(name, place, words)
    })
}

/// For each octet, in both cases, the telling words that have it as their rarest: a bit for each. Most octets of most
/// names are of no word.
const RARE: [u16; 256] = {
    let mut rare = [0; 256];
    let mut place = 0;
    while place < TELLING.len() {
        let (word, at) = TELLING[place];
        rare[word[at] as usize] |= 1 << place;
        rare[word[at].to_ascii_uppercase() as usize] |= 1 << place;
        place += 1;
    }
    rare
};

/// What names that say something contain, and where in it its rarest octet stands.
const TELLING: [(&[u8], usize); 16] = [
    (b"limit", 2),
    (b"remain", 2),
    (b"quota", 0),
    (b"reset", 2),
    (b"retry", 4),
    (b"left", 2),
    (b"throttl", 1),
    (b"usage", 3),
    (b"used", 0),
    (b"utili", 0),
    (b"concurren", 4),
    (b"window", 0),
    (b"order-count", 7),
    (b"errortype", 6),
    (b"grpc-status", 9),
    (b"bucket-level", 2),
];

/// Whether one of the words (a bit for each) has its rarest octet at that place of the name.
fn tells_at(name: &[u8], place: usize, mut words: u16) -> bool {
    while words != 0 {
        if let Some((word, at)) = TELLING.get(words.trailing_zeros() as usize)
            && let Some(start) = place.checked_sub(*at)
            && let Some(text) = name.get(start..start + word.len())
            && text.iter().zip(*word).all(|(octet, wanted)| octet | 0x20 == *wanted)
        {
            return true;
        }
        words &= words - 1;
    }
    false
}

/// Reads the field lines of a response that was seen at `seen`.
pub(super) fn read(fields: &Fields, seen: Timestamp, reset_rule: Option<ResetUnit>) -> Headers<'_> {
    let mut sorted = Sorted::default();
    let mut lines: Vec<(&[u8], &[u8], Option<&CommonName>)> = Vec::new();
    for (name, value) in fields.iter() {
        // Almost every response has these two, and most of them nothing else.
        match name {
            b"date" => sorted.date = sorted.date.or(Some(value)),
            b"age" => sorted.age = sorted.age.or(Some(value)),
            _ => {
                let common = COMMON.iter().find(|(common, _)| *common == name);
                if lines.len() < MOST_LINES && (common.is_some() || is_telling(name)) {
                    lines.push((name, value, common));
                }
            }
        }
    }
    // The order of lines of different names says nothing; that of lines of one name does (RFC 9110 section 5.3).
    lines.sort_by_key(|(name, ..)| *name);
    for &(name, value, common) in &lines {
        if value.len() <= LONGEST_VALUE {
            match common {
                Some((_, meant)) => sorted.named(name, *meant, value),
                None => sorted.take(name, value),
            }
        }
    }
    let mut out = Headers {
        quotas: Vec::new(),
        retry_after: None,
        regain: None,
        scope: None,
        refused: sorted.refused,
        code: sorted.code,
        grpc_status: sorted.grpc_status,
        clock: Clock::new(seen, None, None),
        spoke: !sorted.documents.is_empty(),
        doubts: Vec::new(),
    };
    if lines.iter().any(|(_, value, _)| value.len() > LONGEST_VALUE) {
        out.doubts.push("value-too-long");
    }
    if sorted.is_empty() {
        return out;
    }
    let date = sorted.date.and_then(|date| http_date::read(date, seen));
    // Of several ages the first counts (RFC 9111 section 5.1).
    let age = sorted.age.and_then(|age| plain::split(age, b',').next()).and_then(plain::number);
    out.clock = Clock::new(seen, date, age);
    let mut context =
        Context { clock: out.clock, reset_rule, wait: None, regain: None, scopes: None, doubts: &mut out.doubts };
    out.retry_after = longest_wait(&mut sorted.waits, &mut context);
    context.wait = out.retry_after.map(|wait| wait.as_secs_f64());
    out.spoke |= out.retry_after.is_none() && !sorted.waits.is_empty();
    let bucket = scopes_of(&sorted.scopes, &mut context);
    let Sorted { drafts, mut claims, documents, .. } = sorted;
    join(&drafts, &mut claims);
    for (index, draft) in drafts.iter().enumerate() {
        if draft::is_proven(draft, &claims, index) {
            out.spoke = true;
            draft::read(draft, index, &claims, &mut context, &mut out.quotas);
        }
    }
    for (document, value) in documents {
        match document {
            Means::JsonUsage(policy) => usage::json(value, policy, &mut context, &mut out.quotas),
            Means::SentryLimits => usage::sentry(value, &mut context, &mut out.quotas),
            _ => usage::named_remaining(value, &mut context, &mut out.quotas),
        }
    }
    out.regain = context.regain;
    out.scope = context.scopes.map(|(_, kind, id)| (kind, id));
    for quota in &mut out.quotas {
        if quota.bucket.is_none() {
            quota.bucket.clone_from(&bucket);
        }
    }
    if out.quotas.len() > MOST_QUOTAS {
        out.quotas.sort_by(Quota::order);
        out.quotas.truncate(MOST_QUOTAS);
        out.doubts.push("too-many-quotas");
    }
    unite(&mut out.quotas);
    out
}

/// Field lines by what their names mean.
#[derive(Default)]
struct Sorted<'a> {
    drafts: Vec<Draft<'a>>,
    claims: Vec<Claim<'a>>,
    documents: Vec<(Means, &'a [u8])>,
    waits: Vec<(Rank, Unit, &'a [u8])>,
    scopes: Vec<(u8, &'static str, &'a [u8])>,
    date: Option<&'a [u8]>,
    age: Option<&'a [u8]>,
    refused: bool,
    code: Option<&'a [u8]>,
    grpc_status: Option<&'a [u8]>,
}

impl<'a> Sorted<'a> {
    fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.documents.is_empty() && self.waits.is_empty() && self.scopes.is_empty()
    }

    fn take(&mut self, name: &'a [u8], value: &'a [u8]) {
        let Some((row, tail)) = table::row(name) else { return self.named(name, name::read(name), value) };
        match row.means {
            Means::GrpcStatus => self.grpc_status = Some(value),
            Means::Code => self.code = self.code.or(Some(value)),
            Means::Refused => self.refused |= value.eq_ignore_ascii_case(b"true"),
            Means::Scope(kind) => self.scopes.push((0, kind, value)),
            document @ (Means::JsonUsage(_) | Means::SentryLimits | Means::NamedRemaining) => {
                self.documents.push((document, value));
            }
            Means::Like(other) => self.named(name, name::read(other.as_bytes()), value),
            Means::Part(part) => self.named(name, Some(part.name().with_span(words::span_of(tail))), value),
        }
    }

    fn named(&mut self, name: &[u8], meant: Option<Name<'a>>, value: &'a [u8]) {
        let Some(meant) = meant else { return };
        match meant.field {
            Field::Retry => self.waits.push((Rank::of(name, meant.unit), meant.unit, value)),
            Field::Scope(rank) => self.scopes.push((rank + 1, "", value)),
            // A switch is no count: `X-RateLimit-Global: true`.
            Field::Bare if value.eq_ignore_ascii_case(b"true") || value.eq_ignore_ascii_case(b"false") => {}
            field => {
                let place = self.drafts.iter().position(|draft| draft.name.same_quota(&meant));
                let place = place.unwrap_or_else(|| {
                    let anthropic = name.starts_with(b"anthropic-ratelimit-");
                    self.drafts.push(Draft { name: meant, certain: false, anthropic });
                    self.drafts.len() - 1
                });
                if let Some(draft) = self.drafts.get_mut(place) {
                    draft.certain |= meant.certain || special(field, value);
                }
                self.claims.push(Claim { draft: place, field, unit: meant.unit, value });
            }
        }
    }
}

/// What the grammar reads of the names that most responses have: to read a name anew costs more than its value. No row of
/// the table has one of them.
static COMMON: LazyLock<Vec<CommonName>> =
    LazyLock::new(|| COMMON_NAMES.iter().map(|name| (name.as_bytes(), name::read(name.as_bytes()))).collect());

/// A name, and what the grammar reads of it.
type CommonName = (&'static [u8], Option<Name<'static>>);

const COMMON_NAMES: [&str; 20] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-used",
    "x-ratelimit-resource",
    "x-ratelimit-bucket",
    "x-ratelimit-reset-after",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
];

/// A value of a form that only quotas have proves a name that is built of common words.
fn special(field: Field, value: &[u8]) -> bool {
    match field {
        Field::Limit | Field::Used | Field::Remaining => {
            let first_pair = plain::split(value, b';').next().and_then(|part| forms::pair(part, b'='));
            forms::ratio(value).is_some() || first_pair.is_some_and(|(_, value)| forms::ratio(value).is_some())
        }
        Field::Bare => forms::is_state(value),
        _ => false,
    }
}

/// The wait of the field that is believed most; the longest of those that are believed as much.
fn longest_wait(waits: &mut Vec<(Rank, Unit, &[u8])>, context: &mut Context<'_>) -> Option<Duration> {
    waits.sort_by_key(|(rank, ..)| *rank);
    let mut best: Option<(Rank, Duration)> = None;
    for (rank, unit, value) in waits {
        match retry_after::read(value, *unit, &context.clock) {
            Ok(wait) => match best {
                Some((believed, longest)) if believed != *rank || longest >= wait => {}
                _ => best = Some((*rank, wait)),
            },
            Err(doubt) => context.doubt(doubt),
        }
    }
    best.map(|(_, wait)| wait)
}

/// Notes for whom or what is counted; gives the bucket that a resource names.
fn scopes_of(scopes: &[(u8, &str, &[u8])], context: &mut Context<'_>) -> Option<Arc<str>> {
    let mut bucket = None;
    for (rank, kind, value) in scopes {
        let Some(word) = plain::word(value) else { continue };
        match *kind {
            "" => {
                // A resource or a category is what several endpoints share.
                if matches!(rank, 4 | 6) && bucket.is_none() {
                    bucket = Some(Arc::clone(&word));
                }
                context.scope(*rank, &word, None);
            }
            // An address is shown as it is; nothing else may be an identity.
            "ip" => {
                let is_address = word.parse::<std::net::IpAddr>().is_ok();
                context.scope(*rank, &Arc::from("ip"), is_address.then_some(word));
            }
            kind => context.scope(*rank, &Arc::from(kind), None),
        }
    }
    bucket
}

/// Lets drafts that complete each other be one: `…-limit` with `…-requests-remain`, a lone `…-reset` with its quota.
fn join(drafts: &[Draft<'_>], claims: &mut [Claim<'_>]) {
    let Some(plain) = drafts.iter().position(|draft| draft.name.is_plain()) else { return };
    let fields = |claims: &[Claim<'_>], draft: usize| -> Vec<Field> {
        claims.iter().filter(|claim| claim.draft == draft).map(|claim| claim.field).collect()
    };
    for (plain, draft) in drafts.iter().enumerate().skip(plain).filter(|(_, draft)| draft.name.is_plain()) {
        let own = fields(claims, plain);
        let lacks_counts = own.iter().all(|field| matches!(field, Field::Reset | Field::Window(_) | Field::Name));
        let lacks_limit = !own.contains(&Field::Limit) && !own.contains(&Field::Bare);
        let others: Vec<usize> = (0..drafts.len())
            .filter(|other| {
                *other != plain && drafts.get(*other).is_some_and(|other| other.name.owner == draft.name.owner)
            })
            .collect();
        let target = if lacks_counts {
            let exhausted = |other: &&usize| {
                claims.iter().any(|claim| {
                    claim.draft == **other && claim.field == Field::Remaining && plain::number(claim.value) == Some(0.0)
                })
            };
            match others.as_slice() {
                [] => continue,
                [only] => Some(*only),
                // A lone reset speaks of the quota that ran out.
                several => {
                    let mut out = several.iter().filter(exhausted);
                    out.next().filter(|_| out.next().is_none()).copied()
                }
            }
        } else if let ([only], true) = (others.as_slice(), lacks_limit)
            && drafts.get(*only).is_some_and(|draft| draft.name.is_window_only())
            && fields(claims, *only) == [Field::Limit]
        {
            // A daily limit, and what remains of it.
            Some(*only)
        } else {
            others.into_iter().find(|other| {
                let is_requests = drafts.get(*other).is_some_and(|draft| draft.name.is_requests_only());
                is_requests && !fields(claims, *other).iter().any(|field| own.contains(field))
            })
        };
        if let Some(target) = target {
            for claim in claims.iter_mut().filter(|claim| claim.draft == plain) {
                claim.draft = target;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_are_telling_and_no_rows() {
        for (name, meant) in COMMON.iter() {
            let text = String::from_utf8_lossy(name);
            assert!(is_telling(name) && table::row(name).is_none() && meant.is_some(), "{text}");
        }
    }
}
