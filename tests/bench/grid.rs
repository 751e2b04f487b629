//! What is left of a damaged capture, as one table: loss, reordering, duplication, snaplen and a late start.
//!
//! Each row damages the same made traffic, replays it as a file, and holds what was found against what the frames carry.
//! A head counts as left where all its segments are in the file, whole; a value counts as wrong where the status, the
//! path or what remains is another one, where a head came twice, or where no frame carries it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use quotascope::decode::DecodeOptions;
use quotascope::extract::{ExtractOptions, Extractor, Profiles};
use quotascope::model::{Alert, Amount, HashKey, Observation};
use quotascope::pipeline::{EngineOptions, ReplayOptions, Sink, replay};
use quotascope::track::MinuteReport;

use super::traffic::{Damage, MadeFrame, Shape, Traffic, Truth, write_file_header, write_record};

/// What the rows damage.
pub const SHAPES: [Shape; 2] = [Shape::Plain, Shape::Mixed];

/// The damages of the table.
pub fn damages() -> Vec<Damage> {
    let mut damages = Vec::new();
    for snaplen in [0, 600, 256] {
        for lost in [0, 5, 50] {
            for swapped in [0, 20] {
                for duplicated in [0, 20] {
                    damages.push(Damage { lost, swapped, duplicated, first_missing: 0, snaplen });
                }
            }
        }
    }
    let late = Damage { first_missing: 20, ..Damage::default() };
    damages.push(late);
    damages.push(Damage { swapped: 20, duplicated: 20, ..late });
    damages.push(Damage { lost: 50, swapped: 20, duplicated: 20, snaplen: 600, ..late });
    damages
}

/// The least part of the heads left that must be found.
///
/// Of the mixed traffic a little less: where a chunked body was cut, framing is lost, and the second half of a head that
/// stands before its first is not looked for.
pub fn least(shape: Shape, damage: &Damage) -> f64 {
    let doubtful = shape == Shape::Mixed && (damage.snaplen > 0 || damage.first_missing > 0);
    match damage.lost {
        0 if doubtful => 0.999,
        0 => 1.0,
        1..=5 => 0.99,
        _ => 0.97,
    }
}

/// What came of a damaged capture.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Heads that are whole in the file.
    pub left: usize,
    /// Heads found.
    pub found: usize,
    /// Heads found together with their request.
    pub with_request: usize,
    /// What was read wrongly.
    pub wrong: Vec<String>,
}

impl Recovered {
    /// Whether it is as much as it must be, and nothing wrong.
    #[expect(clippy::cast_precision_loss, reason = "captures are small")]
    pub fn is_enough(&self, shape: Shape, damage: &Damage) -> bool {
        self.wrong.is_empty() && self.found as f64 >= least(shape, damage) * self.left as f64
    }
}

/// The heading of the rows.
pub const HEADING: &str =
    "traffic | lost | swapped | duplicated | first missing | snaplen | heads left | found | with request | wrong\n";

/// One row.
pub fn row(shape: Shape, damage: &Damage, recovered: &Recovered) -> String {
    let Damage { lost, swapped, duplicated, first_missing, snaplen } = damage;
    let Recovered { left, found, with_request, wrong } = recovered;
    let mut row = format!("{shape:?} | ");
    for permille in [lost, swapped, duplicated] {
        write!(row, "{}.{} % | ", permille / 10, permille % 10).expect("a string takes it");
    }
    let snaplen = if *snaplen == 0 { "all".to_owned() } else { snaplen.to_string() };
    let wrong = wrong.len();
    writeln!(row, "{first_missing} | {snaplen} | {left} | {found} | {with_request} | {wrong}")
        .expect("a string takes it");
    row
}

/// Damages the frames of `traffic`, writes them to `file` and replays that.
pub fn recover(traffic: &Traffic, frames: &[MadeFrame], damage: &Damage, file: &Path) -> Recovered {
    let damaged = damage.apply(frames.to_vec(), 11);
    write(&damaged, file);
    let mut parts: BTreeMap<(u32, u32), BTreeSet<u32>> = BTreeMap::new();
    let mut heads = BTreeMap::new();
    let mut left = BTreeSet::new();
    for frame in &damaged {
        if let Some(head) = frame.head {
            let seen = parts.entry((frame.connection, head.exchange)).or_default();
            seen.insert(head.part);
            if seen.len() == head.parts as usize {
                left.insert((frame.connection, head.exchange));
            }
            let at = i64::try_from(frame.micros).expect("not that late");
            heads.insert(at, (frame.connection, traffic.truth(frame.connection, head.exchange)));
        }
    }
    let mut judge = Judge { heads: &heads, found: BTreeSet::new(), recovered: Recovered::default() };
    let replayed = replay(options(file), &mut judge).expect("the file can be read");
    assert!(replayed.failures.is_empty());
    Recovered { left: left.len(), found: judge.found.len(), ..judge.recovered }
}

/// Judges what is found against what the frames carry.
struct Judge<'a> {
    /// By the time of a frame that carries it or a part of it, the response's head.
    heads: &'a BTreeMap<i64, (u32, Truth)>,
    found: BTreeSet<(u32, String)>,
    recovered: Recovered,
}

impl Sink for Judge<'_> {
    fn observation(&mut self, seen: &Observation) {
        let Some((connection, truth)) = self.heads.get(&(seen.at.as_nanos() / 1_000)) else {
            self.recovered.wrong.push(format!("a head that no frame carries: {seen:?}"));
            return;
        };
        let remaining = seen.readings.first().and_then(|reading| reading.remaining).map(Amount::value);
        #[expect(clippy::cast_precision_loss, reason = "quotas are small")]
        let is_right = seen.status == truth.status
            && remaining == Some(truth.remaining as f64)
            && seen.path.as_deref().is_none_or(|path| path == truth.path);
        if !is_right || !self.found.insert((*connection, truth.path.clone())) {
            self.recovered.wrong.push(format!("{truth:?} was read as {seen:?}"));
        }
        self.recovered.with_request += usize::from(seen.path.is_some());
    }

    fn alert(&mut self, _: &Alert) {}

    fn minute(&mut self, _: &MinuteReport) {}
}

/// Writes a capture.
pub fn write(frames: &[MadeFrame], file: &Path) {
    let mut octets = Vec::new();
    write_file_header(&mut octets).expect("memory takes it");
    for frame in frames {
        write_record(&mut octets, frame).expect("memory takes it");
    }
    std::fs::write(file, octets).expect("the folder is writable");
}

fn options(file: &Path) -> ReplayOptions {
    thread_local! {
        // To read all profiles takes longer than a small capture.
        static EXTRACTOR: Arc<Extractor> = {
            let profiles = Profiles::built_in().expect("the profiles are right");
            Arc::new(Extractor::new(profiles, ExtractOptions::default()).expect("no option is wrong"))
        };
    }
    ReplayOptions {
        files: vec![file.to_path_buf()],
        extractor: EXTRACTOR.with(Arc::clone),
        decode: DecodeOptions::default(),
        key: HashKey::new([7; 16]),
        engine: EngineOptions::default(),
        threads: 1,
    }
}
