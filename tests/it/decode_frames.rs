//! Frames to segments: every way down to TCP, fragments in any order, and octets that mean harm.
#![expect(clippy::expect_used, reason = "a test that cannot build its frames must fail")]

use etherparse::PacketBuilder;
use proptest::prelude::*;
use quotascope::decode::{FrameDecoder, Segment, Sharder, flow_hash};
use quotascope::model::{Anomaly, Frame, InputCounters, LinkType, Timestamp};

const CLIENT: [u8; 4] = [10, 0, 0, 7];
const SERVER: [u8; 4] = [203, 0, 113, 9];
const ETHERNET: u32 = 1;
const RAW: u32 = 101;

/// What a test looks at of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    ports: (u16, u16),
    sequence: u32,
    payload: Vec<u8>,
    missing: u32,
    tunnel: u64,
}

fn seen(segment: &Segment<'_>) -> Seen {
    Seen {
        ports: (segment.source.port(), segment.destination.port()),
        sequence: segment.sequence,
        payload: segment.payload.to_vec(),
        missing: segment.missing,
        tunnel: segment.tunnel,
    }
}

fn frame(link: u32, octets: &[u8], original_len: usize) -> Frame<'_> {
    let original_len = u32::try_from(original_len).expect("a short frame");
    Frame { at: Timestamp::from_secs(1), link: LinkType(link), octets, original_len }
}

fn decode(link: u32, frames: &[Vec<u8>]) -> (Vec<Seen>, InputCounters) {
    let (mut decoder, mut counters, mut all) = (FrameDecoder::new(), InputCounters::default(), Vec::new());
    for octets in frames {
        decoder.segments(&frame(link, octets, octets.len()), &mut counters, &mut |segment| all.push(seen(&segment)));
    }
    (all, counters)
}

/// An IPv4 packet with a TCP segment.
fn ipv4(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(51_234, 80, 1_000, 4_096).ack(77);
    builder.write(&mut packet, payload).expect("writes to memory");
    packet
}

fn ipv6(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(51_234, 80, 1_000, 4_096).ack(77);
    builder.write(&mut packet, payload).expect("writes to memory");
    packet
}

/// An IPv4 packet of any protocol.
fn carried(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = etherparse::Ipv4Header::new(
        u16::try_from(payload.len()).expect("a short payload"),
        64,
        etherparse::IpNumber(protocol),
        [192, 0, 2, 1],
        [192, 0, 2, 2],
    );
    [header.expect("a header").to_bytes().to_vec(), payload.to_vec()].concat()
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(50_000, port);
    builder.write(&mut packet, payload).expect("writes to memory");
    packet
}

fn ethernet(tags: &[[u8; 4]], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![2; 12];
    octets.extend(tags.concat());
    octets.extend(ether_type.to_be_bytes());
    octets.extend(payload);
    octets
}

