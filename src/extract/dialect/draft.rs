//! The fields of one quota together: claims by name to quotas.

use std::sync::Arc;

use super::counts::Counts;
use super::ietf::Announced;
use super::layout::Claim;
use super::name::{Field, Mark, Name, Unit};
use super::plain_numbers::Plain;
use super::policies::{KnownPolicies, Policies};
use super::quota::Quota;
use super::resets::Resets;
use super::special::{self, Stated};
use super::words::Share;
use super::{Context, forms};
use crate::extract::{plain, span};
use crate::model::Fields;

/// What the fields of one quota have in common, by their names.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that names say or do not")]
pub(super) struct Draft {
    /// The quota as far as the names say.
    pub(super) base: Quota,
    /// Whether one of the names alone is proof enough.
    pub(super) certain: bool,
    /// Whether the first of them says more of a quota than that something is counted.
    pub(super) is_evident: bool,
    /// Whether they are unprefixed names of the IETF draft.
    pub(super) is_unprefixed: bool,
    /// Whether a field of that name may hold the whole state.
    may_hold_state: bool,
    /// Whether the names say nothing but that requests are counted.
    pub(super) is_requests_only: bool,
    /// Whether they say nothing but a window.
    pub(super) is_window_only: bool,
    /// Its lines, where all that they can say are plain numbers; known where the names alone say which lines are its own.
    pub(super) plain: Option<Plain>,
}

impl Draft {
    /// From the first of its names; `anthropic`: whether that begins with `anthropic-ratelimit`.
    pub(super) fn of(name: &Name<'_>, anthropic: bool) -> Self {
        let base = Quota {
            dimension: dimension(name),
            policy: name.policy.map(Arc::from).or_else(|| policy(name)),
            owner: name.owner,
            plain: name.is_plain(),
            family: if anthropic { "anthropic" } else { family(name) },
            window: name.span.and_then(|(seconds, _)| seconds).or(name.documented_window),
            ..Quota::default()
        };
        Self {
            base,
            certain: name.certain,
            is_evident: name.evident,
            is_unprefixed: name.is_unprefixed(),
            may_hold_state: name.is_plain() && name.mark == Mark::Joined,
            is_requests_only: name.is_requests_only(),
            is_window_only: name.is_window_only(),
            plain: None,
        }
    }
}

/// The claims of one draft, with the lines that they speak of.
#[derive(Clone, Copy)]
pub(super) struct Claims<'c> {
    pub(super) all: &'c [Claim],
    pub(super) fields: &'c Fields,
    pub(super) draft: usize,
}

impl<'c> Claims<'c> {
    fn of(self, wanted: impl Fn(Field) -> bool) -> impl Iterator<Item = (&'c Claim, &'c [u8])> {
        let own = self.all.iter().filter(move |claim| claim.draft == self.draft && wanted(claim.field));
        own.map(move |claim| (claim, self.fields.value(claim.line)))
    }

    fn lines(self, wanted: impl Fn(Field) -> bool) -> Vec<&'c [u8]> {
        self.of(wanted).map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }

    /// Whether one of them says that nothing remains.
    pub(super) fn say_exhausted(self) -> bool {
        self.of(|field| field == Field::Remaining).any(|(_, value)| plain::number(value) == Some(0.0))
    }

    /// Whether the draft's names, or what they say together, prove that it is a quota.
    pub(super) fn prove(self, draft: &Draft) -> bool {
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
        let own = self.all.iter().filter(|claim| claim.draft == self.draft);
        let parts = own.fold(0, |parts, claim| parts | part(claim.field));
        let counts = parts & !LENGTH;
        // A name that is no proof by itself needs a value of a form of its own, or a second part beside it; where nothing
        // says that it is a quota that has them (a theatre has seats left, too), one that tells of time.
        let evident = draft.is_evident || parts & (part(Field::Reset) | LENGTH) != 0;
        let mut named = self.all.iter().filter(|claim| claim.named == self.draft);
        counts != 0
            && (draft.certain
                || counts.count_ones() > 1 && evident
                || named.any(|claim| special(claim.field, self.fields.value(claim.line))))
    }
}

