//! The fields of one quota together: claims by name to quotas.

use std::sync::Arc;

use super::forms::{self, Element};
use super::name::{Field, Mark, Name, Unit};
use super::quota::Quota;
use super::words::Share;
use super::{Context, ietf};
use crate::extract::{plain, reset, span};
use crate::model::{Amount, Timestamp};

/// A field line that says a part of a quota.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The draft that it belongs to.
    pub(super) draft: usize,
    pub(super) field: Field,
    pub(super) unit: Unit,
    pub(super) value: &'a [u8],
}

/// What the claims of one quota have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) name: Name<'a>,
    /// Whether one of the names alone is proof enough.
    pub(super) certain: bool,
    /// Whether the names begin with `anthropic-ratelimit`.
    pub(super) anthropic: bool,
}

/// The claims of one draft, by field.
struct Claims<'c, 'a> {
    all: &'c [Claim<'a>],
    draft: usize,
}

impl<'a> Claims<'_, 'a> {
    fn of(&self, wanted: impl Fn(Field) -> bool) -> impl Iterator<Item = &Claim<'a>> {
        self.all.iter().filter(move |claim| claim.draft == self.draft && wanted(claim.field))
    }

    fn lines(&self, wanted: impl Fn(Field) -> bool) -> Vec<&'a [u8]> {
        self.of(wanted).map(|claim| claim.value).filter(|value| !value.is_empty()).collect()
    }
}

