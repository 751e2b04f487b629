//! Lists of numbers to quotas: one number, numbers with windows, lists that stand side by side.

use super::Context;
use super::forms::{self, Element};
use super::policies::{Policy, unify};
use super::quota::Quota;
use super::resets::Resets;
use crate::extract::{plain, span};
use crate::model::Amount;

/// The lists of one quota's fields.
pub(super) struct Counts<'a> {
    limit: Vec<Element<'a>>,
    remaining: Vec<Element<'a>>,
    used: Vec<Element<'a>>,
}

impl<'a> Counts<'a> {
    /// From the lines of the fields; `None` where a list is too long.
    pub(super) fn of(limit: &[&'a [u8]], remaining: &[&'a [u8]], used: &[&'a [u8]]) -> Option<Self> {
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

    /// A limit of `1m` is no count but the window: taken out, in seconds.
    pub(super) fn take_window(&mut self) -> Option<f64> {
        let seconds = match self.limit.as_slice() {
            [only] if only.number.is_none() => span::seconds(only.text)?,
            _ => return None,
        };
        self.limit.clear();
        Some(seconds)
    }

    /// Whether an element says its window.
    pub(super) fn has_windows(&self) -> bool {
        self.lists().into_iter().flatten().any(|element| element.window.is_some())
    }

    /// Whether there is more than one element.
    pub(super) fn is_parallel(&self) -> bool {
        self.lists().into_iter().any(|list| list.len() > 1)
    }

    /// Counts the values that are there but are no numbers.
    pub(super) fn count_doubts(&self, context: &mut Context<'_>) {
        for element in self.lists().into_iter().flatten() {
            match element.number {
                None if plain::is_negative(element.text) => context.doubt("negative-number"),
                None => context.doubt("number-unreadable"),
                Some(number) if Amount::new(number).is_none() => context.doubt("number-too-large"),
                Some(_) => {}
            }
        }
    }

    /// One number of each.
    pub(super) fn single(&self, quota: &mut Quota) {
        [quota.limit, quota.remaining, quota.used] = self.lists().map(only_amount);
    }

    /// Lists that stand side by side: the first limit belongs to the first remaining.
    pub(super) fn in_parallel(
        &self,
        base: &Quota,
        resets: &Resets<'_>,
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        let base = Quota { family: "parallel-list", ..base.clone() };
        let longest = self.lists().into_iter().map(<[_]>::len).max().unwrap_or(0);
        if !self.lists().into_iter().all(|list| list.is_empty() || list.len() == longest) {
            // Which number belongs to which is not said: only a field with one number is certain.
            context.doubt("lists-not-aligned");
            let mut quota = base;
            self.single(&mut quota);
            quotas.push(quota);
            return;
        }
        let resets = resets.aligned(longest);
        for index in 0..longest {
            let at = |list: &[Element<'_>]| list.get(index).and_then(amount);
            let [limit, remaining, used] = self.lists().map(at);
            let mut quota = Quota { limit, remaining, used, ..base.clone() };
            if let Some(reset) = resets.as_ref().and_then(|resets| resets.get(index)) {
                quota.reset = reset.of_quota(&quota, context);
            }
            quotas.push(quota);
        }
    }

    /// Limits with windows: the expiring limit and the policies behind it.
    pub(super) fn with_policies(
        &self,
        base: &Quota,
        mut policies: Vec<Policy>,
        resets: &Resets<'_>,
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        let from_policy_field = !policies.is_empty();
        let mut expiring: Vec<Element<'_>> = Vec::new();
        for element in &self.limit {
            match element.window {
                Some(window) => policies.push(Policy::of(element.number, window, element.name)),
                None => expiring.push(*element),
            }
        }
        if expiring.len() > 1 && expiring.len() == self.limit.len() {
            self.with_aligned_policies(base, policies, resets, context, quotas);
            return;
        }
        let base = Quota { family: if from_policy_field { "ietf-03-06" } else { "ietf-00-02" }, ..base.clone() };
        if self.counts_by_window() {
            self.by_window(&base, policies, resets, context, quotas);
            return;
        }
        let mut current = base.clone();
        current.limit = only_amount(&expiring);
        current.remaining = only_amount(&self.remaining);
        current.used = only_amount(&self.used);
        current.reset = resets.of_quota(&current, context);
        if from_policy_field && resets.is_epoch() {
            current.family = "ratelimit-epoch";
        }
        let counted = self.remaining.first().or_else(|| self.used.first()).and_then(|element| element.window);
        unify(current, counted, &policies, &base, quotas);
    }

    fn lists(&self) -> [&[Element<'a>]; 3] {
        [&self.limit, &self.remaining, &self.used]
    }

    /// Whether several remainders say each its own window.
    fn counts_by_window(&self) -> bool {
        let counted = if self.remaining.is_empty() { &self.used } else { &self.remaining };
        counted.len() > 1 && counted.iter().all(|element| element.window.is_some())
    }

    /// `100;w=60, 1000;w=3600` beside `76;w=60, 900;w=3600`: joined by window.
    fn by_window(
        &self,
        base: &Quota,
        mut policies: Vec<Policy>,
        resets: &Resets<'_>,
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        let aligned = resets.aligned(self.remaining.len().max(self.used.len()));
        let (counted, is_left) = if self.remaining.is_empty() { (&self.used, false) } else { (&self.remaining, true) };
        for (index, element) in counted.iter().enumerate() {
            let mut quota = Quota { window: element.window, ..base.clone() };
            let count = amount(element);
            if is_left {
                quota.remaining = count;
            } else {
                quota.used = count;
            }
            if let Some(reset) = aligned.as_ref().and_then(|resets| resets.get(index)) {
                quota.reset = reset.of_quota(&quota, context);
            }
            if let Some(place) = policies.iter().position(|policy| policy.window == element.window) {
                let policy = policies.remove(place);
                quota.limit = policy.limit;
                quota.policy = policy.name.or(quota.policy);
            }
            quotas.push(quota);
        }
        quotas.extend(policies.iter().map(|policy| policy.to_quota(base)));
    }

    /// Limits, remainders, resets and policies that all stand side by side.
    fn with_aligned_policies(
        &self,
        base: &Quota,
        mut policies: Vec<Policy>,
        resets: &Resets<'_>,
        context: &mut Context<'_>,
        quotas: &mut Vec<Quota>,
    ) {
        let mut announced = Vec::new();
        self.in_parallel(base, resets, context, &mut announced);
        let in_order = announced.len() == policies.len()
            && announced.iter().zip(&policies).all(|(quota, policy)| quota.limit == policy.limit);
        for quota in &mut announced {
            let mut same = policies.iter().enumerate().filter(|(_, policy)| policy.limit == quota.limit);
            let place = match (same.next(), same.next()) {
                (Some((place, _)), None) => place,
                (Some(_), Some(_)) if in_order => 0,
                _ => continue,
            };
            let policy = policies.remove(place);
            quota.window = policy.window;
            quota.policy = policy.name.or_else(|| quota.policy.take());
        }
        quotas.extend(announced);
        quotas.extend(policies.iter().map(|policy| policy.to_quota(base)));
    }
}

/// The count of a list of one; which of several counts is not said.
fn only_amount(list: &[Element<'_>]) -> Option<Amount> {
    match list {
        [only] => amount(only),
        _ => None,
    }
}

fn amount(element: &Element<'_>) -> Option<Amount> {
    element.number.and_then(Amount::new)
}
