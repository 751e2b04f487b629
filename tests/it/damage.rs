//! What is left of a damaged capture, through the whole of `replay`: loss, reordering, duplication, snaplen, a late start.
#![expect(clippy::expect_used, clippy::cast_precision_loss, reason = "a test fails by it; the numbers are small")]

#[path = "../bench/traffic.rs"]
#[expect(unreachable_pub, reason = "a module of the benches")]
pub(crate) mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use quotascope::decode::DecodeOptions;
use quotascope::extract::{ExtractOptions, Extractor, Profiles};
use quotascope::model::{Alert, Amount, HashKey, Observation};
use quotascope::pipeline::{EngineOptions, ReplayOptions, Sink, replay};
use quotascope::track::MinuteReport;

use traffic::{Damage, MadeFrame, Traffic, Truth, write_file_header, write_record};

const TRAFFIC: Traffic = Traffic { connections: 130, exchanges: 20, seed: 7 };

/// Judges what is found against what the frames carry.
struct Judge<'a> {
    /// By the time of the frame that carries it, the response's head.
    heads: &'a BTreeMap<i64, (u32, Truth)>,
    found: BTreeSet<(u32, String)>,
    with_request: usize,
    wrong: Vec<String>,
}

impl Sink for Judge<'_> {
    fn observation(&mut self, seen: &Observation) {
        let Some((connection, truth)) = self.heads.get(&(seen.at.as_nanos() / 1_000)) else {
            self.wrong.push(format!("a head that no frame carries: {seen:?}"));
            return;
        };
        let remaining = seen.readings.first().and_then(|reading| reading.remaining).map(Amount::value);
        let is_right = seen.status == truth.status
            && remaining == Some(truth.remaining as f64)
            && seen.path.as_deref().is_none_or(|path| path == truth.path);
        if !is_right || !self.found.insert((*connection, truth.path.clone())) {
            self.wrong.push(format!("{truth:?} was read as {seen:?}"));
        }
        self.with_request += usize::from(seen.path.is_some());
    }

    fn alert(&mut self, _: &Alert) {}

    fn minute(&mut self, _: &MinuteReport) {}
}

fn write(frames: &[MadeFrame], file: &Path) {
    let mut octets = Vec::new();
    write_file_header(&mut octets).expect("memory takes it");
    for frame in frames {
        write_record(&mut octets, frame).expect("memory takes it");
    }
    std::fs::write(file, octets).expect("the folder is writable");
}

fn options(file: &Path) -> ReplayOptions {
    let profiles = Profiles::built_in().expect("the profiles are right");
    ReplayOptions {
        files: vec![file.to_path_buf()],
        extractor: Arc::new(Extractor::new(profiles, ExtractOptions::default()).expect("no option is wrong")),
        decode: DecodeOptions::default(),
        key: HashKey::new([7; 16]),
        engine: EngineOptions::default(),
        threads: 1,
    }
}

/// One row of the grid: the damage, the least part of the heads that must be found, and of these with their request.
const GRID: [(&str, Damage, f64); 12] = [
    ("none", NONE, 1.0),
    ("2 % swapped", Damage { swapped: 20, ..NONE }, 1.0),
    ("2 % duplicated", Damage { duplicated: 20, ..NONE }, 1.0),
    ("0.5 % lost", Damage { lost: 5, ..NONE }, 0.99),
    ("5 % lost", Damage { lost: 50, ..NONE }, 0.97),
    ("first 20 packets missing", Damage { first_missing: 20, ..NONE }, 1.0),
    ("snaplen 600", Damage { snaplen: 600, ..NONE }, 1.0),
    ("snaplen 256", Damage { snaplen: 256, ..NONE }, 1.0),
    ("20 % swapped, 20 % duplicated", Damage { swapped: 200, duplicated: 200, ..NONE }, 1.0),
    ("5 % lost, snaplen 600", Damage { lost: 50, snaplen: 600, ..NONE }, 0.97),
    ("5 % lost, 2 % swapped, 2 % duplicated", Damage { lost: 50, swapped: 20, duplicated: 20, ..NONE }, 0.97),
    ("all of it", Damage { lost: 50, swapped: 20, duplicated: 20, first_missing: 20, snaplen: 600 }, 0.97),
];

const NONE: Damage = Damage { lost: 0, swapped: 0, duplicated: 0, first_missing: 0, snaplen: 0 };

#[test]
fn what_is_left_is_found_and_nothing_is_made_up() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("damaged.pcap");
    let frames = TRAFFIC.frames();
    let mut table = String::from("damage | heads left | found | with request | wrong\n");
    let mut faults = Vec::new();
    for (name, damage, least) in GRID {
        let damaged = damage.apply(frames.clone(), 11);
        write(&damaged, &file);
        let mut heads = BTreeMap::new();
        let mut left = BTreeSet::new();
        for frame in &damaged {
            if let Some(head) = frame.head {
                let truth = TRAFFIC.truth(frame.connection, head);
                left.insert((frame.connection, truth.path.clone()));
                heads.insert(i64::try_from(frame.micros).expect("not that late"), (frame.connection, truth));
            }
        }
        let mut judge = Judge { heads: &heads, found: BTreeSet::new(), with_request: 0, wrong: Vec::new() };
        let replayed = replay(options(&file), &mut judge).expect("the file can be read");
        assert!(replayed.failures.is_empty());
        let (found, wrong) = (judge.found.len(), judge.wrong.len());
        writeln!(table, "{name} | {} | {found} | {} | {wrong}", left.len(), judge.with_request).expect("a string");
        if wrong > 0 || (found as f64) < least * left.len() as f64 {
            faults.push(format!("{name}: {:#?}", judge.wrong.first()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}\n{table}");
    insta::assert_snapshot!(table);
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("damaged.pcap");
    let damage = Damage { lost: 50, swapped: 20, duplicated: 20, first_missing: 7, snaplen: 900 };
    write(&damage.apply(TRAFFIC.frames(), 3), &file);
    let run = |threads: &str, more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_quotascope"))
            .args(["replay", "--json", "--threads", threads])
            .args(more)
            .arg(&file)
            .env("XDG_STATE_HOME", folder.path())
            .env("STATE_DIRECTORY", folder.path().join("state"))
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.len() > 1_000, "it says something");
        output.stdout
    };
    for more in [&[][..], &["--events=all"]] {
        let one = run("1", more);
        for threads in ["2", "4"] {
            assert!(run(threads, more) == one, "{threads} threads say something else than one, {more:?}");
        }
    }
}
