//! TCP segments to exchanges: whatever a capture does to the packets, what comes out is true.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod cases;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use etherparse::{PacketBuilder, VlanId};
use proptest::prelude::*;
use quotascope::decode::{Flags, FrameDecoder, Segment};
use quotascope::model::{Anomaly, Exchange, Frame, InputCounters, LinkType, Timestamp};

use traffic::{Dice, Packet, Truth, Wire, busy, decode, decoder, ends, exchange};

/// The number that an exchange carries in its quota field.
fn number(exchange: &Exchange) -> u64 {
    let value = exchange.response.fields.first(b"x-ratelimit-remaining").expect("the field is in every response");
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

/// How many exchanges were found, and how many of them contradict the truth or came twice.
fn compare(exchanges: &[Exchange], truths: &[Truth]) -> (usize, usize) {
    let truths: BTreeMap<u64, &Truth> = truths.iter().map(|truth| (truth.number, truth)).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = 0;
    for exchange in exchanges {
        let right = truths.get(&number(exchange)).is_some_and(|truth| {
            exchange.response.status == truth.status
                && seen.insert(truth.number)
                && exchange
                    .request
                    .as_ref()
                    .is_none_or(|request| *request.path == *truth.path && *request.method == *truth.method)
        });
        wrong += usize::from(!right);
    }
    (seen.len(), wrong)
}

/// What a capture does to packets.
#[derive(Debug, Clone, Copy, Default)]
struct Damage {
    /// Of ten thousand packets so many change places with the next.
    swapped: u64,
    /// So many come twice.
    duplicated: u64,
    /// So many do not come.
    lost: u64,
    /// So many of the first packets of each connection do not come.
    late: usize,
}

fn damage(packets: &[Packet], damage: Damage, seed: u64) -> Vec<Packet> {
    let mut dice = Dice(seed);
    let mut of_connection: BTreeMap<u16, usize> = BTreeMap::new();
    let mut damaged = Vec::new();
    for packet in packets {
        let seen = of_connection.entry(packet.connection).or_default();
        *seen += 1;
        if *seen <= damage.late || dice.hits(damage.lost) {
            continue;
        }
        damaged.push(packet.clone());
        if dice.hits(damage.duplicated) {
            damaged.push(packet.clone());
        }
    }
    let mut index = 0;
    while index + 1 < damaged.len() {
        if dice.hits(damage.swapped) {
            // The frames change places; the clock of the capture goes on.
            let (first, second) = (damaged[index].at, damaged[index + 1].at);
            damaged.swap(index, index + 1);
            damaged[index].at = first;
            damaged[index + 1].at = second;
            index += 1;
        }
        index += 1;
    }
    damaged
}

#[test]
fn what_is_left_of_a_damaged_capture_is_found_and_true() {
    let (packets, truths) = busy(60, 20, 7);
    let mut table = String::from("damage | heads left | found | with request | wrong\n");
    let mut faults = Vec::new();
    // Of the heads left so many are found, and of these so many with their request.
    for (name, how, share, with_request) in [
        ("none", Damage::default(), 1.0, 1.0),
        ("2 % swapped", Damage { swapped: 200, ..Damage::default() }, 1.0, 1.0),
        ("2 % duplicated", Damage { duplicated: 200, ..Damage::default() }, 1.0, 1.0),
        ("0.5 % lost", Damage { lost: 50, ..Damage::default() }, 0.99, 0.99),
        ("5 % lost", Damage { lost: 500, ..Damage::default() }, 0.97, 0.94),
        ("first 20 packets missing", Damage { late: 20, ..Damage::default() }, 1.0, 0.96),
        (
            "5 % lost, swapped, duplicated, late",
            Damage { swapped: 200, duplicated: 200, lost: 500, late: 20 },
            0.97,
            0.91,
        ),
    ] {
        let damaged = damage(&packets, how, 11);
        let left: BTreeSet<u64> = damaged.iter().flat_map(|packet| packet.heads.iter().copied()).collect();
        let (exchanges, _) = decode(&damaged);
        let (found, wrong) = compare(&exchanges, &truths);
        let paired = exchanges.iter().filter(|exchange| exchange.request.is_some()).count();
        writeln!(table, "{name} | {} | {found} | {paired} | {wrong}", left.len()).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        if wrong > 0 || (found as f64) < share * left.len() as f64 || (paired as f64) < with_request * found as f64 {
            faults.push(name);
        }
    }
    println!("{table}");
    assert!(faults.is_empty(), "{faults:?}\n{table}");
}

#[test]
fn an_undamaged_capture_gives_every_exchange_with_its_request() {
    let (packets, truths) = busy(20, 15, 3);
    let (exchanges, counters) = decode(&packets);
    assert_eq!(compare(&exchanges, &truths), (truths.len(), 0));
    assert!(exchanges.iter().all(|exchange| exchange.request.is_some() && exchange.latency.is_some()));
    assert_eq!(counters.damaged, BTreeMap::new());
    assert_eq!((counters.requests, counters.responses, counters.exchanges), (300, 300, 300));
    assert_eq!(counters.connections, 20);
}

/// What a segment boundary, an order or a repeat must not change.
fn essence(exchanges: &[Exchange]) -> Vec<String> {
    let mut essence: Vec<String> = exchanges
        .iter()
        .map(|exchange| {
            let request = exchange.request.as_ref().map(|request| {
                let credentials: Vec<_> = request.credentials.iter().map(|c| (&*c.carrier, &*c.id)).collect();
                format!("{} {:?}{} {credentials:?}", request.method, request.host, request.path)
            });
            let response = &exchange.response;
            let body = response.body.as_ref().map(|body| (&body.octets, body.truncated));
            format!("{request:?} {} {:?} {body:?}", response.status, response.fields)
        })
        .collect();
    essence.sort();
    essence
}

/// Cuts a stream at the given places (as shares of its length), and repeats octets before each cut as an overlap.
fn cut(octets: &[u8], cuts: &[(u16, u8)]) -> Vec<(usize, Vec<u8>)> {
    let mut places: Vec<(usize, usize)> = cuts
        .iter()
        .map(|(place, overlap)| {
            (usize::from(*place) * octets.len() / usize::from(u16::MAX), usize::from(*overlap % 64))
        })
        .chain([(octets.len(), 0)])
        .collect();
    places.sort_unstable();
    let mut start = 0;
    let mut parts = Vec::new();
    for (end, overlap) in places {
        if end > start {
            let from = start.saturating_sub(overlap);
            parts.push((from, octets[from..end].to_vec()));
            start = end;
        }
    }
    parts
}

/// A conversation of one connection with its segments cut, overlapping, repeated and out of order.
fn shuffled(
    number_of_exchanges: u64,
    pipelined: bool,
    cuts: &[(u16, u8)],
    moves: &[u8],
    start: (u32, u32),
) -> (Vec<Packet>, Vec<Truth>) {
    let mut dice = Dice(number_of_exchanges + 100);
    let mut wire = Wire::open(1, Timestamp::from_secs(1_795_000_000), start.0, start.1);
    let handshake = wire.packets.clone();
    let mut truths = Vec::new();
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for index in 0..number_of_exchanges {
        let (truth, request, response) = exchange(index, &mut dice);
        truths.push(truth);
        clients.push(request);
        servers.push(response);
    }
    wire.packets.clear();
    // One burst each, or one after the other; the acknowledgment numbers say which.
    let bursts =
        if pipelined { vec![(clients.concat(), servers.concat())] } else { clients.into_iter().zip(servers).collect() };
    for (request, response) in bursts {
        for (from_client, octets) in [(true, request), (false, response)] {
            let before = wire.packets.len();
            wire.mss = octets.len().max(1);
            wire.send(from_client, &octets, None);
            let whole = wire.packets[before].clone();
            let acknowledged = wire.packets.split_off(before + 1);
            wire.packets.pop();
            for (offset, payload) in cut(&octets, cuts) {
                let sequence = whole.sequence.wrapping_add(u32::try_from(offset).unwrap());
                wire.packets.push(Packet { sequence, payload, ..whole.clone() });
            }
            wire.packets.extend(acknowledged);
        }
    }
    let mut packets = wire.close();
    // Each move takes a packet back by up to seven places, or repeats it.
    for (index, step) in moves.iter().enumerate() {
        let place = (index * 7 + usize::from(*step)) % packets.len();
        if step & 1 == 0 {
            let packet = packets.remove(place);
            packets.insert(place.saturating_sub(usize::from(*step) % 8), packet);
        } else {
            packets.insert(place, packets[place].clone());
        }
    }
    let mut all = handshake;
    all.extend(packets);
    for (index, packet) in all.iter_mut().enumerate() {
        packet.at = Timestamp::from_secs(1_795_000_000).after(Duration::from_micros(10 * index as u64));
    }
    (all, truths)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn segmentation_order_repeats_and_overlaps_do_not_matter(
        exchanges in 1u64..7,
        pipelined: bool,
        cuts in prop::collection::vec(any::<(u16, u8)>(), 0..12),
        moves in prop::collection::vec(any::<u8>(), 0..6),
        start: (u32, u32),
    ) {
        let (plain, truths) = shuffled(exchanges, pipelined, &[], &[], start);
        let (wanted, counters) = decode(&plain);
        prop_assert_eq!(compare(&wanted, &truths), (truths.len(), 0));
        prop_assert!(wanted.iter().all(|exchange| exchange.request.is_some()));
        prop_assert_eq!(counters.damaged, BTreeMap::new());
        let (packets, _) = shuffled(exchanges, pipelined, &cuts, &moves, start);
        let (found, counters) = decode(&packets);
        prop_assert_eq!(essence(&found), essence(&wanted));
        prop_assert_eq!(counters.damage(Anomaly::OverlapConflict), 0);
        prop_assert_eq!(counters.connections, 1);
    }

    #[test]
    fn arbitrary_segments_never_panic(segments in prop::collection::vec(arbitrary_packet(), 0..60), lists: bool) {
        let mut decoder = decoder();
        let source = "test".into();
        for packet in &segments {
            let (client, server) = ends(packet.connection);
            let (from, to) = if packet.from_client { (client, server) } else { (server, client) };
            decoder.handle_segment(&source, &Segment {
                at: packet.at,
                source: from,
                destination: to,
                tunnel: u64::from(lists) * u64::from(packet.missing % 3),
                sequence: packet.sequence,
                acknowledgment: packet.acknowledgment,
                flags: packet.flags,
                payload: &packet.payload,
                missing: packet.missing,
            });
            decoder.handle_timeout(packet.at);
        }
        decoder.finish();
        let given_out = std::iter::from_fn(|| decoder.poll_exchange()).count() as u64;
        let counters = decoder.counters();
        prop_assert_eq!(counters.exchanges, given_out);
        prop_assert!(counters.responses >= counters.exchanges);
        prop_assert!(counters.connections <= segments.len() as u64);
    }
}

fn frame((at, octets): &(Timestamp, Vec<u8>)) -> Frame<'_> {
    let original_len = u32::try_from(octets.len()).unwrap();
    Frame { at: *at, link: LinkType(1), octets, original_len }
}

