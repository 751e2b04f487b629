//! Plain HTTP/1.1 API traffic, made: captures with their truth, whole or damaged.
//!
//! Keep-alive connections, each with a number of exchanges one after the other; each response has 14 field lines (an
//! `X-RateLimit-*` triple among them) and a body of about 1 KiB, so that most need two segments; 3 % are refused with 429.
//! The same seed gives the same octets. Each frame also says which response head it carries, so that a damaged capture
//! knows what is left to find.
#![expect(clippy::cast_possible_truncation, reason = "parts of numbers are taken by intent")]

use std::fmt::Write as _;
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
    /// What the exchanges look like.
    pub shape: Shape,
}

/// What the exchanges look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A GET and a response of one segment each.
    Plain,
    /// Also requests with bodies, heads over two segments, long and chunked bodies, HEAD, 204 and 304, pipelined requests.
    Mixed,
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
    /// The response head that it carries, or a part of one.
    pub head: Option<Head>,
    /// Its length on the wire, which a snaplen does not change.
    pub wire: usize,
}

/// A part of a response's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The exchange, counted on its connection.
    pub exchange: u32,
    /// Which part, from 0.
    pub part: u32,
    /// How many segments the head takes.
    pub parts: u32,
}

/// What an exchange was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// `GET /v1/payment/1000017`, unique.
    pub path: String,
    /// 200, 204, 304 or 429.
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
        let accepted = match self.form(number) {
            Form::NoContent => 204,
            Form::NotModified => 304,
            _ => 200,
        };
        Truth {
            path: format!("/v1/payment/{}", 1_000_000 + number),
            status: if refused { 429 } else { accepted },
            remaining: if refused { 0 } else { 1 + random.next() % REMAINING_SPAN },
        }
    }

    fn form_of(&self, connection: u32, exchange: u32) -> Form {
        self.form(u64::from(connection) * u64::from(self.exchanges) + u64::from(exchange))
    }

    fn form(&self, number: u64) -> Form {
        if self.shape == Shape::Plain {
            return Form::Plain;
        }
        match Random(self.seed.wrapping_add(number).wrapping_mul(0x9fb2_1c65_1e98_df25)).next() % 10 {
            0 => Form::Posted,
            1 => Form::SplitHead,
            2 => Form::LongBody,
            3 => Form::Chunked,
            4 => Form::Head,
            5 => Form::NoContent,
            6 => Form::NotModified,
            _ => Form::Plain,
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
                    // Every eighth connection of the mixed traffic asks three times before it hears an answer.
                    let at_once = if self.shape == Shape::Mixed && connection.number % 8 == 7 { 3 } else { 1 };
                    if exchange % at_once == 0 {
                        let several = exchange..(exchange + at_once).min(self.exchanges);
                        connection.exchanges(self, several, &mut micros, &mut sink)?;
                    }
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
                let is_whole = frame.octets.windows(4).any(|octets| octets == b"\r\n\r\n");
                frame.head = frame.head.filter(|head| head.part + 1 == head.parts && is_whole);
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
        head: Option<Head>,
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

    /// Requests one after the other, then their responses.
    fn exchanges(
        &mut self,
        traffic: &Traffic,
        several: std::ops::Range<u32>,
        micros: &mut u64,
        sink: &mut impl FnMut(MadeFrame) -> io::Result<()>,
    ) -> io::Result<()> {
        for exchange in several.clone() {
            let (truth, form) = (traffic.truth(self.number, exchange), traffic.form_of(self.number, exchange));
            let (method, more, body) = match form {
                Form::Posted => ("POST", "Content-Length: 1800\r\n", "p".repeat(1_800)),
                Form::Head => ("HEAD", "", String::new()),
                _ => ("GET", "", String::new()),
            };
            let request = format!(
                "{method} {} HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: integration/2.1\r\nAccept: application/json\r\n{more}Authorization: Bearer key-{}\r\n\r\n{body}",
                truth.path,
                self.number % 8
            );
            for segment in request.as_bytes().chunks(SEGMENT) {
                self.send(CLIENT_TO_SERVER, ACK | PSH, segment, None, micros, sink)?;
            }
        }
        for exchange in several {
            self.respond(traffic, exchange, micros, sink)?;
        }
        Ok(())
    }

    fn respond(
        &mut self,
        traffic: &Traffic,
        exchange: u32,
        micros: &mut u64,
        sink: &mut impl FnMut(MadeFrame) -> io::Result<()>,
    ) -> io::Result<()> {
        let (truth, form) = (traffic.truth(self.number, exchange), traffic.form_of(self.number, exchange));
        let body = body(&truth, form);
        let reason = match truth.status {
            429 => "429 Too Many Requests",
            204 => "204 No Content",
            304 => "304 Not Modified",
            _ => "200 OK",
        };
        let framing = match form {
            Form::Chunked => "Transfer-Encoding: chunked".to_owned(),
            // What a GET would have had.
            Form::Head => "Content-Length: 1000".to_owned(),
            _ => format!("Content-Length: {}", body.len()),
        };
        let head = format!(
            "HTTP/1.1 {reason}\r\nDate: Mon, 21 Sep 2026 12:53:20 GMT\r\nServer: nginx\r\nContent-Type: application/json\r\n{framing}\r\nConnection: keep-alive\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\nX-Request-Id: {:016x}\r\nStrict-Transport-Security: max-age=31536000\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nX-RateLimit-Limit: {LIMIT}\r\nX-RateLimit-Remaining: {}\r\nX-RateLimit-Reset: {}\r\n\r\n",
            u64::from(self.number) << 32 | u64::from(exchange),
            truth.remaining,
            *micros / 1_000_000 / 3_600 * 3_600 + 3_600,
        );
        let response = format!("{head}{body}");
        let parts = if form == Form::SplitHead { 2 } else { 1 };
        let (first, rest) = if parts == 2 { response.split_at(head.len() / 2) } else { response.split_at(0) };
        if parts == 2 {
            let head = Some(Head { exchange, part: 0, parts });
            self.send(!CLIENT_TO_SERVER, ACK | PSH, first.as_bytes(), head, micros, sink)?;
        }
        let mut head = Some(Head { exchange, part: parts - 1, parts });
        for segment in rest.as_bytes().chunks(SEGMENT) {
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

/// What an exchange looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Posted,
    SplitHead,
    LongBody,
    Chunked,
    Head,
    NoContent,
    NotModified,
}

fn body(truth: &Truth, form: Form) -> String {
    if matches!(form, Form::Head) || matches!(truth.status, 204 | 304) {
        return String::new();
    }
    let body = if truth.status == 429 {
        r#"{"error":{"code":"rate_limited","message":"too many requests"}}"#.to_owned()
    } else {
        let filler = "abcdefghijklmnopqrstuvwxyz012345".repeat(if form == Form::LongBody { 140 } else { 31 });
        format!(r#"{{"id":"{}","amount":1250,"currency":"EUR","note":"{filler}"}}"#, truth.path)
    };
    if form != Form::Chunked {
        return body;
    }
    let mut chunked = String::new();
    for chunk in body.as_bytes().chunks(400) {
        let text = std::str::from_utf8(chunk).expect("the body is ASCII");
        write!(chunked, "{:x}\r\n{text}\r\n", chunk.len()).expect("a string takes it");
    }
    chunked + "0\r\n\r\n"
}
