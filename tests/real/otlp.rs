//! A real OpenTelemetry Collector between the exporter and the test.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything that must happen may take; it is reached only by a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "{what} did not happen within {DEADLINE:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A port of this machine that nobody listens on. It is below those that the system gives to outgoing connections, and each
/// process begins elsewhere: a port might else be taken before it is used.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(step < 10_000, "no port from 20000 to 30000 is free");
        let port = u16::try_from(20_000 + (std::process::id() * 50 + step) % 10_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The path of a program, or what to install.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{name}` is not on the PATH: install it (Debian: apt-get install {package})"))
}

/// What the collector passed on: the path (`/v1/metrics`, `/v1/logs`) and the OTLP JSON.
pub(crate) type Received = (String, Value);

/// Where a collector listens, and how it is protected.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) grpc: u16,
    pub(crate) http: u16,
    /// The page for Prometheus.
    pub(crate) page: u16,
    /// A directory with `server.pem`, `server.key` and `ca.pem`: both receivers want TLS and a client certificate.
    pub(crate) tls: Option<PathBuf>,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self { grpc: free_port(), http: free_port(), page: free_port(), tls: None }
    }
}

/// A running collector; it ends with this value.
pub(crate) struct Collector {
    process: Child,
    received: Receiver<Received>,
    _directory: tempfile::TempDir,
}

impl Collector {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(plan: &Plan) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (sink, received) = sink();
        let config = directory.path().join("config.json");
        std::fs::write(&config, configuration(plan, sink).to_string()).unwrap();
        let errors = std::fs::File::create(directory.path().join("stderr")).unwrap();
        let mut process = Command::new(built())
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap();
        wait_for("the collector's start", || {
            if let Some(status) = process.try_wait().unwrap() {
                let said = std::fs::read_to_string(directory.path().join("stderr")).unwrap_or_default();
                panic!("the collector ended with {status}: {said}");
            }
            let listens = |port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok();
            (listens(plan.grpc) && listens(plan.http) && listens(plan.page)).then_some(())
        });
        Self { process, received, _directory: directory }
    }

    /// What comes next.
    pub(crate) fn next(&self) -> Received {
        self.received.recv_timeout(DEADLINE).expect("the collector passed nothing on")
    }

    /// What else came already.
    pub(crate) fn rest(&self) -> Vec<Received> {
        self.received.try_iter().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The collector's program, built by the script the first time.
fn built() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/collector/build.sh");
        let built = Command::new("sh").arg(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "the collector could not be built; tests/real/collector/build.sh says why");
        PathBuf::from(String::from_utf8(built.stdout).unwrap().trim())
    })
}

/// No queue between in and out: the collector's answer says whether the sink has it.
fn configuration(plan: &Plan, sink: u16) -> Value {
    let receiver = |port: u16| {
        let mut receiver = json!({"endpoint": format!("127.0.0.1:{port}")});
        if let Some(directory) = &plan.tls {
            let file = |name: &str| directory.join(name).display().to_string();
            receiver["tls"] = json!({
                "cert_file": file("server.pem"), "key_file": file("server.key"), "client_ca_file": file("ca.pem"),
            });
        }
        receiver
    };
    json!({
        "receivers": {"otlp": {"protocols": {"grpc": receiver(plan.grpc), "http": receiver(plan.http)}}},
        "exporters": {
            "otlp_http": {
                "endpoint": format!("http://127.0.0.1:{sink}"),
                "encoding": "json",
                "compression": "none",
                "sending_queue": {"enabled": false},
                "retry_on_failure": {"enabled": false},
            },
            "prometheus": {"endpoint": format!("127.0.0.1:{}", plan.page)},
        },
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            "pipelines": {
                "metrics": {"receivers": ["otlp"], "exporters": ["otlp_http", "prometheus"]},
                "logs": {"receivers": ["otlp"], "exporters": ["otlp_http"]},
                "traces": {"receivers": ["otlp"], "exporters": ["otlp_http"]},
            },
        },
    })
}

/// A port that takes OTLP JSON over HTTP, and what it took.
fn sink() -> (u16, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (took, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let took = took.clone();
            std::thread::spawn(move || {
                serve(stream, &took);
            });
        }
    });
    (port, received)
}

fn serve(stream: TcpStream, took: &Sender<Received>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut request_line = String::new();
        reader.read_line(&mut request_line).ok().filter(|read| *read > 0)?;
        let path = request_line.split(' ').nth(1)?.to_owned();
        let mut length = 0usize;
        loop {
            let mut field = String::new();
            reader.read_line(&mut field).ok()?;
            match field.trim().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?;
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let _ = took.send((path, serde_json::from_slice(&body).ok()?));
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}").ok()?;
    }
}