/// A value of a form that only quotas have proves a name that is built of common words.
fn special(field: Field, value: &[u8]) -> bool {
    match field {
        Field::Limit | Field::Used | Field::Remaining => {
            let first = plain::split(value, b',').next().unwrap_or_default();
            let first_pair = plain::split(first, b';').next().and_then(|part| forms::pair(part, b'='));
            forms::ratio(first).is_some() || first_pair.is_some_and(|(_, value)| forms::ratio(value).is_some())
        }
        Field::Bare => forms::is_state(value),
        _ => false,
    }
}

/// Reads one draft's claims and adds its quotas.
pub(super) fn read(draft: &Draft, claims: Claims<'_>, context: &mut Context<'_>, quotas: &mut Vec<Quota>) {
    if draft.plain.as_ref().is_some_and(|plain| plain.read(draft, claims.fields, context, quotas)) {
        return;
    }
    let mut base = draft.base.clone();
    if let Some(named) = claims.lines(|field| field == Field::Name).first().and_then(|value| plain::word(value)) {
        base.policy = Some(named);
    }
    window(claims, &mut base, context);
    let policy_lines = claims.lines(|field| field == Field::Policy);
    let known = (!policy_lines.is_empty()).then(|| KnownPolicies::of(context, &policy_lines));
    let none = Policies::default();
    let policies = known.as_deref().unwrap_or(&none);
    if policies.are_word
        && let Some(policy) = policy_lines.iter().find_map(|value| plain::word(value))
    {
        context.scope(3, &policy, None);
        base.bucket = Some(policy);
    }
    let mut bare = claims.lines(|field| field == Field::Bare);
    let mut announced = Announced::default();
    if draft.may_hold_state && !bare.iter().all(|value| plain::number(value).is_some()) {
        announced.state(&std::mem::take(&mut bare), policies, context);
    }
    let is_delta = draft.is_unprefixed || !policies.unnamed.is_empty();
    let is_structured = !announced.is_empty() || !policies.is_empty();
    let unnamed = if announced.is_state_of_all() { &[][..] } else { &policies.unnamed };
    announced.complete(policies, &base, context, quotas);
    let says_more = |field| !matches!(field, Field::Bare | Field::Policy | Field::Name | Field::Window(_));
    if bare.is_empty() && unnamed.is_empty() && claims.of(says_more).next().is_none() {
        return;
    }

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
    let has_windows = counts.has_windows() || !unnamed.is_empty();
    let resets = claims.of(|field| field == Field::Reset).map(|(claim, value)| (claim.unit, value));
    let resets = Resets::of(resets, is_delta || has_windows);
    if has_windows {
        counts.with_policies(&base, unnamed.to_vec(), &resets, context, quotas);
    } else if counts.is_parallel() {
        counts.in_parallel(&base, &resets, context, quotas);
    } else {
        counts.single(&mut base);
        shares(claims, &mut base);
        base.reset = resets.of_quota(&base, context);
        if draft.is_unprefixed && !is_structured {
            base.family = if resets.is_epoch() { "ratelimit-epoch" } else { "ratelimit-delta" };
        }
        quotas.push(base);
    }
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
fn family(name: &Name<'_>) -> &'static str {
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
fn window(claims: Claims<'_>, base: &mut Quota, context: &mut Context<'_>) {
    for (claim, value) in claims.of(|field| matches!(field, Field::Window(_))) {
        let seconds = match (plain::number(value), claim.unit) {
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
            (None, _) => span::seconds(plain::unquoted(value)),
        };
        if let Some(seconds) = seconds.filter(|seconds| (0.0..=LONGEST_WINDOW).contains(seconds) && *seconds > 0.0) {
            base.window = Some(seconds);
        }
    }
}

/// Nobody announces a longer window; a larger number has another unit.
const LONGEST_WINDOW: f64 = 366.0 * 86_400.0;

/// Ratios and percentages.
fn shares(claims: Claims<'_>, quota: &mut Quota) {
    for (claim, value) in claims.of(|field| matches!(field, Field::Utilization(_) | Field::RemainingShare(_))) {
        let Some(number) = plain::number(value.strip_suffix(b"%").unwrap_or(value)) else { continue };
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
