//! `RateLimit-Policy`: how many units per window, in each shape that the IETF drafts have had.
//!
//! Source: <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>, versions 00 to 10.

use std::sync::Arc;

use super::Context;
use super::ietf::{self, count, name_of, partition, text};
use super::quota::Quota;
use crate::extract::plain;
use crate::extract::recent::{Hash, Recent};
use crate::model::Amount;

/// A policy: how many units per window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Policy {
    pub(super) name: Option<Arc<str>>,
    pub(super) limit: Option<Amount>,
    pub(super) window: Option<f64>,
    pub(super) unit: Option<Arc<str>>,
    pub(super) partition: Option<Vec<u8>>,
}

impl Policy {
    /// A policy without a name of its own.
    pub(super) fn of(limit: Option<f64>, window: f64, name: Option<&[u8]>) -> Self {
        let limit = limit.and_then(Amount::new);
        Self { name: name.and_then(plain::word), limit, window: Some(window), ..Self::default() }
    }

    /// The quota of a policy that no state speaks of.
    pub(super) fn to_quota(&self, base: &Quota) -> Quota {
        Quota {
            policy: self.name.clone(),
            limit: self.limit,
            window: self.window,
            dimension: self.unit.clone().or_else(|| base.dimension.clone()),
            partition: self.partition.clone(),
            owner: base.owner,
            family: base.family,
            bucket: base.bucket.clone(),
            ..Quota::default()
        }
    }
}

/// The policies of one response.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Those with a name.
    pub(super) named: Vec<Policy>,
    /// Those that are a number with a window.
    pub(super) unnamed: Vec<Policy>,
    /// Whether the limits stand in `l`, as in one draft only.
    pub(super) interim: bool,
    /// Whether the lines are no policies but a mere word.
    pub(super) are_word: bool,
}

impl Policies {
    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.named.is_empty() && self.unnamed.is_empty()
    }

    /// Reads the lines of a `RateLimit-Policy` field.
    fn read(lines: &[&[u8]], doubts: &mut dyn FnMut(&'static str)) -> Self {
        let mut policies = Self::default();
        if lines.iter().all(|line| line.iter().all(|octet| !b"=;\",".contains(octet))) {
            policies.are_word = true;
            return policies;
        }
        let joined = ietf::joined(lines);
        for member in ietf::members(&joined, doubts).unwrap_or_default() {
            let mut policy = Policy {
                name: name_of(&member),
                limit: count(member.parameter(&["q", "l"]), doubts).and_then(Amount::new),
                window: count(member.parameter(&["w", "window"]), doubts),
                unit: member.parameter(&["qu"]).and_then(text).and_then(|unit| plain::word(unit.as_bytes())),
                partition: partition(&member),
            };
            if policy.name.is_some() {
                policies.interim |= member.parameter(&["l"]).is_some();
                push_new(&mut policies.named, policy);
            } else if let Some(limit) = member.value.number() {
                policy.limit = Amount::new(limit);
                policy.name = member.parameter(&["name"]).and_then(text).and_then(|name| plain::word(name.as_bytes()));
                push_new(&mut policies.unnamed, policy);
            }
        }
        policies
    }
}

/// Adds a policy that was not said before: two layers may both have sent the field.
fn push_new(policies: &mut Vec<Policy>, policy: Policy) {
    if !policies.contains(&policy) {
        policies.push(policy);
    }
}

/// The policies that responses announced lately: a server sends the same with each.
#[derive(Debug, Clone)]
pub(super) struct KnownPolicies(Recent<(Box<[u8]>, Arc<Policies>)>);

/// A longer line is read anew each time, so that what is remembered stays small; policies seen have up to 90 octets.
const LONGEST_KNOWN: usize = 256;

impl KnownPolicies {
    /// Room for four times so many.
    pub(super) const fn new(sets: usize) -> Self {
        Self(Recent::new(sets))
    }

    /// What the lines of a `RateLimit-Policy` field announce.
    pub(super) fn of(context: &mut Context<'_>, lines: &[&[u8]]) -> Arc<Policies> {
        let [line] = lines else { return Arc::new(Policies::read(lines, &mut |reason| context.doubt(reason))) };
        let hash = Hash::of(&[line]);
        if let Some((_, known)) = context.policies.0.known(hash, |(octets, _)| **octets == **line) {
            return Arc::clone(known);
        }
        let mut is_certain = true;
        let policies = Arc::new(Policies::read(lines, &mut |reason| {
            is_certain = false;
            context.doubt(reason);
        }));
        // A doubt is told each time.
        if is_certain && line.len() <= LONGEST_KNOWN {
            context.policies.0.keep(hash, (Box::from(*line), Arc::clone(&policies)));
        }
        policies
    }
}

/// Gives the current quota the window of the one policy that it belongs to; the other policies are quotas of their own.
///
/// `counted` is the window that the current numbers name themselves.
pub(super) fn unify(
    mut current: Quota,
    counted: Option<f64>,
    policies: &[Policy],
    base: &Quota,
    quotas: &mut Vec<Quota>,
) {
    let alone = policies.len() == 1;
    let belongs = |policy: &Policy| match (counted, current.limit) {
        (Some(window), _) => policy.window.is_some_and(|w| (w - window).abs() < 1e-9),
        (None, Some(limit)) => policy.limit == Some(limit),
        (None, None) => alone,
    };
    let mut matches = policies.iter().enumerate().filter(|(_, policy)| belongs(policy));
    let own = match (matches.next(), matches.next()) {
        (Some(own), None) => Some(own),
        // Two policies with this limit: which window is running out is not said.
        _ => None,
    };
    if let Some((_, policy)) = own {
        current.limit = current.limit.or(policy.limit);
        current.window = policy.window.or(current.window);
        current.policy = policy.name.clone().or(current.policy);
    } else if counted.is_some() {
        current.window = counted;
    }
    quotas.push(current);
    let others = policies.iter().enumerate().filter(|(place, _)| own.is_none_or(|(own, _)| own != *place));
    quotas.extend(others.map(|(_, policy)| policy.to_quota(base)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::clock::Clock;
    use crate::model::Timestamp;

    #[test]
    fn what_is_remembered_says_the_same_and_a_doubt_is_told_each_time() {
        let mut known = KnownPolicies::new(1);
        let mut doubts = Vec::new();
        let clock = Clock::new(Timestamp::from_secs(1_800_000_000), None, None);
        for line in ["\"a\";q=9;w=60, 5;w=1;name=\"b\"", "\"a\";q=x;w=60", "word"] {
            let mut seen = Vec::new();
            for _ in 0..3 {
                doubts.clear();
                let mut context = Context::new(clock, None, &mut known, &mut doubts);
                let policies = KnownPolicies::of(&mut context, &[line.as_bytes()]);
                seen.push((format!("{policies:?}"), doubts.clone()));
            }
            assert_eq!(seen[0], seen[1], "{line}");
            assert_eq!(seen[0], seen[2], "{line}");
            assert_eq!(seen[0].1.is_empty(), !line.contains("q=x"), "{line}");
        }
    }
}