#[test]
fn every_way_down_leads_to_the_same_segment() {
    let (v4, v6) = (ipv4(b"GET / HTTP/1.1\r\n\r\n"), ipv6(b"GET / HTTP/1.1\r\n\r\n"));
    let plain = ethernet(&[], 0x0800, &v4);
    let prefixed = |prefix: &[u8], rest: &[u8]| [prefix, rest].concat();
    let gre = |prefix: &[u8], rest: &[u8]| ethernet(&[], 0x0800, &carried(47, &prefixed(prefix, rest)));
    let nflog = {
        let length = u16::try_from(v4.len() + 4).expect("short");
        let mut octets = vec![2, 0, 0, 1, 8, 0, 1, 0, 0, 0, 0, 0];
        octets.extend(length.to_le_bytes());
        octets.extend([9, 0]);
        prefixed(&octets, &v4)
    };
    let pppoe = {
        let length = u16::try_from(v4.len() + 2).expect("short").to_be_bytes();
        prefixed(&[0x11, 0, 0, 5, length[0], length[1], 0, 0x21], &v4)
    };
    // A hop-by-hop and a destination options header between IPv6 and TCP.
    let mut extended = v6.clone();
    extended.splice(40..40, [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0]);
    extended[6] = 0;
    extended[5] += 16;
    let sll2 = prefixed(&[0x08, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], &v4);
    let sll = prefixed(&[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd], &v6);
    let ways: Vec<(&str, u32, Vec<u8>)> = vec![
        ("Ethernet", 1, plain.clone()),
        ("Ethernet with IPv6", 1, ethernet(&[], 0x86dd, &v6)),
        ("padding behind a short packet", 1, prefixed(&plain, &[0; 11])),
        ("a priority tag", 1, ethernet(&[[0x81, 0, 0xe0, 0]], 0x0800, &v4)),
        ("IPv6 extension headers", 1, ethernet(&[], 0x86dd, &extended)),
        ("LLC and SNAP", 1, ethernet(&[], 60, &prefixed(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4))),
        ("MPLS", 1, ethernet(&[], 0x8847, &prefixed(&[0, 1, 0, 64, 0, 2, 1, 64], &v4))),
        ("MPLS with a pseudowire", 1, ethernet(&[], 0x8847, &prefixed(&[0, 2, 1, 64, 0, 0, 0, 0], &plain))),
        ("PPPoE", 1, ethernet(&[], 0x8864, &pppoe)),
        ("raw", 101, v4.clone()),
        ("raw, other numbers", 12, v6.clone()),
        ("loopback, little endian", 0, prefixed(&[2, 0, 0, 0], &v4)),
        ("loopback, big endian", 0, prefixed(&[0, 0, 0, 2], &v4)),
        ("loopback, network order", 108, prefixed(&[0, 0, 0, 24], &v6)),
        ("PPP", 9, prefixed(&[0xff, 3, 0, 0x21], &v4)),
        ("PPP, compressed", 9, prefixed(&[0x57], &v6)),
        ("Cisco HDLC", 104, prefixed(&[0x0f, 0, 8, 0], &v4)),
        ("Linux cooked", 113, sll),
        ("Linux cooked 2", 276, sll2),
        ("NFLOG", 239, nflog),
        ("IP in IP", 101, carried(4, &v4)),
        ("6in4", 101, carried(41, &v6)),
        ("Ethernet in IP", 101, carried(97, &prefixed(&[0x30, 0], &plain))),
        ("GRE", 1, gre(&[0, 0, 8, 0], &v4)),
        (
            "GRE with checksum, key and sequence",
            1,
            gre(&[0xb0, 0, 0x86, 0xdd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1], &v6),
        ),
        ("GRE with Ethernet", 1, gre(&[0, 0, 0x65, 0x58], &plain)),
        ("ERSPAN I", 1, gre(&[0, 0, 0x88, 0xbe], &plain)),
        ("ERSPAN II", 1, gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 0], &plain)),
        (
            "ERSPAN III",
            1,
            gre(
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9],
                &plain,
            ),
        ),
        ("PPTP", 1, gre(&[0x30, 0x81, 0x88, 0x0b, 0, 9, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 3, 0, 0x21], &v4)),
        ("Teredo", 101, udp(3544, &v6)),
        (
            "Teredo with both indications",
            101,
            udp(3544, &prefixed(&[0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6], &v6)),
        ),
        ("GTP-U", 101, udp(2152, &prefixed(&[0x30, 0xff, 0, 0, 0, 0, 0, 1], &v4))),
        (
            "GTP-U with an extension",
            101,
            udp(2152, &prefixed(&[0x34, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0], &v4)),
        ),
        ("MPLS in UDP", 101, udp(6635, &prefixed(&[0, 1, 1, 64], &v6))),
    ];
    for (way, link, octets) in ways {
        let (all, counters) = decode(link, &[octets]);
        let [only] = all.as_slice() else { panic!("{way}: {all:?} {counters:?}") };
        assert_eq!((only.ports, only.sequence, only.missing, only.tunnel), ((51_234, 80), 1_000, 0, 0), "{way}");
        assert_eq!(only.payload, b"GET / HTTP/1.1\r\n\r\n", "{way}");
        assert!(counters.damaged.is_empty(), "{way}: {counters:?}");
    }
}

