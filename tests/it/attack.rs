//! Captures that are made to exhaust a decoder: its memory stays below its bound, and other connections lose nothing.
//!
//! The limit is set by the system, on the writable memory of the whole process: a program that wants more ends there.
#![expect(clippy::expect_used, reason = "a test fails by it")]

#[path = "../bench/hostile.rs"]
#[expect(unreachable_pub, clippy::indexing_slicing, reason = "a module of the benches")]
mod hostile;

use std::process::Command;

use super::damage::traffic;

/// What decoding may take: an eighth of the default, so that fewer frames reach its bounds.
const BOUNDS: &str = "[bounds]\nmemory = \"8MiB\"\n";

/// That, and what the program takes beside it.
const LIMIT_MIB: u32 = 8 + 24;

/// What the hosts, scopes and quotas of thousands of hostile exchanges take.
const STATE_MIB: u32 = 64;

/// What the second thread of a replay takes, and what is on its way between the two.
const THREAD_MIB: u32 = 32;

/// Hostile frames behind each of the thousand honest ones.
const EACH: u32 = 10;

#[test]
fn memory_is_bounded_and_other_connections_lose_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("attack.pcap");
    let config = folder.path().join("quotascope.toml");
    std::fs::write(&config, BOUNDS).expect("the folder is writable");
    let mut faults = Vec::new();
    for attack in &hostile::ATTACKS {
        let (name, mut octets) = (attack.name, Vec::new());
        let limit = LIMIT_MIB + if attack.reach == hostile::Reach::Exchanges { STATE_MIB } else { 0 };
        hostile::write(attack, EACH, &mut octets).expect("memory takes it");
        std::fs::write(&file, octets).expect("the folder is writable");
        let run = |threads: &str, limit: u32| {
            Command::new("sh")
                .args(["-c", &format!("ulimit -d {} && exec \"$0\" \"$@\"", limit << 10)])
                .arg(env!("CARGO_BIN_EXE_quotascope"))
                .args(["replay", "--json", "--events=all", "--threads", threads, "--config"])
                .arg(&config)
                .arg(&file)
                .env("STATE_DIRECTORY", folder.path().join("state"))
                .output()
                .expect("the program runs")
        };
        let (one, two) = (run("1", limit), run("2", limit + THREAD_MIB));
        for output in [&one, &two].into_iter().filter(|output| !output.status.success()) {
            faults.push(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        if one.stdout != two.stdout {
            faults.push(format!("{name}: two threads say something else than one"));
        }
        if hostile::honest_paths(&one.stdout) != hostile::all_paths() {
            faults.push(format!("{name}: other connections lost something"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
