//! Limits that nobody states, against limiters and other causes of refusals that are simulated: what is learned, and that
//! chance, outages and concurrency teach nothing.

#![cfg(test)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use quotascope::model::{Client, Observation, QuotaSource, QuotaState, ThrottleCause, Timestamp, WindowKind};
use quotascope::track::{TrackOptions, Tracker};

const START: f64 = 1_795_320_017.25;

/// A small pseudo-random generator (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    fn ratio(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / 4_294_967_296.0
    }

    /// A gap of a Poisson process.
    fn gap(&mut self, rate: f64) -> f64 {
        -(1.0 - self.ratio()).ln() / rate
    }
}

/// How a provider decides; seconds in, whether it refuses out.
enum Limiter {
    Clock { limit: usize, window: f64, number: f64, count: usize },
    First { limit: usize, window: f64, ends: f64, count: usize },
    Sliding { limit: usize, window: f64, accepted: VecDeque<f64> },
}

impl Limiter {
    fn clock(limit: usize, window: f64) -> Self {
        Self::Clock { limit, window, number: 0.0, count: 0 }
    }

    fn first(limit: usize, window: f64) -> Self {
        Self::First { limit, window, ends: 0.0, count: 0 }
    }

    fn sliding(limit: usize, window: f64) -> Self {
        Self::Sliding { limit, window, accepted: VecDeque::new() }
    }

    fn set_limit(&mut self, new: usize) {
        match self {
            Self::Clock { limit, .. } | Self::First { limit, .. } | Self::Sliding { limit, .. } => *limit = new,
        }
    }

    fn refuses(&mut self, at: f64) -> bool {
        let (limit, count) = match self {
            Self::Clock { limit, window, number, count } => {
                let now = (at / *window).floor();
                if now > *number {
                    (*number, *count) = (now, 0);
                }
                (*limit, count)
            }
            Self::First { limit, window, ends, count } => {
                if at >= *ends {
                    (*ends, *count) = (at + *window, 0);
                }
                (*limit, count)
            }
            Self::Sliding { limit, window, accepted } => {
                while accepted.pop_front_if(|then| *then <= at - *window).is_some() {}
                let refuses = accepted.len() >= *limit;
                if !refuses {
                    accepted.push_back(at);
                }
                return refuses;
            }
        };
        let refuses = *count >= limit;
        *count += usize::from(!refuses);
        refuses
    }
}

struct World {
    tracker: Tracker,
    /// Each belief that was shown, with the moment at which it began.
    beliefs: Vec<(f64, Option<(f64, f64)>)>,
    now: f64,
}

impl World {
    fn new() -> Self {
        Self { tracker: Tracker::new(TrackOptions::default()), beliefs: vec![(START, None)], now: START }
    }

    fn answer(&mut self, asked: f64, answered: f64, refused: bool) {
        self.now = answered;
        let at = Timestamp::from_secs_f64(answered).unwrap();
        self.tracker.handle_observation(&observation(at, answered - asked, refused), None);
        let belief = self.tracker.quotas().next().filter(|quota| quota.confidence().is_some());
        let belief = belief.map(|quota| (quota.limit().unwrap().value(), quota.window().unwrap().as_secs_f64()));
        if self.beliefs.last().unwrap().1 != belief {
            self.beliefs.push((answered, belief));
        }
    }

    fn state(&self) -> Option<QuotaState> {
        self.tracker.snapshot(Timestamp::from_secs_f64(self.now).unwrap()).quotas.into_iter().next()
    }

    /// A client that asks one after the other, with pauses of chance; after a refusal it waits so long.
    fn run(&mut self, random: &mut Random, seconds: f64, rate: f64, wait: f64, refuses: &mut dyn FnMut(f64) -> bool) {
        let end = self.now + seconds;
        while self.now < end {
            let asked = self.now + random.gap(rate);
            let latency = 0.005 + 0.04 * random.ratio();
            let refused = refuses(asked + latency / 2.0);
            self.answer(asked, asked + latency, refused);
            if refused {
                self.now += wait;
            }
        }
    }

    fn believes(&self) -> Option<(f64, f64)> {
        self.beliefs.last().unwrap().1
    }

