//! What mutation starts from: well-formed inputs of each target, made, so that no file of the network is kept.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::targets::LINKS;
use super::traffic::{Damage, MadeFrame, Shape, Traffic, write_file_header, write_record};

/// The seeds of a target.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "frames" => frames(),
        "streams" => streams(),
        _ => files(),
    }
}

/// What is put into inputs whole: words that the decoders look for.
pub(crate) const WORDS: [&[u8]; 30] = [
    b"\r\n\r\n",
    b"\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 429 Too Many Requests\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\n\r\n",
    b"GET /simple\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 4611686018427387903\r\n",
    b"Content-Length: 0, 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Trailer: RateLimit\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"ffffffffffffffff\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: zstd, br\r\n",
    b"Retry-After: 99999999999999999999\r\n",
    b"Retry-After: Mon, 21 Sep 2026 12:53:20 GMT\r\n",
    b"RateLimit: \"burst\";r=5;t=3\r\n",
    b"RateLimit-Policy: \"burst\";q=10;w=60\r\n",
    b"X-RateLimit-Reset: 1790000060\r\n",
    b"X-RateLimit-Remaining: -1\r\n",
    b"x-ratelimit-remaining-tokens: 149,984\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03",
    b"\xa1\xb2\xc3\xd4",
];

const TRAFFIC: Traffic = Traffic { connections: 3, exchanges: 4, seed: 9, shape: Shape::Mixed };

const DAMAGES: [Damage; 4] = [
    Damage { lost: 0, swapped: 0, duplicated: 0, first_missing: 0, snaplen: 0 },
    Damage { lost: 80, swapped: 100, duplicated: 50, first_missing: 0, snaplen: 0 },
    Damage { lost: 50, swapped: 0, duplicated: 0, first_missing: 4, snaplen: 400 },
    Damage { lost: 200, swapped: 200, duplicated: 200, first_missing: 0, snaplen: 700 },
];

fn made() -> impl Iterator<Item = Vec<MadeFrame>> {
    DAMAGES.iter().zip(3..).map(|(damage, seed)| damage.apply(TRAFFIC.frames(), seed))
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("short").to_be_bytes()
}

fn frames() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (choice, made) in (0..).zip(made()) {
        for (link, before) in (0..).zip(&LINKS) {
            let mut seed = vec![choice, link];
            for frame in made.iter().take(24) {
                let packet = &frame.octets[14..];
                let octets = match before {
                    1 => frame.octets.clone(),
                    0 => [&[2, 0, 0, 0], packet].concat(),
                    113 => [&[0; 14][..], &[8, 0], packet].concat(),
                    276 => [&[8, 0][..], &[0; 18], packet].concat(),
                    51 => [&[0x11, 0, 0, 1][..], &short(packet.len() + 2), &[0, 0x21], packet].concat(),
                    _ => packet.to_vec(),
                };
                seed.extend([3]);
                seed.extend(short(octets.len()));
                seed.push(0);
                seed.extend(octets);
            }
            seeds.push(seed);
        }
    }
    seeds.extend(wrapped());
    seeds
}

/// One segment in each tunnel, tag and kind of fragment.
fn wrapped() -> Vec<Vec<u8>> {
    let frame = &TRAFFIC.frames()[4].octets;
    let (addresses, packet) = (&frame[..12], &frame[14..]);
    let outer = |protocol: u8, more: u16, inner: &[u8]| {
        let mut octets = vec![0x45, 0];
        octets.extend(short(20 + inner.len()));
        octets.extend([0, 7]);
        octets.extend(more.to_be_bytes());
        octets.extend([64, protocol, 0, 0, 172, 16, 0, 1, 172, 16, 0, 2]);
        octets.extend_from_slice(inner);
        octets
    };
    let ethernet = |kind: [u8; 2], inner: &[u8]| [addresses, &kind, inner].concat();
    let udp = |port: u16, inner: &[u8]| {
        [&[0x40, 0][..], &port.to_be_bytes(), &short(8 + inner.len()), &[0, 0], inner].concat()
    };
    let ip = [8, 0];
    let half = 20 + (packet.len() - 20) / 16 * 8;
    let v6 = |next: u8, inner: &[u8]| {
        [&[0x60, 0, 0, 0][..], &short(inner.len()), &[next, 64], &[1; 16], &[2; 16], inner].concat()
    };
    let kinds: Vec<Vec<Vec<u8>>> = vec![
        vec![ethernet([0x81, 0], &[&[0, 5][..], &ip, packet].concat())],
        vec![ethernet([0x88, 0xa8], &[&[0, 5, 0x81, 0, 0, 6][..], &ip, packet].concat())],
        vec![ethernet([0x88, 0x47], &[&[0, 1, 0x01, 64][..], packet].concat())],
        vec![ethernet([0x88, 0x64], &[&[0x11, 0, 0, 1][..], &short(packet.len() + 2), &[0, 0x21], packet].concat())],
        vec![ethernet(ip, &outer(4, 0, packet))],
        vec![ethernet(ip, &outer(47, 0, &[&[0, 0, 8, 0][..], packet].concat()))],
        vec![ethernet(ip, &outer(17, 0, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 9, 0][..], frame].concat())))],
        vec![ethernet(ip, &outer(17, 0, &udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 9, 0][..], frame].concat())))],
        vec![ethernet(ip, &outer(17, 0, &udp(443, &[&[0xc0, 0, 0, 0, 1][..], &[8; 40]].concat())))],
        vec![
            ethernet([0x86, 0xdd], &v6(6, &packet[20..])),
            ethernet([0x86, 0xdd], &v6(0, &[&[6, 0, 0, 0, 0, 0, 0, 0][..], &packet[20..]].concat())),
        ],
        vec![
            ethernet(ip, &outer(6, 0x2000, &packet[20..half])),
            ethernet(ip, &outer(6, u16::try_from((half - 20) / 8).expect("short"), &packet[half..])),
        ],
    ];
    let seed = |(choice, frames): (u8, Vec<Vec<u8>>)| {
        let mut seed = vec![choice, 0];
        for octets in frames {
            seed.push(1);
            seed.extend(short(octets.len()));
            seed.push(0);
            seed.extend(octets);
        }
        seed
    };
    (0..4).cycle().zip(kinds).map(seed).collect()
}

