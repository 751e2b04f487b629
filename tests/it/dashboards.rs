//! What `dashboards/` names exists, and the dashboard is put together as Grafana wants it. No network, no program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use quotascope::export::catalogue::{Kind, METRICS};
use quotascope::model::Rule;
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../dashboards/quotas.json");
const RULES: &str = include_str!("../../dashboards/alerts.rules.yml");
const RULE_TESTS: &str = include_str!("../../dashboards/alerts.test.yml");
const README: &str = include_str!("../../dashboards/README.md");

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).unwrap()
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

/// All panels but the rows' headings.
fn charts(dashboard: &Value) -> impl Iterator<Item = &Value> {
    panels(dashboard).iter().filter(|panel| panel["type"] != "row")
}

fn expressions(dashboard: &Value) -> Vec<&str> {
    let targets = charts(dashboard).flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap()).collect()
}

/// The words of a text that could be names of metrics or labels.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
    text.split(apart).map(|word| word.trim_end_matches(':')).filter(|word| !word.is_empty())
}

/// The series that Prometheus has of the catalogue.
fn series() -> BTreeSet<String> {
    let names = METRICS.iter().flat_map(|metric| {
        let name = metric.prometheus_name();
        match metric.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")).to_vec(),
            _ => vec![name],
        }
    });
    names.collect()
}

fn labels() -> BTreeSet<String> {
    METRICS.iter().flat_map(|metric| metric.attributes).map(|attribute| attribute.replace('.', "_")).collect()
}

/// The words of a text that look like ours but are neither a series nor a label nor a recorded series.
fn unknown(text: &str) -> Vec<&str> {
    let (series, labels) = (series(), labels());
    let recorded: BTreeSet<&str> = RULES.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let prefixes = [
        "rate_limit",
        "quotascope_",
        "process_",
        "http_",
        "service_",
        "server_",
        "alert_",
        "network_",
        "error_",
        "url_",
    ];
    words(text)
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)) || word.contains(":rate_limit"))
        .filter(|word| !series.contains(*word) && !labels.contains(*word) && !recorded.contains(word))
        .collect()
}

#[test]
fn every_metric_and_label_is_of_the_catalogue() {
    let dashboard = dashboard();
    for expression in expressions(&dashboard) {
        assert_eq!(unknown(expression), Vec::<&str>::new(), "{expression}");
    }
    for target in charts(&dashboard).flat_map(|panel| panel["targets"].as_array().unwrap()) {
        assert_eq!(unknown(target["legendFormat"].as_str().unwrap()), Vec::<&str>::new());
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        assert_eq!(unknown(variable["query"]["query"].as_str().unwrap_or_default()), Vec::<&str>::new());
    }
    // The agent's words for rules and the keys of Prometheus' own format are no metrics.
    let own = |word: &&str| {
        let rules = ["error_code"];
        !rules.contains(word) && !["alert_rule_test", "rate_limit"].contains(word)
    };
    for (name, text) in [("rules", RULES), ("tests", RULE_TESTS), ("readme", README)] {
        let strange: Vec<_> = unknown(text).into_iter().filter(own).collect();
        assert_eq!(strange, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn a_name_that_is_not_of_the_catalogue_is_found() {
    assert_eq!(unknown("sum(rate(rate_limit_hits_total[5m]))"), ["rate_limit_hits_total"]);
    assert_eq!(unknown("rate_limit_limit{server_host=\"a\"}"), ["server_host"]);
}

#[test]
fn every_rule_of_the_agent_has_its_twin_with_the_same_severity() {
    let rules = [
        Rule::Utilization,
        Rule::UtilizationHigh,
        Rule::LimitHit,
        Rule::ThrottledRatio,
        Rule::ErrorCode,
        Rule::Exhaustion,
        Rule::CaptureStalled,
    ];
    let mut twins = BTreeMap::new();
    let mut severity = "";
    for line in RULES.lines().map(str::trim) {
        severity = line.strip_prefix("severity: ").unwrap_or(severity);
        if let Some(rule) = line.strip_prefix("rule: ") {
            assert_eq!(twins.insert(rule, severity), None, "{rule} stands twice");
        }
    }
    let expected: BTreeMap<_, _> = rules.iter().map(|rule| (rule.as_str(), rule.severity().as_str())).collect();
    assert_eq!(twins, expected);
}

#[test]
fn the_dashboard_is_one_that_grafana_loads() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"], 42);
    assert_eq!(dashboard["editable"], false);
    assert!(dashboard.get("id").is_none(), "an id belongs to one Grafana");
    assert!(dashboard["uid"].as_str().is_some_and(|uid| !uid.is_empty() && uid.len() <= 40));
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!((&variables[0]["type"], &variables[0]["name"]), (&"datasource".into(), &"datasource".into()));
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"]["uid"], "${datasource}");
        assert_eq!(variable["refresh"], 2, "{} must follow the time range", variable["name"]);
        assert_eq!(variable["allValue"], ".*", "a quota without the label must not vanish");
    }
    let names: BTreeSet<String> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap().to_owned())
        .chain(["__rate_interval".into(), "__range".into()])
        .collect();
    for expression in expressions(&dashboard) {
        for used in expression.split('$').skip(1) {
            let name: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            // `"^$"` is a regular expression, not a variable.
            assert!(name.is_empty() || names.contains(&name), "${name} in {expression}");
        }
        let rated = expression.contains("rate(") || expression.contains("increase(");
        assert!(
            !rated || expression.contains("[$__rate_interval]") || expression.contains("[$__range]"),
            "{expression}"
        );
    }
}

