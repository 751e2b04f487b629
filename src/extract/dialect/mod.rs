//! Field lines to quotas: what providers write, as data and a grammar of names.
//!
//! [`table`] has the names that only their documents explain, [`words`] the words that all other names are made of, [`grammar`]
//! what they say together;
//! [`layout`] is what the names of a response say together, [`draft`] reads the values.

mod counts;
mod draft;
mod forms;
mod grammar;
mod ietf;
mod layout;
mod name;
mod plain_numbers;
mod policies;
mod quota;
mod repeated;
mod resets;
mod special;
mod table;
mod usage;
mod words;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub(super) use name::Unit;
pub(super) use quota::{Quota, unite};

use self::draft::Claims;
use self::layout::{Claim, Layout, Layouts};
use self::name::Field;
use self::policies::KnownPolicies;
use self::repeated::Repetitions;
use self::table::Means;
use super::clock::Clock;
use super::http_date::LastDate;
use super::phrases::Phrases;
use super::plain;
use super::retry_after::{self, Rank};
use super::wire_rules::ResetUnit;
use crate::model::{Fields, Reading, Timestamp};

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
    /// Whether none of the quotas was said twice.
    pub(super) are_apart: bool,
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

/// What was found for names and values that stand in each response of a server.
#[derive(Debug, Clone)]
pub(super) struct Known {
    layouts: Layouts,
    policies: KnownPolicies,
    repeated: Repetitions,
    date: LastDate,
}

impl Known {
    /// Room for four times so many of each.
    pub(super) fn new(sets: usize) -> Self {
        Self {
            layouts: Layouts::new(sets),
            policies: KnownPolicies::new(sets),
            repeated: Repetitions::new(sets),
            date: LastDate(None),
        }
    }

    /// What the names of a response's lines say.
    pub(super) fn layout(&mut self, fields: &Fields) -> Arc<Layout> {
        Arc::clone(self.layouts.layout(fields))
    }
}

/// What the readers of single fields share.
pub(super) struct Context<'c> {
    clock: Clock,
    reset_rule: Option<ResetUnit>,
    /// Seconds that the response asks to wait.
    wait: Option<f64>,
    regain: Option<Duration>,
    scopes: Option<(u8, Arc<str>, Option<Arc<str>>)>,
    policies: &'c mut KnownPolicies,
    doubts: &'c mut Vec<&'static str>,
}

impl<'c> Context<'c> {
    const fn new(
        clock: Clock,
        reset_rule: Option<ResetUnit>,
        policies: &'c mut KnownPolicies,
        doubts: &'c mut Vec<&'static str>,
    ) -> Self {
        Self { clock, reset_rule, wait: None, regain: None, scopes: None, policies, doubts }
    }

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
    TELLING.are_in(name)
}

/// What names that say something contain.
static TELLING: Phrases = Phrases::new(&[
    ("limit", 1),
    ("remain", 1),
    ("quota", 1),
    ("reset", 1),
    ("retry", 1),
    ("left", 1),
    ("throttl", 1),
    ("usage", 1),
    ("used", 1),
    ("utili", 1),
    ("concurren", 1),
    ("window", 1),
    ("order-count", 1),
    ("errortype", 1),
    ("grpc-status", 1),
    ("bucket-level", 1),
]);

/// Reads the quota of a response, seen at `seen`, whose field lines say nothing but its numbers, and gives their family; `None`
/// where they say more, or not as plainly. The reading takes the place of those that are of no more use.
#[inline(always)]
pub(super) fn read_only_quota(
    fields: &Fields,
    seen: Timestamp,
    reset_rule: Option<ResetUnit>,
    known: &mut Known,
    readings: &mut Vec<Reading>,
) -> Option<&'static str> {
    match known.repeated.read(fields, seen, reset_rule, readings) {
        Some(family) => Some(family),
        None => read_new_quota(fields, seen, reset_rule, known, readings),
    }
}

/// The same of a response that does not say what a former one said.
#[cold]
fn read_new_quota(
    fields: &Fields,
    seen: Timestamp,
    reset_rule: Option<ResetUnit>,
    known: &mut Known,
    readings: &mut Vec<Reading>,
) -> Option<&'static str> {
    let Known { layouts, policies, repeated, date } = known;
    let is_shared = fields.common().is_some_and(|lines| Arc::strong_count(lines) > 1);
    let layout = layouts.layout(fields);
    let (draft, plain) = layout.only()?;
    let date = layout.date.and_then(|line| date.read(fields.value(line), seen));
    let mut doubts = Vec::new();
    let mut context = Context::new(Clock::new(seen, date, None), reset_rule, policies, &mut doubts);
    let (numbers, family) = plain.numbers(draft, fields, &mut context)?;
    if !doubts.is_empty() {
        return None;
    }
    let reading = quota::only(readings)?;
    draft.base.write_reading(numbers, reading);
    if is_shared {
        repeated.learn(fields, reset_rule, plain, reading, family);
    }
    Some(family)
}

