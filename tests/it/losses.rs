//! What could not be seen is told by cause, host and port; what must be let go of is let go of where most is held.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::Arc;
use std::time::Duration;

use quotascope::decode::{DecodeOptions, Decoder, Flags, Segment};
use quotascope::model::{Anomaly, Exchange, HashKey, Interest, Timestamp};

/// Content of refusals is wanted.
struct Refusals;

impl Interest for Refusals {
    fn content_of_success(&self, _: &str) -> bool {
        false
    }

    fn response_field(&self, _: &[u8]) -> bool {
        false
    }

    fn credential_field(&self, _: &[u8]) -> bool {
        false
    }

    fn credential_parameter(&self, _: &[u8]) -> bool {
        false
    }

    fn content(&self, status: u16, _: Option<&str>, _: Option<&str>) -> bool {
        status == 429
    }
}

struct Talk {
    decoder: Decoder,
    now: Timestamp,
    exchanges: Vec<Exchange>,
}

const PLAIN: Flags = Flags { syn: false, fin: false, rst: false };
const SYN: Flags = Flags { syn: true, fin: false, rst: false };

impl Talk {
    fn new(options: DecodeOptions) -> Self {
        let decoder = Decoder::new(options, HashKey::new([7; 16]), Arc::new(Refusals));
        Self { decoder, now: Timestamp::from_secs(1_790_000_000), exchanges: Vec::new() }
    }

    /// A segment of the client (`>`) or the server (`<`) of a connection that is known by the client's port.
    fn say(&mut self, (client, server): (u16, u16), way: char, place: (u32, u32), payload: &[u8]) {
        self.now = self.now.after(Duration::from_millis(1));
        let ends = [([10, 0, 0, 1], client).into(), ([192, 0, 2, 10], server).into()];
        let (source, destination) = if way == '>' { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
        let flags = if payload.is_empty() { SYN } else { PLAIN };
        let acknowledgment = (place.1 > 0).then_some(place.1);
        let segment = Segment {
            at: self.now,
            source,
            destination,
            tunnel: 0,
            sequence: place.0,
            acknowledgment,
            flags,
            payload,
            missing: 0,
        };
        self.decoder.handle_segment(&"made".into(), &segment);
        self.exchanges.extend(std::iter::from_fn(|| self.decoder.poll_exchange()));
    }

    /// Opens a connection; both streams start at 1.
    fn open(&mut self, ports: (u16, u16)) {
        self.say(ports, '>', (0, 0), b"");
        self.say(ports, '<', (0, 1), b"");
    }

    fn end(&mut self) {
        self.decoder.finish();
        self.exchanges.extend(std::iter::from_fn(|| self.decoder.poll_exchange()));
    }

    fn lost(&self) -> Vec<String> {
        let line = |(place, count): (&quotascope::model::Place, u64)| {
            format!("{} {} {} {count}", place.cause.label(), place.peer.name().unwrap_or_default(), place.port)
        };
        self.decoder.counters().lost.iter().map(line).collect()
    }
}

fn length(octets: &[u8]) -> u32 {
    u32::try_from(octets.len()).unwrap()
}

/// A TLS client's first message of 1,800 octets that names its server at the start.
fn hello(name: &str) -> Vec<u8> {
    let short = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let mut listed = [&[0, 0][..], &short(name.len() + 5), &short(name.len() + 3), &[0], &short(name.len())].concat();
    listed.extend(name.as_bytes());
    listed.extend([&[0, 0x33][..], &short(1_700), &[9; 1_700]].concat());
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &short(listed.len()), &listed].concat();
    [&[0x16, 3, 1][..], &short(body.len() + 4), &[1, 0], &short(body.len()), &body].concat()
}

