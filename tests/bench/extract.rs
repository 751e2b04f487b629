//! How long reading a response's head takes: `cargo bench --bench extract`.
//!
//! Each response is read many times in several rounds; the fastest round is printed, in nanoseconds for one reading,
//! because noise of the machine only ever adds.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use quotascope::extract::{Hints, is_telling_field, read_response};
use quotascope::model::{Body, Fields, Response, Timestamp};

const NOISE: [(&str, &str); 12] = [
    ("server", "nginx"),
    ("content-length", "5000"),
    ("connection", "keep-alive"),
    ("cache-control", "private, max-age=0"),
    ("vary", "Accept, Authorization"),
    ("etag", "\"0a1b2c3d4e5f\""),
    ("x-content-type-options", "nosniff"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-request-id", "7d1c6f0e-1b1f-4b3e-9d39-6d9a9a0c1f11"),
    ("access-control-allow-origin", "*"),
    ("via", "1.1 gateway"),
    ("content-type", "application/json; charset=utf-8"),
];

/// What it is, the status, the telling field lines, the body.
type Case = (&'static str, u16, &'static [(&'static str, &'static str)], &'static str);

const CASES: [Case; 7] = [
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

fn main() {
    for (name, status, telling, body) in CASES {
        let mut fields = Fields::new();
        for (name, value) in NOISE.iter().chain(telling) {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let body = (!body.is_empty()).then(|| Body { octets: body.as_bytes().to_vec(), truncated: false });
        let response = Response { at: Timestamp::from_secs(1_773_654_400), status, fields, body };
        let hints = Hints::default();
        print(name, || {
            black_box(read_response(black_box(&response), &hints));
        });
    }
    print("asking whether 14 names say something", || {
        for (name, _) in NOISE.iter().chain(CASES[0].2) {
            black_box(is_telling_field(black_box(name.as_bytes())));
        }
    });
}

/// Prints the nanoseconds that one call takes.
fn print(name: &str, mut call: impl FnMut()) {
    const ROUNDS: u32 = 1000;
    const CALLS: u32 = 100;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
    }
    println!("{name:<40} {best:>10.0} ns");
}
