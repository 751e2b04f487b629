//! The exporter against collectors that are down, slow or in a bad mood; nothing here needs a network or a program.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quotascope::export::{ExportError, ExportOptions, Exporter, MOST_PENDING, MemoryOutbox, Outbox, Pending, Protocol};
use quotascope::model::{
    Alert, AlertState, Amount, Dimension, QuotaKey, QuotaSource, QuotaState, Rule, Snapshot, Subject, Timestamp, Trend,
};
use tokio::sync::watch;

/// How long anything that must happen may take; it is reached only by a failure.
const DEADLINE: Duration = Duration::from_secs(30);
/// tcpmux (RFC 1078), which nobody runs: a port that was only just free might be taken by a neighbour.
const CLOSED: u16 = 1;
const TRANSPORTS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

#[test]
fn a_collector_that_is_down_is_told_of_and_holds_up_no_shutdown() {
    for protocol in TRANSPORTS {
        let (exporter, _publish) = start(CLOSED, protocol, MemoryOutbox::new());
        exporter.emit(&alert(0));
        let trouble = wait_for("trouble", || exporter.trouble());
        assert!(trouble.starts_with(&format!("collector at 127.0.0.1:{CLOSED} unreachable since ")), "{trouble}");
        assert!(trouble.contains(", 1 alert waiting"), "{trouble}");
        let took = ends_within(exporter, Duration::from_secs(5), Duration::from_secs(4));
        println!("{protocol:?}, refused: shutdown {took:?}");
    }
}

#[test]
fn a_collector_that_never_answers_holds_up_no_longer_than_the_patience() {
    for protocol in TRANSPORTS {
        let black_hole = TcpListener::bind("127.0.0.1:0").unwrap();
        let (exporter, _publish) = start(black_hole.local_addr().unwrap().port(), protocol, MemoryOutbox::new());
        exporter.emit(&alert(0));
        let took = ends_within(exporter, Duration::from_millis(500), Duration::from_secs(2));
        println!("{protocol:?}, black hole: shutdown {took:?}");
    }
}

#[test]
fn starts_and_ends_on_the_only_thread_of_a_runtime() {
    let current = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let single = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for protocol in TRANSPORTS {
        let black_hole = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = black_hole.local_addr().unwrap().port();
        let from_start_to_end = move || {
            let (exporter, _publish) = start(port, protocol, MemoryOutbox::new());
            exporter.emit(&alert(0));
            ends_within(exporter, Duration::from_millis(200), Duration::from_secs(2));
            // One that is only dropped must neither wait nor panic.
            let (dropped, _publish) = start(port, protocol, MemoryOutbox::new());
            let begun = Instant::now();
            drop(dropped);
            assert!(begun.elapsed() < Duration::from_secs(2));
        };
        current().block_on(async { from_start_to_end() });
        let runtime = single();
        runtime.block_on(async { tokio::spawn(async move { from_start_to_end() }).await.unwrap() });
    }
}

#[test]
fn an_alert_is_sent_until_it_was_taken() {
    let refusing = Collector::start(503);
    let (exporter, _publish) = start(refusing.port, Protocol::HttpProtobuf, MemoryOutbox::new());
    exporter.emit(&alert(0));
    let first = refusing.next("/v1/logs");
    assert!(contains(&first, "rate_limit.alert") && contains(&first, "0123456789abcdef"));
    let trouble = wait_for("trouble", || exporter.trouble());
    assert!(trouble.contains("refuses exports since"), "{trouble}");
    *refusing.status.lock().unwrap() = 200;
    refusing.next("/v1/logs");
    wait_for("the end of the trouble", || exporter.trouble().is_none().then_some(()));
    exporter.shutdown(DEADLINE).unwrap();
}

