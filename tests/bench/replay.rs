//! How fast a capture is replayed, as ratios against programs that read the same file in the same run.
//!
//! Each program runs five times in turn after one warm-up; the figure is CPU seconds (user and system) of the whole
//! process. `QUOTASCOPE_BENCH_MIB` sets the capture's size (default 1024).

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
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use traffic::{Shape, Traffic, write_file_header, write_record};

const RUNS: usize = 5;

fn main() {
    let mebibytes: u64 = std::env::var("QUOTASCOPE_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("traffic-{mebibytes}.pcap"));
    if !file.exists() {
        make(&file, mebibytes);
    }
    let size = std::fs::metadata(&file).expect("the capture was made").len();
    println!("capture: {} MiB", size >> 20);
    let path = file.to_str().expect("a path of text");
    let quotascope = env!("CARGO_BIN_EXE_quotascope");
    let flows = folder.join("flows");
    let flows = flows.to_str().expect("a path of text");
    let candidates: Vec<(&str, Vec<&str>)> = vec![
        ("tcpdump -r F -w /dev/null", vec!["tcpdump", "-r", path, "-w", "/dev/null"]),
        ("quotascope replay F --json --threads 1", vec![quotascope, "replay", path, "--json", "--threads", "1"]),
        ("quotascope replay F --json --threads 2", vec![quotascope, "replay", path, "--json", "--threads", "2"]),
        ("tcpflow -r F -o DIR", vec!["tcpflow", "-q", "-r", path, "-o", flows]),
    ];
    let present: Vec<&(&str, Vec<&str>)> = candidates.iter().filter(|(_, command)| is_installed(command[0])).collect();
    let mut figures = vec![Vec::new(); present.len()];
    for run in 0..=RUNS {
        for (index, (_, command)) in present.iter().enumerate() {
            let figure = measure(command);
            if run > 0 {
                figures[index].push(figure);
            }
        }
    }
    let medians: Vec<(f64, f64)> = figures.iter().map(|runs| median(runs)).collect();
    println!("{:<42} {:>8} {:>8} {:>10} {:>10}", "", "CPU s", "wall s", "MB/CPU s", "CPU ratio");
    for ((name, _), (cpu, wall)) in present.iter().zip(&medians) {
        let rate = size as f64 / 1e6 / cpu;
        println!("{name:<42} {cpu:>8.2} {wall:>8.2} {rate:>10.0} {:>10.2}", cpu / medians[0].0);
    }
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

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// CPU and wall seconds of one run.
fn measure(command: &[&str]) -> (f64, f64) {
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
    };
    let (before, start) = (cpu(), Instant::now());
    let status = Command::new(command[0]).args(&command[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{} runs", command[0]);
    (cpu() - before, start.elapsed().as_secs_f64())
}

fn median(runs: &[(f64, f64)]) -> (f64, f64) {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    (middle(runs.iter().map(|run| run.0).collect()), middle(runs.iter().map(|run| run.1).collect()))
}
