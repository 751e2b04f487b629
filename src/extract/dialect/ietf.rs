//! The structured fields of the IETF drafts: `RateLimit` and `RateLimit-Policy`, in each shape that they have had.
//!
//! Source: <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>, versions 00 to 10.

use std::borrow::Cow;
use std::sync::Arc;

use super::Context;
use super::quota::Quota;
use crate::extract::dialect::Unit;
use crate::extract::plain;
use crate::extract::reset::{self, Beside};
use crate::extract::structured::{self, Bare, Member};
use crate::model::Amount;

/// What `RateLimit` and `RateLimit-Policy` fields announce.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// `limit=100, remaining=50, reset=5`
    state: Option<(Option<f64>, Option<f64>, Option<f64>)>,
    /// `"default";r=50;t=30`
    states: Vec<State>,
    /// Policies with a name, and whether the name is a token with `l`.
    policies: Vec<Policy>,
    /// Policies that are a number with a window.
    unnamed: Vec<Policy>,
    interim: bool,
}

#[derive(Debug)]
struct State {
    name: Arc<str>,
    remaining: Option<f64>,
    reset: Option<f64>,
    partition: Option<Vec<u8>>,
}

/// A policy: how many units per window.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Policy {
    pub(super) name: Option<Arc<str>>,
    pub(super) limit: Option<Amount>,
    pub(super) window: Option<f64>,
    unit: Option<Arc<str>>,
    partition: Option<Vec<u8>>,
}

impl Policy {
    /// A policy without a name of its own.
    pub(super) fn of(limit: Option<f64>, window: f64, name: Option<&[u8]>) -> Self {
        let limit = limit.and_then(Amount::new);
        Self { name: name.and_then(plain::word), limit, window: Some(window), ..Self::default() }
    }

    /// The quota of a policy that no state speaks of.
    pub(super) fn into_quota(self, base: &Quota) -> Quota {
        Quota {
            policy: self.name,
            limit: self.limit,
            window: self.window,
            dimension: self.unit.or_else(|| base.dimension.clone()),
            partition: self.partition,
            owner: base.owner,
            family: base.family,
            bucket: base.bucket.clone(),
            ..Quota::default()
        }
    }
}

impl Announced {
    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.state.is_none() && self.states.is_empty() && self.policies.is_empty() && self.unnamed.is_empty()
    }

    /// Whether a policy without a name says its window.
    pub(super) fn has_windows(&self) -> bool {
        !self.unnamed.is_empty()
    }

    /// The policies without a name, for whoever has the numbers that they belong to.
    pub(super) fn take_unnamed(&mut self) -> Vec<Policy> {
        std::mem::take(&mut self.unnamed)
    }

    /// Reads the lines of a `RateLimit` field.
    pub(super) fn state(&mut self, lines: &[&[u8]], context: &mut Context<'_>) {
        let joined = joined(lines);
        let Some(members) = members(&joined, context) else { return };
        let mut whole = (None, None, None);
        let mut keyed = false;
        for member in members {
            // Some separate the members with semicolons.
            let pairs = member.parameters.iter().map(|(key, value)| (&**key, value));
            for (key, value) in member.key.as_deref().map(|key| (key, &member.value)).into_iter().chain(pairs) {
                match key {
                    "limit" => (whole.0, keyed) = (count(Some(value), context), true),
                    "remaining" => (whole.1, keyed) = (count(Some(value), context), true),
                    "reset" => (whole.2, keyed) = (count(Some(value), context), true),
                    _ => {}
                }
            }
            if let Some(name) = name_of(&member) {
                let remaining = count(member.parameter(&["r"]), context);
                let reset = count(member.parameter(&["t"]), context);
                self.states.push(State { name, remaining, reset, partition: partition(&member) });
            }
        }
        self.state = keyed.then_some(whole);
    }

    /// Reads the lines of a `RateLimit-Policy` field; `false` where they are no policies but a mere word.
    pub(super) fn policies(&mut self, lines: &[&[u8]], context: &mut Context<'_>) -> bool {
        if lines.iter().all(|line| line.iter().all(|octet| !b"=;\",".contains(octet))) {
            return false;
        }
        let joined = joined(lines);
        let Some(members) = members(&joined, context) else { return true };
        for member in members {
            let mut policy = Policy {
                name: name_of(&member),
                limit: count(member.parameter(&["q", "l"]), context).and_then(Amount::new),
                window: count(member.parameter(&["w", "window"]), context),
                unit: member.parameter(&["qu"]).and_then(text).and_then(|unit| plain::word(unit.as_bytes())),
                partition: partition(&member),
            };
            if policy.name.is_some() {
                self.interim |= member.parameter(&["l"]).is_some();
                push_new(&mut self.policies, policy);
            } else if let Some(limit) = member.value.number() {
                policy.limit = Amount::new(limit);
                policy.name = member.parameter(&["name"]).and_then(text).and_then(|name| plain::word(name.as_bytes()));
                push_new(&mut self.unnamed, policy);
            }
        }
        true
    }

    /// Adds what is complete: states with their policies, and a state without a name with its policies.
    pub(super) fn complete(&mut self, base: &Quota, context: &mut Context<'_>, quotas: &mut Vec<Quota>) {
        if let Some((limit, remaining, seconds)) = self.state.take() {
            let mut current = Quota { family: "ietf-07", ..base.clone() };
            current.limit = limit.and_then(Amount::new);
            current.remaining = remaining.and_then(Amount::new);
            set_reset(&mut current, seconds, context);
            let base = Quota { family: "ietf-07", ..base.clone() };
            unify(current, None, self.take_unnamed(), &base, quotas);
        }
        let family = if self.interim { "ietf-07-token" } else { "ietf-08+" };
        let base = Quota { family, plain: false, ..base.clone() };
        let mut spoken_of = vec![false; self.policies.len()];
        for state in std::mem::take(&mut self.states) {
            let mut quota = Quota { policy: Some(Arc::clone(&state.name)), ..base.clone() };
            quota.remaining = state.remaining.and_then(Amount::new);
            quota.partition.clone_from(&state.partition);
            for (policy, spoken_of) in self.policies.iter().zip(&mut spoken_of) {
                let same_partition =
                    policy.partition.is_none() || state.partition.is_none() || policy.partition == state.partition;
                if policy.name.as_ref() == Some(&state.name) && same_partition {
                    *spoken_of = true;
                    quota.limit = policy.limit;
                    quota.window = policy.window;
                    quota.dimension = policy.unit.clone().or(quota.dimension);
                    quota.partition = quota.partition.or_else(|| policy.partition.clone());
                }
            }
            set_reset(&mut quota, state.reset, context);
            quotas.push(quota);
        }
        let unspoken =
            std::mem::take(&mut self.policies).into_iter().zip(spoken_of).filter(|(_, spoken_of)| !spoken_of);
        quotas.extend(unspoken.map(|(policy, _)| policy.into_quota(&base)));
    }
}

