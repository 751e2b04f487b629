//! Traffic as two hosts would send it, with known truth, and the damage that captures do to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quotascope::decode::{DecodeOptions, Decoder, Flags, Segment};
use quotascope::model::{Exchange, HashKey, InputCounters, Interest, Timestamp};

/// A segment that owns its payload.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) connection: u16,
    pub(crate) from_client: bool,
    pub(crate) at: Timestamp,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: Option<u32>,
    pub(crate) flags: Flags,
    pub(crate) payload: Vec<u8>,
    pub(crate) missing: u32,
    /// The exchange whose response's head this starts, if any: what a perfect observer could still find.
    pub(crate) heads: Vec<u64>,
}

pub(crate) const SYN: Flags = Flags { syn: true, fin: false, rst: false };
pub(crate) const FIN: Flags = Flags { syn: false, fin: true, rst: false };
pub(crate) const PLAIN: Flags = Flags { syn: false, fin: false, rst: false };

/// `SplitMix64`: small, seeded, the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    /// True in so many of 10,000 cases.
    pub(crate) fn hits(&mut self, of_ten_thousand: u64) -> bool {
        self.below(10_000) < of_ten_thousand
    }
}

/// Keeps what the truth is known of: the number of the exchange, and the content of refusals.
pub(crate) struct Numbers;

impl Interest for Numbers {
    fn content_of_success(&self, _: &str) -> bool {
        true
    }

    fn response_field(&self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(b"x-ratelimit-remaining") || name.eq_ignore_ascii_case(b"x-late")
    }

    fn credential_field(&self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(b"authorization")
    }

    fn credential_parameter(&self, name: &[u8]) -> bool {
        name == b"api_key"
    }

    fn content(&self, status: u16, _host: Option<&str>, _path: Option<&str>) -> bool {
        status == 429
    }
}

/// A decoder for tests.
pub(crate) fn decoder() -> Decoder {
    Decoder::new(DecodeOptions::default(), HashKey::new([1; 16]), Arc::new(Numbers))
}

/// The ends of a connection.
pub(crate) fn ends(connection: u16) -> (SocketAddr, SocketAddr) {
    (SocketAddr::from(([10, 0, 0, 7], 10_000 + connection)), SocketAddr::from(([203, 0, 113, 9], 80)))
}

/// Gives packets to a decoder and takes everything that comes out.
pub(crate) fn decode(packets: &[Packet]) -> (Vec<Exchange>, InputCounters) {
    let mut decoder = decoder();
    let source: Arc<str> = "test".into();
    let mut exchanges = Vec::new();
    let mut watermark = Timestamp::MIN;
    for packet in packets {
        let (client, server) = ends(packet.connection);
        let (from, to) = if packet.from_client { (client, server) } else { (server, client) };
        decoder.handle_segment(
            &source,
            &Segment {
                at: packet.at,
                source: from,
                destination: to,
                tunnel: 0,
                sequence: packet.sequence,
                acknowledgment: packet.acknowledgment,
                flags: packet.flags,
                payload: &packet.payload,
                missing: packet.missing,
            },
        );
        while let Some(exchange) = decoder.poll_exchange() {
            assert!(exchange.response.at >= watermark, "an exchange came behind the watermark");
            exchanges.push(exchange);
        }
        assert!(decoder.watermark(DecodeOptions::default().reordering) >= watermark, "the watermark ran back");
        watermark = decoder.watermark(DecodeOptions::default().reordering);
    }
    decoder.finish();
    exchanges.extend(std::iter::from_fn(|| decoder.poll_exchange()));
    (exchanges, decoder.counters())
}

/// One connection as both hosts send it.
pub(crate) struct Wire {
    pub(crate) connection: u16,
    pub(crate) at: Timestamp,
    client: u32,
    server: u32,
    pub(crate) mss: usize,
    pub(crate) packets: Vec<Packet>,
}

impl Wire {
    /// Shakes hands.
    pub(crate) fn open(connection: u16, at: Timestamp, client: u32, server: u32) -> Self {
        let mut wire = Self { connection, at, client, server, mss: 1448, packets: Vec::new() };
        wire.push(true, SYN, None, &[]);
        wire.client = wire.client.wrapping_add(1);
        wire.push(false, SYN, Some(wire.client), &[]);
        wire.server = wire.server.wrapping_add(1);
        wire.push(true, PLAIN, Some(wire.server), &[]);
        wire
    }

