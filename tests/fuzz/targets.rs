//! What is fuzzed: any octets in, no panic, and nothing that contradicts itself.
//!
//! Plain functions, so that any driver can call them: the one beside this file, cargo-fuzz, or AFL.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quotascope::decode::{DecodeOptions, Decoder, Flags, Segment};
use quotascope::extract::{ExtractOptions, Extractor, Profiles};
use quotascope::model::{Alert, Frame, HashKey, Interest, LinkType, Observation, Timestamp};
use quotascope::pipeline::{EngineOptions, ReplayOptions, Sink, replay};
use quotascope::report::{write_event, write_summary};
use quotascope::track::MinuteReport;

/// A target: its name, and what it does with an input.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 3] = [("frames", frames), ("streams", streams), ("pipeline", pipeline)];

/// Link types that are read, and one that is not: Ethernet, BSD loopback, raw IP, Linux cooked (both), `PPPoE`.
pub(crate) const LINKS: [u32; 8] = [1, 0, 101, 113, 276, 51, 12, 9999];

const START: Timestamp = Timestamp::from_secs(1_790_000_000);

fn extractor() -> Arc<Extractor> {
    thread_local! {
        static EXTRACTOR: Arc<Extractor> = {
            let profiles = Profiles::built_in().expect("the profiles are right");
            Arc::new(Extractor::new(profiles, ExtractOptions::default()).expect("no option is wrong"))
        };
    }
    EXTRACTOR.with(Arc::clone)
}

/// Small bounds, so that few octets reach them.
fn options(choice: u8) -> DecodeOptions {
    let small = DecodeOptions::within(16 << 10);
    match choice % 4 {
        0 => DecodeOptions::default(),
        1 => DecodeOptions { connections: 2, closed_connections: 1, ..small },
        2 => DecodeOptions { exchanges_behind: 1, body_octets: 64, head_octets: 512, ..DecodeOptions::default() },
        _ => DecodeOptions { out_of_order_octets: 256, out_of_order_pieces: 4, pipelined_requests: 2, ..small },
    }
}

/// A decoder under watch: what it promises is held against what it does.
struct Watched {
    decoder: Decoder,
    exchanges: u64,
}

impl Watched {
    fn new(choice: u8) -> Self {
        let interest: Arc<dyn Interest> = extractor().interest();
        Self { decoder: Decoder::new(options(choice), HashKey::new([7; 16]), interest), exchanges: 0 }
    }

    /// Does something, then takes the exchanges out.
    fn after(&mut self, act: impl FnOnce(&mut Decoder)) {
        let promised = self.decoder.watermark(DecodeOptions::default().reordering);
        act(&mut self.decoder);
        let watermark = self.decoder.watermark(DecodeOptions::default().reordering);
        assert!(watermark >= promised, "the watermark fell from {promised} to {watermark}");
        while let Some(exchange) = self.decoder.poll_exchange() {
            let at = exchange.response.at;
            assert!(at >= promised, "an exchange of {at} came behind the watermark {promised}");
            assert!(exchange.response.status <= 999, "{exchange:?}");
            let body = exchange.response.body.as_ref().map_or(0, |body| body.octets.len());
            assert!(body <= 64 << 10, "a body of {body} octets");
            if let Some(request) = &exchange.request {
                assert!(request.path.len() <= 2048 && request.method.len() <= 32, "{request:?}");
                assert!(request.at.is_none_or(|asked| asked <= at.after(Duration::from_hours(1))), "{exchange:?}");
            }
            let observation = extractor().observe(&exchange);
            for reading in &observation.readings {
                assert!(reading.utilization.is_none_or(|ratio| ratio.is_finite() && ratio >= 0.0), "{reading:?}");
            }
            self.exchanges += 1;
        }
    }

    fn end(mut self) {
        self.after(Decoder::finish);
        let counters = self.decoder.counters();
        assert_eq!(counters.exchanges, self.exchanges);
        assert!(counters.exchanges <= counters.responses, "{counters:?}");
    }
}