/// Gives the current quota the window of the one policy that it belongs to; the other policies are quotas of their own.
///
/// `counted` is the window that the current numbers name themselves.
pub(super) fn unify(
    mut current: Quota,
    counted: Option<f64>,
    mut policies: Vec<Policy>,
    base: &Quota,
    quotas: &mut Vec<Quota>,
) {
    let alone = policies.len() == 1;
    let belongs = |policy: &Policy| match (counted, current.limit) {
        (Some(window), _) => policy.window.is_some_and(|w| (w - window).abs() < 1e-9),
        (None, Some(limit)) => policy.limit == Some(limit),
        (None, None) => alone,
    };
    let mut matches = policies.iter().enumerate().filter(|(_, policy)| belongs(policy)).map(|(place, _)| place);
    let place = match (matches.next(), matches.next()) {
        (Some(place), None) => Some(place),
        // Two policies with this limit: which window is running out is not said.
        _ => None,
    };
    if let Some(policy) = place.map(|place| policies.remove(place)) {
        current.limit = current.limit.or(policy.limit);
        current.window = policy.window.or(current.window);
        current.policy = policy.name.or(current.policy);
    } else if counted.is_some() {
        current.window = counted;
    }
    quotas.push(current);
    quotas.extend(policies.into_iter().map(|policy| policy.into_quota(base)));
}

/// The lines of one field as one (RFC 9110 section 5.3).
fn joined<'a>(lines: &[&'a [u8]]) -> Cow<'a, [u8]> {
    match lines {
        [only] => Cow::Borrowed(only),
        _ => Cow::Owned(lines.join(&b", "[..])),
    }
}

fn members<'a>(line: &'a [u8], context: &mut Context<'_>) -> Option<Vec<Member<'a>>> {
    if line.is_empty() {
        return None;
    }
    let members = structured::members(line);
    if members.is_none() {
        context.doubt("structured-field-malformed");
    }
    members
}

/// Adds a policy that was not said before: two layers may both have sent the field.
fn push_new(policies: &mut Vec<Policy>, policy: Policy) {
    if !policies.contains(&policy) {
        policies.push(policy);
    }
}

/// Strings are right; tokens stand in examples of the drafts themselves. A second string after the first is the name
/// that the state has: `"fixed window";"api";q=1000;w=300`.
///
/// Source: <https://huggingface.co/docs/hub/rate-limits>
fn name_of(member: &Member<'_>) -> Option<Arc<str>> {
    if member.key.is_some() {
        return None;
    }
    let first = text(&member.value)?;
    let name = member.parameter(&[""]).and_then(text).unwrap_or(first);
    plain::word(name.as_bytes())
}

fn text<'a>(value: &'a Bare<'_>) -> Option<&'a str> {
    match value {
        Bare::Text(text) => Some(text),
        Bare::Token(text) => Some(text),
        _ => None,
    }
}

fn partition(member: &Member<'_>) -> Option<Vec<u8>> {
    match member.parameter(&["pk"])? {
        Bare::Bytes(octets) => Some(octets.to_vec()),
        Bare::Text(text) => Some(text.as_bytes().to_vec()),
        Bare::Token(text) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

fn count(value: Option<&Bare<'_>>, context: &mut Context<'_>) -> Option<f64> {
    let number = value?.number();
    if number.is_none() {
        context.doubt("number-unreadable");
    }
    number
}

/// The drafts count from now; a number of the size of an epoch is one nevertheless.
fn set_reset(quota: &mut Quota, value: Option<f64>, context: &mut Context<'_>) {
    let Some(value) = value else { return };
    let exhausted = quota.remaining == Some(Amount::ZERO);
    let (clock, rule) = (context.clock, context.reset_rule);
    let beside = Beside { clock, rule, delta_family: true, exhausted, window: quota.window, wait: context.wait };
    match reset::number(value, Unit::Unsaid, &beside) {
        Ok(point) => quota.reset = point,
        Err(doubt) => context.doubt(doubt),
    }
}
