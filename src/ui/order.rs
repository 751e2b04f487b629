//! Which rows are shown, and in which order.

use std::cmp::Ordering;

use super::format;
use super::theme::is_blocked;
use crate::model::{Alert, EndpointState, ErrorCodeCount, Finding, QuotaState, Snapshot, Timestamp};

/// By what the quotas are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// What is out or runs out first, then by utilization; history last.
    #[default]
    RunsOut,
    /// The fullest first.
    Utilization,
    /// The most refused first.
    Throttled,
    /// By provider and quota.
    Name,
    /// The last heard of first.
    Seen,
}

impl Sort {
    /// The words of the panel's title.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RunsOut => "runs out first",
            Self::Utilization => "utilization",
            Self::Throttled => "throttled",
            Self::Name => "name",
            Self::Seen => "last seen",
        }
    }

    /// The one after it, round and round.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::RunsOut => Self::Utilization,
            Self::Utilization => Self::Throttled,
            Self::Throttled => Self::Name,
            Self::Name => Self::Seen,
            Self::Seen => Self::RunsOut,
        }
    }
}

/// The quotas that a filter lets pass, sorted, as indices into the snapshot's list. Equals stay in the snapshot's order.
pub(crate) fn quota_rows(snapshot: &Snapshot, sort: Sort, filter: &Filter) -> Vec<usize> {
    let mut rows: Vec<(usize, &QuotaState)> =
        snapshot.quotas.iter().enumerate().filter(|(_, quota)| filter.passes_quota(quota)).collect();
    match sort {
        Sort::RunsOut => rows.sort_by(|(_, a), (_, b)| {
            let (urgency_a, urgency_b) = (urgency(a, snapshot.at), urgency(b, snapshot.at));
            urgency_a.cmp(&urgency_b).then_with(|| larger_first(a.utilization, b.utilization))
        }),
        Sort::Utilization => rows.sort_by(|(_, a), (_, b)| larger_first(a.utilization, b.utilization)),
        Sort::Throttled => rows.sort_by(|(_, a), (_, b)| {
            let share = |quota: &QuotaState| format::ratio_of(quota.recent_throttled, quota.recent_requests);
            larger_first(share(a), share(b)).then_with(|| b.throttled.cmp(&a.throttled))
        }),
        Sort::Name => rows.sort_by(|(_, a), (_, b)| name(a).cmp(&name(b))),
        Sort::Seen => rows.sort_by_key(|(_, quota)| std::cmp::Reverse(quota.seen_at)),
    }
    rows.into_iter().map(|(at, _)| at).collect()
}

/// Words that must all occur, in any case of letters and anywhere in what a row is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    words: Vec<String>,
}

impl Filter {
    /// From what was typed.
    pub fn new(typed: &str) -> Self {
        Self { words: typed.split_whitespace().map(str::to_lowercase).collect() }
    }

    /// Over provider, host, endpoints, policy, dimension, scope and error codes.
    pub(crate) fn passes_quota(&self, quota: &QuotaState) -> bool {
        let scope = quota.scope.as_ref();
        self.passes(|word| {
            contains(&quota.key.owner, word)
                || contains(&quota.key.bucket, word)
                || contains(&quota.host, word)
                || contains(&quota.endpoint, word)
                || quota.provider.iter().any(|text| contains(text, word))
                || quota.policy.iter().any(|text| contains(text, word))
                || contains(&quota.dimension.0, word)
                || scope.is_some_and(|scope| contains(&scope.kind, word))
                || scope.and_then(|scope| scope.id.as_ref()).is_some_and(|id| contains(id, word))
                || quota.error_codes.keys().any(|code| contains(code, word))
                || quota.endpoints.iter().any(|(endpoint, _)| contains(endpoint, word))
        })
    }

    /// Over provider, host, endpoint and error codes.
    pub(crate) fn passes_endpoint(&self, endpoint: &EndpointState) -> bool {
        self.passes(|word| {
            contains(&endpoint.host, word)
                || contains(&endpoint.endpoint, word)
                || endpoint.provider.iter().any(|text| contains(text, word))
                || endpoint.error_codes.keys().any(|code| contains(code, word))
        })
    }

    /// Over owner, code and the kind of scope.
    pub(crate) fn passes_error_code(&self, code: &ErrorCodeCount) -> bool {
        self.passes(|word| {
            contains(&code.owner, word)
                || contains(&code.code, word)
                || code.scope_kind.iter().any(|kind| contains(kind, word))
        })
    }

    /// Over kind, host, endpoint, evidence and advice.
    pub(crate) fn passes_finding(&self, finding: &Finding) -> bool {
        self.passes(|word| {
            [finding.kind, &finding.host, &finding.endpoint, &finding.evidence, &finding.advice]
                .iter()
                .any(|text| contains(text, word))
        })
    }

    /// Over rule, severity, subject and summary.
    pub(crate) fn passes_alert(&self, alert: &Alert) -> bool {
        let subject = &alert.subject;
        let scope = subject.scope.as_ref();
        self.passes(|word| {
            contains(alert.rule.as_str(), word)
                || contains(alert.severity.as_str(), word)
                || contains(&alert.summary, word)
                || [&subject.provider, &subject.host, &subject.policy, &subject.error_code, &subject.interface]
                    .into_iter()
                    .flatten()
                    .any(|text| contains(text, word))
                || scope.is_some_and(|scope| contains(&scope.kind, word))
                || scope.and_then(|scope| scope.id.as_ref()).is_some_and(|id| contains(id, word))
        })
    }

    fn passes(&self, occurs: impl Fn(&str) -> bool) -> bool {
        self.words.iter().all(|word| occurs(word))
    }
}

fn contains(text: &str, lowercase_word: &str) -> bool {
    text.to_lowercase().contains(lowercase_word)
}

/// Smaller is more urgent: out already, then by when it runs out, then what does not, then history.
fn urgency(quota: &QuotaState, now: Option<Timestamp>) -> (u8, Timestamp) {
    let out = is_blocked(quota, now) || quota.remaining.is_some_and(|left| left.value() <= 0.0);
    match quota.exhausts_at {
        _ if quota.stale => (3, Timestamp::MAX),
        _ if out => (0, Timestamp::MIN),
        Some(at) => (1, at),
        None => (2, Timestamp::MAX),
    }
}

fn larger_first(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

fn name(quota: &QuotaState) -> (&str, &str) {
    (quota.provider.as_deref().unwrap_or(&quota.host), &quota.endpoint)
}
