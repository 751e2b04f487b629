//! What is left of damaged captures of 50,000 exchanges: the grid of [`grid`], a row at a time.
//!
//! `QUOTASCOPE_BENCH_EXCHANGES` sets another number of exchanges. Ends with a failure where a row finds too little, or
//! anything wrong.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its figures, and stops where it cannot run"
)]

#[expect(unreachable_pub, reason = "shared with the tests")]
mod grid;
#[expect(unreachable_pub, reason = "shared with the tests")]
mod traffic;

use std::path::Path;
use std::process::ExitCode;

use traffic::Traffic;

fn main() -> ExitCode {
    let wanted = std::env::var("QUOTASCOPE_BENCH_EXCHANGES").ok().and_then(|text| text.parse::<u32>().ok());
    let exchanges = 40;
    let connections = wanted.unwrap_or(50_000) / exchanges;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged.pcap");
    let mut short = Vec::new();
    print!("{}", grid::HEADING);
    for shape in grid::SHAPES {
        let traffic = Traffic { connections, exchanges, seed: 7, shape };
        let frames = traffic.frames();
        for damage in grid::damages() {
            let recovered = grid::recover(&traffic, &frames, &damage, &file);
            let row = grid::row(shape, &damage, &recovered);
            print!("{row}");
            if !recovered.is_enough(shape, &damage) {
                short.push(format!("{row}{:#?}", recovered.wrong.first()));
            }
        }
    }
    let _ = std::fs::remove_file(&file);
    for row in &short {
        println!("too little, or wrong: {row}");
    }
    if short.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