/// How many different things are said of one quota; a name that is no proof needs two.
pub(super) fn distinct_parts(claims: &[Claim<'_>], draft: usize) -> usize {
    let part = |field: Field| match field {
        Field::Limit | Field::Bare => 1u8,
        Field::Remaining | Field::Status => 2,
        Field::Used => 4,
        Field::Utilization(_) | Field::RemainingShare(_) => 8,
        Field::Reset => 16,
        _ => 0,
    };
    let parts = claims.iter().filter(|claim| claim.draft == draft).fold(0, |parts, claim| parts | part(claim.field));
    parts.count_ones() as usize
}

/// Reads one draft's claims and adds its quotas.
pub(super) fn read<'a>(
    draft: &Draft<'a>,
    index: usize,
    all: &[Claim<'a>],
    context: &mut Context<'_>,
    quotas: &mut Vec<Quota>,
) {
    let claims = Claims { all, draft: index };
    let name = &draft.name;
    let mut base = Quota {
        dimension: dimension(name),
        policy: name.policy.map(Arc::from).or_else(|| policy(name)),
        owner: name.owner,
        plain: name.is_plain(),
        family: family(draft),
        window: name.span.and_then(|(seconds, _)| seconds).or(name.documented_window),
        ..Quota::default()
    };
    // A structured state or policy field rules the draft.
    let bare = claims.lines(|field| field == Field::Bare);
    let policies = claims.lines(|field| field == Field::Policy);
    let mut structured = ietf::Announced::default();
    let mut is_structured = false;
    let mut bare_limit = Vec::new();
    if !bare.is_empty() && bare.iter().all(|value| plain::number(value).is_some()) {
        bare_limit.clone_from(&bare);
    } else if name.is_plain() && name.mark == Mark::Joined {
        structured.state(&bare, context);
        is_structured = true;
    }
    let mut word_policy = None;
    if !policies.is_empty() && !structured.policies(&policies, context) {
        word_policy = policies.iter().find_map(|value| plain::word(value));
    }
    if let Some(named) = claims.lines(|field| field == Field::Name).first().and_then(|value| plain::word(value)) {
        base.policy = Some(named);
    }
    window(&claims, &mut base, context);
    if let Some(policy) = word_policy {
        context.scope(3, &policy, None);
        base.bucket = Some(policy);
    }
    let is_delta_family = name.is_unprefixed() || structured.has_windows();
    structured.named(&base, context, quotas);

    // What the names alone do not tell, the form of the values does.
    let limit = claims.lines(|field| field == Field::Limit);
    let used = claims.lines(|field| field == Field::Used);
    let remaining = claims.lines(|field| matches!(field, Field::Remaining | Field::Status));
    let bare: &[&[u8]] = if is_structured { &[] } else { &bare };
    if special_form(&base, bare, &limit, &used, &remaining, context, quotas) {
        return;
    }
    let limit = if limit.is_empty() { bare_limit } else { limit };
    let Some(mut counts) = Counts::of(&limit, &remaining, &used) else {
        context.doubt("list-too-long");
        return;
    };
    if let [only] = counts.limit.as_slice()
        && only.number.is_none()
        && let Some(seconds) = span::seconds(only.text)
    {
        // A limit of `1m` is the window.
        base.window = Some(seconds);
        counts.limit.clear();
    }
    counts.count_doubts(context);
    let resets = resets(&claims);
    let shares = Shares { claims: &claims };
    if counts.has_windows() || structured.has_windows() {
        counts.with_policies(&base, structured.take_unnamed(), &resets, context, quotas);
    } else if counts.is_parallel() {
        counts.in_parallel(&base, &resets, is_delta_family, context, quotas);
    } else {
        let mut quota = base;
        counts.single(&mut quota);
        shares.read(&mut quota);
        let exhausted = quota.remaining == Some(Amount::ZERO) && !limit_is_unreadable(&counts);
        quota.reset = first_reset(&resets, is_delta_family, exhausted, quota.window, context);
        if name.is_unprefixed() && structured.is_empty() {
            quota.family = match quota.reset {
                Some(_) if resets.iter().any(|(_, value)| plain::number(value).is_some_and(|v| v >= 1e9)) => {
                    "ratelimit-epoch"
                }
                _ => "ratelimit-delta",
            };
        }
        quotas.push(quota);
    }
}

fn limit_is_unreadable(counts: &Counts<'_>) -> bool {
    matches!(counts.limit.as_slice(), [only] if only.number.is_none())
}

/// `input_tokens`, `requests`, …
fn dimension(name: &Name<'_>) -> Option<Arc<str>> {
    match (name.narrows, name.dimension) {
        (_, None) => None,
        ("", Some(dimension)) => plain::word(dimension.as_bytes()),
        (narrows, Some(dimension)) => plain::word(format!("{narrows}{dimension}").as_bytes()),
    }
}

/// The labels and the window's word, joined: `app-minute`.
fn policy(name: &Name<'_>) -> Option<Arc<str>> {
    if !name.has_labels() {
        return name.span.and_then(|(_, called)| plain::word(called.as_bytes()));
    }
    let mut text = String::new();
    for part in name.labels().chain(name.span.map(|(_, called)| called)) {
        if !text.is_empty() {
            text.push('-');
        }
        text.push_str(part);
    }
    plain::word(text.as_bytes())
}

/// The family by the shape of the name.
fn family(draft: &Draft<'_>) -> &'static str {
    let name = &draft.name;
    if draft.anthropic {
        return "anthropic";
    }
    match (name.span, name.dimension, name.mark) {
        (Some(_), ..) => "window-in-name",
        (None, Some(dimension), _) if dimension != "requests" || !name.narrows.is_empty() => "per-dimension",
        _ if name.has_labels() => "per-dimension",
        (None, _, Mark::Joined) if !name.vendor && name.x => "x-ratelimit",
        (None, _, Mark::Hyphenated) if !name.vendor => "x-rate-limit",
        _ => "vendor-triple",
    }
}

/// The window that a field of its own says.
fn window(claims: &Claims<'_, '_>, base: &mut Quota, context: &mut Context<'_>) {
    for claim in claims.of(|field| matches!(field, Field::Window(_))) {
        let seconds = match (plain::number(claim.value), claim.unit) {
            (Some(number), Unit::Delta(unit)) => Some(number * unit),
            // Providers write seconds and milliseconds here; only `-Interval` is known for both.
            (Some(_), _) if claim.field == Field::Window(true) => {
                context.doubt("window-unit-unknown");
                None
            }
            (Some(number), _) if number >= 10_000.0 && number % 1000.0 == 0.0 && number % 86_400.0 != 0.0 => {
                context.doubt("window-unit-unknown");
                None
            }
            (Some(number), _) => Some(number),
            (None, _) => span::seconds(plain::unquoted(claim.value)),
        };
        if let Some(seconds) = seconds.filter(|seconds| (0.0..=LONGEST_WINDOW).contains(seconds) && *seconds > 0.0) {
            base.window = Some(seconds);
        }
    }
}

/// Nobody announces a longer window; a larger number has another unit.
const LONGEST_WINDOW: f64 = 366.0 * 86_400.0;

/// Counts with their windows, ratios, pairs: the form says what each number is.
fn special_form(
    base: &Quota,
    bare: &[&[u8]],
    limit: &[&[u8]],
    used: &[&[u8]],
    remaining: &[&[u8]],
    context: &mut Context<'_>,
    quotas: &mut Vec<Quota>,
) -> bool {
    let stated = if limit.is_empty() { bare } else { limit };
    let (Some(first), is_used) = (match (stated.first(), used.first()) {
        (Some(first), _) => (Some(first), false),
        (None, first) => (first, true),
    }) else {
        if let Some((left, limit)) = remaining.first().and_then(|value| forms::ratio(value)) {
            let (remaining, limit) = (Amount::new(left), Amount::new(limit));
            quotas.push(Quota { remaining, limit, family: "ratio", ..base.clone() });
            return true;
        }
        return false;
    };
    if forms::ratio(first).is_some() {
        for (spent, limit) in stated.iter().chain(used).filter_map(|value| forms::ratio(value)) {
            let (used, limit) = (Amount::new(spent), Amount::new(limit));
            quotas.push(Quota { used, limit, family: "ratio", ..base.clone() });
        }
        return true;
    }
    let is_counted = plain::split(first, b',').next().is_some_and(|part| forms::count_in_window(part).is_some());
    if is_counted {
        counts_in_windows(base, if is_used { &[] } else { stated }, used, context, quotas);
        return true;
    }
    if first.contains(&b'=') && first.first().is_some_and(u8::is_ascii_alphabetic) {
        return pairs(base, first, context, quotas);
    }
    false
}

/// `20:1,100:120` beside `3:1,57:120`: joined by window.
fn counts_in_windows(
    base: &Quota,
    limits: &[&[u8]],
    used: &[&[u8]],
    context: &mut Context<'_>,
    quotas: &mut Vec<Quota>,
) {
    let list = |lines: &[&[u8]]| -> Vec<(f64, f64)> {
        let parts = lines.iter().flat_map(|line| plain::split(line, b','));
        parts.take(forms::MOST_ELEMENTS).filter_map(forms::count_in_window).collect()
    };
    let mut spent = list(used);
    let mut announced: Vec<Quota> = Vec::new();
    for (count, window) in list(limits) {
        let place = spent.iter().position(|(_, w)| (w - window).abs() < 1e-9);
        let used = place.map(|place| spent.remove(place).0).and_then(Amount::new);
        announced.push(Quota { limit: Amount::new(count), used, window: Some(window), ..base.clone() });
    }
    announced.extend(spent.into_iter().map(|(count, window)| Quota {
        used: Amount::new(count),
        window: Some(window),
        ..base.clone()
    }));
    if announced.is_empty() {
        context.doubt("list-unreadable");
    }
    quotas.extend(announced.into_iter().map(|quota| Quota { family: "count-window-list", ..quota }));
}

/// `total=100; remaining=99; resets=41`, or `api-usage=18/5000; per-app-api-usage=17/250(appName=x)`.
fn pairs(base: &Quota, value: &[u8], context: &mut Context<'_>, quotas: &mut Vec<Quota>) -> bool {
    let mut whole = Quota { family: "vendor-triple", ..base.clone() };
    let mut reset = None;
    let mut known = false;
    let separator = if value.contains(&b';') { b';' } else { b',' };
    for part in plain::split(value, separator).take(forms::MOST_ELEMENTS) {
        let Some((key, text)) = forms::pair(part, b'=') else { continue };
        let (text, note) = match forms::pair(text, b'(') {
            Some((text, note)) => (text, note.strip_suffix(b")")),
            None => (text, None),
        };
        if let Some((spent, limit)) = forms::ratio(text) {
            let policy = plain::word(key);
            let (used, limit) = (Amount::new(spent), Amount::new(limit));
            quotas.push(Quota { policy, used, limit, family: "ratio", ..base.clone() });
            if let Some((b"appName", app)) = note.and_then(|note| forms::pair(note, b'='))
                && let Some(app) = plain::word(app)
            {
                context.scope(2, &Arc::from("app"), Some(app));
            }
            known = true;
            continue;
        }
        let number = plain::number(text);
        match super::words::word(&key.to_ascii_lowercase()) {
            super::words::Word::Limit => whole.limit = number.and_then(Amount::new),
            super::words::Word::Remaining => whole.remaining = number.and_then(Amount::new),
            super::words::Word::Used => whole.used = number.and_then(Amount::new),
            super::words::Word::Window(_) => whole.window = number.or_else(|| span::seconds(text)),
            super::words::Word::Reset => reset = Some(text),
            _ => continue,
        }
        known = true;
    }
    if let Some(text) = reset {
        let exhausted = whole.remaining == Some(Amount::ZERO);
        whole.reset = first_reset(&[(Unit::Unsaid, text)], true, exhausted, whole.window, context);
    }
    if whole.says_something() {
        quotas.push(whole);
    }
    known
}

/// The lists of one draft.
struct Counts<'a> {
    limit: Vec<Element<'a>>,
    remaining: Vec<Element<'a>>,
    used: Vec<Element<'a>>,
}

impl<'a> Counts<'a> {
    fn of(limit: &[&'a [u8]], remaining: &[&'a [u8]], used: &[&'a [u8]]) -> Option<Self> {
        let mut counts = Self {
            limit: forms::elements(limit)?,
            remaining: forms::elements(remaining)?,
            used: forms::elements(used)?,
        };
        let lists = [&mut counts.limit, &mut counts.remaining, &mut counts.used];
        if lists.iter().all(|list| forms::is_repetition(list)) {
            for list in lists {
                list.truncate(1);
            }
        }
        Some(counts)
    }

    fn lists(&self) -> [&[Element<'a>]; 3] {
        [&self.limit, &self.remaining, &self.used]
    }

    /// Counts the values that are there but are no numbers.
    fn count_doubts(&self, context: &mut Context<'_>) {
        for element in self.lists().into_iter().flatten() {
            match element.number {
                None if plain::is_negative(element.text) => context.doubt("negative-number"),
                None => context.doubt("number-unreadable"),
                Some(number) if Amount::new(number).is_none() => context.doubt("number-too-large"),
                Some(_) => {}
            }
        }
    }

    fn has_windows(&self) -> bool {
        self.lists().into_iter().flatten().any(|element| element.window.is_some())
    }

    fn is_parallel(&self) -> bool {
        self.lists().into_iter().any(|list| list.len() > 1)
    }

    fn single(&self, quota: &mut Quota) {
        let [limit, remaining, used] = self.lists().map(amount);
        (quota.limit, quota.remaining, quota.used) = (limit, remaining, used);
    }

    /// Lists that stand side by side: the first limit belongs to the first remaining.
    fn in_parallel(
        &self,
        base: &Quota,
        resets: &[(Unit, &[u8])],
        is_delta: bool,
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        let longest = self.lists().into_iter().map(<[_]>::len).max().unwrap_or(0);
        let aligned = |list: &[Element<'_>]| list.is_empty() || list.len() == longest;
        if !self.lists().into_iter().all(aligned) {
            // Which number belongs to which is not said: only a field with one number is certain.
            context.doubt("lists-not-aligned");
            let mut quota = base.clone();
            let one = |list: &[Element<'_>]| if list.len() == 1 { amount(list) } else { None };
            let [limit, remaining, used] = self.lists().map(one);
            (quota.limit, quota.remaining, quota.used) = (limit, remaining, used);
            quotas.push(Quota { family: "parallel-list", ..quota });
            return;
        }
        let resets = aligned_resets(resets, longest);
        for index in 0..longest {
            let at = |list: &[Element<'_>]| list.get(index).and_then(|e| e.number).and_then(Amount::new);
            let [limit, remaining, used] = self.lists().map(at);
            let mut quota = Quota { limit, remaining, used, family: "parallel-list", ..base.clone() };
            if let Some((unit, text)) = resets.as_ref().and_then(|resets| resets.get(index)) {
                let exhausted = remaining == Some(Amount::ZERO);
                quota.reset = first_reset(&[(*unit, *text)], is_delta, exhausted, quota.window, context);
            }
            quotas.push(quota);
        }
    }

    /// Limits with windows: the expiring limit and the policies behind it.
    fn with_policies(
        &self,
        base: &Quota,
        mut policies: Vec<ietf::Policy>,
        resets: &[(Unit, &[u8])],
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        let from_policy_field = !policies.is_empty();
        let mut expiring: Vec<Element<'_>> = Vec::new();
        for element in &self.limit {
            match element.window {
                Some(window) => policies.push(ietf::Policy::of(element.number, window, element.name)),
                None => expiring.push(*element),
            }
        }
        let base = Quota { family: if from_policy_field { "ietf-03-06" } else { "ietf-00-02" }, ..base.clone() };
        if self.limit.len() > 1 && expiring.len() == self.limit.len() {
            self.with_aligned_policies(&base, policies, resets, context, quotas);
            return;
        }
        let mut current = base.clone();
        current.limit = if expiring.len() == 1 { amount(&expiring) } else { None };
        if self.remaining.len() == 1 {
            current.remaining = amount(&self.remaining);
        }
        if self.used.len() == 1 {
            current.used = amount(&self.used);
        }
        let counted = self.remaining.first().or_else(|| self.used.first()).and_then(|element| element.window);
        let exhausted = current.remaining == Some(Amount::ZERO);
        current.reset = first_reset(resets, true, exhausted, current.window, context);
        if from_policy_field && resets.iter().any(|(_, value)| plain::number(value).is_some_and(|v| v >= 1e9)) {
            current.family = "ratelimit-epoch";
        }
        ietf::unify(current, counted, policies, &base, quotas);
    }

    /// Limits, remainders, resets and policies that all stand side by side.
    fn with_aligned_policies(
        &self,
        base: &Quota,
        mut policies: Vec<ietf::Policy>,
        resets: &[(Unit, &[u8])],
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        let base = Quota { family: "parallel-list", ..base.clone() };
        let mut announced = Vec::new();
        self.in_parallel(&base, resets, true, context, &mut announced);
        for quota in &mut announced {
            let mut same = policies.iter().enumerate().filter(|(_, policy)| policy.limit == quota.limit);
            if let (Some((place, _)), None) = (same.next(), same.next()) {
                let policy = policies.remove(place);
                quota.window = policy.window;
                quota.policy = policy.name.or_else(|| quota.policy.take());
            }
        }
        quotas.extend(announced);
        quotas.extend(policies.into_iter().map(|policy| policy.into_quota(&base)));
    }
}

fn amount(list: &[Element<'_>]) -> Option<Amount> {
    list.first().and_then(|element| element.number).and_then(Amount::new)
}

/// Ratios and percentages.
struct Shares<'s, 'c, 'a> {
    claims: &'s Claims<'c, 'a>,
}

impl Shares<'_, '_, '_> {
    fn read(&self, quota: &mut Quota) {
        for claim in self.claims.of(|field| matches!(field, Field::Utilization(_) | Field::RemainingShare(_))) {
            let Some(number) = plain::number(claim.value.strip_suffix(b"%").unwrap_or(claim.value)) else { continue };
            let (share, is_left) = match claim.field {
                Field::Utilization(share) => (share, false),
                Field::RemainingShare(share) => (share, true),
                _ => continue,
            };
            let ratio = match share {
                Share::Percent => number / 100.0,
                Share::Ratio => number,
            };
            quota.utilization = if is_left { Some((1.0 - ratio).max(0.0)) } else { Some(ratio) };
            quota.family = "percent-used";
        }
    }
}

/// The reset values: those whose name says no unit first, then points in time, then times from now.
fn resets<'a>(claims: &Claims<'_, 'a>) -> Vec<(Unit, &'a [u8])> {
    let mut resets: Vec<(Unit, &[u8])> =
        claims.of(|field| field == Field::Reset).map(|claim| (claim.unit, claim.value)).collect();
    resets.retain(|(_, value)| !value.is_empty());
    resets.sort_by_key(|(unit, _)| match unit {
        Unit::Unsaid => 0,
        Unit::Moment => 1,
        Unit::Delta(_) => 2,
    });
    resets.dedup();
    resets
}

/// The first reset that can be believed. A list of equal values counts as one, of different ones as none.
fn first_reset(
    resets: &[(Unit, &[u8])],
    delta_family: bool,
    exhausted: bool,
    window: Option<f64>,
    context: &mut Context<'_>,
) -> Option<Timestamp> {
    // A second field that counts from now settles the unit of the first.
    let wait = context.wait.or_else(|| {
        resets.iter().find_map(|(unit, value)| match unit {
            Unit::Delta(seconds) => plain::number(value).map(|value| value * seconds),
            _ => None,
        })
    });
    let beside =
        reset::Beside { clock: context.clock, rule: context.reset_rule, delta_family, exhausted, window, wait };
    let mut found: Option<(Unit, Timestamp)> = None;
    for (unit, value) in resets {
        let value = match numbers_of(value) {
            Some(parts) if parts.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) => parts.first().copied(),
            Some(_) => None,
            None => Some(*value),
        };
        let Some(value) = value else {
            context.doubt("lists-not-aligned");
            continue;
        };
        match (reset::read(value, *unit, &beside), found) {
            (Ok(Some(point)), None) => found = Some((*unit, point)),
            (Ok(Some(point)), Some((same, other)))
                if same == *unit && point.since(other).max(other.since(point)) > SLACK =>
            {
                // Two layers say two things, and nothing says which belongs to these counts.
                context.doubt("reset-conflicting");
                return None;
            }
            (Ok(_), _) => {}
            (Err(doubt), _) => context.doubt(doubt),
        }
    }
    found.map(|(_, point)| point)
}

/// Two ways of writing one reset differ by rounding.
const SLACK: std::time::Duration = std::time::Duration::from_secs(2);

/// The parts of a list of numbers; `None` where it is no such list (a date has commas, too).
fn numbers_of(value: &[u8]) -> Option<Vec<&[u8]>> {
    if !value.contains(&b',') {
        return None;
    }
    let parts: Vec<_> = plain::split(value, b',').take(forms::MOST_ELEMENTS).collect();
    parts.iter().all(|part| plain::number(part).is_some() || span::seconds(part).is_some()).then_some(parts)
}

/// One reset for each element of the lists beside it.
fn aligned_resets<'a>(resets: &[(Unit, &'a [u8])], count: usize) -> Option<Vec<(Unit, &'a [u8])>> {
    let unit = resets.first()?.0;
    let same_unit = resets.iter().filter(|(other, _)| *other == unit);
    let parts: Vec<_> = same_unit
        .flat_map(|(unit, value)| match numbers_of(value) {
            Some(parts) => parts.into_iter().map(|part| (*unit, part)).collect(),
            None => vec![(*unit, *value)],
        })
        .collect();
    (parts.len() == count).then_some(parts)
}