    /// Sends octets in segments; the other side acknowledges every second one and the last.
    pub(crate) fn send(&mut self, from_client: bool, octets: &[u8], head_of: Option<u64>) {
        let count = octets.chunks(self.mss).count();
        for (index, part) in octets.chunks(self.mss).enumerate() {
            let heard = if from_client { self.server } else { self.client };
            self.push(from_client, PLAIN, Some(heard), part);
            if let (0, Some(number), Some(packet)) = (index, head_of, self.packets.last_mut()) {
                packet.heads.push(number);
            }
            let length = u32::try_from(part.len()).unwrap();
            let sent = if from_client { &mut self.client } else { &mut self.server };
            *sent = sent.wrapping_add(length);
            if index % 2 == 1 || index + 1 == count {
                let sent = *sent;
                self.push(!from_client, PLAIN, Some(sent), &[]);
            }
        }
    }

    /// Says goodbye.
    pub(crate) fn close(mut self) -> Vec<Packet> {
        self.push(true, FIN, Some(self.server), &[]);
        self.client = self.client.wrapping_add(1);
        self.push(false, FIN, Some(self.client), &[]);
        self.server = self.server.wrapping_add(1);
        self.push(true, PLAIN, Some(self.server), &[]);
        self.packets
    }

    fn push(&mut self, from_client: bool, flags: Flags, acknowledgment: Option<u32>, payload: &[u8]) {
        self.at = self.at.after(Duration::from_micros(50));
        self.packets.push(Packet {
            connection: self.connection,
            from_client,
            at: self.at,
            sequence: if from_client { self.client } else { self.server },
            acknowledgment,
            flags,
            payload: payload.to_vec(),
            missing: 0,
            heads: Vec::new(),
        });
    }
}

/// What an exchange truly was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) number: u64,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) status: u16,
}

/// A request and its response, of every framing, with content that looks like heads.
pub(crate) fn exchange(number: u64, dice: &mut Dice) -> (Truth, Vec<u8>, Vec<u8>) {
    let method = ["GET", "GET", "GET", "POST", "PUT", "HEAD"][usize::try_from(dice.below(6)).unwrap()];
    let status = [200, 200, 200, 200, 201, 204, 304, 404, 429, 500][usize::try_from(dice.below(10)).unwrap()];
    let truth = Truth { number, method, path: format!("/v1/payment/{number}"), status };
    let decoy = b"HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 999999999\r\nContent-Length: 0\r\n\r\n";
    let mut content = |bound: u64| -> Vec<u8> {
        let length = usize::try_from(dice.below(bound)).unwrap();
        decoy.iter().copied().cycle().take(length).collect()
    };
    let mut request =
        format!("{method} {}?api_key=s3cret HTTP/1.1\r\nHost: api.example.com\r\n", truth.path).into_bytes();
    if matches!(method, "POST" | "PUT") {
        let body = content(4000);
        request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(&body);
    } else {
        request.extend_from_slice(b"\r\n");
    }
    let body = content(6000);
    let mut response = format!("HTTP/1.1 {status} Whatever\r\nX-RateLimit-Remaining: {number}\r\n").into_bytes();
    let empty = matches!(status, 204 | 304) || method == "HEAD";
    if status == 204 {
        response.extend_from_slice(b"\r\n");
    } else if number.is_multiple_of(3) {
        response.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        if !empty {
            for chunk in body.chunks(700) {
                response.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                response.extend_from_slice(chunk);
                response.extend_from_slice(b"\r\n");
            }
            response.extend_from_slice(b"0\r\nX-Late: yes\r\n\r\n");
        }
    } else {
        response.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        if !empty {
            response.extend_from_slice(&body);
        }
    }
    (truth, request, response)
}

/// Many connections at once, each with many exchanges one after the other, in the order in which a capture shows them.
pub(crate) fn busy(connections: u16, exchanges: u64, seed: u64) -> (Vec<Packet>, Vec<Truth>) {
    let mut dice = Dice(seed);
    let mut packets = Vec::new();
    let mut truths = Vec::new();
    for connection in 0..connections {
        let start = Timestamp::from_secs(1_795_000_000).after(Duration::from_micros(dice.below(2_000_000)));
        let mut wire = Wire::open(connection, start, u32::try_from(dice.below(1 << 32)).unwrap(), u32::MAX - 3000);
        for index in 0..exchanges {
            let (truth, request, response) = exchange(u64::from(connection) * 1000 + index, &mut dice);
            wire.send(true, &request, None);
            wire.at = wire.at.after(Duration::from_millis(dice.below(30)));
            wire.send(false, &response, Some(truth.number));
            wire.at = wire.at.after(Duration::from_millis(dice.below(50)));
            truths.push(truth);
        }
        packets.extend(wire.close());
    }
    packets.sort_by_key(|packet| packet.at);
    (packets, truths)
}
