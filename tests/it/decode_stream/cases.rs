//! Single cases, one for each promise of the stream decoder.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use quotascope::decode::{DecodeOptions, Decoder, Segment};
use quotascope::model::{Anomaly, Exchange, HashKey, InputCounters, Timestamp};

use super::traffic::{Numbers, PLAIN, Packet, Wire, decode, decoder, ends};

const START: Timestamp = Timestamp::from_secs(1_795_000_000);

/// A conversation of one connection: `>` is the client, `<` the server; one segment each.
fn wire(lines: &[(char, &[u8])]) -> Vec<Packet> {
    let mut wire = Wire::open(1, START, 1000, 9000);
    wire.mss = 1 << 16;
    for (side, octets) in lines {
        wire.send(*side == '>', octets, None);
    }
    wire.close()
}

fn run(lines: &[(char, &[u8])]) -> (Vec<Exchange>, InputCounters) {
    decode(&wire(lines))
}

fn paths(exchanges: &[Exchange]) -> Vec<(u16, Option<&str>)> {
    exchanges.iter().map(|e| (e.response.status, e.request.as_ref().map(|request| &*request.path))).collect()
}

fn body(exchange: &Exchange) -> (&[u8], bool) {
    exchange.response.body.as_ref().map_or((b"", true), |body| (&body.octets, body.truncated))
}

#[test]
fn a_request_keeps_its_host_and_path_and_no_secret() {
    let (exchanges, counters) = run(&[
        ('>', b"GET http://user:pw@API.Example.com:80/v1/\x80pay ment?api_key=s3cret&b=1#frag HTTP/1.1\r\nHost: other\r\nAuthorization: Bearer s3cret\r\n\r\n"),
        ('<', b"HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 5\r\nSet-Cookie: s3cret\r\nContent-Length: 0\r\n\r\n"),
    ]);
    assert_eq!((counters.requests, counters.exchanges), (1, 1), "{counters:?}");
    let request = exchanges[0].request.as_ref().unwrap();
    assert_eq!((request.host.as_deref(), &*request.path), (Some("api.example.com"), "/v1/%80pay%20ment"));
    let carriers: Vec<_> = request.credentials.iter().map(|credential| &*credential.carrier).collect();
    assert_eq!(carriers, ["authorization", "?api_key"]);
    assert_eq!(exchanges[0].response.fields.len(), 1);
    assert!(!format!("{exchanges:?}").contains("s3cret"));
    assert_eq!(exchanges[0].latency, Some(Duration::from_micros(100)));
}

