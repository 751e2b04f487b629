//! The store: what is recorded comes back, after restarts, crashes and damage.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic, and so do its parts")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use quotascope::model::{
    Alert, AlertState, Amount, Dimension, QuotaKey, QuotaSource, QuotaState, Rule, Scope, Severity, Snapshot, Subject,
    Timestamp, Trend, TrendPoint,
};
use quotascope::store::history::{matches, select};
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
        learned_sharing: false,
        confidence: None,
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

#[test]
fn a_gap_means_that_nothing_new_was_heard() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let mut core = burnt("core", 100, 5, 0);
    for tick in 0..10i64 {
        if tick == 4 {
            // Heard of again, with the same numbers.
            core.seen_at = at(41);
        }
        if tick == 7 {
            // Nothing was heard, but the tracker knows that the window was reset.
            core.remaining = core.limit;
            core.utilization = Some(0.0);
        }
        let quotas = if tick == 2 { vec![core.clone(), burnt("search", 1, 1, 20)] } else { vec![core.clone()] };
        store.record(at(tick * 10), &snapshot(quotas)).unwrap();
    }
    let points = store.points(store.series()[0].id, at(0), at(100), Resolution::Tick).unwrap();
    let heard: Vec<_> = points.iter().map(|p| (p.at, p.requests, p.remaining.map(Amount::value))).collect();
    assert_eq!(heard, [(at(0), 5, Some(900.0)), (at(40), 0, Some(900.0)), (at(70), 0, Some(1000.0))]);
    assert_eq!(store.points(store.series()[1].id, at(0), at(100), Resolution::Tick).unwrap().len(), 1);
}

#[test]
fn amounts_are_exact_and_unknown_stays_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let cases: Vec<QuotaState> = [
        (Some(0.0167), Some(0.01), None),
        (Some(598.5), Some(0.125), Some(0.9)),
        (Some(9_007_199_254_740_991.0), Some(1.0), None),
        (None, Some(17.0), None),
        (None, None, Some(0.25)),
        (None, None, None),
        (Some(10.0), None, Some(0.3)),
        // A declared limit that was overrun.
        (Some(60.0), Some(0.0), Some(1.5)),
        (Some(0.0), Some(0.0), Some(1.0)),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, (limit, remaining, utilization))| QuotaState {
        limit: limit.and_then(Amount::new),
        remaining: remaining.and_then(Amount::new),
        utilization,
        ..quota(&format!("bucket-{index}"))
    })
    .collect();
    store.record(at(0), &snapshot(cases.clone())).unwrap();
    // Through a sealed chunk and through a restart.
    store.record(at(3600), &snapshot(cases.clone())).unwrap();
    Box::new(store).close().unwrap();
    let (store, _) = open(directory.path());
    let mut used = Vec::new();
    for series in store.series() {
        let wanted = cases.iter().find(|case| case.key == series.key).unwrap();
        let points = store.points(series.id, at(0), at(3600), Resolution::Tick).unwrap();
        let [point] = points.as_slice() else { panic!("{points:?}") };
        assert_eq!((point.limit, point.remaining), (wanted.limit, wanted.remaining));
        used.push((point.used.map(Amount::value), point.utilization));
    }
    assert_eq!(
        used,
        [
            (Some(0.0167 - 0.01), Some((0.0167 - 0.01) / 0.0167)),
            (Some(598.375), Some(598.375 / 598.5)),
            (Some(9_007_199_254_740_990.0), Some(9_007_199_254_740_990.0 / 9_007_199_254_740_991.0)),
            (None, None),
            (None, Some(0.25)),
            (None, None),
            (Some(3.0), Some(0.3)),
            (Some(90.0), Some(1.5)),
            (Some(0.0), Some(1.0)),
        ]
    );
}

