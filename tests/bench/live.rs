//! What watching loopback costs: exchanges at an even rate over keep-alive connections, and the agent beside them.
//!
//! `QUOTASCOPE_LIVE_RATE` exchanges a second (default 20,000) for `QUOTASCOPE_LIVE_SECONDS` (default 60); then the same
//! agent with nothing to see. CPU time is the agent's own, as the system counts it. Needs the right to capture.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its figures, and stops where it cannot run"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const CONNECTIONS: usize = 16;

/// Clock ticks a second in what Linux tells programs, on every machine. Source: `man 5 proc_pid_stat`, `USER_HZ`.
const TICKS: f64 = 100.0;

fn main() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rate, seconds) = (number("QUOTASCOPE_LIVE_RATE", 20_000), number("QUOTASCOPE_LIVE_SECONDS", 60));
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let mut pairs: Vec<Pair> = (0..CONNECTIONS).map(|_| Pair::open(&listener)).collect();

    let mut agent = Agent::start(port);
    let before = agent.cpu();
    let start = Instant::now();
    let sent = load(&mut pairs, rate, Duration::from_secs(seconds));
    let wall = start.elapsed().as_secs_f64();
    let cpu = agent.cpu() - before;
    // What is on its way is still read: the summary tells.
    let peak = agent.resident("VmHWM");
    let summary = agent.end();
    let found = summary.pointer("/input/exchanges").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let capture = summary.pointer("/captures/0").cloned().unwrap_or_default();
    println!("load: {sent} exchanges in {wall:.1} s, {:.0} a second", sent as f64 / wall);
    println!("found: {found} exchanges; capture: {capture}");
    println!("agent: {:.1} % of a core, {} MiB at most", 100.0 * cpu / wall, peak >> 10);
    println!("damaged: {}", summary.pointer("/input/damaged").cloned().unwrap_or_default());

    let mut idle = Agent::start(port);
    std::thread::sleep(Duration::from_secs(2));
    let before = idle.cpu();
    let quiet = Duration::from_secs(seconds.min(30));
    std::thread::sleep(quiet);
    let cpu = idle.cpu() - before;
    let resident = idle.resident("VmRSS");
    idle.end();
    println!("idle: {:.2} % of a core, {:.1} MiB", 100.0 * cpu / quiet.as_secs_f64(), resident as f64 / 1024.0);
}

/// Exchanges at an even rate; says how many there were.
fn load(pairs: &mut [Pair], rate: u64, duration: Duration) -> u64 {
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < duration {
        let due = u64::try_from(start.elapsed().as_micros()).expect("not that long") * rate / 1_000_000;
        while sent < due {
            let pair = &mut pairs[usize::try_from(sent).expect("64 bits") % CONNECTIONS];
            pair.exchange(sent);
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}

/// Both ends of a connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    buffer: Vec<u8>,
}

impl Pair {
    fn open(listener: &TcpListener) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let client = TcpStream::connect(address).expect("it listens");
        let (server, _) = listener.accept().expect("it was connected to");
        for end in [&client, &server] {
            end.set_nodelay(true).expect("a TCP socket");
        }
        Self { client, server, buffer: vec![0; 4096] }
    }

    fn exchange(&mut self, number: u64) {
        let request = format!(
            "GET /v1/payment/{number} HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: integration/2.1\r\nAccept: application/json\r\nAuthorization: Bearer key-{}\r\n\r\n",
            number % 8
        );
        pass(&mut self.client, &mut self.server, request.as_bytes(), &mut self.buffer);
        let body = "abcdefghijklmnopqrstuvwxyz012345".repeat(16);
        let response = format!(
            "HTTP/1.1 200 OK\r\nDate: Mon, 21 Sep 2026 12:53:20 GMT\r\nServer: nginx\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: keep-alive\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\nX-Request-Id: {number:016x}\r\nX-RateLimit-Limit: 5000\r\nX-RateLimit-Remaining: {}\r\nX-RateLimit-Reset: 60\r\n\r\n{body}",
            body.len(),
            5_000 - number % 5_000,
        );
        pass(&mut self.server, &mut self.client, response.as_bytes(), &mut self.buffer);
    }
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, octets: &[u8], buffer: &mut [u8]) {
    from.write_all(octets).expect("the other end is ours");
    to.read_exact(&mut buffer[..octets.len()]).expect("the other end is ours");
}

/// The agent under measure.
struct Agent(Child);

impl Agent {
    fn start(port: u16) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_quotascope"))
            .args(["watch", "-i", "lo", "--filter", &format!("tcp port {port}"), "--json"])
            .env("QUOTASCOPE_STORE", std::env::temp_dir().join(format!("quotascope-live-{}", std::process::id())))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut first = String::new();
        let stderr = child.stderr.take().expect("it is piped");
        BufReader::new(stderr).read_line(&mut first).expect("it says that it has begun");
        assert!(first.contains("watching"), "{first}");
        Self(child)
    }

    /// CPU seconds so far.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("it runs");
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
        ticks.sum::<u64>() as f64 / TICKS
    }

    /// Its memory in KiB, by a line of its status.
    fn resident(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        let line = status.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_default();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
    }

    /// Ends it; gives what it said.
    fn end(&mut self) -> serde_json::Value {
        std::thread::sleep(Duration::from_millis(500));
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a process number"));
        kill(pid, Signal::SIGTERM).expect("it runs");
        let mut said = String::new();
        self.0.stdout.take().expect("it is piped").read_to_string(&mut said).expect("it prints text");
        self.0.wait().expect("it ends");
        serde_json::from_str(&said).unwrap_or_default()
    }
}
