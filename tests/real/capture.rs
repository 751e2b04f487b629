//! Capturing itself: what a live capture sees is what its recording holds, whatever the interface.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quotascope::demo::{Demo, DemoOptions, Provider};
use serde_json::{Value, json};

use crate::agent::{Agent, PATIENCE};

/// CeyPay's server, where it listens, and the flag that says whose it is.
fn ceypay() -> (Demo, String, String) {
    let demo = Demo::start(&DemoOptions { providers: vec![Provider::CeyPay], ..DemoOptions::default() })
        .expect("loopback can be listened on");
    let (_, address, _) = demo.servers().next().expect("one server");
    (demo, format!("http://{address}"), format!("{address}=ceypay"))
}

/// 105 creations, 5 of which are refused, and 20 lookups.
fn drive(base: &str) {
    let ran = Command::new("curl")
        .args(["--silent", "--show-error", "--output", "/dev/null", "-H", "Authorization: Bearer merchant-1/key-a"])
        .args(["-d", "{}", &format!("{base}/v1/payment?n=[1-105]"), "--next", "--silent", "--output", "/dev/null"])
        .args(["-H", "Authorization: Bearer merchant-1/key-a", &format!("{base}/v1/payment/[1-20]")])
        .output()
        .expect("curl is installed: apt-get install curl");
    assert!(ran.status.success(), "curl: {}", String::from_utf8_lossy(&ran.stderr));
}

