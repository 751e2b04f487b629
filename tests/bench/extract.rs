//! How long reading a response takes, and making an observation of an exchange: `cargo bench --bench extract`.
//!
//! Each response is read many times in several rounds; the fastest round is printed, in nanoseconds for one reading,
//! because noise of the machine only ever adds. A name after `--` measures only the cases whose names contain it.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its figures, and stops where it cannot run"
)]

#[expect(unreachable_pub, reason = "shared with the tests")]
mod plain_fields;

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use quotascope::extract::{
    ExtractOptions, Extractor, Hints, Observer, Profiles, Reader, is_telling_field, read_response,
};
use quotascope::model::{Body, Client, Credential, Exchange, Fields, Request, Response, Timestamp};

use plain_fields::PLAIN;

/// What it is, the status, the telling field lines, the body.
type Case = (&'static str, u16, &'static [(&'static str, &'static str)], &'static str);

const CASES: [Case; 9] = [
    ("14 fields, none of a quota", 200, &[("date", "Mon, 16 Mar 2026 09:46:40 GMT"), ("age", "0")], ""),
    (
        "x-ratelimit triple",
        200,
        &[("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", "4987"), ("x-ratelimit-reset", "1773658000")],
        "",
    ),
    (
        "ratelimit triple with date",
        200,
        &[
            ("date", "Mon, 16 Mar 2026 09:46:40 GMT"),
            ("ratelimit-limit", "100"),
            ("ratelimit-remaining", "42"),
            ("ratelimit-reset", "30"),
        ],
        "",
    ),
    (
        "ietf draft 06",
        200,
        &[
            ("ratelimit-limit", "100"),
            ("ratelimit-policy", "100;w=60, 1000;w=3600"),
            ("ratelimit-remaining", "42"),
            ("ratelimit-reset", "30"),
        ],
        "",
    ),
    ("ietf draft 07", 200, &[("ratelimit", "limit=100, remaining=50, reset=5"), ("ratelimit-policy", "100;w=10")], ""),
    (
        "ietf draft 10",
        200,
        &[("ratelimit", "\"default\";r=50;t=30"), ("ratelimit-policy", "\"default\";q=100;w=60")],
        "",
    ),
    (
        "six fields of two dimensions",
        200,
        &[
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-limit-tokens", "160000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-remaining-tokens", "159976"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ],
        "",
    ),
    (
        "429 with a JSON error",
        429,
        &[("retry-after", "30")],
        r#"{"error":{"code":1454,"message":"Rate limit exceeded"}}"#,
    ),
    ("64 KiB list", 200, &[("ratelimit-limit", LONG)], ""),
];

const LONG: &str = match std::str::from_utf8(&[b','; 65_536]) {
    Ok(text) => text,
    Err(_) => "",
};

/// What it is, the request, whether it has a credential, the status, the field lines that are kept, the body.
type Call = (&'static str, [&'static str; 3], bool, u16, &'static [(&'static str, &'static str)], &'static str);

const DATE: (&str, &str) = ("date", "Mon, 16 Mar 2026 09:46:40 GMT");

/// In a request's path `#` stands for a number that differs each time.
const CALLS: [Call; 6] = [
    (
        "observe: x-ratelimit triple, no profile",
        ["GET", "api.example.com", "/v1/payment/#"],
        true,
        200,
        &[DATE, ("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", "4987"), ("x-ratelimit-reset", "1773658000")],
        "",
    ),
    (
        "observe: github",
        ["GET", "api.github.com", "/repos/rust-lang/rust/issues/#"],
        true,
        200,
        &[
            DATE,
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "4987"),
            ("x-ratelimit-reset", "1773658000"),
            ("x-ratelimit-used", "13"),
            ("x-ratelimit-resource", "core"),
        ],
        "",
    ),
    (
        "observe: openai",
        ["POST", "api.openai.com", "/v1/chat/completions"],
        true,
        200,
        &[
            DATE,
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-limit-tokens", "160000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-remaining-tokens", "159976"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ],
        "",
    ),
    (
        "observe: centrapay, declared",
        ["GET", "service.centrapay.com", "/api/payment-requests/#"],
        true,
        200,
        &[DATE],
        "",
    ),
    (
        "observe: 429 with a JSON error, no profile",
        ["POST", "api.example.com", "/v1/payment"],
        true,
        429,
        &[DATE, ("retry-after", "30")],
        r#"{"error":{"code":1454,"message":"Rate limit exceeded"}}"#,
    ),
    ("observe: nothing of a quota, no profile", ["GET", "api.example.com", "/v1/payment/#"], false, 200, &[DATE], ""),
];

/// An exchange with so many different numbers in its path.
fn exchanges(call: &Call, count: u32) -> Vec<Exchange> {
    let (_, [method, host, path], has_credential, status, lines, body) = call;
    let (source, method, host): (Arc<str>, Arc<str>, Arc<str>) = ("lo".into(), (*method).into(), (*host).into());
    let credential = Credential { carrier: "authorization".into(), id: "k:5f2c9a01".into() };
    let exchange = |number: u32| {
        let mut fields = Fields::new();
        for (name, value) in *lines {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let body = (!body.is_empty()).then(|| Body { octets: body.as_bytes().to_vec(), truncated: false });
        Exchange {
            source: Arc::clone(&source),
            client: Client::Address(SocketAddr::from(([10, 0, 0, 7], 40_000))),
            server: Some(SocketAddr::from(([203, 0, 113, 9], 443))),
            request: Some(Request {
                at: None,
                method: Arc::clone(&method),
                host: Some(Arc::clone(&host)),
                path: path.replace('#', &(1_000_000 + number).to_string()).into(),
                credentials: has_credential.then(|| credential.clone()).into_iter().collect(),
            }),
            response: Response { at: Timestamp::from_secs(1_773_654_400), status: *status, fields, body },
            latency: None,
        }
    };
    (0..count).map(exchange).collect()
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let is_wanted = |name: &str| name.contains(&wanted);
    for (name, status, telling, body) in CASES.into_iter().filter(|(name, ..)| is_wanted(name)) {
        let mut fields = Fields::new();
        for (name, value) in PLAIN.iter().chain(telling) {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let body = (!body.is_empty()).then(|| Body { octets: body.as_bytes().to_vec(), truncated: false });
        let response = Response { at: Timestamp::from_secs(1_773_654_400), status, fields, body };
        let hints = Hints::default();
        let mut reader = Reader::default();
        print(name, || {
            black_box(reader.read(black_box(&response), &hints));
        });
        print(&format!("{name}, names read anew"), || {
            black_box(read_response(black_box(&response), &hints));
        });
    }
    if is_wanted("asking") {
        print("asking whether 14 names say something", || {
            for (name, _) in PLAIN.iter().chain(CASES[0].2) {
                black_box(is_telling_field(black_box(name.as_bytes())));
            }
        });
    }
    let profiles = Profiles::built_in().expect("the built-in profiles are valid");
    let extractor = Extractor::new(profiles, ExtractOptions::default()).expect("there are no options");
    let mut observer = Observer::new(Arc::new(extractor));
    for call in CALLS.iter().filter(|(name, ..)| is_wanted(name)) {
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let exchanges = exchanges(call, CALLS_A_ROUND);
            let mut observations = Vec::with_capacity(exchanges.len());
            let start = Instant::now();
            for exchange in exchanges {
                observations.push(Box::new(observer.observe(black_box(exchange))));
            }
            best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS_A_ROUND));
            black_box(observations);
        }
        println!("{:<60} {best:>10.0} ns", call.0);
    }
}

const ROUNDS: u32 = 1000;
const CALLS_A_ROUND: u32 = 100;

/// Prints the nanoseconds that one call takes.
fn print(name: &str, mut call: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS_A_ROUND {
            call();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS_A_ROUND));
    }
    println!("{name:<60} {best:>10.0} ns");
}