/// Reads the field lines of a response that was seen at `seen`.
pub(super) fn read<'f>(
    layout: &Layout,
    fields: &'f Fields,
    seen: Timestamp,
    reset_rule: Option<ResetUnit>,
    known: &mut Known,
) -> Headers<'f> {
    let is_too_long = |line: usize| fields.value(line).len() > LONGEST_VALUE;
    let has_too_long = layout.telling.iter().any(|line| is_too_long(*line));
    // A switch is no count: `X-RateLimit-Global: true`.
    let is_switch = |claim: &Claim| {
        let value = fields.value(claim.line);
        claim.field == Field::Bare && (value.eq_ignore_ascii_case(b"true") || value.eq_ignore_ascii_case(b"false"))
    };
    if !has_too_long && !layout.claims.iter().any(is_switch) {
        return read_by(layout, fields, seen, reset_rule, known);
    }
    // What the names of the other lines say together may be another thing without these.
    let is_read =
        |line: usize| !is_too_long(line) && !layout.claims.iter().any(|claim| claim.line == line && is_switch(claim));
    let mut out = read_by(&Layout::of(fields, is_read), fields, seen, reset_rule, known);
    if has_too_long {
        out.doubts.insert(0, "value-too-long");
    }
    out
}

/// Reads field lines by what their names say.
fn read_by<'f>(
    layout: &Layout,
    fields: &'f Fields,
    seen: Timestamp,
    reset_rule: Option<ResetUnit>,
    known: &mut Known,
) -> Headers<'f> {
    let value = |line: Option<usize>| line.map(|line| fields.value(line));
    let mut out = Headers {
        quotas: Vec::new(),
        are_apart: true,
        retry_after: None,
        regain: None,
        scope: None,
        refused: layout.refused.iter().any(|line| fields.value(*line).eq_ignore_ascii_case(b"true")),
        code: value(layout.code),
        grpc_status: value(layout.grpc_status),
        clock: Clock::new(seen, None, None),
        spoke: !layout.documents.is_empty(),
        doubts: Vec::new(),
    };
    if layout.is_silent() {
        return out;
    }
    out.quotas.reserve_exact(layout.drafts.len());
    let date = value(layout.date).and_then(|date| known.date.read(date, seen));
    // Of several ages the first counts (RFC 9111 section 5.1).
    let age = value(layout.age).and_then(|age| plain::split(age, b',').next()).and_then(plain::number);
    out.clock = Clock::new(seen, date, age);
    let mut context = Context::new(out.clock, reset_rule, &mut known.policies, &mut out.doubts);
    out.retry_after = longest_wait(layout, fields, &mut context);
    context.wait = out.retry_after.map(|wait| wait.as_secs_f64());
    out.spoke |= out.retry_after.is_none() && !layout.waits.is_empty();
    let bucket = scopes_of(layout, fields, &mut context);
    let mut joined = Cow::Borrowed(&*layout.claims);
    if layout.joins_by_value {
        layout::join(&layout.drafts, joined.to_mut(), |all, draft| Claims { all, fields, draft }.say_exhausted());
    }
    for (index, draft) in layout.drafts.iter().enumerate() {
        let claims = Claims { all: &joined, fields, draft: index };
        if claims.prove(draft) {
            out.spoke = true;
            draft::read(draft, claims, &mut context, &mut out.quotas);
        }
    }
    let lines = |wanted: Means| -> Vec<&[u8]> {
        let own = layout.documents.iter().filter(|(document, _)| *document == wanted);
        own.map(|(_, line)| fields.value(*line)).collect()
    };
    if !layout.documents.is_empty() {
        usage::sentry(&lines(Means::SentryLimits), &mut context, &mut out.quotas);
        usage::named_remaining(&lines(Means::NamedRemaining), &mut context, &mut out.quotas);
    }
    for (document, line) in &layout.documents {
        if let Means::JsonUsage(policy) = document {
            usage::json(fields.value(*line), policy, &mut context, &mut out.quotas);
        }
    }
    for line in &layout.usages {
        let value = fields.value(*line);
        if value.starts_with(b"{") && value.len() <= LONGEST_VALUE {
            let name = fields.iter().nth(*line).map_or(&[][..], |(name, _)| name);
            usage::json(value, usage::policy_of(name), &mut context, &mut out.quotas);
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
    out.are_apart = !unite(&mut out.quotas);
    out
}

/// The wait of the field that is believed most; the longest of those that are believed as much.
fn longest_wait(layout: &Layout, fields: &Fields, context: &mut Context<'_>) -> Option<Duration> {
    let mut best: Option<(Rank, Duration)> = None;
    for (rank, unit, line) in &layout.waits {
        match retry_after::read(fields.value(*line), *unit, &context.clock) {
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
fn scopes_of(layout: &Layout, fields: &Fields, context: &mut Context<'_>) -> Option<Arc<str>> {
    let mut bucket = None;
    for (rank, kind, line) in &layout.scopes {
        let Some(word) = plain::word(fields.value(*line)) else { continue };
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
