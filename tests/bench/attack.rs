//! How much memory a replay takes at most while it is attacked, and what the honest connections lose.
//!
//! A thousand honest frames, and `QUOTASCOPE_BENCH_HOSTILE` hostile ones behind each (default 1000: a million). The peak
//! is the resident memory of the whole process as the system counted it.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its figures, and stops where it cannot run"
)]

#[expect(unreachable_pub, reason = "shared with the tests")]
mod hostile;
#[expect(dead_code, unreachable_pub, reason = "shared with the tests")]
mod traffic;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// The first argument that makes the program run another one and say on stderr what that took.
const MEASURE: &str = "--measure";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, command @ ..] = arguments.as_slice()
        && first == MEASURE
    {
        return measure(command);
    }
    let each = std::env::var("QUOTASCOPE_BENCH_HOSTILE").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let only = std::env::var("QUOTASCOPE_BENCH_ATTACK").ok();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attack.pcap");
    println!("{:<58} {:<10} {:>9} {:>8} {:>14}", "", "reach", "peak MiB", "wall s", "honest found");
    for attack in &hostile::ATTACKS {
        let name = attack.name;
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&file).expect("the target folder is writable"));
        hostile::write(attack, each, &mut out).expect("the disk has room");
        out.flush().expect("the disk has room");
        let start = Instant::now();
        let output = Command::new(std::env::current_exe().expect("the program has a path"))
            .arg(MEASURE)
            .arg(env!("CARGO_BIN_EXE_quotascope"))
            .args(["replay", "--json", "--events=all", "--threads", "1"])
            .arg(&file)
            .output()
            .expect("the program runs");
        let wall = start.elapsed().as_secs_f64();
        let told = String::from_utf8_lossy(&output.stderr);
        let peak = told.trim().parse::<u64>().map_or_else(|_| told.trim().to_owned(), |kib| (kib >> 10).to_string());
        let all = hostile::all_paths();
        let found = hostile::honest_paths(&output.stdout).intersection(&all).count();
        println!(
            "{name:<58} {:<10} {peak:>9} {wall:>8.2} {:>14}",
            format!("{:?}", attack.reach),
            format!("{found} of {}", all.len())
        );
    }
    let _ = std::fs::remove_file(&file);
}

#[expect(clippy::print_stderr, reason = "stdout is the measured program's")]
fn measure(command: &[String]) {
    let status = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).status().expect("it runs");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
    if status.success() {
        eprintln!("{}", usage.max_rss());
    } else {
        eprintln!("{status}");
    }
}
