//! One quota while it is put together, and when two are one.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Amount, Dimension, QuotaSource, Reading, Scope, Timestamp, keep_text};

/// A quota as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::extract) struct Quota {
    /// What it counts; absent means requests.
    pub(in crate::extract) dimension: Option<Arc<str>>,
    pub(in crate::extract) policy: Option<Arc<str>>,
    pub(in crate::extract) limit: Option<Amount>,
    pub(in crate::extract) remaining: Option<Amount>,
    pub(in crate::extract) used: Option<Amount>,
    pub(in crate::extract) utilization: Option<f64>,
    /// Seconds.
    pub(in crate::extract) window: Option<f64>,
    pub(in crate::extract) reset: Option<Timestamp>,
    pub(in crate::extract) bucket: Option<Arc<str>>,
    pub(in crate::extract) scope: Option<Scope>,
    pub(in crate::extract) body: bool,
    /// Tells the fields of one provider or layer from those of another.
    pub(in crate::extract) owner: u64,
    /// Whether its name has no label, dimension or window.
    pub(in crate::extract) plain: bool,
    /// The partition key, so that two partitions of one policy stay apart.
    pub(in crate::extract) partition: Option<Vec<u8>>,
    pub(in crate::extract) family: &'static str,
}

/// The numbers of a quota.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    pub(super) limit: Option<Amount>,
    pub(super) remaining: Option<Amount>,
    pub(super) used: Option<Amount>,
    pub(super) utilization: Option<f64>,
    pub(super) reset: Option<Timestamp>,
}

impl Numbers {
    /// With what follows exactly from the others.
    #[inline]
    pub(super) fn completed(self) -> Self {
        let Self { limit, mut remaining, mut used, mut utilization, reset } = self;
        if let Some(limit) = limit {
            match (remaining, used) {
                (Some(left), None) if left <= limit => used = Some(limit.less(left)),
                (None, Some(spent)) => remaining = Some(limit.less(spent)),
                _ => {}
            }
            if utilization.is_none() && limit > Amount::ZERO {
                utilization = match (used, remaining) {
                    (Some(spent), _) => Some(spent.value() / limit.value()),
                    (None, Some(left)) => Some((1.0 - left.value() / limit.value()).max(0.0)),
                    (None, None) => None,
                };
            }
        }
        let utilization = utilization.filter(|ratio| (0.0..=f64::MAX).contains(ratio));
        Self { limit, remaining, used, utilization, reset }
    }
}

/// Two ways of writing one reset differ by rounding.
const RESET_SLACK: Duration = Duration::from_secs(2);

impl Quota {
    /// Whether it says anything that can be watched.
    pub(in crate::extract) fn says_something(&self) -> bool {
        self.limit.is_some()
            || self.remaining.is_some()
            || self.used.is_some()
            || self.utilization.is_some()
            || self.reset.is_some()
    }

    fn dimension_name(&self) -> &str {
        self.dimension.as_deref().unwrap_or("requests")
    }

    /// Whether `other` is the same quota, said a second time in other words.
    pub(in crate::extract) fn is_also(&self, other: &Self) -> bool {
        if self.dimension_name() != other.dimension_name()
            || self.partition.as_ref().zip(other.partition.as_ref()).is_some_and(|(a, b)| a != b)
        {
            return false;
        }
        let mut agreed = 0;
        let mut agree = |same: Option<bool>| match same {
            Some(false) => false,
            Some(true) => {
                agreed += 1;
                true
            }
            None => true,
        };
        let both = |a: Option<Amount>, b: Option<Amount>| a.zip(b).map(|(a, b)| a == b);
        let numbers = agree(both(self.limit, other.limit))
            && agree(both(self.remaining, other.remaining))
            && agree(both(self.used, other.used))
            && agree(self.reset.zip(other.reset).map(|(a, b)| a.since(b).max(b.since(a)) <= RESET_SLACK));
        let windows = self.window.zip(other.window).is_none_or(|(a, b)| (a - b).abs() < 1e-6);
        let policies = self.policy.is_none() || other.policy.is_none() || self.policy == other.policy;
        let counts = both(self.limit, other.limit).is_some()
            || both(self.remaining, other.remaining).is_some()
            || both(self.used, other.used).is_some();
        // A provider's unlabelled numbers repeat one of its labelled quotas; two layers must agree in more than one.
        let needed = if self.owner == other.owner && (self.plain || other.plain) { 1 } else { 2 };
        numbers && windows && policies && counts && agreed >= needed
    }

