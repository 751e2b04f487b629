//! Frames that are made to exhaust a decoder, between the frames of honest traffic.

use std::collections::BTreeSet;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::traffic::{MadeFrame, Shape, Traffic, write_file_header, write_record};

/// Who is attacked meanwhile.
pub const HONEST: Traffic = Traffic { connections: 32, exchanges: 10, seed: 5, shape: Shape::Plain };

/// A way to attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// What it is.
    pub name: &'static str,
    /// The hostile frame of each number.
    pub frame: fn(u32) -> Vec<u8>,
    /// How far it gets.
    pub reach: Reach,
    /// Of so many frames one is enough: each costs that much more time than others.
    pub sparse: u32,
}

/// How far an attack gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To the decoder: its bound on memory counts.
    Packets,
    /// It is whole exchanges: the bounds on hosts, scopes and quotas count too.
    Exchanges,
}

const fn packets(name: &'static str, frame: fn(u32) -> Vec<u8>) -> Attack {
    Attack { name, frame, reach: Reach::Packets, sparse: 1 }
}

const fn exchanges(name: &'static str, frame: fn(u32) -> Vec<u8>, sparse: u32) -> Attack {
    Attack { name, frame, reach: Reach::Exchanges, sparse }
}

/// All of them.
pub const ATTACKS: [Attack; 15] = [
    packets("a flood of SYNs", syns),
    packets("half-seen connections", half_seen),
    packets("half-seen exchanges", unanswered),
    packets("heads without an end", endless_heads),
    packets("overlapping segments of different octets", overlaps),
    packets("segments of one octet behind holes", specks),
    packets("requests without end on one connection each", pipelines),
    packets("fragments that never become whole", fragments),
    packets("TLS to everywhere", tls),
    exchanges("chunks of 2^63 octets", chunks, 1),
    exchanges("refusals whose content never ends, from 10,000 addresses", endless_refusals, 1),
    exchanges("trailers without an end", endless_trailers, 1),
    exchanges("content that unpacks to a thousand times its size", bombs, 20),
    exchanges("one host after the other", hosts, 1),
    exchanges("time that stands still", still, 1),
];

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Writes honest traffic with so many hostile frames behind each honest one.
pub fn write(attack: &Attack, each: u32, out: &mut impl Write) -> io::Result<()> {
    write_file_header(out)?;
    let mut number = 0;
    HONEST.each(|honest| {
        let micros = honest.micros;
        write_record(out, &honest)?;
        for _ in 0..(each / attack.sparse).max(1) {
            let octets = (attack.frame)(number);
            number += 1;
            let wire = octets.len();
            write_record(out, &MadeFrame { micros, octets, index: 0, connection: 0, head: None, wire })?;
        }
        Ok(())
    })
}

/// The honest paths among the lines of `--events=all`. Each comes once.
pub fn honest_paths(stdout: &[u8]) -> BTreeSet<String> {
    let text = std::str::from_utf8(stdout).expect("JSON is text");
    let mut found = BTreeSet::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let path = event.get("path").and_then(serde_json::Value::as_str).unwrap_or_default();
        if path.starts_with("/v1/payment/") {
            assert!(found.insert(path.to_owned()), "{path} came twice");
        }
    }
    found
}

/// The paths of all honest exchanges.
pub fn all_paths() -> BTreeSet<String> {
    (0..HONEST.connections)
        .flat_map(|connection| (0..HONEST.exchanges).map(move |exchange| HONEST.truth(connection, exchange).path))
        .collect()
}

