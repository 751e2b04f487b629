//! How fast a capture is replayed, as ratios against programs that read the same file in the same run.
//!
//! Each program runs five times in turn after one warm-up, and those that would disturb the others run once, behind them; the
//! figure is CPU seconds (user and system) of the whole process. `QUOTASCOPE_BENCH_MIB` sets the capture's size (default 1024).

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its figures, and stops where it cannot run"
)]

#[expect(dead_code, unreachable_pub, reason = "the tests use the damage, the benchmark does not")]
mod traffic;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use traffic::{Shape, Traffic, write_file_header, write_record};

const RUNS: usize = 5;

/// tshark reads a few megabytes a second: it is given this much, once.
const TSHARK_MEBIBYTES: u64 = 16;

/// A command that is measured.
struct Candidate {
    name: &'static str,
    command: Vec<String>,
    /// How long the capture is that it reads.
    octets: u64,
    /// Takes long, or writes as much as it reads, which the disk is busy with for long after: it runs once, behind the others.
    once: bool,
    /// How many of it run at once.
    copies: usize,
}

/// CPU and wall seconds.
type Figure = (f64, f64);

const ONE_THREAD: &str = "quotascope replay F --json --threads 1";
const TWO_THREADS: &str = "quotascope replay F --json --threads 2";
const TWO_AT_ONCE: &str = "two of quotascope … --threads 1 at once";

fn main() {
    let mebibytes: u64 = std::env::var("QUOTASCOPE_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024);
    let (file, octets) = capture(mebibytes);
    let (small, small_octets) = capture(TSHARK_MEBIBYTES.min(mebibytes));
    println!("capture: {} MiB", octets >> 20);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let flows = folder.join("flows");
    remove(&flows);
    let (quotascope, file, small) = (env!("CARGO_BIN_EXE_quotascope"), file.to_string_lossy(), small.to_string_lossy());
    let candidate = |name, command: &[&str]| Candidate {
        name,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        octets,
        once: false,
        copies: 1,
    };
    let one_thread = [quotascope, "replay", &file, "--json", "--threads", "1"];
    let candidates = [
        candidate("tcpdump -r F -w /dev/null", &["tcpdump", "-r", &file, "-w", "/dev/null"]),
        candidate(ONE_THREAD, &one_thread),
        candidate(TWO_THREADS, &[quotascope, "replay", &file, "--json", "--threads", "2"]),
        Candidate { copies: 2, octets: octets * 2, ..candidate(TWO_AT_ONCE, &one_thread) },
        Candidate {
            once: true,
            ..candidate("tcpflow -r F -o DIR", &["tcpflow", "-q", "-r", &file, "-o", &flows.to_string_lossy()])
        },
        Candidate {
            octets: small_octets,
            once: true,
            ..candidate("tshark -r SMALL -Y http.response", &["tshark", "-r", &small, "-Y", "http.response"])
        },
    ];
    let present: Vec<&Candidate> = candidates.iter().filter(|candidate| is_installed(&candidate.command[0])).collect();
    let mut figures: Vec<Vec<Figure>> = vec![Vec::new(); present.len()];
    let mut trips = Vec::new();
    for run in 0..=RUNS {
        if run > 0 {
            trips.push(round_trip());
        }
        for (candidate, figures) in present.iter().zip(&mut figures).filter(|(candidate, _)| !candidate.once) {
            let figure = measure(candidate);
            if run > 0 {
                figures.push(figure);
            }
        }
    }
    for (candidate, figures) in present.iter().zip(&mut figures).filter(|(candidate, _)| candidate.once) {
        figures.push(measure(candidate));
    }
    remove(&flows);
    let medians: Vec<Figure> = figures.iter().map(|runs| median(runs)).collect();
    println!("{:<42} {:>8} {:>8} {:>10} {:>10}", "", "CPU s", "wall s", "MB/CPU s", "CPU ratio");
    let rate = |candidate: &Candidate, (cpu, _): Figure| candidate.octets as f64 / 1e6 / cpu;
    for (candidate, figure) in present.iter().zip(&medians) {
        let (own, first) = (rate(candidate, *figure), rate(present[0], medians[0]));
        println!("{:<42} {:>8.2} {:>8.2} {own:>10.0} {:>10.2}", candidate.name, figure.0, figure.1, first / own);
    }
    let place =
        |name: &str| present.iter().position(|candidate| candidate.name == name).expect("it is always measured");
    let wall = |name: &str| medians[place(name)].1;
    println!(
        "\ntwo threads are {:.2} times as fast as one; two that run at once do {:.2} times the work of one alone, which is \
         what the second core of this machine is worth",
        wall(ONE_THREAD) / wall(TWO_THREADS),
        2.0 * wall(ONE_THREAD) / wall(TWO_AT_ONCE),
    );
    let (one, two) = (&figures[place(ONE_THREAD)], &figures[place(TWO_THREADS)]);
    let runs = one.iter().zip(two).zip(&trips);
    let runs = runs.map(|((one, two), trip)| format!("{:.2} ({trip:.0} ns)", one.1 / two.1));
    println!(
        "run by run, with how long a word took from core to core and back before it: {}",
        runs.collect::<Vec<_>>().join(", ")
    );
}

/// A capture of that size, made where it is not there yet, and its length.
fn capture(mebibytes: u64) -> (PathBuf, u64) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("traffic-{mebibytes}.pcap"));
    if !file.exists() {
        make(&file, mebibytes);
    }
    let octets = std::fs::metadata(&file).expect("the capture was made").len();
    (file, octets)
}