#[test]
fn networks_keep_equal_addresses_apart() {
    let packet = ipv4(b"x");
    let vxlan =
        |network: u8| udp(4789, &[&[8, 0, 0, 0, 0, 0, network, 0], &ethernet(&[], 0x0800, &packet)[..]].concat());
    let geneve = |network: u8| {
        udp(6081, &[&[1, 0, 0x65, 0x58, 0, 0, network, 0, 0, 0, 0, 0], &ethernet(&[], 0x0800, &packet)[..]].concat())
    };
    let tagged = |tags: &[[u8; 4]]| ethernet(tags, 0x0800, &packet);
    let ways = [
        (RAW, packet.clone()),
        (RAW, vxlan(1)),
        (RAW, vxlan(2)),
        (RAW, geneve(3)),
        (ETHERNET, tagged(&[[0x81, 0, 0, 5]])),
        (ETHERNET, tagged(&[[0x88, 0xa8, 0, 5], [0x81, 0, 0, 6]])),
        (ETHERNET, tagged(&[[0x91, 0, 0, 6], [0x81, 0, 0, 5], [0x81, 0, 0, 5]])),
    ];
    let mut tunnels = std::collections::BTreeSet::new();
    for (link, octets) in &ways {
        let (all, counters) = decode(*link, std::slice::from_ref(octets));
        assert_eq!(all.len(), 1, "{counters:?}");
        tunnels.insert(all[0].tunnel);
    }
    assert_eq!(tunnels.len(), ways.len());
}

#[test]
fn a_cut_frame_says_what_is_missing() {
    let whole = ethernet(&[], 0x0800, &ipv4(&[b'x'; 100]));
    let header = whole.len() - 100;
    let mut counters = InputCounters::default();
    for (captured, payload, missing) in [(whole.len() - 40, 60, 40), (header, 0, 100)] {
        let mut all = Vec::new();
        let cut = frame(ETHERNET, &whole[..captured], whole.len());
        FrameDecoder::new().segments(&cut, &mut counters, &mut |segment| all.push(seen(&segment)));
        assert_eq!((all[0].payload.len(), all[0].missing), (payload, missing));
    }
    assert_eq!(counters.damage(Anomaly::FrameTruncated), 2);
    // Not even the header: nothing can be said, and that is counted too.
    for captured in [3, 20, header - 10] {
        let cut = frame(ETHERNET, &whole[..captured], whole.len());
        FrameDecoder::new().segments(&cut, &mut counters, &mut |_| panic!("no segment"));
    }
    assert_eq!(counters.damage(Anomaly::FrameTruncated), 5);
}

#[test]
fn a_cut_in_the_options_still_tells_the_payload() {
    let mut packet = Vec::new();
    let options = [etherparse::TcpOptionElement::Timestamp(1, 2), etherparse::TcpOptionElement::Noop];
    let builder =
        PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(51_234, 80, 1_000, 4_096).options(&options).expect("fits");
    builder.write(&mut packet, &[b'x'; 50]).expect("writes to memory");
    let mut all = Vec::new();
    let cut = frame(RAW, &packet[..44], packet.len());
    FrameDecoder::new().segments(&cut, &mut InputCounters::default(), &mut |segment| all.push(seen(&segment)));
    assert_eq!((all[0].sequence, all[0].payload.len(), all[0].missing), (1_000, 0, 50));
}

#[test]
fn an_offloaded_length_takes_all_that_is_there() {
    let mut packet = ipv4(b"body");
    (packet[2], packet[3]) = (0, 0);
    assert_eq!(decode(RAW, &[packet]).0[0].payload, b"body");
}

#[test]
fn quic_is_counted_once_for_each_flow() {
    let handshake = udp(443, &[0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0]);
    let (all, counters) = decode(RAW, &[handshake.clone(), handshake, udp(443, &[0x40, 1, 2, 3, 4, 5])]);
    assert!(all.is_empty());
    assert_eq!(counters.damage(Anomaly::QuicUnreadable), 1);
    assert_eq!(counters.packets, 3);
}

#[test]
fn nesting_ends_somewhere() {
    let packet = (0..60).fold(ipv4(b"x"), |inner, _| carried(4, &inner));
    let (all, counters) = decode(RAW, &[packet]);
    assert!(all.is_empty());
    assert_eq!(counters.damage(Anomaly::NestedTooDeep), 1);
}

