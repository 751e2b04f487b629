//! What a real OpenTelemetry Collector receives from the exporter.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quotascope::export::catalogue::{ALERT_EVENT, Kind, METRICS, RETRY_AFTER_BOUNDS};
use quotascope::export::{Compression, ExportOptions, Exporter, MemoryOutbox, Protocol};
use quotascope::model::{Alert, Redacted, Rule, Snapshot};
use serde_json::Value;
use tokio::sync::watch;

use crate::made;
use crate::otlp::{Collector, DEADLINE, Plan, program, wait_for};

/// So many quotas that they do not fit into the 4 MiB which a gRPC server takes at once.
const CROWD: usize = 1600;

const TRANSPORTS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

fn options(plan: &Plan, protocol: Protocol) -> ExportOptions {
    let scheme = if plan.tls.is_some() { "https" } else { "http" };
    let port = if protocol == Protocol::Grpc { plan.grpc } else { plan.http };
    ExportOptions {
        endpoint: Some(format!("{scheme}://127.0.0.1:{port}")),
        protocol: Some(protocol),
        interval: Some(Duration::from_millis(200)),
        ..ExportOptions::default()
    }
}

fn start(options: &ExportOptions) -> (Exporter, watch::Sender<Arc<Snapshot>>) {
    let (publish, snapshots) = watch::channel(Arc::new(made::snapshot()));
    (Exporter::start(options, snapshots, Box::new(MemoryOutbox::new())).unwrap(), publish)
}

/// A value of OTLP JSON as plain JSON: `{"intValue":"5"}` gives `5`.
fn plain(value: &Value) -> Value {
    let (kind, value) = value.as_object().and_then(|object| object.iter().next()).expect("an OTLP value");
    match kind.as_str() {
        "intValue" => value.as_str().and_then(|text| text.parse::<i64>().ok()).expect("an integer").into(),
        "stringValue" | "boolValue" | "doubleValue" => value.clone(),
        _ => panic!("an unexpected kind of value: {kind}"),
    }
}

fn attributes(of: &Value) -> BTreeMap<String, Value> {
    let list = of["attributes"].as_array().cloned().unwrap_or_default();
    list.iter().map(|kv| (kv["key"].as_str().unwrap().to_owned(), plain(&kv["value"]))).collect()
}

/// The metrics of one export by name.
fn metrics(export: &Value) -> BTreeMap<String, Value> {
    let scopes = export["resourceMetrics"][0]["scopeMetrics"].as_array().expect("metrics");
    assert_eq!(scopes.len(), 1);
    let metrics = scopes[0]["metrics"].as_array().expect("metrics").iter();
    metrics.map(|metric| (metric["name"].as_str().unwrap().to_owned(), metric.clone())).collect()
}

/// The log records of one export.
fn records(export: &Value) -> Vec<Value> {
    let of_scope = |scope: &Value| scope["logRecords"].as_array().cloned().unwrap_or_default();
    export["resourceLogs"][0]["scopeLogs"].as_array().expect("log records").iter().flat_map(of_scope).collect()
}

/// The points of a metric as `attributes -> number`.
fn points(metric: &Value) -> BTreeMap<String, Value> {
    let points = metric["gauge"]["dataPoints"].as_array().or_else(|| metric["sum"]["dataPoints"].as_array());
    let number = |point: &Value| match point.get("asInt") {
        Some(text) => text.as_str().unwrap().parse::<i64>().unwrap().into(),
        None => point["asDouble"].clone(),
    };
    let key = |point: &Value| {
        let pairs: Vec<_> = attributes(point).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    };
    points.unwrap().iter().map(|point| (key(point), number(point))).collect()
}

