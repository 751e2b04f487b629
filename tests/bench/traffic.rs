//! Plain HTTP/1.1 API traffic, made: captures with their truth, whole or damaged.
//!
//! Keep-alive connections, each with a number of exchanges one after the other; each response has 14 field lines (an
//! `X-RateLimit-*` triple among them) and a body of about 1 KiB, so that most need two segments; 3 % are refused with 429.
//! The same seed gives the same octets. Each frame also says which response head it carries, so that a damaged capture
//! knows what is left to find.
#![expect(clippy::cast_possible_truncation, reason = "parts of numbers are taken by intent")]

use std::io::{self, Write};

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Traffic {
    /// Connections, of which 64 are open at a time.
    pub connections: u32,
    /// Exchanges on each.
    pub exchanges: u32,
    /// The seed.
    pub seed: u64,
}

/// One frame of the capture.
#[derive(Debug, Clone)]
pub struct MadeFrame {
    /// Microseconds since the Unix epoch.
    pub micros: u64,
    /// Ethernet, IPv4, TCP.
    pub octets: Vec<u8>,
    /// Its place on its connection, from 0.
    pub index: u32,
    /// The connection.
    pub connection: u32,
    /// The exchange whose response head it carries whole.
    pub head: Option<u32>,
    /// Its length on the wire, which a snaplen does not change.
    pub wire: usize,
}

/// What an exchange was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// `GET /v1/payment/1000017`, unique.
    pub path: String,
    /// 200 or 429.
    pub status: u16,
    /// Of `X-RateLimit-Remaining`.
    pub remaining: u64,
}

/// How a capture is damaged, in parts of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Damage {
    /// Frames that are missing.
    pub lost: u32,
    /// Frames that stand behind their successor.
    pub swapped: u32,
    /// Frames that stand twice.
    pub duplicated: u32,
    /// How many first frames of each connection are missing.
    pub first_missing: u32,
    /// How many octets of each frame are captured; 0 is all.
    pub snaplen: usize,
}

const LIMIT: u64 = 5_000;
const OPEN: u32 = 64;
const START: u64 = 1_790_000_000_000_000;
const REMAINING_SPAN: u64 = 4_000;
/// Payload octets of a full segment: an Ethernet frame of 1,500 octets, timestamps among the options.
const SEGMENT: usize = 1_448;

/// A small pseudo-random generator (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Whether an event of so many in a thousand happens.
    pub fn permille(&mut self, permille: u32) -> bool {
        self.next() % 1000 < u64::from(permille)
    }
}

impl Traffic {
    /// The exchange `exchange` of `connection`.
    pub fn truth(&self, connection: u32, exchange: u32) -> Truth {
        let number = u64::from(connection) * u64::from(self.exchanges) + u64::from(exchange);
        let mut random = Random(self.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let refused = random.permille(30);
        Truth {
            path: format!("/v1/payment/{}", 1_000_000 + number),
            status: if refused { 429 } else { 200 },
            remaining: if refused { 0 } else { 1 + random.next() % REMAINING_SPAN },
        }
    }

    /// Makes the frames one by one, in the order of their time.
    pub fn each(&self, mut sink: impl FnMut(MadeFrame) -> io::Result<()>) -> io::Result<()> {
        let mut micros = START;
        let mut first = 0;
        while first < self.connections {
            let group = first..(first + OPEN).min(self.connections);
            let mut open: Vec<Connection> = group.map(|connection| Connection::new(connection, self.seed)).collect();
            for connection in &mut open {
                connection.handshake(&mut micros, &mut sink)?;
            }
            for exchange in 0..self.exchanges {
                for connection in &mut open {
                    connection.exchange(self, exchange, &mut micros, &mut sink)?;
                }
            }
            for connection in &mut open {
                connection.close(&mut micros, &mut sink)?;
            }
            first += OPEN;
        }
        Ok(())
    }

    /// All frames at once.
    pub fn frames(&self) -> Vec<MadeFrame> {
        let mut frames = Vec::new();
        self.each(|frame| {
            frames.push(frame);
            Ok(())
        })
        .expect("the sink never fails");
        frames
    }
}

impl Damage {
    /// Damages a capture; the time of the frames stays in order, as a capture's clock does.
    pub fn apply(&self, frames: Vec<MadeFrame>, seed: u64) -> Vec<MadeFrame> {
        let mut random = Random(seed);
        let times: Vec<u64> = frames.iter().map(|frame| frame.micros).collect();
        let mut damaged: Vec<MadeFrame> = Vec::with_capacity(frames.len());
        for frame in frames {
            if frame.index < self.first_missing || random.permille(self.lost) {
                continue;
            }
            let again = random.permille(self.duplicated).then(|| frame.clone());
            damaged.push(frame);
            damaged.extend(again);
        }
        let mut at = 0;
        while at + 1 < damaged.len() {
            if random.permille(self.swapped) {
                damaged.swap(at, at + 1);
                at += 1;
            }
            at += 1;
        }
        for (index, frame) in damaged.iter_mut().enumerate() {
            // Frames that stand twice go on behind the last, so that each has a time of its own.
            let behind = |last: &u64| last + 7 * (index + 1 - times.len().min(index + 1)) as u64;
            frame.micros = times.get(index).copied().unwrap_or_else(|| times.last().map_or(0, behind));
            if self.snaplen > 0 && frame.octets.len() > self.snaplen {
                frame.octets.truncate(self.snaplen);
                frame.head = frame.head.filter(|_| frame.octets.windows(4).any(|octets| octets == b"\r\n\r\n"));
            }
        }
        damaged
    }
}

/// Writes the global header of a pcap file (microseconds, Ethernet).
pub fn write_file_header(out: &mut impl Write) -> io::Result<()> {
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        out.write_all(&word.to_le_bytes())?;
    }
    Ok(())
}

