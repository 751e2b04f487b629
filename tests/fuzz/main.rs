//! Fuzzing without any tool beside Rust: made seeds, blind mutation, the same inputs for the same seed.
//!
//! ```text
//! cargo test --test fuzz -- [all|frames|streams|pipeline] [--seconds N] [--runs N] [--seed N] [--input FILE]
//! ```
//! An input that breaks a target is written beside the build and named; `--input` runs it again.

#![expect(clippy::expect_used, clippy::print_stdout, clippy::panic, reason = "a fuzzer reports by it")]
#![expect(clippy::indexing_slicing, reason = "a test may")]
#![expect(clippy::cast_possible_truncation, reason = "parts of random numbers are taken by intent")]

mod seeds;
mod targets;
#[path = "../bench/traffic.rs"]
#[expect(unreachable_pub, reason = "a module of the benches")]
mod traffic;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use targets::{TARGETS, Target};
use traffic::Random;

/// Longer inputs only cost time: a connection's life fits.
const LONGEST: usize = 64 << 10;

struct Options {
    target: String,
    limit: Duration,
    runs: u64,
    seed: u64,
    input: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = options();
    let mut failed = false;
    for target in TARGETS.iter().filter(|(name, _)| options.target == "all" || options.target == *name) {
        failed |= match &options.input {
            Some(file) => !runs(target, &std::fs::read(file).expect("the input can be read"), &options),
            None => !fuzz(target, &options),
        };
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn options() -> Options {
    let mut options =
        Options { target: "all".to_owned(), limit: Duration::from_mins(1), runs: u64::MAX, seed: 1, input: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> u64 {
            let given = arguments.next().and_then(|text| text.parse().ok());
            given.unwrap_or_else(|| panic!("{argument} needs a number"))
        };
        match argument.as_str() {
            "--seconds" => options.limit = Duration::from_secs(number()),
            "--runs" => options.runs = number(),
            "--seed" => options.seed = number(),
            "--input" => options.input = Some(arguments.next().expect("--input needs a file").into()),
            name if name == "all" || TARGETS.iter().any(|(known, _)| *known == name) => {
                name.clone_into(&mut options.target);
            }
            other => panic!("{other} is no target and no option"),
        }
    }
    options
}

fn fuzz(target: &Target, options: &Options) -> bool {
    let seeds = seeds::of(target.0);
    for seed in &seeds {
        if !runs(target, seed, options) {
            return false;
        }
    }
    let mut random = Random(options.seed);
    let (start, mut count) = (Instant::now(), 0u64);
    while count < options.runs && start.elapsed() < options.limit {
        let mut input = seeds[below(&mut random, seeds.len())].clone();
        for _ in 0..=below(&mut random, 6) {
            mutate(&mut input, &seeds, &mut random);
        }
        input.truncate(LONGEST);
        if !runs(target, &input, options) {
            return false;
        }
        count += 1;
    }
    let seconds = start.elapsed().as_secs();
    println!(
        "{}: {} seeds and {count} mutations in {seconds} s (seed {}), nothing found",
        target.0,
        seeds.len(),
        options.seed
    );
    true
}

/// Runs a target; an input that breaks it is kept.
fn runs(target: &Target, input: &[u8], options: &Options) -> bool {
    let (name, run) = target;
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_ok() {
        return true;
    }
    let file = options.input.clone().unwrap_or_else(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{:016x}", fingerprint(input)));
        std::fs::write(&file, input).expect("the target folder is writable");
        file
    });
    println!("{name}: broken by {}", file.display());
    false
}

fn fingerprint(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3))
}

fn below(random: &mut Random, bound: usize) -> usize {
    (random.next() % bound.max(1) as u64) as usize
}

/// One small change.
fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = below(random, input.len());
    let longest = [4, 16, 64, 1_500][below(random, 4)];
    let length = 1 + below(random, longest);
    let end = (at + length).min(input.len());
    if input.is_empty() {
        input.push(random.next() as u8);
        return;
    }
    match below(random, 11) {
        0 => input[at] ^= 1 << below(random, 8),
        1 => input[at] = random.next() as u8,
        2 => input[at] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'\r', b' ', b'0', b'9', b':', b';'][below(random, 12)],
        3 => input[at] = input[at].wrapping_add([1, 255, 16][below(random, 3)]),
        4 => drop(input.drain(at..end)),
        5 => {
            let copy = input[at..end].to_vec();
            let to = below(random, input.len());
            input.splice(to..to, copy);
        }
        6 => {
            let copy = input[at..end].to_vec();
            let to = below(random, input.len() - copy.len() + 1);
            input[to..to + copy.len()].copy_from_slice(&copy);
        }
        7 => {
            let word = seeds::WORDS[below(random, seeds::WORDS.len())];
            input.splice(at..at, word.iter().copied());
        }
        8 => {
            let word = seeds::WORDS[below(random, seeds::WORDS.len())];
            let end = (at + word.len()).min(input.len());
            input[at..end].copy_from_slice(&word[..end - at]);
        }
        9 => {
            let other = &seeds[below(random, seeds.len())];
            let from = below(random, other.len());
            input.splice(at..at, other[from..(from + length).min(other.len())].iter().copied());
        }
        _ => {
            let number = random.next().to_be_bytes();
            let end = (at + [2, 4, 8][below(random, 3)]).min(input.len());
            input[at..end].copy_from_slice(&number[..end - at]);
        }
    }
}