fn summary(output: &str) -> Value {
    serde_json::from_str(output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn interrupt(agent: Agent) -> Value {
    let (output, status) = agent.interrupt();
    assert_eq!(status, 0, "{output}");
    summary(&output)
}

/// The counts of the endpoints, and what is known of the quotas.
fn counts(summary: &Value) -> Value {
    let picked = |list: &str, fields: &[&str]| -> Vec<Value> {
        let entries = summary[list].as_array().expect("a list");
        let pick = |entry: &Value| fields.iter().map(|field| ((*field).to_owned(), entry[field].clone())).collect();
        entries.iter().map(|entry| Value::Object(pick(entry))).collect()
    };
    json!({
        "endpoints": picked("endpoints", &["provider", "host", "endpoint", "requests", "throttled", "statuses"]),
        "quotas": picked(
            "quotas",
            &["provider", "endpoint", "scope", "source", "limit", "remaining", "requests", "throttled"],
        ),
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// A running `tcpdump` that writes each packet at once.
struct Recording {
    child: Child,
    file: PathBuf,
}

impl Recording {
    fn start(file: PathBuf, filter: &str) -> Self {
        // A buffer of 16 MiB (`-B` counts KiB): on a busy machine the default one loses packets.
        let mut child = Command::new("tcpdump")
            .args(["-i", "lo", "-U", "-B", "16384", "-Z", "root", "-w", text(&file), filter])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump is installed: apt-get install tcpdump");
        let mut said = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(said.read_line(&mut line).expect("stderr is text") > 0, "tcpdump ended");
        }
        // Its last words have somewhere to go.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, file }
    }

    /// Replays it until it holds as many exchanges, and gives what the replay said.
    fn replayed(mut self, exchanges: u64, arguments: &[&str]) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ran = Command::new(env!("CARGO_BIN_EXE_quotascope"))
                .args(["replay", text(&self.file), "--json"])
                .args(arguments)
                .output()
                .expect("the program starts");
            let found: Value = serde_json::from_slice(&ran.stdout).unwrap_or_default();
            if found["input"]["exchanges"] == exchanges {
                let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is an i32"));
                kill(pid, Signal::SIGINT).expect("it still runs");
                self.child.wait().expect("it ends");
                return found;
            }
            assert!(Instant::now() < deadline, "{found:#}\n{}", String::from_utf8_lossy(&ran.stderr));
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // It has ended already, except where the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_recording_is_judged_as_the_live_traffic_was() {
    let (demo, base, provider) = ceypay();
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let recording = Recording::start(folder.path().join("recording.pcap"), &demo.filter());
    let more = ["--provider", &provider, "--store", text(&store)];
    let filter = demo.filter();
    let agent = Agent::start(&[&["watch", "-i", "lo", "--filter", &filter, "--json"], &more[..]].concat(), &[]);
    drive(&base);
    let tally = demo.tally(Provider::CeyPay);
    assert_eq!((tally.requests, tally.refused), (125, 5));
    let live = interrupt(agent);
    let replayed = recording.replayed(tally.requests, &more);
    assert_eq!(live["input"]["exchanges"], tally.requests, "{:#}", live["input"]);
    assert_eq!(live["quotas"].as_array().map(Vec::len), Some(2), "{:#}", live["quotas"]);
    assert_eq!(counts(&live), counts(&replayed));
}

#[test]
fn any_interface_sees_each_exchange_once() {
    let (demo, base, provider) = ceypay();
    let store = tempfile::tempdir().expect("a folder");
    let filter = demo.filter();
    let arguments = ["watch", "-i", "any", "--filter", &filter, "--json", "--provider", &provider];
    let agent = Agent::start(&[&arguments[..], &["--store", text(store.path())]].concat(), &[]);
    drive(&base);
    let seen = interrupt(agent);
    assert_eq!(seen["input"]["exchanges"], 125, "{:#}", seen["input"]);
    assert_eq!(seen["captures"][0]["interface"], "any");
    assert_eq!(seen["captures"][0]["dropped"], 0);
    let endpoints = seen["endpoints"].as_array().expect("endpoints");
    let count = |field: &str| -> Vec<u64> { endpoints.iter().filter_map(|entry| entry[field].as_u64()).collect() };
    assert_eq!((count("requests"), count("throttled")), (vec![20, 105], vec![0, 5]), "{endpoints:#?}");
}

/// Takes exports and answers each with 200; its port, and the path of each.
fn listener() -> (u16, mpsc::Receiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
    let port = socket.local_addr().expect("it is bound").port();
    let (sender, paths) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in socket.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            // A connection ends when its client goes, and nobody may listen to the paths any more.
            std::thread::spawn(move || while take_export(&stream).is_some_and(|path| sender.send(path).is_ok()) {});
        }
    });
    (port, paths)
}

/// Reads one request and answers it; its path, or nothing at the connection's end.
fn take_export(mut stream: &TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok()?;
        head.extend(octet);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
    stream.read_exact(&mut vec![0; length]).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
    head.strip_prefix("post ")?.split(' ').next().map(str::to_owned)
}

fn endpoints_at(summary: &Value, authority: &str) -> Vec<String> {
    let endpoints = summary["endpoints"].as_array().expect("endpoints");
    let there = endpoints.iter().filter(|entry| entry["host"] == authority);
    there.map(|entry| entry["endpoint"].as_str().expect("an endpoint").to_owned()).collect()
}

#[test]
fn the_agent_never_watches_its_own_exports() {
    let (_demo, base, provider) = ceypay();
    let store = tempfile::tempdir().expect("a folder");
    let (port, paths) = listener();
    let authority = format!("127.0.0.1:{port}");
    let another = Agent::start(&["watch", "-i", "lo", "--filter", &format!("tcp port {port}"), "--json"], &[]);
    let export = ["--otlp-endpoint", &format!("http://{authority}"), "--otlp-protocol", "http/protobuf"];
    let arguments = ["watch", "-i", "lo", "--json", "--provider", &provider, "--store", text(store.path())];
    let agent = Agent::start(&[&arguments[..], &export].concat(), &[("OTEL_METRIC_EXPORT_INTERVAL", "100")]);
    drive(&base);
    for _ in 0..5 {
        let path = paths.recv_timeout(PATIENCE).expect("an export within the patience");
        assert!(path.starts_with("/v1/"), "{path}");
    }
    let seen = interrupt(agent);
    assert!(!endpoints_at(&seen, base.trim_start_matches("http://")).is_empty(), "{:#}", seen["endpoints"]);
    assert_eq!(endpoints_at(&seen, &authority), Vec::<String>::new());
    // They were on the interface, for who wants to see them.
    let endpoints = endpoints_at(&interrupt(another), &authority);
    assert!(endpoints.iter().any(|endpoint| endpoint.starts_with("POST /v1/")), "{endpoints:?}");
}

/// Runs the program as a user without any right, in a folder where that user may execute it.
fn run_without_rights(arguments: &[&str]) -> Output {
    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let program = folder.path().join("quotascope");
    std::fs::copy(env!("CARGO_BIN_EXE_quotascope"), &program).expect("there is space");
    let home = tempfile::tempdir_in(folder.path()).expect("a folder");
    chown(home.path(), Some(NOBODY), Some(NOBODY)).expect("the test runs as root");
    Command::new("setpriv")
        .args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--bounding-set",
            "-all",
            "--inh-caps",
            "-all",
        ])
        .arg(&program)
        .args(arguments)
        .current_dir(home.path())
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .expect("setpriv is installed: apt-get install util-linux")
}

#[test]
fn who_may_not_capture_is_told_what_to_do() {
    let output = run_without_rights(&["watch", "-i", "lo"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for wanted in ["no right to capture on lo", "root", "setcap"] {
        assert!(said.contains(wanted), "{said}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn the_demo_goes_on_for_who_may_not_capture() {
    let output = run_without_rights(&["demo", "--seconds", "3", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("goes on without libpcap"), "{said}");
    let seen = summary(&String::from_utf8_lossy(&output.stdout));
    assert!(seen["input"]["exchanges"].as_u64() > Some(0), "{:#}", seen["input"]);
    let quotas = seen["quotas"].as_array().expect("quotas");
    let providers: BTreeSet<&str> = quotas.iter().filter_map(|quota| quota["provider"].as_str()).collect();
    let all: BTreeSet<&str> = Provider::ALL.iter().map(|provider| provider.name()).collect();
    assert_eq!(providers, all, "{:#}", seen["input"]);
}
