//! `RateLimit`: the state of quotas, in each shape that the structured fields of the IETF drafts have had.
//!
//! Source: <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>, versions 00 to 10.

use std::borrow::Cow;
use std::sync::Arc;

use super::Context;
use super::policies::{Policies, Policy, unify};
use super::quota::Quota;
use crate::extract::dialect::Unit;
use crate::extract::plain;
use crate::extract::reset::{self, Beside};
use crate::extract::structured::{self, Bare, Member};
use crate::model::Amount;

/// What `RateLimit` fields announce.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// `limit=100, remaining=50, reset=5`
    state: Option<(Option<f64>, Option<f64>, Option<f64>)>,
    /// `"default";r=50;t=30`
    states: Vec<State>,
}

#[derive(Debug)]
struct State {
    name: Arc<str>,
    remaining: Option<f64>,
    reset: Option<f64>,
    partition: Option<Vec<u8>>,
}

impl Announced {
    /// Whether there is nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.state.is_none() && self.states.is_empty()
    }

    /// Whether a state without a name is there, which the policies without names belong to.
    pub(super) const fn is_state_of_all(&self) -> bool {
        self.state.is_some()
    }

    /// Reads the lines of a `RateLimit` field that stands beside those policies.
    pub(super) fn state(&mut self, lines: &[&[u8]], policies: &Policies, context: &mut Context<'_>) {
        let joined = joined(lines);
        let doubts = &mut |reason| context.doubt(reason);
        let Some(members) = members(&joined, doubts) else { return };
        let mut whole = (None, None, None);
        let mut keyed = false;
        for member in members {
            // Some separate the members with semicolons.
            let pairs = member.parameters.iter().map(|(key, value)| (&**key, value));
            for (key, value) in member.key.as_deref().map(|key| (key, &member.value)).into_iter().chain(pairs) {
                match key {
                    "limit" => (whole.0, keyed) = (count(Some(value), doubts), true),
                    "remaining" => (whole.1, keyed) = (count(Some(value), doubts), true),
                    "reset" => (whole.2, keyed) = (count(Some(value), doubts), true),
                    _ => {}
                }
            }
            let known =
                |name: &str| policies.named.iter().find_map(|policy| policy.name.clone().filter(|n| **n == *name));
            if let Some(name) = name_text(&member).and_then(|name| known(name).or_else(|| plain::word(name.as_bytes())))
            {
                let remaining = count(member.parameter(&["r"]), doubts);
                let reset = count(member.parameter(&["t"]), doubts);
                self.states.push(State { name, remaining, reset, partition: partition(&member) });
            }
        }
        self.state = keyed.then_some(whole);
    }

    /// Adds what is complete: states with their policies, and a state without a name with the policies without names, which
    /// it then has used up.
    pub(super) fn complete(
        self,
        policies: &Policies,
        base: &Quota,
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        if let Some((limit, remaining, seconds)) = self.state {
            let base = Quota { family: "ietf-07", ..base.clone() };
            let mut current = base.clone();
            current.limit = limit.and_then(Amount::new);
            current.remaining = remaining.and_then(Amount::new);
            set_reset(&mut current, seconds, context);
            unify(current, None, &policies.unnamed, &base, quotas);
        }
        if self.states.is_empty() && policies.named.is_empty() {
            return;
        }
        let family = if policies.interim { "ietf-07-token" } else { "ietf-08+" };
        let base = Quota { family, plain: false, ..base.clone() };
        let belongs = |policy: &Policy, state: &State| {
            policy.name.as_ref() == Some(&state.name)
                && (policy.partition.is_none() || state.partition.is_none() || policy.partition == state.partition)
        };
        for state in &self.states {
            let mut quota = Quota { policy: Some(Arc::clone(&state.name)), ..base.clone() };
            quota.remaining = state.remaining.and_then(Amount::new);
            quota.partition.clone_from(&state.partition);
            for policy in policies.named.iter().filter(|policy| belongs(policy, state)) {
                quota.limit = policy.limit;
                quota.window = policy.window;
                quota.dimension = policy.unit.clone().or(quota.dimension);
                quota.partition = quota.partition.or_else(|| policy.partition.clone());
            }
            set_reset(&mut quota, state.reset, context);
            quotas.push(quota);
        }
        let unspoken = policies.named.iter().filter(|policy| !self.states.iter().any(|state| belongs(policy, state)));
        quotas.extend(unspoken.map(|policy| policy.to_quota(&base)));
    }
}

/// The lines of one field as one (RFC 9110 section 5.3).
pub(super) fn joined<'a>(lines: &[&'a [u8]]) -> Cow<'a, [u8]> {
    match lines {
        [only] => Cow::Borrowed(only),
        _ => Cow::Owned(lines.join(&b", "[..])),
    }
}

pub(super) fn members<'a>(line: &'a [u8], doubts: &mut dyn FnMut(&'static str)) -> Option<Vec<Member<'a>>> {
    if line.is_empty() {
        return None;
    }
    let members = structured::members(line);
    if members.is_none() {
        doubts("structured-field-malformed");
    }
    members
}

/// Strings are right; tokens stand in examples of the drafts themselves. A second string after the first is the name
/// that the state has: `"fixed window";"api";q=1000;w=300`.
///
/// Source: <https://huggingface.co/docs/hub/rate-limits>
fn name_text<'a>(member: &'a Member<'_>) -> Option<&'a str> {
    if member.key.is_some() {
        return None;
    }
    let first = text(&member.value)?;
    Some(member.parameter(&[""]).and_then(text).unwrap_or(first))
}

/// The same as a word that may be shown.
pub(super) fn name_of(member: &Member<'_>) -> Option<Arc<str>> {
    plain::word(name_text(member)?.as_bytes())
}

pub(super) fn text<'a>(value: &'a Bare<'_>) -> Option<&'a str> {
    match value {
        Bare::Text(text) => Some(text),
        Bare::Token(text) => Some(text),
        _ => None,
    }
}

pub(super) fn partition(member: &Member<'_>) -> Option<Vec<u8>> {
    match member.parameter(&["pk"])? {
        Bare::Bytes(octets) => Some(octets.to_vec()),
        Bare::Text(text) => Some(text.as_bytes().to_vec()),
        Bare::Token(text) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

pub(super) fn count(value: Option<&Bare<'_>>, doubts: &mut dyn FnMut(&'static str)) -> Option<f64> {
    let number = value?.number();
    if number.is_none() {
        doubts("number-unreadable");
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