#[test]
fn a_peak_between_two_ticks_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let mut core = burnt("core", 100, 1, 0);
    core.peak_utilization = Some(0.1);
    store.record(at(0), &snapshot(vec![core.clone()])).unwrap();
    // It rose to 95 % and was reset again before the next tick.
    core = QuotaState { peak_utilization: Some(0.95), ..burnt("core", 50, 2, 10) };
    store.record(at(10), &snapshot(vec![core.clone()])).unwrap();
    // A lower peak shows only in the trend, whose last two steps lie in this tick.
    core = QuotaState { peak_utilization: Some(0.95), ..burnt("core", 60, 3, 20) };
    let trend_point = |utilization| TrendPoint { utilization, requests: 0, throttled: 0 };
    core.trend =
        Trend { step: Duration::from_secs(5), points: [Some(0.95), Some(0.7), None].map(trend_point).to_vec() };
    store.record(at(20), &snapshot(vec![core])).unwrap();
    let id = store.series()[0].id;
    let peaks = |resolution| -> Vec<_> {
        let points = store.points(id, at(0), at(60), resolution).unwrap();
        points.iter().map(|point| (point.utilization, point.peak_utilization)).collect()
    };
    assert_eq!(peaks(Resolution::Tick), [(Some(0.1), Some(0.1)), (Some(0.05), Some(0.95)), (Some(0.06), Some(0.7))]);
    assert_eq!(peaks(Resolution::Minute), [(Some(0.06), Some(0.95))]);
}

#[test]
fn retention_over_more_than_a_year() {
    const DAY: i64 = 86_400;
    const STEP: i64 = 6 * 3600;
    const DAYS: i64 = 430;
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let mut largest = 0;
    let mut requests = 0;
    store.record(at(-10), &snapshot(vec![burnt("once", 1, 1, -10)])).unwrap();
    for step in 0..DAYS * DAY / STEP {
        let now = step * STEP;
        for tick in 0..3 {
            requests += 7;
            store.record(at(now + tick * 10), &snapshot(vec![burnt("core", 5, requests, now + tick)])).unwrap();
        }
        largest = largest.max(store.live_octets());
    }
    let end = DAYS * DAY - STEP;
    let id = store.series()[0].id;
    assert_eq!(store.series().len(), 1, "a series without any point is forgotten");
    assert_eq!(id.0, 1, "and its number is not given out again");
    let points = |from, to, resolution| store.points(id, at(from), at(to), resolution).unwrap();
    for (resolution, kept) in
        [(Resolution::Tick, 2 * DAY), (Resolution::Minute, 14 * DAY), (Resolution::Hour, 400 * DAY)]
    {
        let all = points(0, end + 3600, resolution);
        let oldest = all.first().unwrap().at;
        // What is kept reaches back as far as promised, and at most one chunk further.
        assert!(oldest <= at(end - kept + STEP), "{resolution:?} {oldest}");
        let slack = if resolution == Resolution::Hour { 11 * DAY } else { 2 * STEP };
        assert!(oldest >= at(end - kept - slack), "{resolution:?} {oldest}");
        let per_step = if resolution == Resolution::Tick { 3 } else { 1 };
        assert!(all.iter().all(|point| point.requests * per_step == 21), "{resolution:?}");
    }
    assert_eq!(points(end - 390 * DAY, end + 3600, Resolution::Hour).len(), 390 * 4 + 1);
    assert!(largest < 40_000, "one series takes {largest} octets");
    // The same after a restart, and the alerts with them.
    Box::new(store).close().unwrap();
    let (store, opened) = open(directory.path());
    assert_eq!(opened, Opened::Clean);
    assert_eq!(store.points(id, at(end - 390 * DAY), at(end + 3600), Resolution::Hour).unwrap().len(), 390 * 4 + 1);
}