proptest! {
    /// Frames are taken as the segments that they hold are, tagged or not, in order or not.
    #[test]
    fn a_frame_is_taken_as_its_segment(
        steps in prop::collection::vec(
            (
                (0usize..2, any::<bool>(), prop::sample::select(vec![false, false, false, true])),
                prop::sample::select(vec!["", "", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b HT", "TP/1.1\r\nHost: a\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", "HTTP/1.1 204 No Content\r\n\r\n"]),
                prop::sample::select(vec![0i32, 0, 0, 0, 0, 0, -9, 9]),
                prop::sample::select(vec![0u8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4]),
                prop::sample::select(vec![0i64, 1, 1, 1, 1_000, 400_000, -1]),
            ),
            0..60,
        ),
        together in 1usize..5,
    ) {
        let mut sent = [[1_000u32; 2]; 2];
        let mut at = 0i64;
        let frames: Vec<(Timestamp, Vec<u8>)> = steps.iter().map(|((connection, asks, tagged), text, jump, flags, passed)| {
            let connection_port = 50_000 + u16::try_from(*connection).unwrap();
            let (client, server) = (([10, 0, 0, 1], connection_port), ([192, 0, 2, 1], 80));
            let (from, to) = if *asks { (client, server) } else { (server, client) };
            let [own, other] = [usize::from(*asks), usize::from(!*asks)];
            let sequence = sent[*connection][own].wrapping_add_signed(*jump);
            let length = u32::try_from(text.len()).unwrap() + u32::from(flags & 3 != 0);
            sent[*connection][own] = sequence.wrapping_add(length);
            at += passed * 1_000_000;
            let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
            let ip = if *tagged {
                ethernet.single_vlan(VlanId::try_new(5).unwrap()).ipv4(from.0, to.0, 64)
            } else {
                ethernet.ipv4(from.0, to.0, 64)
            };
            let tcp = ip.tcp(from.1, to.1, sequence, 4_096).ack(sent[*connection][other]);
            let tcp = if flags & 1 != 0 { tcp.syn() } else { tcp };
            let tcp = if flags & 2 != 0 { tcp.fin() } else { tcp };
            let tcp = if flags & 4 != 0 { tcp.rst() } else { tcp };
            let mut octets = Vec::new();
            tcp.write(&mut octets, text.as_bytes()).unwrap();
            (Timestamp::from_nanos(at), octets)
        }).collect();
        let source = "test".into();
        let mut short = decoder();
        let mut all = frames.iter().map(frame);
        let mut exchanges = Vec::new();
        while all.len() > 0 {
            short.handle_frames(&source, &mut all, together);
            exchanges.extend(std::iter::from_fn(|| short.poll_exchange()));
        }
        let (mut full, mut counted, mut way_down) = (decoder(), InputCounters::default(), FrameDecoder::new());
        for frame in frames.iter().map(frame) {
            full.handle_timeout(frame.at);
            way_down.segments(&frame, &mut counted, &mut |segment| full.handle_segment(&source, &segment));
        }
        for decoder in [&mut short, &mut full] {
            decoder.finish();
        }
        exchanges.extend(std::iter::from_fn(|| short.poll_exchange()));
        let expected: Vec<Exchange> = std::iter::from_fn(|| full.poll_exchange()).collect();
        prop_assert_eq!(format!("{exchanges:?}"), format!("{expected:?}"));
        counted.add(&full.counters());
        prop_assert_eq!(short.counters(), counted);
    }
}

/// Segments that mean something often enough to get far into the decoder.
fn arbitrary_packet() -> impl Strategy<Value = Packet> {
    let text = prop::sample::select(vec![
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 429 Slow\r\nContent-Length: 9223372036854775807\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "hello",
        "0\r\nX-Late: 1\r\n\r\n",
        "ffffffffffffffff\r\n",
        "\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        "",
    ]);
    let payload = prop_oneof![
        4 => text.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ];
    let sequence = prop_oneof![4 => 0u32..400, 1 => any::<u32>()];
    (
        (0u16..3, any::<bool>(), prop_oneof![9 => 0i64..20_000_000_000, 1 => any::<i64>()]),
        (
            sequence.clone(),
            prop::option::of(sequence),
            (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.05)),
        ),
        (payload, prop_oneof![9 => Just(0u32), 1 => any::<u32>()]),
    )
        .prop_map(
            |((connection, from_client, at), (sequence, acknowledgment, (syn, fin, rst)), (payload, missing))| Packet {
                connection,
                from_client,
                at: Timestamp::from_nanos(at),
                sequence,
                acknowledgment,
                flags: Flags { syn, fin, rst },
                payload,
                missing,
                heads: Vec::new(),
            },
        )
}
