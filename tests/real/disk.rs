//! A disk that runs full while the agent keeps its store on it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::agent::PATIENCE;

/// A file system of its own, of 64 MiB: the store wants 32 MiB left free.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ran = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
            .arg(folder.path())
            .output()
            .expect("mount is installed: apt-get install mount");
        assert!(ran.status.success(), "mount: {}", String::from_utf8_lossy(&ran.stderr));
        Self { folder }
    }

    fn fill(&self) {
        let mut filler = File::create(self.folder.path().join("filler")).unwrap();
        let failure = std::io::copy(&mut std::io::repeat(0), &mut filler).unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::StorageFull);
    }

    fn clear(&self) {
        std::fs::remove_file(self.folder.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a program that a failed test left behind may still use it.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// Logs twenty exchanges more with `host`.
fn log(file: &Path, host: &str) {
    let mut text = String::new();
    for number in 1..=20_u32 {
        let (at, remaining) = (1_763_783_100 + number, 100 - number);
        writeln!(
            text,
            r#"{{"ts":{at},"method":"GET","url":"https://{host}/v1/payment/{number}","status":200,"response_headers":[["RateLimit-Limit","100"],["RateLimit-Remaining","{remaining}"],["RateLimit-Reset","30"]]}}"#
        )
        .unwrap();
    }
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn the_agent_goes_on_when_the_disk_is_full() {
    let disk = Disk::mount();
    let store = disk.folder.path().join("store");
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("log.ndjson");
    File::create(&file).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_quotascope"))
        // After a failed test it ends by itself.
        .args(["watch", "--json", "--events=all", "--seconds", "120", "--tail"])
        .arg(&file)
        .arg("--store")
        .arg(&store)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    errors.read_line(&mut said).unwrap();
    assert!(said.contains("watching"), "{said}");
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
    // What is logged counts from the moment when the file was opened, and that is not told.
    let seen = (0..150).any(|_| {
        log(&file, "before.example.com");
        lines.recv_timeout(PATIENCE / 150).is_ok()
    });
    assert!(seen, "no event within {PATIENCE:?}");
    disk.fill();
    log(&file, "after.example.com");
    let mut after = 0;
    while after < 20 {
        let event: Value = serde_json::from_str(&lines.recv_timeout(PATIENCE).expect("an event")).unwrap();
        after += u32::from(event["host"] == "after.example.com");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let rest: Vec<String> = lines.iter().collect();
    let mut told = String::new();
    errors.read_to_string(&mut told).unwrap();
    let status = child.wait().unwrap();

    assert_eq!(status.code(), Some(1), "what could not be kept is a failure: {told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("the disk of the store") && told.contains("is full"), "{told}");
    let summary: Value = serde_json::from_str(&rest.join("\n")).unwrap();
    let endpoints = summary["endpoints"].as_array().unwrap();
    let requests = endpoints.iter().find(|entry| entry["host"] == "after.example.com").map(|entry| &entry["requests"]);
    assert_eq!(requests, Some(&Value::from(20)), "{endpoints:#?}");
    disk.clear();
    let history = Command::new(env!("CARGO_BIN_EXE_quotascope"))
        .args(["history", "--json", "--store"])
        .arg(&store)
        .output()
        .unwrap();
    assert_eq!(history.status.code(), Some(0), "{}", String::from_utf8_lossy(&history.stderr));
    assert!(serde_json::from_slice::<Value>(&history.stdout).unwrap().is_array());
}