#[test]
fn every_metric_and_alert_arrives_over_both_transports() {
    for (protocol, compression) in [
        (TRANSPORTS[0], None),
        (TRANSPORTS[0], Some(Compression::Zstd)),
        (TRANSPORTS[1], None),
        (TRANSPORTS[1], Some(Compression::Gzip)),
    ] {
        let plan = Plan::new();
        let collector = Collector::start(&plan);
        let mut options = options(&plan, protocol);
        options.compression = compression;
        options.resource.insert("deployment.environment.name".into(), "test".into());
        options.headers.push(("authorization".into(), Redacted::new("Bearer 100%".into())));
        let (exporter, _publish) = start(&options);
        exporter.handle_store_size(4096);
        exporter.handle_retry_after(&made::refusal(Duration::from_secs(45)));
        let fired = made::alert(Rule::ThrottledRatio);
        let emitted =
            [made::alert(Rule::Utilization), made::alert(Rule::UtilizationHigh), fired.clone(), made::resolved(&fired)];
        for alert in &emitted {
            exporter.emit(alert);
        }

        let mut export = None;
        let mut arrived: Vec<Value> = Vec::new();
        while export.is_none() || arrived.len() < emitted.len() {
            match collector.next() {
                // An export that began before the histogram was told has no such metric yet.
                (path, body) if path == "/v1/metrics" && metrics(&body).len() == METRICS.len() => export = Some(body),
                (path, _) if path == "/v1/metrics" => {}
                (path, body) => {
                    assert_eq!(path, "/v1/logs");
                    check_resource(&body["resourceLogs"][0]["resource"]);
                    arrived.extend(records(&body));
                }
            }
        }
        let export = export.unwrap();
        check_resource(&export["resourceMetrics"][0]["resource"]);
        check_metrics(&metrics(&export));
        check_alerts(&arrived, &emitted);
        assert_eq!(exporter.trouble(), None);
        let begun = Instant::now();
        exporter.shutdown(Duration::from_secs(5)).unwrap();
        println!(
            "{protocol:?} {compression:?}: {} metrics, {} points, {} alerts; shutdown {:?}",
            METRICS.len(),
            metrics(&export).values().filter(|m| m.get("histogram").is_none()).map(|m| points(m).len()).sum::<usize>(),
            arrived.len(),
            begun.elapsed()
        );
        let again = collector.rest().into_iter().filter(|(path, _)| path == "/v1/logs").count();
        assert_eq!(again, 0, "alerts that had arrived were sent again");
    }
}