#[test]
fn bodies_end_where_their_framing_says() {
    let (exchanges, counters) = run(&[
        ('>', b"HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n"),
        ('<', b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n"),
        ('>', b"POST /continue HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
        ('<', b"HTTP/1.1 100 Continue\r\n\r\n"),
        ('>', b"hello"),
        ('<', b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"),
        ('>', b"GET /cached HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
        ('>', b"GET /chunks HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 429 Slow down\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nslow\r\n5\r\n down\r\n0\r\nX-Late: 7\r\nX-Other: 1\r\n\r\n"),
        ('>', b"GET /close HTTP/1.0\r\n\r\n"),
        ('<', b"HTTP/1.0 429 Slow down\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    ]);
    let wanted = [(200, "/head"), (204, "/continue"), (304, "/cached"), (429, "/chunks"), (429, "/close")];
    assert_eq!(paths(&exchanges), wanted.map(|(status, path)| (status, Some(path))));
    assert_eq!((counters.requests, counters.responses, counters.exchanges), (5, 7, 5));
    assert_eq!(body(&exchanges[3]), (&b"slow down"[..], false));
    assert_eq!(exchanges[3].response.fields.first(b"x-late"), Some(&b"7"[..]));
    assert_eq!(exchanges[3].response.fields.len(), 1);
    assert_eq!(body(&exchanges[4]), (&b"HTTP/1.1 200 OK\r\n\r\n"[..], false));
    assert!(counters.damaged.is_empty(), "{counters:?}");
}

#[test]
fn content_codings_come_off_under_a_cap() {
    let text = b"{\"error\":{\"code\":1454}}".repeat(40);
    let gzip = |octets: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = |octets: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    };
    let raw = |octets: &[u8]| {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |octets: &[u8]| zstd::stream::encode_all(octets, 3).unwrap();
    let answer = |coding: &str, content: &[u8]| {
        let mut answer =
            format!("HTTP/1.1 429 Slow\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", content.len())
                .into_bytes();
        answer.extend_from_slice(content);
        run(&[('>', b"GET / HTTP/1.1\r\n\r\n"), ('<', &answer)])
    };
    for (coding, content) in [
        ("gzip", gzip(&text)),
        ("X-GZIP", gzip(&text)),
        ("gzip", text.clone()),
        ("deflate", zlib(&text)),
        ("deflate", raw(&text)),
        ("zstd", zstd(&text)),
        ("identity", text.clone()),
        ("gzip, zstd", zstd(&gzip(&text))),
        // The text in one uncompressed meta-block. Source: RFC 7932 section 9.2.
        ("br", b"\x0b\x02\x80hello\x03".to_vec()),
    ] {
        let (exchanges, counters) = answer(coding, &content);
        let wanted = if coding == "br" { &b"hello"[..] } else { &text };
        assert_eq!(body(&exchanges[0]), (wanted, false), "{coding}");
        assert!(counters.damaged.is_empty(), "{coding}: {counters:?}");
    }
    let bomb = vec![b'a'; 8 << 20];
    for (coding, content) in [("gzip", gzip(&bomb)), ("zstd", zstd(&bomb))] {
        let (exchanges, _) = answer(coding, &content);
        let (octets, truncated) = body(&exchanges[0]);
        assert_eq!((octets.len(), truncated), (64 << 10, true), "{coding}");
    }
    for coding in ["compress", "gzip, gzip, gzip, gzip"] {
        let (exchanges, counters) = answer(coding, b"\x1f\x8bnothing");
        assert_eq!((exchanges[0].response.body.as_ref(), counters.damage(Anomaly::BodyUndecodable)), (None, 1));
    }
}

#[test]
fn what_is_not_http_is_counted_once_and_left_alone() {
    for (lines, anomaly) in [
        (
            vec![('>', &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..]), ('<', b"\x16\x03\x03\x00\x7a")],
            Anomaly::TlsUnreadable,
        ),
        (vec![('>', &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..]), ('<', b"\0\0\0\x04")], Anomaly::Http2Unreadable),
        (
            vec![
                ('>', &b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"[..]),
                ('<', b"HTTP/1.1 200 Connection established\r\n\r\n"),
                ('>', b"GET /inside HTTP/1.1\r\n\r\n"),
            ],
            Anomaly::ProtocolSwitched,
        ),
        (
            vec![
                ('>', &b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"[..]),
                ('<', b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"),
            ],
            Anomaly::ProtocolSwitched,
        ),
    ] {
        let (exchanges, counters) = run(&lines);
        assert_eq!(counters.damaged, [(anomaly.label(), 1)].into(), "{exchanges:?}");
        assert_eq!(exchanges.len(), usize::from(anomaly == Anomaly::ProtocolSwitched));
    }
    let (exchanges, counters) =
        run(&[('<', b"220 mail\r\n"), ('>', b"EHLO a\r\n"), ('>', b"HTTP/1.1 101\nUpgrade:h2c\n\n")]);
    assert_eq!((exchanges.len(), counters.responses), (0, 0));
}

#[test]
fn an_answer_that_was_lost_does_not_shift_the_ones_behind_it() {
    let mut packets = wire(&[
        ('>', b"GET /1 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ('>', b"GET /2 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n"),
        ('>', b"GET /3 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n"),
        ('>', b"GET /4 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 203 OK\r\nContent-Length: 0\r\n\r\n"),
    ]);
    // The second answer and the third request.
    packets.retain(|packet| !packet.payload.starts_with(b"HTTP/1.1 201") && !packet.payload.starts_with(b"GET /3"));
    let (exchanges, counters) = decode(&packets);
    assert_eq!(paths(&exchanges), [(200, Some("/1")), (202, None), (203, Some("/4"))]);
    assert_eq!(counters.damage(Anomaly::RequestUnmatched), 1);
    assert_eq!(counters.damage(Anomaly::ResponseUnmatched), 1);
    assert_eq!(counters.damage(Anomaly::StreamGap), 2);
}

#[test]
fn pipelined_answers_behind_a_gap_get_no_made_up_request() {
    let mut packets = wire(&[
        ('>', b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n"),
        ('<', b"HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n"),
        ('<', b"HTTP/1.1 203 OK\r\nContent-Length: 0\r\n\r\n"),
    ]);
    assert_eq!(paths(&decode(&packets).0), [(201, Some("/1")), (202, Some("/2")), (203, Some("/3"))]);
    packets.retain(|packet| !packet.payload.starts_with(b"HTTP/1.1 202"));
    let (exchanges, _) = decode(&packets);
    assert_eq!(paths(&exchanges), [(201, Some("/1")), (203, None)]);
}

#[test]
fn a_head_with_a_gap_inside_is_dropped_and_the_next_one_found() {
    let mut packets = wire(&[
        ('>', b"GET /1 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 200 OK\r\nX-RateLimit-"),
        ('<', b"Remaining: 1\r\nX-"),
        ('<', b"RateLimit-Remaining: 2\r\nContent-Length: 0\r\n\r\n"),
        ('>', b"GET /2 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 3\r\nContent-Length: 0\r\n\r\n"),
    ]);
    packets.retain(|packet| !packet.payload.starts_with(b"Remaining"));
    let (exchanges, counters) = decode(&packets);
    assert_eq!(paths(&exchanges), [(200, Some("/2"))]);
    assert_eq!(exchanges[0].response.fields.first(b"x-ratelimit-remaining"), Some(&b"3"[..]));
    assert_eq!(counters.damage(Anomaly::HeadWithGap), 1);
}

#[test]
fn of_an_overlap_the_first_octets_win_and_the_conflict_is_counted() {
    let mut packets = wire(&[
        ('>', b"GET /1 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 429 Slow\r\nContent-Length: 10\r\n\r\n"),
        ('<', b"first"),
        ('<', b"53210"),
    ]);
    let index = packets.iter().position(|packet| packet.payload == b"first").unwrap();
    let first = packets.remove(index);
    let last = packets.iter().position(|packet| packet.payload == b"53210").unwrap();
    let forged = Packet { payload: b"XXXXX".to_vec(), ..packets[last].clone() };
    packets.insert(last + 1, forged);
    packets.insert(last + 2, Packet { at: packets[last].at, ..first });
    let (exchanges, counters) = decode(&packets);
    assert_eq!(body(&exchanges[0]), (&b"first53210"[..], false));
    assert_eq!(counters.damage(Anomaly::OverlapConflict), 1);
}

#[test]
fn ports_are_reused_and_sequence_numbers_wrap() {
    let mut packets = Vec::new();
    for (index, start) in [(0u32, u32::MAX - 20), (1, 7), (2, 3_000_000_000)] {
        let mut wire = Wire::open(1, START.after(Duration::from_secs(u64::from(index))), start, u32::MAX - 3);
        wire.send(true, format!("GET /{index} HTTP/1.1\r\n\r\n").as_bytes(), None);
        wire.send(false, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None);
        let whole = wire.close();
        // The second connection is cut off without a FIN.
        let kept = if index == 1 { whole.len() - 3 } else { whole.len() };
        packets.extend(whole.into_iter().take(kept));
    }
    let (exchanges, counters) = decode(&packets);
    assert_eq!(paths(&exchanges), [(200, Some("/0")), (200, Some("/1")), (200, Some("/2"))]);
    assert_eq!(counters.connections, 3);
}

#[test]
fn content_holds_an_exchange_and_the_watermark_for_five_seconds_at_most() {
    let mut decoder = decoder();
    let source: Arc<str> = "test".into();
    let packets =
        wire(&[('>', b"GET / HTTP/1.1\r\n\r\n"), ('<', b"HTTP/1.1 429 Slow\r\nContent-Length: 100\r\n\r\nhalf")]);
    for packet in packets.iter().take(packets.len() - 3) {
        feed(&mut decoder, &source, packet, 0);
    }
    let at = packets[packets.len() - 5].at;
    assert!(decoder.poll_exchange().is_none());
    decoder.handle_timeout(at.after(Duration::from_millis(4900)));
    assert!(decoder.poll_exchange().is_none());
    assert!(decoder.watermark(DecodeOptions::default().reordering) <= at);
    decoder.handle_timeout(at.after(Duration::from_millis(5100)));
    let exchange = decoder.poll_exchange().expect("five seconds are over");
    assert_eq!(body(&exchange), (&b"half"[..], true));
    assert!(decoder.watermark(DecodeOptions::default().reordering) > at);
}

#[test]
fn tables_and_buffers_keep_their_bounds() {
    let options = DecodeOptions { connections: 10, closed_connections: 2, ..DecodeOptions::default() };
    let mut decoder = Decoder::new(options, HashKey::new([1; 16]), Arc::new(Numbers));
    let source: Arc<str> = "test".into();
    for connection in 0..50u16 {
        let mut wire = Wire::open(connection, START, 5, 5);
        wire.send(true, b"GET / HTTP/1.1\r\n\r\n", None);
        for packet in &wire.packets {
            feed(&mut decoder, &source, packet, 0);
        }
    }
    assert_eq!(decoder.counters().damage(Anomaly::ConnectionEvicted), 40);

    // A head that never ends.
    let mut lines: Vec<(char, &[u8])> = vec![('>', b"GET / HTTP/1.1\r\n")];
    lines.extend(std::iter::repeat_n(('>', &b"X-Filler: 0123456789012345678901234567890123456789\r\n"[..]), 2000));
    let (_, counters) = run(&lines);
    assert_eq!((counters.requests, counters.damage(Anomaly::HeadTooLarge)), (0, 1));
    // More requests than wait for an answer.
    let (_, counters) = run(&[('>', &b"GET / HTTP/1.1\r\n\r\n".repeat(300))]);
    assert_eq!((counters.requests, counters.damage(Anomaly::PipelineOverflow)), (300, 44));
}

#[test]
fn equal_ends_in_two_tunnels_are_two_connections_but_a_mirrored_copy_is_none() {
    for (second_start, connections) in [(1000, 1), (77_000_000, 2)] {
        let mut decoder = decoder();
        let source: Arc<str> = "test".into();
        let conversation = |start| {
            let mut wire = Wire::open(1, START, start, start);
            wire.send(true, b"GET / HTTP/1.1\r\n\r\n", None);
            wire.send(false, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None);
            wire.close()
        };
        for (first, second) in conversation(1000).iter().zip(&conversation(second_start)) {
            feed(&mut decoder, &source, first, 0);
            feed(&mut decoder, &source, second, 42);
        }
        decoder.finish();
        let counters = decoder.counters();
        assert_eq!(
            (counters.connections, counters.requests, counters.exchanges),
            (connections, connections, connections)
        );
    }
}

#[test]
fn a_one_sided_capture_still_counts() {
    let both = wire(&[
        ('>', b"GET /1 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
        ('>', b"GET /2 HTTP/1.1\r\n\r\n"),
        ('<', b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"),
    ]);
    let side = |client| -> Vec<Packet> {
        both.iter().filter(|packet| packet.from_client == client && packet.flags == PLAIN).cloned().collect()
    };
    let (exchanges, counters) = decode(&side(false));
    assert_eq!(paths(&exchanges), [(200, None), (429, None)]);
    assert_eq!(counters.damage(Anomaly::StreamGap), 0);
    let (exchanges, counters) = decode(&side(true));
    assert_eq!((exchanges.len(), counters.requests, counters.damage(Anomaly::RequestUnmatched)), (0, 2, 2));
}

fn feed(decoder: &mut Decoder, source: &Arc<str>, packet: &Packet, tunnel: u64) {
    let (client, server) = ends(packet.connection);
    let (from, to) = if packet.from_client { (client, server) } else { (server, client) };
    decoder.handle_segment(
        source,
        &Segment {
            at: packet.at,
            source: from,
            destination: to,
            tunnel,
            sequence: packet.sequence,
            acknowledgment: packet.acknowledgment,
            flags: packet.flags,
            payload: &packet.payload,
            missing: packet.missing,
        },
    );
}