#[test]
fn a_clock_that_is_wrong_costs_no_history() {
    const YEARS: i64 = 10 * 365 * 86_400;
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    for tick in 0..10i64 {
        store.record(at(tick * 10), &snapshot(vec![burnt("core", 1, 1 + tick.cast_unsigned(), tick * 10)])).unwrap();
    }
    let id = store.series()[0].id;
    let old = |store: &SledStore| store.points(id, at(0), at(100), Resolution::Tick).unwrap().len();
    // Ten years ahead for half an hour, then right again.
    for tick in 0..180i64 {
        store
            .record(at(YEARS + tick * 10), &snapshot(vec![burnt("core", 2, 11 + tick.cast_unsigned(), YEARS + tick)]))
            .unwrap();
    }
    assert_eq!(old(&store), 10);
    for tick in 10..20i64 {
        store.record(at(tick * 10), &snapshot(vec![burnt("core", 3, 191 + tick.cast_unsigned(), tick * 10)])).unwrap();
    }
    assert_eq!(store.points(id, at(0), at(200), Resolution::Tick).unwrap().len(), 20);
    // Set back within the hour: the tick that comes again adds up, nothing is lost.
    store.record(at(55), &snapshot(vec![burnt("core", 4, 1000, 500)])).unwrap();
    let points = store.points(id, at(50), at(60), Resolution::Tick).unwrap();
    assert_eq!((points[0].requests, points[0].remaining), (1 + 790, Some(Amount::from_count(996))));
    // Before 2010 and after 2099 nothing is recorded, and it is said why.
    for absurd in [Timestamp::from_secs(0), Timestamp::MAX, Timestamp::MIN] {
        let error = store.record(absurd, &snapshot(vec![burnt("core", 5, 1001, 0)])).unwrap_err();
        assert!(matches!(error, StoreError::Clock { .. }), "{error}");
        assert!(store.trouble().unwrap().contains("set the clock"));
    }
    store.record(at(210), &snapshot(vec![burnt("core", 5, 1001, 0)])).unwrap();
    assert_eq!(store.trouble(), None);
    assert_eq!(store.points(id, at(210), at(220), Resolution::Tick).unwrap()[0].requests, 1);
}

#[test]
fn series_beyond_the_bound_are_refused_and_said() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let many = quotascope::store::MAX_SERIES + 3;
    let quotas = (0..many).map(|index| quota(&format!("bucket-{index}"))).collect();
    store.record(at(0), &snapshot(quotas)).unwrap();
    assert_eq!(store.series().len(), quotascope::store::MAX_SERIES);
    assert!(store.trouble().unwrap().contains("3 quotas are not recorded"), "{:?}", store.trouble());
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path());
    let error = SledStore::open(directory.path(), options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the store {} is in use by another quotascope (process {}); stop it or give --store another directory",
            directory.path().display(),
            std::process::id()
        )
    );
    drop(store);
    assert_eq!(open(directory.path()).1, Opened::Clean);
}

/// Writes until it is killed; after each flush it says how many ticks are safe. Each tick is one request of each of five
/// series, so what is found afterwards can be counted.
fn write_until_killed(directory: &Path, first: i64) {
    let (mut store, opened) = open(directory);
    assert_eq!(opened, Opened::Clean);
    for tick in 0..100_000i64 {
        let count = (tick + 1).cast_unsigned();
        let quotas = (0..5).map(|bucket| burnt(&format!("bucket-{bucket}"), count % 1000, count, tick)).collect();
        store.record(at((first + tick) * 10), &snapshot(quotas)).unwrap();
        if tick % 7 == 6 {
            store.flush().unwrap();
            // Not `println!`: the test harness would keep it.
            let mut out = std::io::stdout();
            writeln!(out, "\nsafe {}", tick + 1).unwrap();
        }
    }
}

#[test]
fn what_was_flushed_survives_a_kill_and_counts_once() {
    const DIRECTORY: &str = "QUOTASCOPE_TEST_KILL_DIRECTORY";
    const FIRST: &str = "QUOTASCOPE_TEST_KILL_FIRST";
    // The child is this test in another process.
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        let first = std::env::var(FIRST).unwrap().parse().unwrap();
        return write_until_killed(&PathBuf::from(directory), first);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut first = 0i64;
    for round in 0..6i64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::what_was_flushed_survives_a_kill_and_counts_once", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut safe = |least: i64| {
            lines
                .by_ref()
                .filter_map(|line| line.strip_prefix("safe ")?.parse::<i64>().ok())
                .find(|safe| *safe >= least)
        };
        // More than an hour in some rounds, so that hours are sealed near the kill.
        let mut acknowledged = safe(90 + round * 113).expect("the child writes");
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(later) = safe(0) {
            acknowledged = later;
        }
        let (store, opened) = open(directory.path());
        assert_eq!(opened, Opened::Clean, "round {round}");
        assert_eq!(store.damaged(), 0);
        let mut found = None;
        for series in store.series() {
            for resolution in Resolution::ALL {
                let points = store.points(series.id, at(first * 10), at(10_000_000), resolution).unwrap();
                let requests: u64 = points.iter().map(|point| point.requests).sum();
                if resolution == Resolution::Tick {
                    assert!(requests.cast_signed() >= acknowledged, "{requests} of {acknowledged} in round {round}");
                    let ticks = points.iter().map(|point| point.at);
                    assert!(
                        ticks.eq((0..requests.cast_signed()).map(|tick| at((first + tick) * 10))),
                        "no gap, none twice"
                    );
                    assert_eq!(*found.get_or_insert(requests), requests, "all series of a tick or none");
                } else if first % 360 == 0 {
                    assert_eq!(found, Some(requests), "{resolution:?}");
                }
            }
        }
        // The next round begins with the next whole hour, so that its rollups can be told from these.
        first = (first + found.unwrap().cast_signed()).div_euclid(360) * 360 + 360;
    }
}