/// A small container often has none.
#[test]
fn plain_http_needs_no_root_certificates() {
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "export::an_alert_is_sent_until_it_was_taken"])
        .envs([("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn what_waited_when_the_agent_ended_is_sent_by_the_next_one() {
    let outbox = Shared::default();
    let (exporter, _publish) = start(CLOSED, Protocol::HttpProtobuf, outbox.clone());
    exporter.emit(&alert(0));
    exporter.emit(&alert(1));
    let error = exporter.shutdown(Duration::from_secs(5)).unwrap_err();
    assert!(matches!(error, ExportError::NotDelivered { metrics: true, alerts: 2 }), "{error}");

    let collector = Collector::start(200);
    let (exporter, _publish) = start(collector.port, Protocol::HttpProtobuf, outbox.clone());
    let body = collector.next("/v1/logs");
    assert_eq!(occurrences(&body, "0123456789abcdef"), 2);
    exporter.shutdown(DEADLINE).unwrap();
    assert!(outbox.is_empty());
}

#[test]
fn alerts_without_a_collector_are_bounded() {
    let outbox = Shared::default();
    let (exporter, _publish) = start(CLOSED, Protocol::HttpProtobuf, outbox.clone());
    let last = u32::try_from(MOST_PENDING + 50).unwrap();
    (0..last).for_each(|sequence| exporter.emit(&alert(sequence)));
    assert_eq!((outbox.len(), outbox.dropped()), (MOST_PENDING, 50));
    assert_eq!(outbox.oldest(1)[0].sequence, 50);
    exporter.shutdown(Duration::from_secs(5)).unwrap_err();
}

#[test]
fn every_series_of_a_busy_host_is_exported_until_it_is_gone() {
    let collector = Collector::start(200);
    let (exporter, publish) = start(collector.port, Protocol::HttpProtobuf, MemoryOutbox::new());
    // The SDK's own limit is 2000 series.
    publish.send(Arc::new(snapshot(3000))).unwrap();
    let all: BTreeSet<usize> = (0..3000).collect();
    let body =
        wait_for("an export of all quotas", || Some(collector.next("/v1/metrics")).filter(|body| quotas(body) == all));
    assert!(!contains(&body, "otel.metric.overflow"));
    publish.send(Arc::new(snapshot(1))).unwrap();
    wait_for("an export without them", || {
        Some(collector.next("/v1/metrics")).filter(|body| quotas(body) == BTreeSet::from([0]))
    });
    exporter.shutdown(DEADLINE).unwrap();
}

#[test]
fn its_own_endpoints_are_known() {
    let collector = Collector::start(200);
    let (exporter, _publish) = start(collector.port, Protocol::HttpProtobuf, MemoryOutbox::new());
    assert_eq!(exporter.endpoints(), [("127.0.0.1".to_owned(), collector.port)]);
    exporter.shutdown(DEADLINE).unwrap();
}

/// The pipeline's threads share one exporter.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Exporter>();
};

fn start(port: u16, protocol: Protocol, outbox: impl Outbox + 'static) -> (Exporter, watch::Sender<Arc<Snapshot>>) {
    let options = ExportOptions {
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        protocol: Some(protocol),
        interval: Some(Duration::from_millis(100)),
        ..ExportOptions::default()
    };
    let (publish, snapshots) = watch::channel(Arc::new(snapshot(1)));
    (Exporter::start(&options, snapshots, Box::new(outbox)).unwrap(), publish)
}

/// Shuts down, which must fail, and says how long it took.
fn ends_within(exporter: Exporter, patience: Duration, most: Duration) -> Duration {
    let begun = Instant::now();
    let error = exporter.shutdown(patience).unwrap_err();
    let took = begun.elapsed();
    assert!(took < most, "the shutdown took {took:?}");
    assert!(matches!(error, ExportError::NotDelivered { metrics: true, alerts: 1 }), "{error}");
    took
}

fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "{what} did not happen within {DEADLINE:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn occurrences(body: &[u8], text: &str) -> usize {
    body.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

fn contains(body: &[u8], text: &str) -> bool {
    occurrences(body, text) > 0
}

/// The numbers of the quotas that an export names.
fn quotas(body: &[u8]) -> BTreeSet<usize> {
    let text = String::from_utf8_lossy(body);
    let named = text.split("quota-").skip(1).filter_map(|rest| rest.split_once('-'));
    named.filter_map(|(number, _)| number.parse().ok()).collect()
}

/// An outbox that outlives its exporter, as a store's does.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<MemoryOutbox>>);

impl Outbox for Shared {
    fn push(&mut self, pending: Pending) {
        self.0.lock().unwrap().push(pending);
    }

    fn oldest(&self, most: usize) -> Vec<Pending> {
        self.0.lock().unwrap().oldest(most)
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn dropped(&self) -> u64 {
        self.0.lock().unwrap().dropped()
    }

    fn acknowledge(&mut self, id: &str, sequence: u32) {
        self.0.lock().unwrap().acknowledge(id, sequence);
    }
}

/// An HTTP server that answers every export with a status, and hands over what it got.
struct Collector {
    port: u16,
    status: Arc<Mutex<u16>>,
    received: Receiver<(String, Vec<u8>)>,
}

impl Collector {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let status = Arc::new(Mutex::new(status));
        let (took, received) = channel();
        let answered = Arc::clone(&status);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (took, answered) = (took.clone(), Arc::clone(&answered));
                std::thread::spawn(move || serve(stream, &took, &answered));
            }
        });
        Self { port, status, received }
    }

    /// The next export to a path.
    fn next(&self, path: &str) -> Vec<u8> {
        loop {
            let (to, body) = self.received.recv_timeout(DEADLINE).expect("nothing was exported");
            if to == path {
                return body;
            }
        }
    }
}