fn check_resource(resource: &Value) {
    let attributes = attributes(resource);
    assert_eq!(attributes["service.name"], "quotascope");
    assert_eq!(attributes["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(attributes["deployment.environment.name"], "test");
}

fn check_metrics(arrived: &BTreeMap<String, Value>) {
    let catalogued: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(arrived.keys().map(String::as_str).collect::<BTreeSet<_>>(), catalogued);
    for metric in METRICS {
        let arrived = &arrived[metric.name];
        assert_eq!(arrived["unit"], metric.unit, "{}", metric.name);
        assert_eq!(arrived["description"], metric.description, "{}", metric.name);
        let (kind, is_monotonic) = match metric.kind {
            Kind::Gauge => ("gauge", None),
            Kind::Counter => ("sum", Some(true)),
            Kind::UpDownCounter => ("sum", None),
            Kind::Histogram => ("histogram", None),
        };
        let data = arrived.get(kind).unwrap_or_else(|| panic!("{} is no {kind}", metric.name));
        assert_eq!(data.get("isMonotonic").and_then(Value::as_bool), is_monotonic, "{}", metric.name);
        if kind != "gauge" {
            assert_eq!(data["aggregationTemporality"], 2, "{} is not cumulative", metric.name);
        }
        for point in data["dataPoints"].as_array().unwrap() {
            for name in attributes(point).keys() {
                assert!(metric.attributes.contains(&name.as_str()), "{} has {name}", metric.name);
            }
        }
    }

    let payments = r#"rate_limit.bucket="POST /v1/payments" rate_limit.policy.window=60 rate_limit.scope.id="k:5f2c9a01" rate_limit.scope.kind="partner" rate_limit.source="header" rate_limit.unit="request" server.address="api.fluid.example" server.port=8443 service.peer.name="fluid-network""#;
    let tokens = r#"rate_limit.bucket="gpt" rate_limit.policy.name="gpt" rate_limit.policy.window=3600 rate_limit.source="header" rate_limit.unit="token" server.address="api.openai.example" service.peer.name="openai""#;
    let expect = |name: &str, expected: &[(&str, f64)]| {
        let arrived: Vec<_> = points(&arrived[name]).into_iter().map(|(key, n)| (key, n.as_f64().unwrap())).collect();
        let expected: Vec<_> = expected.iter().map(|(key, number)| ((*key).to_owned(), *number)).collect();
        assert_eq!(arrived, expected, "{name}");
    };
    expect("rate_limit.limit", &[(payments, 1000.0), (tokens, 2_000_000.0)]);
    expect("rate_limit.remaining", &[(payments, 90.0), (tokens, 1_500_000.0)]);
    expect("rate_limit.usage", &[(payments, 910.0), (tokens, 500_000.0)]);
    expect("rate_limit.utilization", &[(payments, 0.91), (tokens, 0.25)]);
    expect("rate_limit.window", &[(payments, 60.0), (tokens, 3600.0)]);
    expect("rate_limit.reset.delay", &[(payments, 41.0)]);
    expect("rate_limit.exhaustion.delay", &[(payments, 20.0)]);
    expect("rate_limit.consumption_rate", &[(payments, 4.5)]);
    let server = r#"server.address="api.fluid.example" server.port=8443 service.peer.name="fluid-network" url.template="/v1/payments""#;
    expect(
        "rate_limit.throttled.responses",
        &[
            (&format!(r#"error.type="1454" http.request.method="POST" {server}"#), 12.0),
            (&format!(r#"error.type="1456" http.request.method="POST" {server}"#), 3.0),
            (&format!(r#"http.request.method="POST" {server}"#), 13.0),
        ],
    );
    let firing = points(&arrived["rate_limit.alert.firing"]);
    assert_eq!(firing.len(), 3);
    assert!(firing.values().all(|value| value.as_f64() == Some(1.0)));
    let tls = r#"quotascope.cause="tls_unreadable""#;
    expect("quotascope.decode.damaged", &[(r#"quotascope.cause="stream_gap""#, 2.0), (tls, 3.0)]);
    expect("quotascope.store.size", &[("", 4096.0)]);
    assert!(points(&arrived["process.memory.usage"])[""].as_f64().unwrap() > 1e6);

    let waits = &arrived["rate_limit.retry_after"]["histogram"]["dataPoints"][0];
    let bounds: Vec<_> = waits["explicitBounds"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!(bounds, RETRY_AFTER_BOUNDS);
    assert_eq!((waits["count"].as_str(), waits["sum"].as_f64()), (Some("1"), Some(45.0)));
}

fn check_alerts(arrived: &[Value], emitted: &[Alert]) {
    assert_eq!(arrived.len(), emitted.len());
    for (record, (alert, (number, text))) in
        arrived.iter().zip(emitted.iter().zip([(13, "WARN"), (17, "ERROR"), (18, "ERROR2"), (10, "INFO2")]))
    {
        assert_eq!(record["eventName"], ALERT_EVENT.name);
        assert_eq!(record["severityNumber"], number);
        assert_eq!(record["severityText"], text);
        assert_eq!(plain(&record["body"]), *alert.summary);
        let at = alert.ended_at.unwrap_or(alert.started_at);
        assert_eq!(record["timeUnixNano"], at.as_nanos().to_string());
        let attributes = attributes(record);
        for name in attributes.keys() {
            assert!(ALERT_EVENT.attributes.contains(&name.as_str()), "{name}");
        }
        assert_eq!(attributes["alert.id"], *alert.id);
        assert_eq!(attributes["alert.sequence"], alert.sequence);
        assert_eq!(attributes["alert.rule"], alert.rule.as_str());
        assert_eq!(attributes["alert.state"], alert.state.as_str());
        assert_eq!(attributes["alert.severity"], alert.severity.as_str());
        assert_eq!(attributes["alert.started_at"], alert.started_at.to_string());
        assert_eq!(attributes["alert.value"], 0.91);
        assert_eq!(attributes["alert.threshold"], 0.9);
        assert_eq!(attributes["alert.reason"], alert.reason);
        assert_eq!(attributes["service.peer.name"], "fluid-network");
        assert_eq!(attributes["rate_limit.scope.id"], "k:5f2c9a01");
    }
}

#[test]
fn many_quotas_pass_a_collector_that_takes_four_megabytes_at_once() {
    for protocol in TRANSPORTS {
        let plan = Plan::new();
        let collector = Collector::start(&plan);
        let mut options = options(&plan, protocol);
        // Far longer than the test: further pages follow at once, and the shutdown exports all of them again.
        options.interval = Some(Duration::from_hours(1));
        let (publish, snapshots) = watch::channel(Arc::new(made::crowd(CROWD)));
        let exporter = Exporter::start(&options, snapshots, Box::new(MemoryOutbox::new())).unwrap();
        exporter.shutdown(DEADLINE).unwrap();
        drop(publish);
        let mut requests = 0;
        let mut named: BTreeMap<String, usize> = BTreeMap::new();
        for (_, body) in collector.rest() {
            requests += 1;
            let arrived = metrics(&body);
            for name in
                ["rate_limit.limit", "rate_limit.utilization", "rate_limit.consumption_rate", "rate_limit.responses"]
            {
                *named.entry(name.to_owned()).or_default() +=
                    arrived.get(name).map_or(0, |metric| points(metric).len());
            }
        }
        println!("{protocol:?}: {CROWD} quotas in {requests} requests: {named:?}");
        assert!(requests > 1);
        assert_eq!(named.into_values().collect::<Vec<_>>(), [CROWD, CROWD, 3, CROWD]);
    }
}

/// The sum of what was added, or the last whole count, by whichever temporality the variable of the process asks for.
#[test]
fn counts_are_right_over_many_pages_and_collections() {
    let plan = Plan::new();
    let collector = Collector::start(&plan);
    let (_publish, snapshots) = watch::channel(Arc::new(made::crowd(CROWD)));
    let exporter = Exporter::start(&options(&plan, Protocol::Grpc), snapshots, Box::new(MemoryOutbox::new())).unwrap();
    // A collection has three pages.
    let mut bodies: Vec<Value> = (0..4).map(|_| collector.next().1).collect();
    exporter.shutdown(DEADLINE).unwrap();
    bodies.extend(collector.rest().into_iter().map(|(_, body)| body));
    let mut totals: BTreeMap<String, i64> = BTreeMap::new();
    for metric in bodies.iter().filter_map(|body| metrics(body).remove("rate_limit.responses")) {
        let is_delta = metric["sum"]["aggregationTemporality"] == 1;
        assert_eq!(is_delta, std::env::var_os(TEMPORALITY).is_some());
        for (key, count) in points(&metric) {
            let total = totals.entry(key).or_default();
            *total = count.as_i64().unwrap() + if is_delta { *total } else { 0 };
        }
    }
    let mut totals: Vec<i64> = totals.into_values().collect();
    totals.sort_unstable();
    assert_eq!(totals, [28, 40, 882]);
}

const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

#[test]
fn counts_are_right_where_only_what_was_added_is_sent() {
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "collector::counts_are_right_over_many_pages_and_collections"])
        .env(TEMPORALITY, "delta")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_collector_that_starts_late_gets_every_alert_once() {
    for protocol in TRANSPORTS {
        let plan = Plan::new();
        let (exporter, _publish) = start(&options(&plan, protocol));
        let fired = made::alert(Rule::LimitHit);
        let emitted = [fired.clone(), made::resolved(&fired), made::alert(Rule::ErrorCode)];
        for alert in &emitted {
            exporter.emit(alert);
        }
        let trouble = wait_for("trouble", || exporter.trouble());
        assert!(trouble.contains("unreachable since") && trouble.contains("3 alerts waiting"), "{trouble}");

        let begun = Instant::now();
        let collector = Collector::start(&plan);
        let mut arrived = Vec::new();
        while arrived.len() < emitted.len() {
            let (path, body) = collector.next();
            if path == "/v1/logs" {
                arrived.extend(records(&body));
            }
        }
        println!(
            "{protocol:?}: \"{trouble}\"; {} alerts {:?} after the collector was started",
            arrived.len(),
            begun.elapsed()
        );
        let names: Vec<_> =
            arrived.iter().map(attributes).map(|a| (a["alert.id"].clone(), a["alert.sequence"].clone())).collect();
        let expected: Vec<_> = emitted.iter().map(|a| (Value::from(&*a.id), Value::from(a.sequence))).collect();
        assert_eq!(names, expected);
        wait_for("the end of the trouble", || exporter.trouble().is_none().then_some(()));
        exporter.shutdown(Duration::from_secs(5)).unwrap();
    }
}

#[test]
fn a_collector_that_goes_and_comes_back_misses_no_alert() {
    for protocol in TRANSPORTS {
        let plan = Plan::new();
        let (exporter, _publish) = start(&options(&plan, protocol));
        let first = Collector::start(&plan);
        exporter.emit(&made::alert(Rule::LimitHit));
        while first.next().0 != "/v1/logs" {}
        drop(first);
        wait_for("trouble", || exporter.trouble());
        exporter.emit(&made::alert(Rule::ErrorCode));
        let second = Collector::start(&plan);
        // The first alert may come again: its collector may have gone between passing it on and saying so.
        let rules = std::iter::repeat_with(|| second.next())
            .filter(|(path, _)| path == "/v1/logs")
            .flat_map(|(_, body)| records(&body))
            .map(|record| attributes(&record)["alert.rule"].clone());
        let before: Vec<_> = rules.take_while(|rule| rule != "error_code").collect();
        assert!(before.len() <= 1 && before.iter().all(|rule| rule == "limit_hit"), "{before:?}");
        exporter.shutdown(Duration::from_secs(5)).unwrap();
    }
}

#[test]
fn a_private_authority_and_a_client_certificate_are_honoured_over_both_transports() {
    let directory = tempfile::tempdir().unwrap();
    let openssl = program("openssl", "openssl");
    let run = |arguments: &str| {
        let ran = Command::new(&openssl).args(arguments.split(' ')).current_dir(directory.path()).output().unwrap();
        assert!(ran.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2");
    for name in ["server", "client"] {
        run(&format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        std::fs::write(
            directory.path().join("alt"),
            "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
        )
        .unwrap();
        run(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 1 -extfile alt"
        ));
    }
    for protocol in TRANSPORTS {
        let plan = Plan { tls: Some(directory.path().to_owned()), ..Plan::new() };
        let collector = Collector::start(&plan);
        let file = |name: &str| Some(directory.path().join(name));
        let with_both = ExportOptions {
            certificate: file("ca.pem"),
            client_certificate: file("client.pem"),
            client_key: file("client.key"),
            ..options(&plan, protocol)
        };
        let without_authority = ExportOptions { certificate: None, ..with_both.clone() };
        let without_identity = ExportOptions { client_certificate: None, client_key: None, ..with_both.clone() };
        for refused in [without_authority, without_identity] {
            let (exporter, _publish) = start(&refused);
            exporter.emit(&made::alert(Rule::LimitHit));
            wait_for("trouble", || exporter.trouble());
            exporter.shutdown(Duration::from_secs(2)).unwrap_err();
        }
        assert_eq!(collector.rest(), []);
        let (exporter, _publish) = start(&with_both);
        exporter.emit(&made::alert(Rule::LimitHit));
        let mut paths = BTreeSet::new();
        while paths.len() < 2 {
            paths.insert(collector.next().0);
        }
        exporter.shutdown(Duration::from_secs(5)).unwrap();
    }
}

/// A process logs once, so both transports cannot be shown here; the exporters of all signals are built the same way.
#[test]
fn our_own_spans_arrive_and_those_of_the_transport_do_not() {
    let plan = Plan::new();
    let collector = Collector::start(&plan);
    let guard = quotascope::telemetry::start(-1, false, Some(&options(&plan, Protocol::Grpc))).unwrap();
    tracing::info_span!(target: "quotascope::pipeline", "replay", files = 2).in_scope(|| {
        tracing::info_span!(target: "h2::client", "theirs").in_scope(|| ());
    });
    guard.shutdown(DEADLINE);
    let (path, body) = collector.next();
    assert_eq!(path, "/v1/traces");
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["replay"]);
    assert_eq!(attributes(&spans[0])["files"], 2);
    assert_eq!(collector.rest(), []);
}