/// A store of three hours with two series, closed.
fn filled(directory: &Path) {
    let (mut store, _) = open(directory);
    for tick in 0..3 * 360i64 {
        let count = (tick + 1).cast_unsigned();
        let quotas = vec![burnt("core", count % 1000, count, tick), burnt("search", count % 77, count, tick)];
        store.record(at(tick * 10), &snapshot(quotas)).unwrap();
    }
    store.record_alert(&alert("a1", 0)).unwrap();
    store.outbox_push(&alert("a1", 0)).unwrap();
    Box::new(store).close().unwrap();
}

fn requests(store: &SledStore) -> u64 {
    let points =
        |series: &quotascope::store::Series| store.points(series.id, at(0), at(20_000), Resolution::Tick).unwrap();
    store.series().iter().flat_map(points).map(|point| point.requests).sum()
}

fn database_file(directory: &Path, starts: &str) -> PathBuf {
    let entries = fs::read_dir(directory.join("series-1")).unwrap();
    let found =
        entries.map(|entry| entry.unwrap()).find(|entry| entry.file_name().to_string_lossy().starts_with(starts));
    found.expect("the database has such a file").path()
}

#[test]
fn damaged_summaries_and_settings_are_made_anew() {
    for (file, damage) in [("snap.", &b""[..]), ("snap.", b"garbage that is no summary"), ("conf", b"no settings")] {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        // The database writes its summary when it is opened.
        drop(open(directory.path()));
        fs::write(database_file(directory.path(), file), damage).unwrap();
        let (store, opened) = open(directory.path());
        let Opened::Repaired { moved_to } = opened else { panic!("{opened:?}") };
        assert_eq!(fs::read_dir(moved_to).unwrap().count(), 2);
        assert_eq!(requests(&store), 2 * 3 * 360);
        assert_eq!(store.outbox().len(), 1);
        drop(store);
        assert_eq!(open(directory.path()).1, Opened::Clean);
    }
}

/// Opens a store whose database was damaged, and checks that it says so where anything is missing, that nothing is made up, and
/// that recording goes on. Says how it was opened.
fn opens_damaged(directory: &Path) -> Opened {
    let (mut store, opened) = open(directory);
    let points = |store: &SledStore| -> Vec<_> {
        let of =
            |series: &quotascope::store::Series| store.points(series.id, at(0), at(20_000), Resolution::Tick).unwrap();
        store.series().iter().flat_map(of).collect()
    };
    let found = points(&store);
    assert!(found.iter().all(|point| point.requests == 1 && point.limit == Some(Amount::from_count(1000))));
    assert!(found.len() <= 2 * 3 * 360);
    if found.len() < 2 * 3 * 360 {
        assert!(!matches!(opened, Opened::Clean | Opened::Repaired { .. }) || store.damaged() > 0, "{opened:?}");
    }
    store.record(at(50_000), &snapshot(vec![burnt("core", 1, 1, 50_000)])).unwrap();
    Box::new(store).close().unwrap();
    let (store, again) = open(directory);
    assert_eq!(again, Opened::Clean, "after {opened:?}");
    assert_eq!(points(&store).len(), found.len());
    opened
}

#[test]
fn a_database_that_lost_its_end_says_so() {
    for share in [0, 1, 5, 9] {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let file = database_file(directory.path(), "db");
        let octets = fs::read(&file).unwrap();
        fs::write(&file, &octets[..octets.len() * share / 10]).unwrap();
        let opened = opens_damaged(directory.path());
        let Opened::Shortened { until, expected } = opened else { panic!("{opened:?}") };
        assert_eq!(expected, at(3 * 3600 - 10));
        assert!(until < Some(expected));
    }
}