fn make(file: &PathBuf, mebibytes: u64) {
    // About 2,000 octets and 4.3 packets an exchange.
    let exchanges = (mebibytes << 20) / 2_000;
    let traffic = Traffic {
        connections: u32::try_from(exchanges / 20).expect("it fits"),
        exchanges: 20,
        seed: 7,
        shape: Shape::Plain,
    };
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file).expect("the target folder is writable"));
    write_file_header(&mut out).expect("the disk has room");
    traffic.each(|frame| write_record(&mut out, &frame)).expect("the disk has room");
    out.flush().expect("the disk has room");
}

/// Removes what a run, or one that was stopped, wrote.
fn remove(folder: &Path) {
    if folder.exists() {
        std::fs::remove_dir_all(folder).expect("it is the benchmark's own");
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// What one run takes.
fn measure(Candidate { name, command, copies, .. }: &Candidate) -> Figure {
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
    };
    let (before, start) = (cpu(), Instant::now());
    let spawn = || Command::new(&command[0]).args(&command[1..]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let running: Vec<_> = (0..*copies).map(|_| spawn().expect("it is installed")).collect();
    for mut child in running {
        assert!(child.wait().is_ok_and(|status| status.success()), "{name} runs");
    }
    (cpu() - before, start.elapsed().as_secs_f64())
}

/// How long a word takes from one core to another and back, in nanoseconds: a host may put two virtual cores side by side or
/// far apart, and threads that share work feel it. Of many short times the middle one: both threads may start on one core.
fn round_trip() -> f64 {
    const TIMES: usize = 100;
    const TRIPS: u64 = 1_000;
    let word = AtomicU64::new(0);
    let wait_for = |wanted: u64| {
        let mut looks = 0;
        while word.load(Ordering::Acquire) != wanted {
            // Where there is one core alone, it lets the other thread answer.
            looks += 1;
            if looks > 1000 { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    };
    let mut asked = 0;
    let mut time = || {
        let start = Instant::now();
        for _ in 0..TRIPS {
            word.store(asked + 1, Ordering::Release);
            asked += 2;
            wait_for(asked);
        }
        start.elapsed().as_nanos() as f64 / TRIPS as f64
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for trip in 0..TRIPS * TIMES as u64 {
                wait_for(2 * trip + 1);
                word.store(2 * trip + 2, Ordering::Release);
            }
        });
        middle((0..TIMES).map(|_| time()).collect())
    })
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn median(runs: &[Figure]) -> Figure {
    (middle(runs.iter().map(|run| run.0).collect()), middle(runs.iter().map(|run| run.1).collect()))
}
