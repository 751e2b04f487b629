//! The built program as a user meets it: exit statuses, messages, and that its end is an end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn quotascope(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quotascope"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env_clear().env("HOME", folder).env("QUOTASCOPE_STORE", folder.join("default-store"));
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    quotascope(folder, arguments).output().unwrap()
}

/// What it printed on stderr, which is one line, with the status.
fn failure(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(folder, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code().unwrap(), text)
}

/// 100 requests that a limit of 100 lets through, then 20 that it refuses.
fn exchanges() -> String {
    let mut text = String::new();
    for number in 1..=120_u32 {
        let (status, remaining) = if number <= 100 { (200, 100 - number) } else { (429, 0) };
        writeln!(
            text,
            r#"{{"ts":{},"method":"GET","url":"https://api.example.com/v1/payment/{number}","status":{status},"response_headers":[["RateLimit-Limit","100"],["RateLimit-Remaining","{remaining}"],["RateLimit-Reset","30"]]}}"#,
            1_763_783_100 + number / 2
        )
        .unwrap();
    }
    text
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good.ndjson"), exchanges()).unwrap();
    folder
}

/// A `watch --tail` that has said that it watches.
fn watching(folder: &Path) -> Child {
    std::fs::write(folder.join("t.ndjson"), "").unwrap();
    let arguments = ["watch", "--tail", "t.ndjson", "--store", "kept", "--json"];
    let mut child = quotascope(folder, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("watching t.ndjson"), "{line}");
    child
}

#[test]
fn a_file_that_is_nothing_known_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("noise"), [0x9c, 0x11, 0xfe, 0x02].repeat(999)).unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    for (file, wanted) in [
        ("noise", "none of the known formats"),
        ("empty", "is empty"),
        (".", "is a directory"),
        ("gone", "cannot open gone"),
    ] {
        let (status, text) = failure(folder.path(), &["replay", file]);
        assert_eq!(status, 1, "{text}");
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn a_file_cut_short_keeps_what_was_read() {
    let folder = folder();
    std::fs::write(folder.path().join("cut"), &exchanges().as_bytes()[..3_000]).unwrap();
    let output = run(folder.path(), &["replay", "cut", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success());
    assert!(found["input"]["exchanges"].as_u64().unwrap() > 5, "{found:#}");
    assert_eq!(found["input"]["damaged"]["line_malformed"], 1);
}

#[test]
fn an_alert_is_status_three_where_it_was_asked_for() {
    let folder = folder();
    assert_eq!(run(folder.path(), &["replay", "good.ndjson"]).status.code(), Some(0));
    assert_eq!(run(folder.path(), &["replay", "good.ndjson", "--fail-on", "high"]).status.code(), Some(3));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = folder();
    let first = run(folder.path(), &["replay", "good.ndjson", "--json", "--events=all"]);
    let again = run(folder.path(), &["replay", "good.ndjson", "--json", "--events=all"]);
    assert_eq!(first.stdout, again.stdout);
    let text = String::from_utf8(first.stdout).unwrap();
    assert_eq!(text.lines().take_while(|line| line.starts_with("{\"ts\"")).count(), 120);
}

#[test]
fn a_wrong_configuration_is_status_two_with_its_line() {
    let folder = folder();
    for (text, wanted) in [
        ("[alerts]\nutilisation = 0.8", "c.toml:2: unknown field `utilisation`"),
        ("[alerts]\n\nclear_after = \"2 parsecs\"", "c.toml:3: "),
        ("[store]\nsize = \"10 GB\"", "c.toml:2: "),
        ("[[provider]]\nhost = \"x\"\nprofile = \"nope\"", "no profile is called \"nope\""),
    ] {
        std::fs::write(folder.path().join("c.toml"), text).unwrap();
        let (status, said) = failure(folder.path(), &["config", "check", "--config", "c.toml"]);
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn a_watch_with_a_store_ends_by_itself() {
    let folder = folder();
    let output = run(folder.path(), &["watch", "--read", "good.ndjson", "--store", "kept"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("120 exchanges"));
}

#[test]
fn a_signal_ends_it_with_everything_in_the_store() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = folder();
        let child = watching(folder.path());
        let (status, text) = failure(folder.path(), &["watch", "--tail", "t.ndjson", "--store", "kept"]);
        assert_eq!(status, 1);
        assert!(text.contains("is in use by another quotascope"), "{text}");
        let mut log = std::fs::OpenOptions::new().append(true).open(folder.path().join("t.ndjson")).unwrap();
        log.write_all(exchanges().as_bytes()).unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["schema"], 1);
        assert_eq!(found["input"]["exchanges"], 120, "what was written before the signal is read");
        assert_eq!(run(folder.path(), &["history", "--store", "kept"]).status.code(), Some(0));
    }
}
