//! Captures that are made to exhaust a decoder: its memory stays below 64 MiB, and other connections lose nothing.
//!
//! The limit is set by the system, on the writable memory of the whole process: a program that wants more ends there.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::damage::traffic::{MadeFrame, Traffic, write_file_header, write_record};

/// Who is attacked meanwhile.
const TRAFFIC: Traffic = Traffic { connections: 32, exchanges: 10, seed: 5 };

const LIMIT_KIB: u32 = 64 << 10;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A frame from or to one of the attacker's ports, on one of 64 addresses.
fn frame(attacker: u32, to_server: bool, (sequence, acknowledgment): (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    let port = 1_024 + u16::try_from(attacker / 64 % 60_000).expect("below 2^16");
    let ends = [((0x0b00_0000 | (attacker % 64)).to_be_bytes(), port), ([192, 0, 2, 10], 80)];
    let (from, to) = if to_server { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
    let total = u16::try_from(40 + payload.len()).expect("a segment fits");
    let mut octets = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    octets.extend_from_slice(&total.to_be_bytes());
    octets.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
    octets.extend_from_slice(&from.0);
    octets.extend_from_slice(&to.0);
    octets.extend_from_slice(&from.1.to_be_bytes());
    octets.extend_from_slice(&to.1.to_be_bytes());
    octets.extend_from_slice(&sequence.to_be_bytes());
    octets.extend_from_slice(&acknowledgment.to_be_bytes());
    octets.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    octets.extend_from_slice(payload);
    octets
}

/// Replays honest traffic with so many hostile frames behind each honest one; `hostile` makes the next.
fn withstand(name: &str, each: u32, mut hostile: impl FnMut(u32) -> Vec<u8>) {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("attack.pcap");
    let mut octets = Vec::new();
    write_file_header(&mut octets).expect("memory takes it");
    let mut number = 0;
    for honest in TRAFFIC.frames() {
        let micros = honest.micros;
        write_record(&mut octets, &honest).expect("memory takes it");
        for _ in 0..each {
            let octets_of = hostile(number);
            number += 1;
            let wire = octets_of.len();
            let made = MadeFrame { micros, octets: octets_of, index: 0, connection: 0, head: None, wire };
            write_record(&mut octets, &made).expect("memory takes it");
        }
    }
    std::fs::write(&file, octets).expect("the folder is writable");
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -d {LIMIT_KIB} && exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_quotascope"))
        .args(["replay", "--json", "--events=all", "--threads", "1"])
        .arg(&file)
        .env("STATE_DIRECTORY", folder.path().join("state"))
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(paths(&output.stdout, &file), all_paths(), "{name}: other connections lose nothing");
}

/// The honest paths among the events.
fn paths(stdout: &[u8], file: &Path) -> BTreeSet<String> {
    let text = std::str::from_utf8(stdout).expect("JSON is text");
    let mut found = BTreeSet::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let path = event.get("path").and_then(serde_json::Value::as_str).unwrap_or_default();
        if path.starts_with("/v1/payment/") {
            assert!(found.insert(path.to_owned()), "{path} came twice in {}", file.display());
        }
    }
    found
}

fn all_paths() -> BTreeSet<String> {
    (0..TRAFFIC.connections)
        .flat_map(|connection| (0..TRAFFIC.exchanges).map(move |exchange| TRAFFIC.truth(connection, exchange).path))
        .collect()
}

#[test]
fn a_flood_of_syns() {
    withstand("a flood of SYNs", 100, |number| frame(number, true, (number, 0), SYN, &[]));
}

#[test]
fn more_half_seen_connections_than_are_followed() {
    let half = [b"GET /".as_slice(), &[b'x'; 1_000]].concat();
    withstand("half heads", 100, |number| frame(number, true, (number, 1), ACK, &half));
}

#[test]
fn heads_without_an_end() {
    let line = b"X-Endless: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(20);
    withstand("endless heads", 40, |number| {
        // So many at once, each some hundred segments long.
        let (attacker, segment) = (number % 200, number / 200);
        let (start, sequence) = (b"GET / HTTP/1.1\r\n", 1 + segment * u32::try_from(line.len()).expect("short"));
        let payload = if segment == 0 { [start.as_slice(), &line[start.len()..]].concat() } else { line.clone() };
        frame(attacker, true, (sequence, 1), ACK, &payload)
    });
}

#[test]
fn chunks_of_half_the_address_space() {
    let request = b"GET /chunks HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let response = b"HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n8000000000000000\r\nabcdefgh";
    let length = |octets: &[u8]| u32::try_from(octets.len()).expect("a segment is short");
    let (asked, answered) = (length(request), length(response));
    withstand("chunks of 2^63 octets", 30, |number| match number % 3 {
        0 => frame(number / 3, true, (1, 1), ACK, request),
        1 => frame(number / 3, false, (1, 1 + asked), ACK, response),
        _ => frame(number / 3, false, (1 + answered, 1 + asked), ACK, &[b'z'; 1_400]),
    });
}

#[test]
fn overlapping_segments_of_different_octets() {
    withstand("overlaps", 60, |number| {
        // A hole at the start of each stream, and behind it the same place again and again with other octets.
        let (attacker, round) = (number % 300, number / 300);
        let flags = if round == 0 { SYN } else { ACK };
        let octet = b'a' + u8::try_from(round % 26).expect("a letter");
        let payload = if round == 0 { Vec::new() } else { vec![octet; 1_400] };
        frame(attacker, true, (100 + (round * 977) % 200_000, 1), flags, &payload)
    });
}