fn streams() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (choice, made) in (0..).zip(made()) {
        let mut seed = vec![choice];
        for frame in &made {
            let (header, payload) = frame.octets.split_at(54.min(frame.octets.len()));
            let Some(flags) = header.get(47) else { continue };
            let from_server = u8::from(header.get(34..36) == Some(&[0, 80]));
            let what = match flags & 7 {
                2 => 0x38,
                1 => 0x30,
                _ => 0,
            };
            seed.extend([what | from_server << 2 | u8::try_from(frame.connection & 3).expect("small"), 2]);
            seed.extend(short(payload.len()));
            seed.extend_from_slice(payload);
        }
        seeds.push(seed);
    }
    // Talk by hand: bodies of every framing, refusals, what is no HTTP.
    for (asked, answered) in [
        (&b"GET /a HTTP/1.1\r\nHost: api.github.com\r\n\r\n"[..], &b"HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\nTrailer: RateLimit\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\nRateLimit: \"b\";r=0;t=5\r\n\r\n"[..]),
        (b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 16\r\nRetry-After: 7\r\n\r\n{\"code\":\"1454\"}\n"),
        (b"HEAD /c HTTP/1.1\r\nHost: a\r\n\r\nGET /d HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.0 503 Busy\r\nRetry-After: 1\r\n\r\nto the end"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x03\x00\x02ab"),
        (b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03abcdefghijklmnopqrstuvwxyzabcdef\x00\x00\x02\x13\x01\x01\x00\x00\x00", b"\x16\x03\x03\x00\x05\x02\x00\x00\x01a"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
        (b"GET /simple\r\n\r\n", b"whatever it is"),
    ] {
        let mut seed = vec![0, 0x38, 0, 0, 0, 0x3c, 0, 0, 0];
        for (side, octets) in [(0, asked), (4, answered)] {
            for part in octets.chunks(40) {
                seed.extend([side, 1]);
                seed.extend(short(part.len()));
                seed.extend_from_slice(part);
            }
        }
        seeds.push(seed);
    }
    seeds
}

fn files() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for made in made() {
        let mut pcap = Vec::new();
        write_file_header(&mut pcap).expect("memory takes it");
        for frame in &made {
            write_record(&mut pcap, frame).expect("memory takes it");
        }
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&pcap).expect("memory takes it");
        seeds.push(packer.finish().expect("memory takes it"));
        seeds.push(pcap);
        seeds.push(pcapng(&made));
    }
    let line = |status: u16, fields: &str, body: &str| {
        format!(
            r#"{{"ts":1790000000.5,"method":"GET","url":"https://api.example.com/v1/payment/42?q=1","status":{status},"request_headers":{{"authorization":"Bearer k"}},"response_headers":{fields},"response_body":{body},"latency_s":0.01,"client":"10.0.0.7:51234"}}"#
        )
    };
    let lines = [
        line(
            200,
            r#"{"X-RateLimit-Limit":"100","X-RateLimit-Remaining":["7"],"X-RateLimit-Reset":"1790000060"}"#,
            "null",
        ),
        line(
            429,
            r#"[["RateLimit-Policy","\"b\";q=10;w=60"],["RateLimit","\"b\";r=0;t=9"],["Retry-After","9"]]"#,
            r#""{\"error\":{\"code\":1454}}""#,
        ),
        line(429, "{}", r#"{"error":{"code":1454}}"#),
        line(503, r#"{"retry-after":"Mon, 21 Sep 2026 12:53:20 GMT"}"#, "null")
            .replace("1790000000.5", "\"2026-09-21T12:53:00Z\""),
    ];
    seeds.push(lines.join("\n").into_bytes());
    seeds.push(lines.join("\r\n").repeat(3).into_bytes());
    seeds
}

/// The same frames on two interfaces of a pcapng file, one of them with nanoseconds.
fn pcapng(made: &[MadeFrame]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = u32::try_from(12 + body.len() + padding).expect("short").to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &[0; 3][..padding], &length].concat()
    };
    let mut file = block(0x0a0d_0d0a, &[&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    file.extend(block(1, &[1, 0, 0, 0, 0, 0, 4, 0]));
    file.extend(block(1, &[1, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]));
    for (index, frame) in (0u32..).zip(made) {
        let interface = index % 2;
        let at = if interface == 0 { frame.micros } else { frame.micros * 1_000 };
        let length = |octets: usize| u32::try_from(octets).expect("short").to_le_bytes();
        let high = u32::try_from(at >> 32).expect("not that late").to_le_bytes();
        let low = u32::try_from(at & 0xffff_ffff).expect("32 bits").to_le_bytes();
        let body = [
            &interface.to_le_bytes()[..],
            &high,
            &low,
            &length(frame.octets.len()),
            &length(frame.wire),
            &frame.octets,
        ];
        file.extend(block(6, &body.concat()));
    }
    file
}
