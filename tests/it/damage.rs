//! What is left of a damaged capture, through the whole of `replay`: loss, reordering, duplication, snaplen, a late start.
#![expect(clippy::expect_used, reason = "a test fails by it")]

#[path = "../bench/grid.rs"]
#[expect(unreachable_pub, reason = "a module of the benches")]
mod grid;
#[path = "../bench/traffic.rs"]
#[expect(unreachable_pub, reason = "a module of the benches")]
pub(crate) mod traffic;

use std::process::Command;

use traffic::{Damage, Shape, Traffic};

#[test]
fn what_is_left_is_found_and_nothing_is_made_up() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("damaged.pcap");
    let mut table = String::from(grid::HEADING);
    let mut faults = Vec::new();
    for shape in grid::SHAPES {
        let traffic = Traffic { connections: 50, exchanges: 20, seed: 7, shape };
        let frames = traffic.frames();
        for damage in grid::damages() {
            let recovered = grid::recover(&traffic, &frames, &damage, &file);
            let row = grid::row(shape, &damage, &recovered);
            if !recovered.is_enough(shape, &damage) {
                faults.push(format!("{row}{:#?}", recovered.wrong.first()));
            }
            table.push_str(&row);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}\n{table}");
    insta::assert_snapshot!(table);
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("damaged.pcap");
    let damage = Damage { lost: 50, swapped: 20, duplicated: 20, first_missing: 7, snaplen: 900 };
    let traffic = Traffic { connections: 130, exchanges: 20, seed: 7, shape: Shape::Mixed };
    let frames = damage.apply(traffic.frames(), 3);
    // The same with clocks that jump: what then comes late is late for any number of threads.
    let mut jumping = frames.clone();
    for (index, frame) in jumping.iter_mut().enumerate().filter(|(index, _)| index % 97 == 0) {
        let hours = [1, 25, 600][index % 3] * 3_600_000_000;
        frame.micros = if index % 2 == 0 { frame.micros + hours } else { frame.micros - hours };
    }
    let run = |threads: &str, more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_quotascope"))
            .args(["replay", "--json", "--threads", threads])
            .args(more)
            .arg(&file)
            .env("XDG_STATE_HOME", folder.path())
            .env("STATE_DIRECTORY", folder.path().join("state"))
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.len() > 1_000, "it says something");
        output.stdout
    };
    for (what, frames) in [("damaged", frames), ("jumping", jumping)] {
        grid::write(&frames, &file);
        for more in [&[][..], &["--events=all"]] {
            let one = run("1", more);
            for threads in ["2", "4"] {
                assert!(run(threads, more) == one, "{what}: {threads} threads say something else than one, {more:?}");
            }
        }
    }
}