#[test]
fn every_panel_says_what_it_shows_and_stands_alone() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    let mut taken = BTreeMap::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: the id stands twice");
        assert!(titles.insert(title), "{title} stands twice");
        let cell = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        let (x, y, w, h) = (cell("x"), cell("y"), cell("w"), cell("h"));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} leaves the grid");
        for place in (y..y + h).flat_map(|row| (x..x + w).map(move |column| (column, row))) {
            if let Some(other) = taken.insert(place, title) {
                panic!("{title} lies over {other}");
            }
        }
    }
    for panel in charts(&dashboard) {
        let title = &panel["title"];
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{title}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        let sources = targets.iter().map(|target| &target["datasource"]).chain([&panel["datasource"]]);
        assert!(sources.into_iter().all(|source| source["uid"] == "${datasource}"), "{title}");
        let letters: BTreeSet<_> = targets.iter().map(|target| target["refId"].as_str().unwrap()).collect();
        assert_eq!(letters.len(), targets.len(), "{title}");
        let known = ["timeseries", "gauge", "bargauge", "piechart", "stat", "table"];
        assert!(known.contains(&panel["type"].as_str().unwrap()), "{title}");
    }
}

#[test]
fn the_dashboard_shows_what_it_is_for() {
    let dashboard = dashboard();
    let find =
        |title: &str| charts(&dashboard).find(|panel| panel["title"] == title).unwrap_or_else(|| panic!("no {title}"));
    let utilization = find("Utilization");
    let defaults = &utilization["fieldConfig"]["defaults"];
    assert_eq!((&utilization["type"], &defaults["unit"]), (&"gauge".into(), &"percentunit".into()));
    assert_eq!((&defaults["min"], &defaults["max"]), (&0.into(), &1.into()));
    let levels: Vec<_> =
        defaults["thresholds"]["steps"].as_array().unwrap().iter().map(|step| step["value"].as_f64()).collect();
    assert_eq!(levels, [None, Some(0.8), Some(0.9)]);
    assert_eq!(find("Error codes")["type"], "piechart");
    for title in [
        "Remaining",
        "Time until reset",
        "Throttled rate",
        "Peak usage against the limit",
        "Firing alerts",
        "Dropped packets",
    ] {
        find(title);
    }
}