/// Cuts an IPv4 packet into fragments, at the given multiples of eight octets.
fn fragments_v4(packet: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let (header, payload) = packet.split_at(20);
    pieces(payload, cuts)
        .into_iter()
        .map(|(start, piece, more)| {
            let mut header = header.to_vec();
            header[2..4].copy_from_slice(&u16::try_from(20 + piece.len()).expect("short").to_be_bytes());
            header[4..6].copy_from_slice(&[0x12, 0x34]);
            let place = u16::try_from(start / 8).expect("short") | if more { 0x2000 } else { 0 };
            header[6..8].copy_from_slice(&place.to_be_bytes());
            [header, piece].concat()
        })
        .collect()
}

fn fragments_v6(packet: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let (header, payload) = packet.split_at(40);
    pieces(payload, cuts)
        .into_iter()
        .map(|(start, piece, more)| {
            let mut header = header.to_vec();
            header[4..6].copy_from_slice(&u16::try_from(8 + piece.len()).expect("short").to_be_bytes());
            header[6] = 44;
            let place = u16::try_from(start).expect("short") | u16::from(more);
            let extension = [&[6, 0][..], &place.to_be_bytes(), &[0, 0, 0x12, 0x34]].concat();
            [header, extension, piece].concat()
        })
        .collect()
}

fn pieces(payload: &[u8], cuts: &[usize]) -> Vec<(usize, Vec<u8>, bool)> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut * 8).filter(|cut| *cut > 0 && *cut < payload.len()).collect();
    ends.push(payload.len());
    ends.sort_unstable();
    ends.dedup();
    let mut start = 0;
    ends.into_iter()
        .map(|end| {
            let piece = (start, payload[start..end].to_vec(), end < payload.len());
            start = end;
            piece
        })
        .collect()
}

#[test]
fn overlapping_fragments_that_differ_are_dropped() {
    let packet = ipv4(&[b'a'; 200]);
    let whole = fragments_v4(&packet, &[10, 15]);
    let mut forged = fragments_v4(&packet, &[5, 12])[1].clone();
    *forged.last_mut().expect("octets") = b'b';
    let (all, counters) = decode(RAW, &[whole[0].clone(), forged, whole[1].clone(), whole[2].clone()]);
    assert!(all.is_empty());
    assert!(counters.damage(Anomaly::FragmentDropped) > 0);
}

#[test]
fn fragments_wait_in_the_time_of_the_frames_and_within_bounds() {
    let first = &fragments_v4(&ipv4(&[b'a'; 200]), &[10])[0];
    let (mut decoder, mut counters) = (FrameDecoder::new(), InputCounters::default());
    for (second, identification) in [(0, 1u16), (1, 2), (40, 3)] {
        let mut octets = first.clone();
        octets[4..6].copy_from_slice(&identification.to_be_bytes());
        let late = Frame { at: Timestamp::from_secs(second), ..frame(RAW, &octets, octets.len()) };
        decoder.segments(&late, &mut counters, &mut |_| panic!("incomplete"));
    }
    assert_eq!(counters.damage(Anomaly::FragmentDropped), 2);
    // A flood of first pieces pushes the oldest out instead of growing.
    for identification in 0..5_000u16 {
        let mut octets = first.clone();
        octets[4..6].copy_from_slice(&identification.to_be_bytes());
        decoder.segments(&frame(RAW, &octets, octets.len()), &mut counters, &mut |_| panic!("incomplete"));
    }
    assert!(counters.damage(Anomaly::FragmentDropped) >= 4_700, "{counters:?}");
}