#[test]
fn a_connection_that_cannot_be_read_is_told_by_its_server() {
    let mut talk = Talk::new(DecodeOptions::default());
    let (first, second) = (hello("api.stripe.example"), hello("API.late.example"));
    talk.open((1, 443));
    talk.say((1, 443), '>', (1, 1), &first);
    talk.say((1, 443), '<', (1, 1 + length(&first)), b"\x16\x03\x03\x00\x05\x02\0\0\x01a");
    // In pieces, the name's end in the second one; octets that look like the end of a head do no harm.
    talk.open((2, 8443));
    for (at, part) in [(0, &second[..60]), (60, &second[60..900]), (900, &second[900..])] {
        talk.say((2, 8443), '>', (1 + at, 1), part);
    }
    // Only its start was captured.
    talk.open((3, 443));
    talk.say((3, 443), '>', (1, 1), &first[..40]);
    // Joined midway: the server's records.
    talk.say((40_004, 443), '<', (77, 99), b"\x17\x03\x03\x00\x20abcdefgh");
    talk.open((5, 80));
    talk.say((5, 80), '>', (1, 1), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    talk.end();
    assert_eq!(
        talk.lost(),
        [
            "tls_unreadable api.late.example 8443 1",
            "tls_unreadable api.stripe.example 443 1",
            "tls_unreadable 192.0.2.10 443 2",
            "http2_unreadable 192.0.2.10 80 1",
        ]
    );
    assert_eq!(talk.decoder.counters().damage(Anomaly::TlsUnreadable), 4);
    assert_eq!(talk.decoder.counters().damage(Anomaly::HeadTooLarge), 0);
}

#[test]
fn a_longer_method_than_any_is_no_request() {
    let mut talk = Talk::new(DecodeOptions::default());
    let request =
        [b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n".as_slice(), &[b'p'; 33], b" /b HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    talk.open((1, 80));
    talk.say((1, 80), '>', (1, 1), &request);
    talk.end();
    let counters = talk.decoder.counters();
    assert_eq!((counters.requests, counters.damage(Anomaly::HeadMalformed)), (1, 1));
}

#[test]
fn halves_of_exchanges_are_told_by_their_host() {
    let mut talk = Talk::new(DecodeOptions::default());
    talk.open((1, 8080));
    talk.say((1, 8080), '>', (1, 1), b"GET /a HTTP/1.1\r\nHost: api.example.com:8080\r\n\r\n");
    // Nobody named the host before this one was lost.
    talk.say((2, 80), '<', (1, 50), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    talk.end();
    assert_eq!(talk.lost(), ["response_unmatched 192.0.2.10 80 1", "request_unmatched api.example.com:8080 8080 1"]);
}

#[test]
fn the_connection_that_holds_most_lets_go_first() {
    let options = DecodeOptions { held_octets_in_all: 64 << 10, ..DecodeOptions::default() };
    let mut talk = Talk::new(options);
    // One octet of this request is missing for now.
    let request = b"GET /small HTTP/1.1\r\nHost: a.example\r\n\r\n";
    talk.open((1, 80));
    talk.say((1, 80), '>', (2, 1), &request[1..]);
    for attacker in 2..12 {
        talk.open((attacker, 80));
        talk.say((attacker, 80), '>', (1, 1), b"GET /big HTTP/1.1\r\n");
        let line = b"X-Endless: 0123456789abcdef0123456789abcdef\r\n".repeat(30);
        for round in 0..20 {
            talk.say((attacker, 80), '>', (20 + round * length(&line), 1), &line);
        }
    }
    assert!(talk.decoder.counters().damage(Anomaly::HeldPastBound) >= 5);
    talk.say((1, 80), '>', (1, 1), &request[..1]);
    talk.say((1, 80), '<', (1, 1 + length(request)), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let paths: Vec<&str> =
        talk.exchanges.iter().filter_map(|exchange| Some(&*exchange.request.as_ref()?.path)).collect();
    assert_eq!(paths, ["/small"]);
}

#[test]
fn refusals_whose_content_never_ends_keep_within_the_bound() {
    let bound = 1 << 20;
    let mut talk = Talk::new(DecodeOptions { held_octets_in_all: bound, ..DecodeOptions::default() });
    let request = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let head = b"HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n3000000000000000\r\n";
    for attacker in 1..200 {
        talk.open((attacker, 80));
        talk.say((attacker, 80), '>', (1, 1), request);
        talk.say((attacker, 80), '<', (1, 1 + length(request)), head);
        for round in 0..20 {
            let place = (1 + length(head) + round * 1_000, 1 + length(request));
            talk.say((attacker, 80), '<', place, &[b'z'; 1_000]);
        }
    }
    // 199 of them came with 20 kB each.
    assert!(talk.decoder.counters().damage(Anomaly::HeldPastBound) >= 140, "{:?}", talk.decoder.counters().damaged);
    assert_eq!(talk.exchanges.len(), usize::try_from(talk.decoder.counters().exchanges).unwrap());
    talk.end();
    assert_eq!(talk.exchanges.len(), 199);
}

#[test]
fn what_is_held_does_not_hold_up_the_others_without_end() {
    let mut talk = Talk::new(DecodeOptions { exchanges_behind: 10, ..DecodeOptions::default() });
    let request = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";
    talk.open((1, 80));
    talk.say((1, 80), '>', (1, 1), request);
    talk.say((1, 80), '<', (1, 1 + length(request)), b"HTTP/1.1 429 Slow\r\nContent-Length: 50\r\n\r\n{\"code\":");
    let held_at = talk.now;
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    talk.open((2, 80));
    for round in 0..100 {
        let place = (1 + round * length(request), 1 + round * length(response));
        talk.say((2, 80), '>', place, request);
        talk.say((2, 80), '<', (place.1, place.0 + length(request)), response);
    }
    let refused = talk.exchanges.iter().position(|exchange| exchange.response.status == 429).expect("it was let go");
    assert!((10..=21).contains(&refused), "{refused}");
    assert!(talk.exchanges[refused].response.body.as_ref().unwrap().truncated);
    assert!(talk.decoder.watermark(DecodeOptions::default().reordering) > held_at);
    assert_eq!(talk.decoder.counters().damage(Anomaly::HeldPastBound), 1);
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// The paths of the exchanges, in the order in which they were given out.
fn paths(talk: &Talk) -> Vec<Option<&str>> {
    talk.exchanges.iter().map(|exchange| exchange.request.as_ref().map(|request| &*request.path)).collect()
}

#[test]
fn the_last_of_several_requests_sent_together_is_not_taken_for_the_only_one() {
    let mut talk = Talk::new(DecodeOptions::default());
    // The capture begins behind two requests of three that were sent together.
    let asked = b"GET /third HTTP/1.1\r\nHost: api.example\r\n\r\n";
    let (start, end) = (500, 500 + length(asked));
    talk.say((40_001, 80), '>', (start, 900), asked);
    for answer in 0..3 {
        talk.say((40_001, 80), '<', (900 + answer * length(OK), end), OK);
    }
    talk.end();
    assert_eq!(paths(&talk), [None; 3]);
}

#[test]
fn the_first_request_of_a_joined_connection_has_its_answer() {
    let mut talk = Talk::new(DecodeOptions::default());
    let (first, second) =
        (b"GET /first HTTP/1.1\r\nHost: api.example\r\n\r\n", b"GET /second HTTP/1.1\r\nHost: api.example\r\n\r\n");
    let behind = 500 + length(first);
    talk.say((40_001, 80), '>', (500, 900), first);
    talk.say((40_001, 80), '<', (900, behind), OK);
    assert_eq!(paths(&talk), [], "only the next message tells");
    talk.say((40_001, 80), '>', (behind, 900 + length(OK)), second);
    assert_eq!(paths(&talk), [Some("/first")]);
    talk.say((40_001, 80), '<', (900 + length(OK), behind + length(second)), OK);
    assert_eq!(paths(&talk), [Some("/first"), Some("/second")]);
    // Where nothing more comes, it was the only one.
    talk.say((40_002, 80), '>', (500, 900), first);
    talk.say((40_002, 80), '<', (900, behind), OK);
    talk.end();
    assert_eq!(paths(&talk), [Some("/first"), Some("/second"), Some("/first")]);
}