/// Writes one record of a pcap file.
pub fn write_record(out: &mut impl Write, frame: &MadeFrame) -> io::Result<()> {
    let length = |octets: usize| u32::try_from(octets).expect("a frame is short");
    let (seconds, micros) = (frame.micros / 1_000_000, frame.micros % 1_000_000);
    for word in [seconds as u32, micros as u32, length(frame.octets.len()), length(frame.wire)] {
        out.write_all(&word.to_le_bytes())?;
    }
    out.write_all(&frame.octets)
}

/// Both ends of a connection.
struct Connection {
    number: u32,
    index: u32,
    client_sequence: u32,
    server_sequence: u32,
}

const CLIENT_TO_SERVER: bool = true;
const SYN: u8 = 0x02;
const FIN: u8 = 0x01;
const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

impl Connection {
    fn new(number: u32, seed: u64) -> Self {
        let mut random = Random(seed ^ (u64::from(number) << 32));
        // Starting points all over the sequence space, so that some connections wrap.
        Self { number, index: 0, client_sequence: random.next() as u32, server_sequence: random.next() as u32 }
    }

    fn send(
        &mut self,
        to_server: bool,
        flags: u8,
        payload: &[u8],
        head: Option<u32>,
        micros: &mut u64,
        sink: &mut impl FnMut(MadeFrame) -> io::Result<()>,
    ) -> io::Result<()> {
        *micros += 7;
        let client = ([10, 0, (self.number >> 8) as u8, self.number as u8], 20_000 + (self.number >> 16) as u16);
        let server = ([192, 0, 2, 10], 80u16);
        let (from, to) = if to_server { (client, server) } else { (server, client) };
        let (sequence, acknowledgment) = if to_server {
            (self.client_sequence, self.server_sequence)
        } else {
            (self.server_sequence, self.client_sequence)
        };
        let acknowledgment = if flags & ACK == 0 { 0 } else { acknowledgment };
        let mut octets = Vec::with_capacity(54 + payload.len());
        octets.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        let total = u16::try_from(40 + payload.len()).expect("a segment fits");
        octets.extend_from_slice(&[0x45, 0]);
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
        let advance = u32::try_from(payload.len()).expect("a segment fits") + u32::from(flags & (SYN | FIN) != 0);
        let counter = if to_server { &mut self.client_sequence } else { &mut self.server_sequence };
        *counter = counter.wrapping_add(advance);
        let wire = octets.len();
        let frame = MadeFrame { micros: *micros, octets, index: self.index, connection: self.number, head, wire };
        self.index += 1;
        sink(frame)
    }

    fn handshake(&mut self, micros: &mut u64, sink: &mut impl FnMut(MadeFrame) -> io::Result<()>) -> io::Result<()> {
        self.send(CLIENT_TO_SERVER, SYN, &[], None, micros, sink)?;
        self.send(!CLIENT_TO_SERVER, SYN | ACK, &[], None, micros, sink)?;
        self.send(CLIENT_TO_SERVER, ACK, &[], None, micros, sink)
    }

    fn exchange(
        &mut self,
        traffic: &Traffic,
        exchange: u32,
        micros: &mut u64,
        sink: &mut impl FnMut(MadeFrame) -> io::Result<()>,
    ) -> io::Result<()> {
        let truth = traffic.truth(self.number, exchange);
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: integration/2.1\r\nAccept: application/json\r\nAuthorization: Bearer key-{}\r\n\r\n",
            truth.path,
            self.number % 8
        );
        self.send(CLIENT_TO_SERVER, ACK | PSH, request.as_bytes(), None, micros, sink)?;
        let body = body(&truth);
        let reason = if truth.status == 429 { "429 Too Many Requests" } else { "200 OK" };
        let response = format!(
            "HTTP/1.1 {reason}\r\nDate: Mon, 21 Sep 2026 12:53:20 GMT\r\nServer: nginx\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: keep-alive\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\nX-Request-Id: {:016x}\r\nStrict-Transport-Security: max-age=31536000\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nX-RateLimit-Limit: {LIMIT}\r\nX-RateLimit-Remaining: {}\r\nX-RateLimit-Reset: {}\r\n\r\n{body}",
            body.len(),
            u64::from(self.number) << 32 | u64::from(exchange),
            truth.remaining,
            *micros / 1_000_000 / 3_600 * 3_600 + 3_600,
        );
        let mut head = Some(exchange);
        for segment in response.as_bytes().chunks(SEGMENT) {
            self.send(!CLIENT_TO_SERVER, ACK | PSH, segment, head.take(), micros, sink)?;
        }
        self.send(CLIENT_TO_SERVER, ACK, &[], None, micros, sink)
    }

    fn close(&mut self, micros: &mut u64, sink: &mut impl FnMut(MadeFrame) -> io::Result<()>) -> io::Result<()> {
        self.send(CLIENT_TO_SERVER, FIN | ACK, &[], None, micros, sink)?;
        self.send(!CLIENT_TO_SERVER, FIN | ACK, &[], None, micros, sink)?;
        self.send(CLIENT_TO_SERVER, ACK, &[], None, micros, sink)
    }
}

fn body(truth: &Truth) -> String {
    if truth.status == 429 {
        return r#"{"error":{"code":"rate_limited","message":"too many requests"}}"#.to_owned();
    }
    let filler = "abcdefghijklmnopqrstuvwxyz012345".repeat(31);
    format!(r#"{{"id":"{}","amount":1250,"currency":"EUR","note":"{filler}"}}"#, truth.path)
}