    fn ever_believed(&self) -> bool {
        self.beliefs.iter().any(|(_, belief)| belief.is_some())
    }
}

fn observation(at: Timestamp, latency: f64, refused: bool) -> Observation {
    let endpoint: Arc<str> = "GET /v1/things".into();
    Observation {
        at,
        source: "simulated".into(),
        client: Client::Unknown,
        server: None,
        host: Some("api.example.com".into()),
        method: Some("GET".into()),
        path: None,
        endpoint: Some(endpoint),
        status: if refused { 429 } else { 200 },
        provider: None,
        dialect: None,
        readings: Vec::new(),
        declared: Vec::new(),
        retry_after: None,
        throttled: refused.then_some(ThrottleCause::Unspecified),
        error_code: None,
        scope: None,
        latency: Some(Duration::from_secs_f64(latency.max(0.0))),
        doubts: Vec::new(),
        content_cut: false,
    }
}

#[test]
fn limits_are_learned_within_a_hundredth() {
    // Limiter, its limit and window, the client's rate and its wait after a refusal, the seconds that it takes at most.
    type Case = (fn(usize, f64) -> Limiter, usize, f64, f64, f64, f64);
    let cases: [Case; 9] = [
        (Limiter::clock, 100, 60.0, 4.0, 1.0, 1_200.0),
        (Limiter::clock, 600, 60.0, 15.0, 1.0, 1_200.0),
        (Limiter::clock, 20, 10.0, 5.0, 0.2, 400.0),
        (Limiter::first, 100, 60.0, 4.0, 1.0, 1_800.0),
        (Limiter::first, 50, 10.0, 10.0, 0.5, 400.0),
        (Limiter::sliding, 100, 60.0, 4.0, 0.5, 2_400.0),
        (Limiter::sliding, 30, 10.0, 6.0, 0.2, 600.0),
        (Limiter::sliding, 100, 60.0, 5.0, 60.0, 3_600.0),
        (Limiter::clock, 1_000, 3_600.0, 0.6, 30.0, 36_000.0),
    ];
    let mut faults = Vec::new();
    for (number, (make, limit, window, rate, wait, seconds)) in cases.into_iter().enumerate() {
        for seed in 0..2 {
            let (mut world, mut random, mut limiter) = (World::new(), Random(seed), make(limit, window));
            world.run(&mut random, seconds, rate, wait, &mut |at| limiter.refuses(at));
            let near = |(learned, over): (f64, f64)| {
                (learned / f64::from(u32::try_from(limit).unwrap()) - 1.0).abs() <= 0.011
                    && (over - window).abs() < 1e-9
            };
            if !world.believes().is_some_and(near) {
                faults.push(format!("case {number}, seed {seed}: {:?}", world.beliefs));
                continue;
            }
            let state = world.state().unwrap();
            assert_eq!(state.source, QuotaSource::Learned);
            assert!(state.confidence.is_some_and(|sure| (0.8..1.0).contains(&sure)), "{state:?}");
            assert!(state.utilization.is_some() && state.remaining <= state.limit, "{state:?}");
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn refusals_by_chance_teach_nothing() {
    for seed in 0..32 {
        let (mut world, mut random, mut chance) = (World::new(), Random(seed), Random(seed + 1_000));
        let rate: f64 = [0.2, 1.0, 3.0, 10.0][usize::try_from(seed % 4).unwrap()];
        let share = [0.03, 0.03, 0.3, 0.002][usize::try_from(seed / 4 % 4).unwrap()];
        world.run(&mut random, 20_000.0 / rate.max(1.0), rate, 0.0, &mut |_| chance.ratio() < share);
        assert!(!world.ever_believed(), "seed {seed}: {:?}", world.beliefs);
    }
}

#[test]
fn refusals_by_chance_of_an_even_client_teach_nothing() {
    for seed in 0..12 {
        let (mut world, mut random) = (World::new(), Random(seed));
        let gap = [0.1, 0.5, 1.0, 6.0][usize::try_from(seed % 4).unwrap()];
        let share = [0.03, 0.005, 0.1][usize::try_from(seed / 4 % 3).unwrap()];
        for number in 0..10_000u32 {
            let asked = START + gap * f64::from(number);
            world.answer(asked, asked + 0.01, random.ratio() < share);
        }
        assert!(!world.ever_believed(), "seed {seed}: {:?}", world.beliefs);
    }
}

#[test]
fn outages_teach_nothing() {
    for seed in 0..9 {
        let (mut world, mut random) = (World::new(), Random(seed));
        for _ in 0..60 {
            world.run(&mut random, 300.0 + 600.0 * f64::from(u32::try_from(seed % 3).unwrap()), 2.0, 0.0, &mut |_| {
                false
            });
            let length = 3.0 + 60.0 * random.ratio();
            world.run(&mut random, length, 2.0, 0.0, &mut |_| true);
        }
        assert!(!world.ever_believed(), "seed {seed}: {:?}", world.beliefs);
    }
}

#[test]
fn what_runs_at_the_same_time_teaches_nothing() {
    for seed in 0..6 {
        let (mut world, mut random) = (World::new(), Random(seed));
        // Bursts of 20, of which 10 may run at once: refused ones are answered at once, in some runs even last.
        for burst in 0..2_000u32 {
            let start = START + f64::from(burst) * (1.5 + f64::from(u32::try_from(seed % 3).unwrap()) * 10.0);
            let slow = if seed % 2 == 0 { 0.2 } else { 0.01 };
            let mut answers: Vec<(f64, f64, bool)> = (0..20u32)
                .map(|number| {
                    let asked = start + f64::from(number) * 0.0005;
                    let refused = number >= 10;
                    let latency = if refused { 0.02 } else { slow * (1.0 + 0.2 * random.ratio()) };
                    (asked, asked + latency, refused)
                })
                .collect();
            answers.sort_by(|a, b| a.1.total_cmp(&b.1));
            for (asked, answered, refused) in answers {
                world.answer(asked, answered, refused);
            }
        }
        assert!(!world.ever_believed(), "seed {seed}: {:?}", world.beliefs);
    }
}

#[test]
fn a_limit_that_is_raised_is_given_up_and_learned_anew() {
    let (mut world, mut random, mut limiter) = (World::new(), Random(3), Limiter::clock(100, 60.0));
    world.run(&mut random, 1_200.0, 6.0, 1.0, &mut |at| limiter.refuses(at));
    assert_eq!(world.believes(), Some((100.0, 60.0)));
    limiter.set_limit(150);
    // Given up with the first window in which clearly more is accepted.
    world.run(&mut random, 90.0, 6.0, 1.0, &mut |at| limiter.refuses(at));
    assert_eq!(world.believes(), None);
    assert_eq!(world.state().map(|state| (state.limit, state.utilization, state.confidence)), Some((None, None, None)));
    world.run(&mut random, 1_200.0, 6.0, 1.0, &mut |at| limiter.refuses(at));
    assert_eq!(world.believes(), Some((150.0, 60.0)));
}

#[test]
fn a_limit_that_is_lowered_is_given_up_and_learned_anew() {
    let (mut world, mut random, mut limiter) = (World::new(), Random(4), Limiter::clock(100, 60.0));
    world.run(&mut random, 1_200.0, 6.0, 1.0, &mut |at| limiter.refuses(at));
    assert_eq!(world.believes(), Some((100.0, 60.0)));
    limiter.set_limit(40);
    world.run(&mut random, 1_800.0, 6.0, 1.0, &mut |at| limiter.refuses(at));
    assert_eq!(world.believes(), Some((40.0, 60.0)));
}

#[test]
fn a_learned_limit_is_counted_as_the_provider_counts() {
    let (mut world, mut random, mut limiter) = (World::new(), Random(5), Limiter::sliding(60, 60.0));
    world.run(&mut random, 3_000.0, 3.0, 0.5, &mut |at| limiter.refuses(at));
    let state = world.state().unwrap();
    assert_eq!((world.believes(), state.window_kind), (Some((60.0, 60.0)), Some(WindowKind::Sliding)));
    assert!(state.utilization.is_some_and(|used| used > 0.95), "{state:?}");
}