#[test]
fn pages_that_cannot_be_read_are_moved_aside_and_the_rest_rescued() {
    const TICKS: i64 = 720;
    const SERIES: u64 = 200;
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    for tick in 0..TICKS {
        let count = (tick + 1).cast_unsigned();
        let burn = |index: u64| burnt(&format!("bucket-{index}"), count * 7919 * (index + 1) % 1000, count, tick);
        store.record(at(tick * 10), &snapshot((0..SERIES).map(burn).collect())).unwrap();
    }
    Box::new(store).close().unwrap();
    // The database writes its summary when it is opened: it knows then that there is more behind a damaged place.
    drop(open(directory.path()));
    let octets = fs::read(database_file(directory.path(), "db")).unwrap();
    let mut rescued = 0;
    for part in [1, 7, 8, 9, 10] {
        let copy = tempfile::tempdir().unwrap();
        copy_store(directory.path(), copy.path());
        let mut damaged = octets.clone();
        let from = octets.len() * part / 20;
        for octet in &mut damaged[from..from + 4096] {
            *octet ^= 0x5a;
        }
        fs::write(copy.path().join("series-1/db"), damaged).unwrap();
        let (store, opened) = open(copy.path());
        // Which places hold pages that are still in use, the database decides.
        let Opened::Replaced { moved_to, saved, cause } = opened else { continue };
        rescued += 1;
        assert!(moved_to.join("db").exists());
        assert_eq!(moved_to.file_name().unwrap().to_string_lossy(), "corrupt-20261122T000000Z");
        assert!(cause.contains("corrupt"), "{cause}");
        // How much is reachable depends on what the damaged page was: a leaf, or the index above all leaves.
        let all = TICKS.cast_unsigned() * SERIES;
        let found = requests(&store);
        assert!(found <= all, "{found} of {all} is more than was written");
        assert!(saved > 0 || found == 0, "{found} points of nothing");
        drop(store);
        assert_eq!(open(copy.path()).1, Opened::Clean);
    }
    assert!(rescued > 0);
}

/// Copies a closed store.
fn copy_store(from: &Path, to: &Path) {
    fs::create_dir(to.join("series-1")).unwrap();
    for name in ["", "series-1"] {
        for entry in fs::read_dir(from.join(name)).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(name).join(entry.file_name())).unwrap();
            }
        }
    }
}

#[test]
fn flipped_octets_anywhere_are_said_and_make_no_wrong_number() {
    // With the database's summary, which knows where its pages lie, and without one.
    for is_summarized in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        if is_summarized {
            drop(open(directory.path()));
        }
        let octets = fs::read(database_file(directory.path(), "db")).unwrap();
        for part in 0..12 {
            let mut damaged = octets.clone();
            let from = octets.len() * part / 12;
            for octet in &mut damaged[from..from + 512] {
                *octet ^= 0x5a;
            }
            let copy = tempfile::tempdir().unwrap();
            copy_store(directory.path(), copy.path());
            fs::write(copy.path().join("series-1/db"), damaged).unwrap();
            opens_damaged(copy.path());
        }
    }
}

/// Opens the database itself, without the store.
fn with_database(directory: &Path, change: impl FnOnce(&sled::Db)) {
    let database = sled::open(directory.join("series-1")).unwrap();
    change(&database);
    database.flush().unwrap();
}

#[test]
fn a_damaged_record_costs_only_itself() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    with_database(directory.path(), |database| {
        for (prefix, at_most) in [(&b"0"[..], 1), (b"w", 2), (b"a", 1), (b"o", 1)] {
            for (key, value) in database.scan_prefix(prefix).take(at_most).map(Result::unwrap) {
                let mut value = value.to_vec();
                value[3] ^= 0x10;
                database.insert(key, value).unwrap();
            }
        }
    });
    let (store, opened) = open(directory.path());
    assert_eq!(opened, Opened::Clean);
    assert_eq!(store.damaged(), 3, "two ticks and a notification are missed at once");
    assert_eq!(requests(&store), 2 * 3 * 360 - 360 - 4);
    assert_eq!(store.alerts(at(0), at(100)).unwrap(), []);
    assert_eq!(store.damaged(), 5, "the chunk and the alert when they are read");
    assert!(store.outbox().is_empty());
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    with_database(directory.path(), |database| {
        database.insert(b"m", vec![2]).unwrap();
    });
    let error = SledStore::open(directory.path(), options()).unwrap_err().to_string();
    assert!(error.contains("has format 2, this program knows 1"), "{error}");
}