#[test]
fn a_connection_never_splits_over_workers() {
    let (request, answer) = (ipv4(&[b'a'; 300]), {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(SERVER, CLIENT, 64).tcp(80, 51_234, 77, 4_096);
        builder.write(&mut packet, b"HTTP/1.1 200 OK\r\n\r\n").expect("writes to memory");
        packet
    });
    let tunnelled = udp(4789, &[&[8, 0, 0, 0, 0, 0, 9, 0], &ethernet(&[], 0x0800, &request)[..]].concat());
    let in_fragments =
        fragments_v4(&carried(47, &[&[0, 0, 8, 0], &fragments_v4(&request, &[9])[0][..]].concat()), &[5]);
    let mut frames = vec![request.clone(), answer, tunnelled.clone()];
    frames.extend(fragments_v4(&request, &[10, 20]));
    frames.extend(fragments_v4(&tunnelled, &[15]));
    // A tunnel's packet in fragments, which carries the first of two fragments; the second comes by itself, in the tunnel.
    frames.extend(in_fragments);
    frames.push(carried(47, &[&[0, 0, 8, 0], &fragments_v4(&request, &[9])[1][..]].concat()));
    let (mut sharder, mut decoder) = (Sharder::new(), FrameDecoder::new());
    let (mut counters, mut hashes, mut all) = (InputCounters::default(), std::collections::BTreeSet::new(), Vec::new());
    for octets in &frames {
        if let Some((hash, routed)) = sharder.route(&frame(RAW, octets, octets.len()), &mut counters) {
            hashes.insert(hash);
            decoder.segments(&routed, &mut counters, &mut |segment| all.push(seen(&segment)));
        }
    }
    assert_eq!((hashes.len(), all.len()), (1, 6), "{counters:?}");
    assert!(all.iter().filter(|segment| segment.payload == [b'a'; 300]).count() == 5);
    let (directly, counted) = decode(RAW, &frames);
    assert_eq!((&all, &counters), (&directly, &counted));
    // Another port is another connection, and may go elsewhere.
    let mut other = request;
    other[20] ^= 1;
    assert!(!hashes.contains(&sharder.route(&frame(RAW, &other, other.len()), &mut counters).expect("whole").0));
}

#[test]
fn a_usual_frame_goes_where_its_copies_go() {
    let packet = ipv4(b"GET / HTTP/1.1\r\n\r\n");
    let (usual, tagged) = (ethernet(&[], 0x0800, &packet), ethernet(&[[0x81, 0, 0, 5]], 0x0800, &packet));
    let (mut sharder, mut counters) = (Sharder::new(), InputCounters::default());
    let mut hash = |link, octets: &[u8]| sharder.route(&frame(link, octets, octets.len()), &mut counters).unwrap().0;
    let hashes = [hash(ETHERNET, &usual), hash(ETHERNET, &tagged), hash(RAW, &packet)];
    assert_eq!(hashes, [hashes[0]; 3]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_survived(
        link in prop_oneof![Just(0u32), Just(1), Just(9), Just(51), Just(101), Just(104), Just(113), Just(239), Just(276), any::<u32>()],
        octets in proptest::collection::vec(any::<u8>(), 0..300),
        original_len in any::<u32>(),
    ) {
        let frame = Frame { at: Timestamp::from_secs(1), link: LinkType(link), octets: &octets, original_len };
        let mut counters = InputCounters::default();
        FrameDecoder::new().segments(&frame, &mut counters, &mut |_| {});
        flow_hash(&frame);
        prop_assert_eq!(counters.packets, 1);
    }

    /// Valid frames with a few octets changed reach deeper than noise.
    #[test]
    fn any_change_is_survived(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let inner = ethernet(&[], 0x0800, &ipv4(b"GET / HTTP/1.1\r\n\r\n"));
        let vxlan = udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0], &inner[..]].concat());
        let mut octets = ethernet(&[[0x81, 0, 0, 5]], 0x0800, &vxlan);
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        let _ = decode(ETHERNET, &[octets]);
    }

    #[test]
    fn any_fragmentation_gives_the_same_segment(
        payload in proptest::collection::vec(any::<u8>(), 1..600),
        cuts in proptest::collection::vec(1usize..80, 1..8),
        order in any::<prop::sample::Index>(),
        repeated in any::<prop::sample::Index>(),
        v6 in any::<bool>(),
    ) {
        let (packet, mut frames) = if v6 {
            (ipv6(&payload), fragments_v6(&ipv6(&payload), &cuts))
        } else {
            (ipv4(&payload), fragments_v4(&ipv4(&payload), &cuts))
        };
        let (wanted, _) = decode(RAW, &[packet]);
        // A repeat anywhere but behind the last missing piece, which would begin the packet anew.
        let turn = order.index(frames.len());
        frames.rotate_left(turn);
        if frames.len() > 1 {
            let again = frames[repeated.index(frames.len() - 1)].clone();
            frames.insert(frames.len() - 1, again);
        }
        let hashes: std::collections::BTreeSet<u64> = frames.iter().map(|octets| flow_hash(&frame(RAW, octets, octets.len()))).collect();
        let (found, counters) = decode(RAW, &frames);
        prop_assert_eq!(found, wanted);
        prop_assert!(counters.damaged.is_empty());
        prop_assert_eq!(hashes.len(), 1);
    }
}