/// Reads numbers off the front of an input; zeros at its end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Frames of any link type, one behind the other: the bounds, the link type, then for each frame its distance in time,
/// its length, what was cut off, its octets.
pub(crate) fn frames(input: &[u8]) {
    let mut reader = Reader(input);
    let mut watched = Watched::new(reader.u8());
    let link = LinkType(LINKS[usize::from(reader.u8()) % LINKS.len()]);
    let source: Arc<str> = "fuzz".into();
    let mut at = START;
    while !reader.0.is_empty() {
        at = at.after(Duration::from_millis(u64::from(reader.u8()).pow(2)));
        let length = usize::from(reader.u16());
        let cut = u32::from(reader.u8() / 64);
        let octets = reader.take(length);
        let original_len = u32::try_from(octets.len()).expect("short") + cut;
        watched.after(|decoder| decoder.handle_frame(&source, &Frame { at, link, octets, original_len }));
    }
    watched.end();
}

/// Segments of four connections: the bounds, then for each segment what it is, its distance in time, its place, how far
/// it acknowledges, its length, its octets.
pub(crate) fn streams(input: &[u8]) {
    let mut reader = Reader(input);
    let mut watched = Watched::new(reader.u8());
    let source: Arc<str> = "fuzz".into();
    let mut at = START;
    // Where each side of each connection stands, so that most octets follow those before.
    let mut places = [[1u32; 2]; 4];
    while !reader.0.is_empty() {
        let what = reader.u8();
        let (connection, side) = (usize::from(what & 3), usize::from(what >> 2 & 1));
        let flags = Flags { syn: what & 0x38 == 0x38, fin: what & 0x38 == 0x30, rst: what & 0xf8 == 0x28 };
        let how = reader.u8();
        at = at.after(Duration::from_millis(u64::from(how & 0x3f).pow(3) / 8));
        let place = &mut places[connection];
        let shift = if how & 0x80 == 0 {
            0
        } else {
            i32::from(reader.u8().cast_signed()) * if how & 0x40 == 0 { 1 } else { 64 }
        };
        let sequence = place[side].wrapping_add_signed(shift);
        let behind = if what & 0x40 == 0 { 0 } else { u32::from(reader.u8()) };
        let acknowledgment = (what & 0x80 == 0).then(|| place[1 - side].wrapping_sub(behind));
        let length = usize::from(reader.u16() % 2048);
        let payload = reader.take(length);
        let missing = if how & 0xc0 == 0xc0 { u32::from(reader.u8()) } else { 0 };
        if shift == 0 {
            let sent = u32::try_from(payload.len()).expect("short") + missing + u32::from(flags.syn || flags.fin);
            place[side] = sequence.wrapping_add(sent);
        }
        let ends = [([10, 0, 0, 1], 40_000 + u16::from(what & 3)), ([192, 0, 2, 10], 80)];
        let segment = Segment {
            at,
            source: ends[side].into(),
            destination: ends[1 - side].into(),
            tunnel: 0,
            sequence,
            acknowledgment,
            flags,
            payload,
            missing,
        };
        watched.after(|decoder| decoder.handle_segment(&source, &segment));
    }
    watched.end();
}

/// A file of any kind through the whole of a replay: what it prints is the same for one thread and for two.
pub(crate) fn pipeline(input: &[u8]) {
    let folder = Path::new("/dev/shm");
    let folder = if folder.is_dir() { folder.to_path_buf() } else { std::env::temp_dir() };
    let file = folder.join(format!("quotascope-fuzz-{}", std::process::id()));
    std::fs::write(&file, input).expect("there is room");
    let one = printed(&file, 1);
    let two = printed(&file, 2);
    std::fs::remove_file(&file).expect("it was written");
    assert!(one == two, "two threads say something else than one:\n{one}\n{two}");
}

/// Writes all events.
struct Events(Vec<u8>);

impl Sink for Events {
    fn observation(&mut self, observation: &Observation) {
        write_event(&mut self.0, observation).expect("memory takes it");
    }

    fn alert(&mut self, _: &Alert) {}

    fn minute(&mut self, _: &MinuteReport) {}
}

fn printed(file: &Path, threads: usize) -> String {
    let options = ReplayOptions {
        files: vec![file.to_path_buf()],
        extractor: extractor(),
        decode: DecodeOptions::default(),
        key: HashKey::new([7; 16]),
        engine: EngineOptions::default(),
        threads,
    };
    let mut events = Events(Vec::new());
    let Ok(replayed) = replay(options, &mut events) else { return "no known format".to_owned() };
    write_summary(&mut events.0, &replayed.snapshot, &replayed.episodes).expect("memory takes it");
    String::from_utf8(events.0).expect("JSON is text")
}
