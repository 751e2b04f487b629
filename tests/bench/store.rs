//! What the store costs: octets for a sample, time for a tick, time to read. `cargo bench --bench store [SERIES [HOURS]]`
//!
//! Each series is a quota of 5,000 an hour that loses a few units each tick: the busiest case, a sample for each series and
//! tick. The figures are printed, nothing is judged.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use quotascope::model::{
    Amount, Dimension, QuotaKey, QuotaSource, QuotaState, Scope, Snapshot, Timestamp, Trend, WindowKind,
};
use quotascope::store::{Resolution, SledStore, Store, StoreOptions};

/// 2026-11-22T00:00:00Z.
const START: i64 = 1_795_305_600;
const TICK: i64 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo passes `--bench` to a bench without a harness.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let series = numbers.next().unwrap_or(1000);
    let hours = numbers.next().unwrap_or(12);
    let directory = std::env::temp_dir().join(format!("quotascope-bench-{}", std::process::id()));
    let options = StoreOptions::new(Timestamp::from_secs(START));
    let (mut store, _) = SledStore::open(&directory, options)?;
    let mut quotas = Quotas::new(series);
    let mut ticks = Vec::new();
    for tick in 0..i64::from(hours) * 360 {
        let at = Timestamp::from_secs(START + tick * TICK);
        let snapshot = quotas.at(tick, at);
        let before = Instant::now();
        store.record(at, &snapshot)?;
        ticks.push(before.elapsed());
    }
    let before = Instant::now();
    store.flush()?;
    println!("{series} series, {hours} hours: {} samples", ticks.len() * series as usize);
    println!("flush                    {:>10.1?}", before.elapsed());
    ticks.sort_unstable();
    for (name, share) in [("median", 50), ("99 %", 99), ("worst (an hour ends)", 100)] {
        let found = ticks.get((ticks.len() * share / 100).saturating_sub(1)).copied().unwrap_or_default();
        println!("record, {name:<20} {found:>8.1?}");
    }
    let samples = (ticks.len() * series as usize) as u64;
    println!(
        "in the database          {:>8.2} octets a sample, rollups and keys too",
        ratio(store.live_octets(), samples)
    );
    println!("on the disk              {:>8.2} octets a sample", ratio(store.size_on_disk(), samples));
    println!("memory (peak, resident)  {:>8} KiB", peak_memory());

    let all = store.series();
    for resolution in Resolution::ALL {
        let before = Instant::now();
        let mut points = 0;
        for series in &all {
            points += store.points(series.id, Timestamp::MIN.max(at_hour(0)), at_hour(hours), resolution)?.len();
        }
        println!("read all, {resolution:?}: {points} points in {:.1?}", before.elapsed());
    }
    Box::new(store).close()?;
    let before = Instant::now();
    let (store, opened) = SledStore::open(&directory, options)?;
    println!("open again: {opened:?} in {:.1?}", before.elapsed());
    drop(store);
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

fn at_hour(hour: u32) -> Timestamp {
    Timestamp::from_secs(START + i64::from(hour) * 3600)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(octets: u64, samples: u64) -> f64 {
    octets as f64 / samples.max(1) as f64
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "unknown".into(), |peak| peak.trim().trim_end_matches(" kB").into())
}

struct Quotas {
    states: Vec<QuotaState>,
    random: u64,
}

impl Quotas {
    fn new(series: u32) -> Self {
        Self { states: (0..series).map(quota).collect(), random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Xorshift: the same figures in each run.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below.max(1)
    }

    fn at(&mut self, tick: i64, at: Timestamp) -> Snapshot {
        for index in 0..self.states.len() {
            let burnt = 1 + self.random(25);
            let throttled = u64::from(self.random(200) == 0);
            let Some(state) = self.states.get_mut(index) else { continue };
            let limit = Amount::from_count(5000);
            let left = if tick % 360 == 0 { limit } else { state.remaining.unwrap_or(limit) };
            state.remaining = Some(left.less(Amount::from_count(burnt)));
            state.utilization = state.remaining.map(|left| 1.0 - left.value() / limit.value());
            state.peak_utilization = state.peak_utilization.max_by_value(state.utilization);
            state.requests += burnt;
            state.throttled += throttled;
            state.seen_at = at;
        }
        Snapshot { at: Some(at), quotas: self.states.clone(), ..Snapshot::default() }
    }
}

/// The larger of two numbers that may be absent.
trait MaxByValue {
    fn max_by_value(self, other: Self) -> Self;
}

impl MaxByValue for Option<f64> {
    fn max_by_value(self, other: Self) -> Self {
        self.into_iter().chain(other).reduce(f64::max)
    }
}

fn quota(index: u32) -> QuotaState {
    QuotaState {
        key: QuotaKey {
            owner: format!("provider-{}", index % 7).into(),
            scope: Some(Scope { kind: "merchant".into(), id: Some(format!("k:{index:08x}").into()) }),
            bucket: "core".into(),
            dimension: Dimension::requests(),
            window: Some(Duration::from_hours(1)),
        },
        provider: Some(format!("provider-{}", index % 7).into()),
        host: format!("api-{}.example.com", index % 7).into(),
        endpoint: "GET /v1/payment/{id}".into(),
        endpoints: Vec::new(),
        scope: None,
        policy: Some("core".into()),
        dimension: Dimension::requests(),
        source: QuotaSource::Header,
        limit: Some(Amount::from_count(5000)),
        remaining: Some(Amount::from_count(5000)),
        utilization: Some(0.0),
        learned_sharing: false,
        confidence: None,
        peak_utilization: None,
        window: Some(Duration::from_hours(1)),
        window_kind: Some(WindowKind::Fixed),
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
        seen_at: Timestamp::from_secs(START),
        stale: false,
        trend: Trend::default(),
    }
}
