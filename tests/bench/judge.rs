//! How long judging an exchange takes, from its observation to its alerts: `cargo bench --bench judge`.
//!
//! Each kind of traffic is judged in several rounds, each by a new engine; the fastest round is printed, in nanoseconds for
//! one exchange, because noise of the machine only ever adds. Names are allocated anew for each exchange, as extraction does.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its figures, and stops where it cannot run"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quotascope::model::{
    Alert, Amount, Client, DeclaredQuota, Dimension, Observation, QuotaSource, Reading, Scope, ThrottleCause,
    Timestamp, WindowKind,
};
use quotascope::pipeline::{Engine, EngineOptions, Sink};
use quotascope::track::MinuteReport;

const EXCHANGES: u64 = 20_000;
const ROUNDS: u32 = 40;
/// 22 September 2026: each exchange comes 20 ms after the one before.
const START: i64 = 1_790_000_000;
const LIMIT: u64 = 1_000_000;

/// Hears the findings, so that none is left out.
#[derive(Default)]
struct Counter {
    observations: u64,
    alerts: u64,
    minutes: u64,
}

impl Sink for Counter {
    fn observation(&mut self, observation: &Observation) {
        self.observations += u64::from(black_box(observation).status > 0);
    }

    fn alert(&mut self, alert: &Alert) {
        self.alerts += u64::from(black_box(alert).sequence < u32::MAX);
    }

    fn minute(&mut self, report: &MinuteReport) {
        self.minutes += black_box(report).requests.min(1);
    }
}

fn main() {
    println!("{:<44} {:>8} {:>8} {:>8}", "", "ns", "alerts", "minutes");
    measure("no quota", |number| exchange(number, 1, 4));
    measure("a quota of each of 8 callers", |number| announced(number, 8, 1));
    measure("a quota of each of 2,000 callers", |number| announced(number, 2_000, 1));
    measure("a quota that 4 endpoints share", |number| announced(number, 8, 4));
    measure("a quota that 32 endpoints share", |number| announced(number, 1, 32));
    measure("3 % refused, numbers that jump", |number| {
        let mut observation = announced(number, 8, 1);
        let refused = scattered(number) % 100 < 3;
        observation.readings[0].limit = Some(Amount::from_count(5_000));
        let remaining = if refused { 0 } else { 1 + scattered(number) % 4_000 };
        observation.readings[0].remaining = Some(Amount::from_count(remaining));
        if refused {
            observation.status = 429;
            observation.throttled = Some(ThrottleCause::Quota);
            observation.error_code = Some("rate_limited".into());
        }
        observation
    });
    let declared = Arc::new(DeclaredQuota {
        policy: "calls".into(),
        dimension: Dimension::requests(),
        limit: Amount::from_count(1_000),
        window: Duration::from_mins(1),
        window_kind: WindowKind::Sliding,
        endpoints: "GET *".into(),
        scope_kind: "api-key".into(),
        scope: None,
        burst: None,
    });
    measure("a declared sliding window, calm", |number| {
        let mut observation = exchange(number, 8, 4);
        observation.declared.push(Arc::clone(&declared));
        observation
    });
}

/// The kinds of traffic whose name holds the first argument that is no option, all without one.
fn is_wanted(name: &str) -> bool {
    std::env::args().skip(1).find(|argument| !argument.starts_with('-')).is_none_or(|part| name.contains(&part))
}

fn measure(name: &str, make: impl Fn(u64) -> Observation) {
    if !is_wanted(name) {
        return;
    }
    let prepared: Vec<Observation> = (0..EXCHANGES).map(make).collect();
    let (mut best, mut heard) = (f64::INFINITY, Counter::default());
    for _ in 0..ROUNDS {
        let mut engine = Engine::new(EngineOptions::default());
        let mut counter = Counter::default();
        let mut observations = prepared.clone();
        let (known, new) = observations.split_at_mut(prepared.len() / 10);
        for observation in known {
            engine.handle_observation(observation, &mut counter);
        }
        let start = Instant::now();
        for observation in &mut *new {
            engine.handle_observation(observation, &mut counter);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / new.len() as f64);
        heard = counter;
    }
    println!("{name:<44} {best:>8.0} {:>8} {:>8}", heard.alerts, heard.minutes);
}

/// A quota of each caller that runs down evenly and never far.
fn announced(number: u64, callers: u64, endpoints: u64) -> Observation {
    let mut observation = exchange(number, callers, endpoints);
    observation.readings.push(Reading {
        dimension: Dimension::requests(),
        policy: None,
        limit: Some(Amount::from_count(LIMIT)),
        remaining: Some(Amount::from_count(LIMIT - 1 - number / callers)),
        used: None,
        utilization: None,
        window: None,
        reset_at: Some(Timestamp::from_secs(START + 3_600)),
        source: QuotaSource::Header,
        bucket: None,
        scope: None,
        window_kind: None,
    });
    observation
}

fn exchange(number: u64, callers: u64, endpoints: u64) -> Observation {
    let millis = i64::try_from(number * 20).expect("some hours");
    let endpoint = scattered(number) / 7 % endpoints;
    Observation {
        at: Timestamp::from_nanos(START * 1_000_000_000 + millis * 1_000_000),
        source: "bench".into(),
        client: Client::Address(([10, 0, 0, 7], 50_000).into()),
        server: Some(([192, 0, 2, 10], 443).into()),
        host: Some("api.example.com".into()),
        method: Some("GET".into()),
        path: Some(format!("/v1/payment{endpoint}/{number}").into()),
        endpoint: Some(format!("GET /v1/payment{endpoint}/{{id}}").into()),
        status: 200,
        provider: None,
        dialect: Some("x-ratelimit"),
        readings: Vec::new(),
        declared: Vec::new(),
        retry_after: None,
        throttled: None,
        error_code: None,
        scope: Some(Scope { kind: "api-key".into(), id: Some(format!("k:{:08x}", number % callers).into()) }),
        latency: Some(Duration::from_millis(5)),
        content_cut: false,
        doubts: Vec::new(),
        content_cut: false,
    }
}

/// A number that looks like chance (`SplitMix64`).
const fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