fn alert(id: &str, sequence: u32) -> Alert {
    Alert {
        id: id.into(),
        sequence,
        rule: Rule::UtilizationHigh,
        severity: Severity::High,
        state: if sequence > 1 { AlertState::Resolved } else { AlertState::Firing },
        subject: Subject {
            provider: Some("ceypay".into()),
            scope: Some(Scope { kind: "merchant".into(), id: Some("k:5f2c9a01".into()) }),
            dimension: Some(Dimension::requests()),
            ..Subject::default()
        },
        value: 0.93,
        threshold: 0.9,
        started_at: Timestamp::from_nanos(at(30).as_nanos() + 123_456_789),
        ended_at: (sequence > 1).then(|| at(90)),
        summary: "93 % used".into(),
        reason: if sequence > 1 { "recovered" } else { "fired" },
        flapping: false,
        muted: false,
        quota: Some(quota("core").key),
    }
}

#[test]
fn alerts_and_notifications_outlive_the_agent() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.record_alert(&alert("a1", 0)).unwrap();
    store.record_alert(&alert("a1", 2)).unwrap();
    // Late news of an earlier change does not undo a later one.
    store.record_alert(&alert("a1", 1)).unwrap();
    store.record_alert(&Alert { ended_at: None, started_at: at(200), ..alert("b2", 0) }).unwrap();
    for (id, sequence) in [("a1", 0), ("b2", 0), ("a1", 2), ("a1", 0)] {
        store.outbox_push(&alert(id, sequence)).unwrap();
    }
    // No close: a crash right after the push.
    drop(store);
    let (mut store, _) = open(directory.path());
    let ids = |alerts: Vec<quotascope::store::StoredAlert>| -> Vec<(String, u32)> {
        alerts.into_iter().map(|alert| (alert.id, alert.sequence)).collect()
    };
    let pair = |id: &str, sequence| (id.to_string(), sequence);
    assert_eq!(ids(store.alerts(at(0), at(1000)).unwrap()), [pair("a1", 2), pair("b2", 0)]);
    assert_eq!(ids(store.alerts(at(91), at(1000)).unwrap()), [pair("b2", 0)], "a1 was over by then");
    assert_eq!(ids(store.alerts(at(0), at(40)).unwrap()), [pair("a1", 2)], "b2 began later");
    let waiting = store.outbox();
    assert_eq!(waiting[0].to_alert().unwrap(), alert("a1", 0), "it can be sent again as it was");
    assert_eq!(ids(waiting), [pair("a1", 0), pair("b2", 0), pair("a1", 2)]);
    store.outbox_acknowledge("a1", 0).unwrap();
    store.outbox_acknowledge("a1", 0).unwrap();
    store.outbox_acknowledge("nobody", 7).unwrap();
    drop(store);
    let (mut store, _) = open(directory.path());
    store.outbox_push(&alert("c3", 0)).unwrap();
    assert_eq!(ids(store.outbox()), [pair("b2", 0), pair("a1", 2), pair("c3", 0)], "in the order they came");
}

#[test]
fn the_disk_reserve_is_kept_and_counts_wait_for_room() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.record(at(0), &snapshot(vec![burnt("core", 1, 1, 0)])).unwrap();
    Box::new(store).close().unwrap();
    // No disk has this much: as if it were full.
    let full = StoreOptions { reserve: u64::MAX, ..options() };
    let (mut store, _) = SledStore::open(directory.path(), full).unwrap();
    store.record_alert(&alert("a1", 0)).unwrap_err();
    store.outbox_push(&alert("a1", 0)).unwrap_err();
    let error = store.record(at(10), &snapshot(vec![burnt("core", 1, 1, 0)])).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(store.trouble().unwrap().contains("is full"));
    assert_eq!(store.outbox().len(), 1, "it can be sent without the disk");
    assert_eq!(requests(&store), 1, "what was written can be read");
}

