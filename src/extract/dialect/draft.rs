//! The fields of one quota together: claims by name to quotas.

use std::sync::Arc;

use super::Context;
use super::counts::Counts;
use super::ietf::Announced;
use super::name::{Field, Mark, Name, Unit};
use super::quota::Quota;
use super::resets::Resets;
use super::special::{self, Stated};
use super::words::Share;
use crate::extract::{plain, span};
use crate::model::Amount;

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

/// Whether the names of a draft, or what they say together, prove that it is a quota.
pub(super) fn is_proven(draft: &Draft<'_>, claims: &[Claim<'_>], index: usize) -> bool {
    const LENGTH: u8 = 64;
    let part = |field: Field| match field {
        Field::Limit | Field::Bare => 1u8,
        Field::Remaining | Field::Status => 2,
        Field::Used => 4,
        Field::Utilization(_) | Field::RemainingShare(_) => 8,
        Field::Reset => 16,
        Field::Policy => 32,
        Field::Window(_) => LENGTH,
        _ => 0,
    };
    let parts = claims.iter().filter(|claim| claim.draft == index).fold(0, |parts, claim| parts | part(claim.field));
    let counts = parts & !LENGTH;
    // A name that is no proof by itself needs a second part beside it; where nothing says that it is a quota that has
    // them (a theatre has seats left, too), one that tells of time.
    let evident = draft.name.evident || parts & (part(Field::Reset) | LENGTH) != 0;
    counts != 0 && (draft.certain || counts.count_ones() > 1 && evident)
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
    if plain_numbers(&claims, &mut base, name, context) {
        quotas.push(base);
        return;
    }
    if let Some(named) = claims.lines(|field| field == Field::Name).first().and_then(|value| plain::word(value)) {
        base.policy = Some(named);
    }
    window(&claims, &mut base, context);
    let mut bare = claims.lines(|field| field == Field::Bare);
    let mut announced = Announced::default();
    if name.is_plain() && name.mark == Mark::Joined && !bare.iter().all(|value| plain::number(value).is_some()) {
        announced.state(&std::mem::take(&mut bare), context);
    }
    let policies = claims.lines(|field| field == Field::Policy);
    if !policies.is_empty()
        && !announced.policies(&policies, context)
        && let Some(policy) = policies.iter().find_map(|value| plain::word(value))
    {
        context.scope(3, &policy, None);
        base.bucket = Some(policy);
    }
    let is_delta = name.is_unprefixed() || announced.has_windows();
    let is_structured = !announced.is_empty();
    announced.complete(&base, context, quotas);

    let limit = claims.lines(|field| field == Field::Limit);
    let stated = Stated {
        limit: if limit.is_empty() { bare } else { limit },
        remaining: claims.lines(|field| matches!(field, Field::Remaining | Field::Status)),
        used: claims.lines(|field| field == Field::Used),
    };
    if special::read(&base, &stated, context, quotas) {
        return;
    }
    let Some(mut counts) = Counts::of(&stated.limit, &stated.remaining, &stated.used) else {
        context.doubt("list-too-long");
        return;
    };
    base.window = counts.take_window().or(base.window);
    counts.count_doubts(context);
    let unnamed = announced.take_unnamed();
    let has_windows = counts.has_windows() || !unnamed.is_empty();
    let resets = claims.of(|field| field == Field::Reset).map(|claim| (claim.unit, claim.value));
    let resets = Resets::of(resets, is_delta || has_windows);
    if has_windows {
        counts.with_policies(&base, unnamed, &resets, context, quotas);
    } else if counts.is_parallel() {
        counts.in_parallel(&base, &resets, context, quotas);
    } else {
        counts.single(&mut base);
        shares(&claims, &mut base);
        base.reset = resets.of_quota(&base, context);
        if name.is_unprefixed() && !is_structured {
            base.family = if resets.is_epoch() { "ratelimit-epoch" } else { "ratelimit-delta" };
        }
        quotas.push(base);
    }
}

/// The shape of almost all responses, without detours: one number each of limit, remaining and used, and one reset.
/// `false` where there is anything else; then nothing was changed.
fn plain_numbers(claims: &Claims<'_, '_>, base: &mut Quota, name: &Name<'_>, context: &mut Context<'_>) -> bool {
    let mut counts = [None; 3];
    let mut reset = None;
    for claim in claims.of(|_| true) {
        let slot = match claim.field {
            Field::Limit => &mut counts[0],
            Field::Remaining => &mut counts[1],
            Field::Used => &mut counts[2],
            Field::Reset if reset.is_none() => {
                reset = Some((claim.unit, claim.value));
                continue;
            }
            _ => return false,
        };
        let Some(amount) = plain::number(claim.value).and_then(Amount::new) else { return false };
        if slot.replace(amount).is_some() {
            return false;
        }
    }
    [base.limit, base.remaining, base.used] = counts;
    let resets = Resets::of(reset.into_iter(), name.is_unprefixed());
    base.reset = resets.of_quota(base, context);
    if name.is_unprefixed() {
        base.family = if resets.is_epoch() { "ratelimit-epoch" } else { "ratelimit-delta" };
    }
    true
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

/// Ratios and percentages.
fn shares(claims: &Claims<'_, '_>, quota: &mut Quota) {
    for claim in claims.of(|field| matches!(field, Field::Utilization(_) | Field::RemainingShare(_))) {
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
        quota.utilization = Some(if is_left { (1.0 - ratio).max(0.0) } else { ratio });
        quota.family = "percent-used";
    }
}
