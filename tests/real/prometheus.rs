//! What Prometheus says to the rules and to every query of the dashboard, over data that really went through a collector.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use quotascope::export::{ExportOptions, Exporter, MemoryOutbox};
use quotascope::model::Snapshot;
use serde_json::Value;
use tokio::sync::watch;

use crate::made;
use crate::otlp::{Collector, Plan, free_port, program, wait_for};

const DASHBOARDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards");

#[test]
fn promtool_accepts_the_rules_and_their_tests() {
    for arguments in
        [["check", "rules", "--lint=all", "alerts.rules.yml"].as_slice(), &["test", "rules", "alerts.test.yml"]]
    {
        let ran =
            Command::new(program("promtool", "prometheus")).args(arguments).current_dir(DASHBOARDS).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "promtool {arguments:?}: {said}");
    }
}

#[test]
fn every_query_of_the_dashboard_answers_and_every_rule_is_healthy() {
    let plan = Plan::new();
    let collector = Collector::start(&plan);
    let prometheus = Prometheus::start(plan.page);
    let options = ExportOptions {
        endpoint: Some(format!("http://127.0.0.1:{}", plan.grpc)),
        protocol: Some(quotascope::export::Protocol::Grpc),
        interval: Some(Duration::from_millis(200)),
        ..ExportOptions::default()
    };
    let (publish, snapshots) = watch::channel(Arc::new(made::snapshot()));
    let exporter = Exporter::start(&options, snapshots, Box::new(MemoryOutbox::new())).unwrap();
    exporter.handle_store_size(4096);
    exporter.handle_retry_after(&made::refusal(Duration::from_secs(45)));

    let queries = queries();
    assert!(queries.len() > 20);
    let mut round = 0;
    let mut series = BTreeMap::new();
    for query in &queries {
        let count = wait_for(query, || {
            // Each look finds more traffic, so that rates have something to rise by.
            round += 1;
            publish.send(Arc::new(after(round))).unwrap();
            exporter.handle_retry_after(&made::refusal(Duration::from_secs(30)));
            let answer = prometheus.ask("/api/v1/query?query=", query);
            assert_eq!(answer["status"], "success", "{query}: {answer}");
            Some(numbers(&answer)).filter(|count| *count > 0)
        });
        series.insert(query, count);
    }
    for (query, count) in &series {
        println!("{count} series: {query}");
    }

    let rules = wait_for("the evaluation of the rules", || {
        let answer = prometheus.ask("/api/v1/rules", "");
        let groups = answer["data"]["groups"].as_array().unwrap().clone();
        let rules: Vec<Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    assert_eq!(rules.len(), 9);
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    // Real data, real rules: the quota at 91 % is high at once.
    wait_for("RateLimitUtilizationHigh", || {
        let answer = prometheus
            .ask("/api/v1/query?query=", r#"ALERTS{alertname="RateLimitUtilizationHigh",alertstate="firing"}"#);
        (numbers(&answer) == 1).then_some(())
    });
    drop(collector);
    let _ = exporter.shutdown(Duration::from_secs(2));
}

/// The snapshot with more and more traffic in it.
fn after(round: u64) -> Snapshot {
    let mut snapshot = made::snapshot();
    for endpoint in &mut snapshot.endpoints {
        endpoint.requests += round * 10;
        for count in endpoint.statuses.values_mut() {
            *count += round * 10;
        }
        for count in endpoint.error_codes.values_mut() {
            *count += round;
        }
        endpoint.throttled += round * 4;
    }
    snapshot.captures[0].received += round * 100;
    snapshot.input.exchanges += round * 10;
    snapshot
}

/// How many series of an answer have a number; a division of nothing by nothing has none.
fn numbers(answer: &Value) -> usize {
    let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    series.iter().filter(|one| one["value"][1] != "NaN").count()
}

/// Every expression of the dashboard with its variables filled in as Grafana does.
fn queries() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(DASHBOARDS).join("quotas.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let targets =
        dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let filled = targets.map(|target| {
        let expression = target["expr"].as_str().unwrap();
        let expression = expression.replace("$__rate_interval", "10s").replace("$__range", "1h");
        expression.replace("$provider", ".*").replace("$host", ".*")
    });
    filled.collect()
}

struct Prometheus {
    process: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one that scrapes a page each half second, with the rules loaded, and waits until it answers.
    fn start(page: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: ['{DASHBOARDS}/alerts.rules.yml']\n\
             scrape_configs: [{{job_name: quotascope, honor_labels: true, static_configs: [{{targets: ['127.0.0.1:{page}']}}]}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let port = free_port();
        let mut process = Command::new(program("prometheus", "prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        wait_for("the start of Prometheus", || {
            if let Some(status) = process.try_wait().unwrap() {
                let said = std::fs::read_to_string(directory.path().join("stderr")).unwrap_or_default();
                panic!("Prometheus ended with {status}: {said}");
            }
            http_body(port, "/-/ready").filter(|body| body.contains("Ready"))
        });
        Self { process, port, _directory: directory }
    }

    fn ask(&self, path: &str, query: &str) -> Value {
        let mut escaped = String::with_capacity(query.len() * 3);
        query.bytes().for_each(|octet| write!(escaped, "%{octet:02x}").unwrap());
        let body = http_body(self.port, &format!("{path}{escaped}")).expect("Prometheus answers");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// HTTP/1.0, so that the body comes whole and ends with the connection.
fn http_body(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: prometheus\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}