    /// Takes over what `other` knows beyond this one.
    pub(in crate::extract) fn absorb(&mut self, other: Self) {
        fn fill<T>(slot: &mut Option<T>, other: Option<T>) {
            if slot.is_none() {
                *slot = other;
            }
        }
        fill(&mut self.dimension, other.dimension);
        fill(&mut self.policy, other.policy);
        fill(&mut self.limit, other.limit);
        fill(&mut self.remaining, other.remaining);
        fill(&mut self.used, other.used);
        fill(&mut self.utilization, other.utilization);
        fill(&mut self.window, other.window);
        fill(&mut self.reset, other.reset);
        fill(&mut self.bucket, other.bucket);
        fill(&mut self.scope, other.scope);
        self.plain &= other.plain;
        if self.owner == other.owner && other.family.starts_with("ietf") {
            self.family = other.family;
        }
        if self.owner != other.owner && self.family != other.family && !other.body {
            self.family = "mixed";
        }
    }

    /// With these numbers in place of its own.
    pub(super) fn with(self, Numbers { limit, remaining, used, utilization, reset }: Numbers) -> Self {
        Self { limit, remaining, used, utilization, reset, ..self }
    }

    /// The reading, with what follows exactly from what was said.
    pub(in crate::extract) fn reading(&self) -> Reading {
        let Self { limit, remaining, used, utilization, reset, .. } = *self;
        let mut reading = Reading::default();
        self.write_reading(Numbers { limit, remaining, used, utilization, reset }, &mut reading);
        reading
    }

    /// Writes the reading of the same quota with other numbers over one that is of no more use.
    pub(super) fn write_reading(&self, numbers: Numbers, reading: &mut Reading) {
        let Reading {
            dimension,
            policy,
            limit,
            remaining,
            used,
            utilization,
            window,
            reset_at,
            source,
            bucket,
            scope,
            window_kind,
        } = reading;
        // The name of most of them stands there from the last time.
        if *dimension.0 != *self.dimension_name() {
            *dimension = self.dimension.clone().map_or_else(Dimension::requests, Dimension);
        }
        keep_text(policy, self.policy.as_ref());
        let numbers = numbers.completed();
        *limit = numbers.limit;
        *remaining = numbers.remaining;
        *used = numbers.used;
        *utilization = numbers.utilization;
        *window = self.window.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        *reset_at = numbers.reset;
        *source = if self.body { QuotaSource::Body } else { QuotaSource::Header };
        keep_text(bucket, self.bucket.as_ref());
        scope.clone_from(&self.scope);
        *window_kind = None;
    }

    /// An order that does not depend on the order of the field lines: what counts requests first, short windows first.
    pub(in crate::extract) fn order(&self, other: &Self) -> std::cmp::Ordering {
        let requests = |quota: &Self| quota.dimension_name() != "requests";
        let window = |quota: &Self| quota.window.unwrap_or(-1.0);
        requests(self)
            .cmp(&requests(other))
            .then_with(|| self.dimension_name().cmp(other.dimension_name()))
            .then_with(|| self.body.cmp(&other.body))
            .then_with(|| window(self).total_cmp(&window(other)))
            .then_with(|| self.policy.cmp(&other.policy))
            .then_with(|| (self.limit, self.remaining, self.used).cmp(&(other.limit, other.remaining, other.used)))
            .then_with(|| self.reset.cmp(&other.reset))
            .then_with(|| self.partition.cmp(&other.partition))
            .then_with(|| self.family.cmp(other.family))
    }
}

/// The only reading, in the place of those that are of no more use.
#[inline(always)]
pub(super) fn only(readings: &mut Vec<Reading>) -> Option<&mut Reading> {
    if readings.len() > 1 {
        readings.truncate(1);
    }
    if readings.is_empty() {
        // Thousands may wait for their turn: room for one, not for the four that growing would make.
        readings.reserve_exact(1);
        readings.push(Reading::default());
    }
    readings.first_mut()
}

/// Sorts, and makes one of those that are one; says whether there were any.
pub(in crate::extract) fn unite(quotas: &mut Vec<Quota>) -> bool {
    quotas.retain(Quota::says_something);
    let count = quotas.len();
    if count < 2 {
        return false;
    }
    quotas.sort_by(Quota::order);
    quotas.dedup();
    let mut united: Vec<Quota> = Vec::with_capacity(quotas.len());
    for quota in quotas.drain(..) {
        let mut same = united.iter_mut().filter(|other| other.is_also(&quota));
        match (same.next(), same.next()) {
            (Some(only), None) => only.absorb(quota),
            _ => united.push(quota),
        }
    }
    united.sort_by(Quota::order);
    *quotas = united;
    quotas.len() < count
}
