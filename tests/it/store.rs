//! The store: what is recorded comes back, after restarts, crashes and damage.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quotascope::model::{
    Amount, Dimension, QuotaKey, QuotaSource, QuotaState, Scope, Snapshot, Timestamp, Trend, TrendPoint,
};
use quotascope::store::{Opened, Resolution, SledStore, Store, StoreError, StoreOptions};

/// 2026-11-22T00:00:00Z, the start of an hour, of a six hour window and of a day.
const START: i64 = 1_795_305_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(START + seconds)
}

fn options() -> StoreOptions {
    // The tests hold little, and many run at once.
    StoreOptions { cache: 1 << 20, reserve: 0, ..StoreOptions::new(at(0)) }
}

fn open(directory: &Path) -> (SledStore, Opened) {
    SledStore::open(directory, options()).unwrap()
}

fn quota(bucket: &str) -> QuotaState {
    QuotaState {
        key: QuotaKey {
            owner: "ceypay".into(),
            scope: Some(Scope { kind: "merchant".into(), id: Some("k:5f2c9a01".into()) }),
            bucket: bucket.into(),
            dimension: Dimension::requests(),
            window: Some(Duration::from_mins(1)),
        },
        provider: Some("ceypay".into()),
        host: "api.example.com".into(),
        endpoint: "POST /v1/payments".into(),
        endpoints: Vec::new(),
        scope: None,
        policy: None,
        dimension: Dimension::requests(),
        source: QuotaSource::Header,
        limit: Some(Amount::from_count(1000)),
        remaining: Some(Amount::from_count(1000)),
        utilization: Some(0.0),
        peak_utilization: None,
        window: Some(Duration::from_mins(1)),
        window_kind: None,
        reset_at: None,
        requests: 0,
        throttled: 0,
        recent_requests: 0,
        recent_throttled: 0,
        error_codes: BTreeMap::new(),
        retry_after: None,
        blocked_until: None,
        consumption_rate: None,
        exhausts_at: None,
        pace: None,
        seen_at: at(0),
        stale: false,
        trend: Trend::default(),
    }
}

fn snapshot(quotas: Vec<QuotaState>) -> Snapshot {
    Snapshot { quotas, ..Snapshot::default() }
}

/// A quota that loses `used` of its thousand units, after `requests` exchanges.
fn burnt(bucket: &str, used: u64, requests: u64, seen: i64) -> QuotaState {
    QuotaState {
        remaining: Some(Amount::from_count(1000 - used)),
        requests,
        throttled: requests / 10,
        seen_at: at(seen),
        ..quota(bucket)
    }
}

#[test]
fn what_is_recorded_comes_back_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, opened) = open(directory.path());
    assert_eq!(opened, Opened::Clean);
    for tick in 0..30i64 {
        let used = u64::try_from(tick).unwrap() * 10;
        store.record(at(tick * 10), &snapshot(vec![burnt("core", used, used + 1, tick * 10)])).unwrap();
    }
    let check = |store: &SledStore| {
        let series = store.series();
        assert_eq!(series.len(), 1);
        assert_eq!(&*series[0].key.bucket, "core");
        let points = store.points(series[0].id, at(0), at(300), Resolution::Tick).unwrap();
        assert_eq!(points.len(), 30);
        assert_eq!(points[7].at, at(70));
        assert_eq!(points[7].limit, Some(Amount::from_count(1000)));
        assert_eq!(points[7].remaining, Some(Amount::from_count(930)));
        assert_eq!(points[7].used, Some(Amount::from_count(70)));
        assert_eq!(points[7].utilization, Some(0.07));
        assert_eq!((points[0].requests, points[7].requests), (1, 10), "counts are those of the tick");
        let minutes = store.points(series[0].id, at(0), at(300), Resolution::Minute).unwrap();
        assert_eq!(minutes.iter().map(|point| point.requests).collect::<Vec<_>>(), [51, 60, 60, 60, 60]);
        assert_eq!(minutes[1].lowest_remaining, Some(Amount::from_count(890)));
        assert_eq!(minutes[1].samples, 6);
        series[0].id
    };
    let id = check(&store);
    Box::new(store).close().unwrap();
    let (mut store, opened) = open(directory.path());
    assert_eq!(opened, Opened::Clean);
    assert_eq!(check(&store), id);
    // The agent counts from zero again, the series goes on.
    store.record(at(300), &snapshot(vec![burnt("core", 500, 3, 300)])).unwrap();
    assert_eq!(store.series().len(), 1);
    let points = store.points(id, at(290), at(310), Resolution::Tick).unwrap();
    assert_eq!(points.iter().map(|point| point.requests).collect::<Vec<_>>(), [10, 3]);
}