fn serve(stream: TcpStream, took: &Sender<(String, Vec<u8>)>, status: &Mutex<u16>) -> Option<()> {
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
            let Some((name, value)) = field.trim().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let status = *status.lock().ok()?;
        write!(writer, "HTTP/1.1 {status} Made\r\ncontent-length: 0\r\n\r\n").ok()?;
        let _ = took.send((path, body));
    }
}

fn snapshot(quotas: usize) -> Snapshot {
    Snapshot {
        at: Some(Timestamp::from_secs(1_795_319_112)),
        quotas: (0..quotas).map(quota).collect(),
        ..Snapshot::default()
    }
}

fn quota(number: usize) -> QuotaState {
    let bucket: Arc<str> = format!("quota-{number}-").into();
    QuotaState {
        key: QuotaKey {
            owner: "api.example.com".into(),
            scope: None,
            bucket: Arc::clone(&bucket),
            dimension: Dimension::requests(),
            window: None,
        },
        provider: None,
        host: "api.example.com".into(),
        endpoint: bucket,
        endpoints: Vec::new(),
        scope: None,
        policy: None,
        dimension: Dimension::requests(),
        source: QuotaSource::Header,
        limit: Some(Amount::from_count(100)),
        remaining: None,
        utilization: None,
        peak_utilization: None,
        window: None,
        window_kind: None,
        reset_at: None,
        requests: 1,
        throttled: 0,
        recent_requests: 1,
        recent_throttled: 0,
        error_codes: BTreeMap::new(),
        retry_after: None,
        blocked_until: None,
        consumption_rate: None,
        exhausts_at: None,
        pace: None,
        seen_at: Timestamp::from_secs(1_795_319_112),
        stale: false,
        learned_sharing: false,
        confidence: None,
        trend: Trend::default(),
    }
}

fn alert(sequence: u32) -> Alert {
    Alert {
        id: "0123456789abcdef".into(),
        sequence,
        rule: Rule::LimitHit,
        severity: Rule::LimitHit.severity(),
        state: AlertState::Firing,
        subject: Subject { host: Some("api.example.com".into()), ..Subject::default() },
        value: 1.0,
        threshold: 1.0,
        started_at: Timestamp::from_secs(1_795_319_090),
        ended_at: None,
        summary: "api.example.com: nothing left".into(),
        reason: "fired",
        flapping: false,
        muted: false,
        quota: None,
    }
}
