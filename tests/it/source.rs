//! Files in every shape: whole, cut, damaged, compressed, growing, and none at all.
#![expect(clippy::expect_used, reason = "a test that cannot build its files must fail")]

use std::collections::BTreeSet;
use std::io::{Cursor, Write};
use std::path::Path;

use proptest::prelude::*;
use quotascope::model::{Anomaly, InputCounters, LinkType};
use quotascope::source::detect::{self, Format};
use quotascope::source::{CaptureFile, FrameBatch, LONGEST_LINE, Lines, SourceError, Tail, TailFrom};

/// Octets in either byte order.
struct Writer(Vec<u8>, bool);

impl Writer {
    fn u16(&mut self, number: u16) {
        self.0.extend(if self.1 { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn u32(&mut self, number: u32) {
        self.0.extend(if self.1 { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).expect("short");
        self.u32(kind);
        self.u32(length);
        self.0.extend(body);
        self.0.extend(vec![0; padded - body.len()]);
        self.u32(length);
    }

    fn section(&mut self) {
        let mut body = Self(Vec::new(), self.1);
        body.u32(0x1a2b_3c4d);
        body.u16(1);
        body.u16(0);
        body.0.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body.0);
    }

    /// An interface; the options are (code, value).
    fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) {
        let mut body = Self(Vec::new(), self.1);
        body.u16(link);
        body.u16(0);
        body.u32(snaplen);
        for (code, value) in options {
            body.u16(*code);
            body.u16(u16::try_from(value.len()).expect("short"));
            body.0.extend(*value);
            body.0.extend(vec![0; value.len().next_multiple_of(4) - value.len()]);
        }
        body.u32(0);
        self.block(1, &body.0);
    }

    fn packet(&mut self, interface: u32, ticks: u64, octets: &[u8]) {
        let mut body = Self(Vec::new(), self.1);
        body.u32(interface);
        body.u32(u32::try_from(ticks >> 32).expect("fits"));
        body.u32(u32::try_from(ticks & 0xffff_ffff).expect("fits"));
        body.u32(u32::try_from(octets.len()).expect("short"));
        body.u32(u32::try_from(octets.len() + 5).expect("short"));
        body.0.extend(octets);
        self.block(6, &body.0);
    }
}

fn pcap(magic: u32, big_endian: bool, frames: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = Writer(Vec::new(), big_endian);
    file.u32(magic);
    file.u16(2);
    file.u16(4);
    for number in [0, 0, 65_535, 1] {
        file.u32(number);
    }
    for (seconds, fraction, octets) in frames {
        file.u32(*seconds);
        file.u32(*fraction);
        file.u32(u32::try_from(octets.len()).expect("short"));
        file.u32(u32::try_from(octets.len()).expect("short"));
        if magic == 0xa1b2_cd34 {
            file.0.extend([0; 8]);
        }
        file.0.extend(*octets);
    }
    file.0
}

type Frames = Vec<(i64, u32, Vec<u8>, u32)>;

/// All frames of a file, read one by one and in batches, which must agree.
fn read(file: &[u8]) -> (Frames, InputCounters) {
    let open = || CaptureFile::new("test".into(), Box::new(Cursor::new(file.to_vec())));
    let (mut single, mut counters) = (Frames::new(), InputCounters::default());
    let mut capture = open();
    while let Some(frame) = capture.next_frame(&mut counters).expect("reads") {
        single.push((frame.at.as_nanos(), frame.link.0, frame.octets.to_vec(), frame.original_len));
    }
    let (mut batched, mut batch, mut again) = (Frames::new(), FrameBatch::new(), InputCounters::default());
    let mut capture = open();
    while capture.next_batch(&mut batch, &mut again).expect("reads") > 0 {
        batched.extend(batch.frames().map(|f| (f.at.as_nanos(), f.link.0, f.octets.to_vec(), f.original_len)));
    }
    assert_eq!((&single, &counters), (&batched, &again));
    (single, counters)
}

#[test]
fn reads_every_kind_of_classic_capture() {
    for (magic, nanos) in [(0xa1b2_c3d4, 5_000), (0xa1b2_3c4d, 5), (0xa1b2_cd34, 5_000)] {
        for big_endian in [false, true] {
            let (frames, counters) = read(&pcap(magic, big_endian, &[(7, 5, b"one"), (8, 0, b""), (9, 0, b"three")]));
            let wanted = [(7_000_000_000 + nanos, &b"one"[..]), (8_000_000_000, b""), (9_000_000_000, b"three")];
            let frames: Vec<_> = frames.iter().map(|(at, link, octets, _)| (*at, *link, octets.as_slice())).collect();
            assert_eq!(frames, wanted.map(|(at, octets)| (at, 1, octets)));
            assert_eq!(counters, InputCounters::default());
        }
    }
}

#[test]
fn reads_sections_interfaces_clocks_and_simple_packets() {
    let mut file = Writer(Vec::new(), true);
    file.section();
    file.interface(1, 4, &[(9, &[9]), (14, &10i64.to_be_bytes())]);
    file.interface(101, 0, &[(9, &[0x8a])]);
    file.interface(113, 0, &[]);
    file.packet(0, 2_000_000_003, b"nanoseconds");
    file.block(5, b"statistics");
    file.packet(1, 1536, b"binary");
    file.packet(2, 1_000_001, b"microseconds");
    // A simple packet block of ten octets, of which the interface kept four; its time is the last one known.
    file.block(3, &[&10u32.to_be_bytes()[..], b"simp"].concat());
    let mut second = Writer(Vec::new(), false);
    second.section();
    second.interface(0, 0, &[]);
    second.packet(0, 3_000_000, b"little");
    let (frames, counters) = read(&[file.0, second.0].concat());
    let frames: Vec<_> = frames.iter().map(|(at, link, octets, len)| (*at, *link, octets.as_slice(), *len)).collect();
    assert_eq!(
        frames,
        [
            (12_000_000_003, 1, &b"nanoseconds"[..], 16),
            (1_500_000_000, 101, b"binary", 11),
            (1_000_001_000, 113, b"microseconds", 17),
            (1_000_001_000, 1, b"simp", 10),
            (3_000_000_000, 0, b"little", 11),
        ]
    );
    assert_eq!(counters, InputCounters::default());
}

#[test]
fn a_file_cut_anywhere_gives_what_came_before() {
    let classic = pcap(0xa1b2_c3d4, false, &[(7, 5, b"one"), (8, 0, b"twotwo")]);
    for end in 24..classic.len() {
        let (frames, counters) = read(&classic[..end]);
        assert_eq!(frames.len(), usize::from(end >= 24 + 19), "{end}");
        assert_eq!(counters.damage(Anomaly::FileCutShort), u64::from(end != 24 && end != 24 + 19), "{end}");
    }
    let mut structured = Writer(Vec::new(), false);
    structured.section();
    structured.interface(1, 0, &[]);
    let start = structured.0.len();
    structured.packet(0, 1, b"one");
    for end in start..structured.0.len() {
        let (frames, counters) = read(&structured.0[..end]);
        assert!(frames.is_empty());
        assert_eq!(counters.damage(Anomaly::FileCutShort), u64::from(end != start), "{end}");
    }
}

#[test]
fn reading_goes_on_behind_damage() {
    let frames: Vec<(u32, u32, &[u8])> =
        (0..50).map(|second| (1_700_000_000 + second, 0, &b"some octets of a frame"[..])).collect();
    let mut classic = pcap(0xa1b2_c3d4, false, &frames);
    // A record in the middle with an impossible length.
    let at = 24 + 20 * 38 + 8;
    classic[at..at + 4].copy_from_slice(&[0xff; 4]);
    let (found, counters) = read(&classic);
    assert_eq!((found.len(), counters.damage(Anomaly::FileRecordDamaged)), (49, 1));

    let mut structured = Writer(Vec::new(), false);
    structured.section();
    structured.interface(1, 0, &[]);
    structured.packet(0, 1, b"one");
    let at = structured.0.len();
    structured.packet(0, 2, b"two");
    structured.packet(7, 3, b"of an interface that was never described");
    structured.packet(0, 4, b"four");
    structured.0[at + 4..at + 8].copy_from_slice(&[0xff; 4]);
    let (found, counters) = read(&structured.0);
    assert_eq!((found.len(), counters.damage(Anomaly::FileRecordDamaged)), (2, 2));
}

#[test]
fn a_large_file_is_read_over_many_blocks() {
    let payload: Vec<u8> = (0..1_400u32).map(|n| u8::try_from(n % 251).expect("small")).collect();
    let frames: Vec<(u32, u32, &[u8])> = (0..1_000).map(|second| (second, 0, &payload[..])).collect();
    let (found, counters) = read(&pcap(0xa1b2_c3d4, false, &frames));
    assert_eq!(found.len(), 1_000);
    assert!(found.iter().all(|(_, _, octets, _)| *octets == payload));
    assert_eq!(counters, InputCounters::default());
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(octets).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

fn recognize(octets: &[u8]) -> Result<detect::Input, SourceError> {
    detect::recognize("input".into(), Box::new(Cursor::new(octets.to_vec())))
}

const LINE: &[u8] = br#"{"ts":1763783112.5,"method":"GET","url":"https://api.example.com/v1","status":200}"#;

#[test]
fn recognizes_by_content_through_compression() {
    let capture = pcap(0xa1b2_c3d4, false, &[(7, 5, b"one")]);
    let mut structured = Writer(Vec::new(), true);
    structured.section();
    let lines = [b"\n\n{\"cut\n", LINE, b"\n"].concat();
    for (octets, format) in [(&capture, Format::Pcap), (&structured.0, Format::Pcapng), (&lines, Format::ExchangeLines)]
    {
        let zstd = zstd::encode_all(&octets[..], 1).expect("compresses");
        for stored in [octets.clone(), gzip(octets), zstd.clone(), gzip(&zstd)] {
            let mut input = recognize(&stored).expect("a known format");
            assert_eq!(input.format, format);
            let mut content = Vec::new();
            input.octets.read_to_end(&mut content).expect("reads");
            assert_eq!(&content, octets);
        }
    }
    // An exchange longer than what is looked at.
    let body = "x".repeat(100_000);
    let long = format!(r#"{{"ts":1,"method":"GET","url":"https://a/","status":200,"response_body":"{body}"}}"#);
    assert_eq!(recognize(long.as_bytes()).expect("a known format").format, Format::ExchangeLines);
}

#[test]
fn a_broken_compressed_file_keeps_what_came_before() {
    let frames: Vec<(u32, u32, Vec<u8>)> =
        (0..20_000u32).map(|n| (n, 0, n.wrapping_mul(2_654_435_761).to_le_bytes().repeat(10))).collect();
    let frames: Vec<(u32, u32, &[u8])> = frames.iter().map(|(s, f, o)| (*s, *f, &o[..])).collect();
    let capture = pcap(0xa1b2_c3d4, false, &frames);
    let mut broken = gzip(&capture);
    let middle = broken.len() / 2;
    broken[middle..].fill(0xff);
    let cut = zstd::encode_all(&capture[..], 1).expect("compresses");
    for stored in [&broken[..], &cut[..cut.len() - 100]] {
        let input = recognize(stored).expect("a known format");
        let mut capture = CaptureFile::new(input.name, input.octets);
        let (mut counters, mut count) = (InputCounters::default(), 0);
        while capture.next_frame(&mut counters).expect("reads").is_some() {
            count += 1;
        }
        input.damage.count(&mut counters);
        input.damage.count(&mut counters);
        assert!((2_000..20_000).contains(&count), "{count}");
        assert_eq!(counters.damage(Anomaly::FileCompressionDamaged), 1);
    }
}

#[test]
fn what_is_no_input_is_said_plainly() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing.pcap");
    let empty = directory.path().join("empty.pcap");
    std::fs::write(&empty, b"").expect("writes");
    let noise = directory.path().join("noise.pcap");
    std::fs::write(&noise, b"\x00\x01nothing that we know").expect("writes");
    let says = |path: &Path| detect::open(path).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(says(&missing).contains("cannot open") && says(&missing).contains("missing.pcap"));
    assert!(says(directory.path()).contains("is a directory"));
    let known = "none of the known formats: pcap, pcapng, exchange NDJSON, each also gzip or zstd compressed";
    assert!(says(&empty).contains("empty.pcap is empty") && says(&empty).contains(known));
    assert!(says(&noise).contains("noise.pcap is none") && says(&noise).contains(known));
    // Three layers deep nobody looks.
    let deep = gzip(&gzip(&gzip(LINE)));
    assert!(matches!(recognize(&deep), Err(SourceError::UnknownFormat { .. })));
}

fn lines(octets: &[u8]) -> (Vec<Vec<u8>>, InputCounters) {
    let (mut counters, mut all) = (InputCounters::default(), Vec::new());
    let mut lines = Lines::new(Box::new(Cursor::new(octets.to_vec())));
    while let Some(line) = lines.next_line(&mut counters).expect("reads") {
        all.push(line.to_vec());
    }
    (all, counters)
}

#[test]
fn lines_are_bounded() {
    let long = vec![b'x'; LONGEST_LINE + 1];
    let input = [b"one\r\n\n", &long[..], b"\ntwo\n", &long[..LONGEST_LINE], b"\nlast"].concat();
    let (found, counters) = lines(&input);
    assert_eq!(found, [b"one".to_vec(), b"".to_vec(), b"two".to_vec(), vec![b'x'; LONGEST_LINE], b"last".to_vec()]);
    assert_eq!((counters.damage(Anomaly::LineTooLong), counters.bytes), (1, input.len() as u64));
}

#[test]
fn a_log_is_followed_through_growth_truncation_and_rotation() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    let mut counters = InputCounters::default();
    let mut tail = Tail::open(&path, TailFrom::End).expect("may be missing");
    let mut poll = |counters: &mut InputCounters| {
        let mut found = Vec::new();
        while tail.poll(counters, &mut |line| found.push(String::from_utf8_lossy(line).into_owned())).expect("reads") {}
        found
    };
    let append = |text: &str| {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).expect("opens");
        file.write_all(text.as_bytes()).expect("writes");
    };
    assert!(poll(&mut counters).is_empty());
    append("one\ntw");
    assert_eq!(poll(&mut counters), ["one"]);
    append("o\n");
    assert_eq!(poll(&mut counters), ["two"]);
    std::fs::write(&path, "new\n").expect("truncates");
    assert_eq!(poll(&mut counters), ["new"]);
    // Rotated: what was still written to the old file is read first, even without its line end.
    append("before\nunfinished");
    std::fs::rename(&path, directory.path().join("access.log.1")).expect("renames");
    append("after\n");
    assert_eq!(poll(&mut counters), ["before", "unfinished", "after"]);
    std::fs::remove_file(&path).expect("removes");
    assert!(poll(&mut counters).is_empty());
    append("again\n");
    assert_eq!(poll(&mut counters), ["again"]);
    assert!(counters.damaged.is_empty());
}

#[test]
fn following_from_the_end_leaves_out_what_was_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    std::fs::write(&path, "old\n").expect("writes");
    let mut found = BTreeSet::new();
    let mut counters = InputCounters::default();
    for (from, wanted) in [(TailFrom::End, 0), (TailFrom::Start, 1)] {
        let mut tail = Tail::open(&path, from).expect("opens");
        while tail.poll(&mut counters, &mut |line| found.extend([line.to_vec()])).expect("reads") {}
        assert_eq!(found.len(), wanted);
    }
    assert!(matches!(Tail::open(directory.path(), TailFrom::End), Err(SourceError::Directory { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_survived(mut octets in proptest::collection::vec(any::<u8>(), 0..400), head in 0usize..4) {
        let known: [&[u8]; 4] = [b"", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], &[0x1f, 0x8b, 8, 0], &[0x28, 0xb5, 0x2f, 0xfd]];
        octets.splice(0..0, known[head].iter().copied());
        if let Ok(input) = recognize(&octets) {
            let mut capture = CaptureFile::new(input.name, input.octets);
            let mut counters = InputCounters::default();
            while capture.next_frame(&mut counters).expect("reads").is_some() {}
        }
        read(&octets);
        let (all, counters) = lines(&octets);
        prop_assert_eq!(all.len(), octets.split_inclusive(|octet| *octet == b'\n').count());
        prop_assert_eq!(counters.bytes, octets.len() as u64);
    }

    #[test]
    fn one_damaged_octet_costs_few_frames(at in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let frames: Vec<(u32, u32, &[u8])> = (0..40).map(|second| (1_700_000_000 + second, 0, &b"some octets of a frame"[..])).collect();
        let mut file = pcap(0xa1b2_c3d4, false, &frames);
        let at = 24 + at.index(file.len() - 24);
        file[at] = octet;
        let (found, _) = read(&file);
        // A damaged length reaches over at most 255 octets here, and so over seven records.
        prop_assert!(found.len() >= 32, "{} frames after octet {octet} at {at}", found.len());
        prop_assert!(found.iter().all(|(_, link, _, _)| LinkType(*link) == LinkType(1)));
    }
}