/// The IPv4 header of a packet from or to one of the attacker's 16 million addresses, in Ethernet.
fn ipv4(attacker: u32, to_server: bool, protocol: u8, fragment: (u16, u16), length: usize) -> Vec<u8> {
    let ends = [(0x0b00_0000 | (attacker & 0x00ff_ffff)).to_be_bytes(), [192, 0, 2, 10]];
    let (from, to) = if to_server { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
    let total = u16::try_from(20 + length).expect("a packet fits");
    let mut octets = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    octets.extend_from_slice(&total.to_be_bytes());
    octets.extend_from_slice(&fragment.0.to_be_bytes());
    octets.extend_from_slice(&fragment.1.to_be_bytes());
    octets.extend_from_slice(&[64, protocol, 0, 0]);
    octets.extend_from_slice(&from);
    octets.extend_from_slice(&to);
    octets
}

/// A segment from or to an attacker's port.
fn segment(attacker: u32, to_server: bool, place: (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    let ports = [40_000u16, 80];
    let (from, to) = if to_server { (ports[0], ports[1]) } else { (ports[1], ports[0]) };
    let mut octets = ipv4(attacker, to_server, 6, (0, 0x4000), 20 + payload.len());
    octets.extend_from_slice(&from.to_be_bytes());
    octets.extend_from_slice(&to.to_be_bytes());
    octets.extend_from_slice(&place.0.to_be_bytes());
    octets.extend_from_slice(&place.1.to_be_bytes());
    octets.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    octets.extend_from_slice(payload);
    octets
}

fn length(octets: &[u8]) -> u32 {
    u32::try_from(octets.len()).expect("a segment is short")
}

fn syns(number: u32) -> Vec<u8> {
    segment(number, true, (number, 0), SYN, &[])
}

fn half_seen(number: u32) -> Vec<u8> {
    segment(number, true, (number, 1), ACK, &[b"GET /".as_slice(), &[b'x'; 1_000]].concat())
}

fn unanswered(number: u32) -> Vec<u8> {
    let path = "a".repeat(1_200);
    let request = format!("GET /{path} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    segment(number, true, (number, 1), ACK, request.as_bytes())
}

fn endless_heads(number: u32) -> Vec<u8> {
    let line = b"X-Endless: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(20);
    let (attacker, round) = (number % 5_000, number / 5_000);
    let start = b"GET / HTTP/1.1\r\n";
    let payload = if round == 0 { [start.as_slice(), &line[start.len()..]].concat() } else { line.clone() };
    segment(attacker, true, (1 + round * length(&line), 1), ACK, &payload)
}

/// A request, the head of its response, then content: three and more segments of each attacker.
fn refused(attacker: u32, round: u32, head: &str, content: &[u8]) -> Vec<u8> {
    let request = b"GET /chunks HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let (asked, answered) = (length(request), length(head.as_bytes()));
    match round {
        0 => segment(attacker, true, (1, 1), ACK, request),
        1 => segment(attacker, false, (1, 1 + asked), ACK, head.as_bytes()),
        _ => segment(attacker, false, (1 + answered + (round - 2) * length(content), 1 + asked), ACK, content),
    }
}

const REFUSAL: &str = "HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n3000000000000000\r\nabcdefgh";

fn chunks(number: u32) -> Vec<u8> {
    let head = "HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n8000000000000000\r\nabcdefgh";
    refused(number / 3, number % 3, head, &[b'z'; 1_400])
}

fn endless_refusals(number: u32) -> Vec<u8> {
    refused(number % 10_000, number / 10_000, REFUSAL, &[b'z'; 1_400])
}

fn overlaps(number: u32) -> Vec<u8> {
    // A hole at the start of each stream, and behind it the same place again and again with other octets.
    let (attacker, round) = (number % 300, number / 300);
    let flags = if round == 0 { SYN } else { ACK };
    let octet = b'a' + u8::try_from(round % 26).expect("a letter");
    let payload = if round == 0 { Vec::new() } else { vec![octet; 1_400] };
    segment(attacker, true, (100 + (round * 977) % 200_000, 1), flags, &payload)
}

fn specks(number: u32) -> Vec<u8> {
    let (attacker, round) = (number % 3_000, number / 3_000);
    let flags = if round == 0 { SYN } else { ACK };
    let payload: &[u8] = if round == 0 { &[] } else { b"x" };
    segment(attacker, true, (100 + round * 2, 1), flags, payload)
}

fn pipelines(number: u32) -> Vec<u8> {
    let (attacker, round) = (number % 1_000, number / 1_000);
    let request = format!("GET /{} HTTP/1.1\r\nHost: evil.example\r\n\r\n", "p".repeat(1_300));
    segment(attacker, true, (1 + round * length(request.as_bytes()), 1), ACK, request.as_bytes())
}

fn bombs(number: u32) -> Vec<u8> {
    thread_local! {
        static BOMB: Vec<u8> = {
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            packer.write_all(&vec![b'0'; 1 << 20]).expect("memory takes it");
            packer.finish().expect("memory takes it")
        };
    }
    BOMB.with(|bomb| {
        let head = format!(
            "HTTP/1.1 429 Slow\r\nContent-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            bomb.len()
        );
        refused(number / 3, number % 3, &head, bomb)
    })
}

fn fragments(number: u32) -> Vec<u8> {
    // The first and every other piece of a packet of 64 KiB, with more fragments to come.
    let (packet, piece) = (number / 20, u16::try_from(number % 20).expect("small"));
    let offset = piece * 2 * 170;
    let identification = u16::try_from(packet % 0xffff).expect("below 2^16");
    let mut octets = ipv4(packet, true, 6, (identification, 0x2000 | offset), 1_360);
    octets.extend_from_slice(&[0x55; 1_360]);
    octets
}

fn endless_trailers(number: u32) -> Vec<u8> {
    let head = "HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\nTrailer: X-RateLimit-Limit\r\n\r\n2\r\nok\r\n0\r\n";
    let line = b"X-RateLimit-Limit: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(20);
    refused(number % 4_000, number / 4_000, head, &line)
}

fn tls(number: u32) -> Vec<u8> {
    let mut octets = segment(number, true, (1, 1), ACK, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    // Another port for each, so that a list by port grows.
    let port = u16::try_from(1 + number % 60_000).expect("below 2^16");
    octets[36..38].copy_from_slice(&port.to_be_bytes());
    octets
}

fn hosts(number: u32) -> Vec<u8> {
    let attacker = number / 2;
    let request = format!(
        "GET /v{attacker}x/y{attacker}z HTTP/1.1\r\nHost: h{attacker}.example\r\nAuthorization: Bearer {attacker}\r\n\r\n"
    );
    let response = format!(
        "HTTP/1.1 429 Slow\r\nX-RateLimit-Limit: {}\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 60\r\nContent-Length: 0\r\n\r\n",
        10 + attacker % 100
    );
    let asked = length(request.as_bytes());
    if number.is_multiple_of(2) {
        segment(attacker, true, (1, 1), ACK, request.as_bytes())
    } else {
        segment(attacker, false, (1, 1 + asked), ACK, response.as_bytes())
    }
}

fn still(number: u32) -> Vec<u8> {
    // All the frames of an honest one's moment: whole exchanges, so that many have the same time.
    let attacker = number / 2;
    let request = b"GET /same HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\nX-RateLimit-Limit: 10\r\nX-RateLimit-Remaining: 1\r\nContent-Length: 0\r\n\r\n";
    if number.is_multiple_of(2) {
        segment(attacker, true, (1, 1), ACK, request)
    } else {
        segment(attacker, false, (1, 1 + length(request)), ACK, response)
    }
}