#[test]
fn news_of_long_ago_joins_what_is_rolled_up() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let mut count = 0;
    let mut record = |store: &mut SledStore, seconds: i64| {
        count += 1;
        store.record(at(seconds), &snapshot(vec![burnt("core", 1, count, count.cast_signed())])).unwrap();
    };
    for day in 0..5 {
        for tick in 0..6 {
            record(&mut store, day * 86_400 + tick * 10);
        }
    }
    // The ticks of the first day are gone; then the clock is set back to it.
    let id = store.series()[0].id;
    let count_of = |store: &SledStore, resolution| -> u64 {
        store.points(id, at(0), at(3600), resolution).unwrap().iter().map(|point| point.requests).sum()
    };
    assert_eq!((count_of(&store, Resolution::Tick), count_of(&store, Resolution::Minute)), (0, 6));
    record(&mut store, 30);
    record(&mut store, 40);
    for resolution in [Resolution::Minute, Resolution::Hour] {
        assert_eq!(count_of(&store, resolution), 8, "{resolution:?} while the hour is open");
    }
    record(&mut store, 5 * 86_400);
    for resolution in [Resolution::Minute, Resolution::Hour] {
        assert_eq!(count_of(&store, resolution), 8, "{resolution:?} when it is sealed");
    }
    assert_eq!(
        store.points(id, at(30), at(31), Resolution::Hour).unwrap()[0].at,
        at(0),
        "the hour that 0:00:30 lies in"
    );
}

#[test]
fn the_size_on_the_disk_is_bounded() {
    const LIMIT: u64 = 4 << 20;
    const HOURS: i64 = 8;
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = SledStore::open(directory.path(), StoreOptions { size_limit: LIMIT, ..options() }).unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut largest = 0;
    let mut counts = vec![0u64; 120];
    for tick in 0..HOURS * 360 {
        let mut quotas = Vec::new();
        for (index, count) in counts.iter_mut().enumerate() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            *count += random % 50;
            quotas.push(burnt(&format!("bucket-{index}"), random % 1000, *count, tick));
        }
        store.record(at(tick * 10), &snapshot(quotas)).unwrap();
        largest = largest.max(store.size_on_disk());
    }
    // It is looked at every five minutes, so it may be passed for that long.
    assert!(largest < LIMIT * 3 / 2, "{largest} octets");
    assert!(!directory.path().join("series-1").exists(), "the database was rebuilt");
    let series = store.series();
    let oldest = |resolution| store.points(series[0].id, at(0), at(HOURS * 3600), resolution).unwrap()[0].at;
    assert!(oldest(Resolution::Tick) > at(0), "the oldest ticks went");
    assert_eq!(oldest(Resolution::Minute), at(0), "the minutes stay");
    assert_eq!(oldest(Resolution::Hour), at(0), "the hours stay");
    let hour = (HOURS - 1) * 3600;
    assert_eq!(store.points(series[0].id, at(hour), at(hour + 3600), Resolution::Tick).unwrap().len(), 360);
    let sums = |store: &SledStore| -> u64 {
        let hours = |series: &quotascope::store::Series| {
            store.points(series.id, at(0), at(HOURS * 3600), Resolution::Hour).unwrap()
        };
        series.iter().flat_map(hours).map(|point| point.requests).sum()
    };
    assert_eq!(sums(&store), counts.iter().sum::<u64>(), "nothing was lost or counted twice");
    Box::new(store).close().unwrap();
    let (store, opened) = open(directory.path());
    assert_eq!(opened, Opened::Clean);
    assert_eq!(sums(&store), counts.iter().sum::<u64>());
}

#[test]
fn a_selector_means_series_by_word_and_pattern() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.record(at(0), &snapshot(vec![burnt("core", 1, 1, 0), burnt("search", 1, 1, 0)])).unwrap();
    let found = |selector: &str| {
        let series = select(&store, selector, at(0), at(10), Resolution::Tick).unwrap();
        series.into_iter().map(|found| found.series.key.bucket.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(""), ["core", "search"]);
    assert_eq!(found("CEYPAY sea"), ["search"]);
    assert_eq!(found("c?re"), ["core"]);
    assert_eq!(found("ore*"), Vec::<String>::new());
    assert_eq!(found("/v1/pay merchant k:5f2c9a01 core"), ["core"]);
    assert!(matches("POST*payments", &store.series()[0]));
}
