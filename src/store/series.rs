//! What a series is, and the number it is stored under.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::envelope;
use crate::model::{Dimension, QuotaKey, QuotaSource, QuotaState, Scope};

/// The number that a series is stored under; the same after a restart, never given to another series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesId(pub u32);

/// What a series is: which quota, and who said its numbers. Names that may change while the quota stays the same (host,
/// endpoint) are as first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The number it is stored under.
    pub id: SeriesId,
    /// What tells the quota from others: owner, scope, bucket, dimension, window.
    pub key: QuotaKey,
    /// Who said its numbers; with the key it makes the series' identity.
    pub source: QuotaSource,
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// The host it was first seen on.
    pub host: Arc<str>,
    /// The endpoint, or the class of endpoints that share the quota.
    pub endpoint: Arc<str>,
    /// The provider's name for the quota.
    pub policy: Option<Arc<str>>,
}

impl Series {
    pub(super) fn of(id: SeriesId, quota: &QuotaState) -> Self {
        Self {
            id,
            key: quota.key.clone(),
            source: quota.source,
            provider: quota.provider.clone(),
            host: Arc::clone(&quota.host),
            endpoint: Arc::clone(&quota.endpoint),
            policy: quota.policy.clone(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let record = SeriesRecord {
            quota: QuotaRecord::of(&self.key),
            source: word_of(self.source).into(),
            provider: self.provider.as_deref().map(Into::into),
            host: (&*self.host).into(),
            endpoint: (&*self.endpoint).into(),
            policy: self.policy.as_deref().map(Into::into),
        };
        envelope::seal(&serde_json::to_vec(&record).unwrap_or_default())
    }

    pub(super) fn decode(id: SeriesId, record: &[u8]) -> Result<Self, Damage> {
        let content = envelope::open(record)?;
        let record: SeriesRecord =
            serde_json::from_slice(&content).ok().ok_or(Damage::Malformed("not the record of a series"))?;
        Ok(Self {
            id,
            key: record.quota.key(),
            source: source_of(&record.source).ok_or(Damage::Malformed("a source that is not known"))?,
            provider: record.provider.map(Into::into),
            host: record.host.into(),
            endpoint: record.endpoint.into(),
            policy: record.policy.map(Into::into),
        })
    }
}

/// All series, by identity and by number.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_identity: BTreeMap<(QuotaKey, QuotaSource), SeriesId>,
    by_id: BTreeMap<SeriesId, Series>,
    next: u32,
}

impl Registry {
    pub(super) fn insert(&mut self, series: Series) {
        self.skip(series.id);
        self.by_identity.insert((series.key.clone(), series.source), series.id);
        self.by_id.insert(series.id, series);
    }

    /// Never gives out this number or an earlier one: chunks may still lie under it.
    pub(super) fn skip(&mut self, id: SeriesId) {
        self.next = self.next.max(id.0.saturating_add(1));
    }

    pub(super) fn next_id(&self) -> SeriesId {
        SeriesId(self.next)
    }

    pub(super) fn find(&self, quota: &QuotaState) -> Option<SeriesId> {
        // The map is asked with an owned key; cloning it only bumps the counts of shared strings.
        self.by_identity.get(&(quota.key.clone(), quota.source)).copied()
    }

    pub(super) fn contains(&self, id: SeriesId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn remove(&mut self, id: SeriesId) {
        if let Some(series) = self.by_id.remove(&id) {
            self.by_identity.remove(&(series.key, series.source));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Series> {
        self.by_id.values()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

/// A quota's key as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct QuotaRecord {
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope_kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope_id: Option<String>,
    bucket: String,
    dimension: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Duration>,
}

impl QuotaRecord {
    pub(super) fn of(key: &QuotaKey) -> Self {
        let scope = key.scope.as_ref();
        Self {
            owner: (&*key.owner).into(),
            scope_kind: scope.map(|scope| (&*scope.kind).into()),
            scope_id: scope.and_then(|scope| scope.id.as_deref()).map(Into::into),
            bucket: (&*key.bucket).into(),
            dimension: (&*key.dimension.0).into(),
            window: key.window,
        }
    }

    pub(super) fn key(self) -> QuotaKey {
        let id = self.scope_id.map(Arc::from);
        QuotaKey {
            owner: self.owner.into(),
            scope: self.scope_kind.map(|kind| Scope { kind: kind.into(), id }),
            bucket: self.bucket.into(),
            dimension: Dimension(self.dimension.into()),
            window: self.window,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct SeriesRecord {
    quota: QuotaRecord,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    host: String,
    endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

const fn word_of(source: QuotaSource) -> &'static str {
    source.as_str()
}

fn source_of(word: &str) -> Option<QuotaSource> {
    [QuotaSource::Header, QuotaSource::Body, QuotaSource::Declared, QuotaSource::Learned]
        .into_iter()
        .find(|source| source.as_str() == word)
}
