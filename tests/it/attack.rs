//! Captures that are made to exhaust a decoder: its memory stays below its bound, and other connections lose nothing.
//!
//! The limit is set by the system, on the writable memory of the whole process: a program that wants more ends there.
#![expect(clippy::expect_used, reason = "a test fails by it")]

#[path = "../bench/hostile.rs"]
#[expect(unreachable_pub, clippy::indexing_slicing, reason = "a module of the benches")]
mod hostile;

use std::process::Command;

use super::damage::traffic;

/// What decoding takes by default, and what the program takes beside it.
const LIMIT_MIB: u32 = 64 + 16;

/// What the state of as many hosts, scopes and quotas takes as are told apart by default.
const STATE_MIB: u32 = 112;

/// Hostile frames behind each of the thousand honest ones.
const EACH: u32 = 40;

#[test]
fn memory_is_bounded_and_other_connections_lose_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("attack.pcap");
    let mut faults = Vec::new();
    for attack in &hostile::ATTACKS {
        let (name, mut octets) = (attack.name, Vec::new());
        let limit = LIMIT_MIB + if attack.reach == hostile::Reach::Exchanges { STATE_MIB } else { 0 };
        hostile::write(attack, EACH, &mut octets).expect("memory takes it");
        std::fs::write(&file, octets).expect("the folder is writable");
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -d {} && exec \"$0\" \"$@\"", limit << 10)])
            .arg(env!("CARGO_BIN_EXE_quotascope"))
            .args(["replay", "--json", "--events=all", "--threads", "1"])
            .arg(&file)
            .env("STATE_DIRECTORY", folder.path().join("state"))
            .output()
            .expect("the program runs");
        if !output.status.success() {
            faults.push(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
        } else if hostile::honest_paths(&output.stdout) != hostile::all_paths() {
            faults.push(format!("{name}: other connections lost something"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
