//! The five providers, live: real servers, a real client, packets from a real interface.

use std::process::Command;

use quotascope::demo::{Demo, DemoOptions, Provider, Tally};
use serde_json::Value;

use crate::agent::Agent;

/// Calls `url` (curl's globs make it many calls over one connection); gives how many were answered with 429.
fn call(url: &str, arguments: &[&str]) -> u64 {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}\n"])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl is installed: apt-get install curl");
    assert!(output.status.success(), "curl {url}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().filter(|code| *code == "429").count() as u64
}

/// What the agent said at its end.
struct Seen(Value);

impl Seen {
    /// The quotas of a provider whose numbers come from `source`.
    fn quotas(&self, provider: &str, source: &str) -> Vec<&Value> {
        let all = self.0["quotas"].as_array().expect("quotas");
        all.iter().filter(|quota| quota["provider"] == provider && quota["source"] == source).collect()
    }

    /// The one quota that such an endpoint counts against.
    fn quota(&self, provider: &str, source: &str, limit: u64, endpoint: &str) -> &Value {
        let found: Vec<&Value> = self
            .quotas(provider, source)
            .into_iter()
            .filter(|quota| quota["limit"] == limit)
            .filter(|quota| {
                let endpoints = quota["endpoints"].as_array().expect("endpoints");
                endpoints.iter().any(|share| share["endpoint"] == endpoint)
            })
            .collect();
        assert_eq!(found.len(), 1, "quotas of {provider} for {endpoint} with limit {limit}: {:#?}", self.0["quotas"]);
        found[0]
    }

    fn throttled(&self, provider: &str) -> u64 {
        let endpoints = self.0["endpoints"].as_array().expect("endpoints");
        let of_provider = endpoints.iter().filter(|endpoint| endpoint["provider"] == provider);
        of_provider.map(|endpoint| endpoint["throttled"].as_u64().expect("a count")).sum()
    }

    fn rules(&self, provider: &str) -> Vec<&str> {
        let alerts = self.0["alerts"].as_array().expect("alerts");
        let of_provider = alerts.iter().filter(|alert| alert["subject"]["provider"] == provider);
        of_provider.map(|alert| alert["rule"].as_str().expect("a rule")).collect()
    }
}

/// Starts the servers and the agent, drives the servers, and gives what the agent saw and what the servers did.
fn watch(provider: Provider, more: &[&str], drive: impl FnOnce(&str) -> u64) -> (Seen, Tally) {
    let options = DemoOptions { providers: vec![provider], ..DemoOptions::default() };
    let demo = Demo::start(&options).expect("loopback can be listened on");
    let (_, address, _) = demo.servers().next().expect("one server");
    let store = tempfile::tempdir().expect("a folder for the store");
    let filter = demo.filter();
    let of_provider = format!("{address}={}", provider.name());
    let mut arguments = vec!["watch", "-i", "lo", "--filter", &filter, "--json", "--provider", &of_provider, "--store"];
    arguments.push(store.path().to_str().expect("a path of text"));
    arguments.extend(more);
    let agent = Agent::start(&arguments, &[]);
    let refused = drive(&format!("http://{address}"));
    let tally = demo.tally(provider);
    assert_eq!(tally.refused, refused, "the server and curl count the same");
    let (output, status) = agent.interrupt();
    assert_eq!(status, 0, "{output}");
    let seen = Seen(serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}")));
    assert_eq!(seen.throttled(provider.name()), tally.refused, "{:#}", seen.0);
    assert_eq!(seen.0["input"]["exchanges"], tally.requests, "{:#}", seen.0["input"]);
    assert_eq!(seen.0["captures"][0]["dropped"], 0);
    (seen, tally)
}

#[test]
fn octopus_cards_is_counted_against_its_declared_limits() {
    let (seen, tally) = watch(Provider::OctopusCards, &[], |base| {
        call(&format!("{base}/api/v1/products/[1-50]"), &["-H", "Authorization: Bearer octopus-1"])
            + call(&format!("{base}/api/v1/orders?n=[1-75]"), &["-d", "{}", "-H", "Authorization: Bearer octopus-1"])
    });
    assert_eq!(tally.refused, 15);
    let orders = seen.quota("octopus-cards", "declared", 60, "POST /api/v1/orders");
    assert_eq!((orders["remaining"].as_u64(), orders["throttled"].as_u64()), (Some(0), Some(15)), "{orders:#}");
    assert_eq!(orders["error_codes"]["TOO_MANY_REQUESTS"], 15);
    assert_eq!(orders["window_s"], 60);
    let reads = seen.quota("octopus-cards", "declared", 300, "GET /api/v1/products/{id}");
    assert_eq!((reads["remaining"].as_u64(), reads["throttled"].as_u64()), (Some(250), Some(0)), "{reads:#}");
    for rule in ["limit_hit", "utilization_high", "error_code"] {
        assert!(seen.rules("octopus-cards").contains(&rule), "{rule}: {:#}", seen.0["alerts"]);
    }
}

#[test]
fn centrapay_counts_for_the_account_of_the_key() {
    let (seen, tally) = watch(Provider::Centrapay, &[], |base| {
        let url = |range: &str| format!("{base}/api/payment-requests/{range}");
        call(&url("[1-110]"), &["-H", "x-api-key: centrapay-1", "-H", "X-Centrapay-Account: one"])
            + call(&url("[111-220]"), &["-H", "x-api-key: centrapay-1", "-H", "X-Centrapay-Account: two"])
    });
    assert_eq!(tally.refused, 20);
    let quotas = seen.quotas("centrapay", "declared");
    assert_eq!(quotas.len(), 1, "one account, one quota: {quotas:#?}");
    let quota = quotas[0];
    assert_eq!((quota["limit"].as_u64(), quota["remaining"].as_u64()), (Some(200), Some(0)), "{quota:#}");
    assert_eq!(quota["scope"]["kind"], "account");
    assert_eq!(quota["error_codes"]["RATE_LIMIT_EXCEEDED"], 20);
    assert!(seen.rules("centrapay").contains(&"limit_hit"));
}

#[test]
fn p100_counts_for_the_address() {
    let (seen, tally) = watch(Provider::P100, &[], |base| {
        let url = |range: &str| format!("{base}/v1/users/{range}/balances");
        call(&url("[1-160]"), &["-H", "Authorization: Bearer p100-1"])
            + call(&url("[161-320]"), &["-H", "Authorization: Bearer p100-2"])
    });
    assert_eq!(tally.refused, 20);
    let quota = seen.quota("p100", "header", 300, "GET /v1/users/{id}/balances");
    assert_eq!((quota["remaining"].as_u64(), quota["throttled"].as_u64()), (Some(0), Some(20)), "{quota:#}");
    assert_eq!(quota["scope"], serde_json::json!({"kind": "ip", "id": "127.0.0.1"}));
    assert_eq!(quota["requests"], 320);
    assert!(seen.rules("p100").contains(&"limit_hit"));
}

#[test]
fn fluid_network_tells_who_is_limited_by_its_codes() {
    let (seen, tally) = watch(Provider::FluidNetwork, &[], |base| {
        let partner = ["-H", "Authorization: Bearer partner-1"];
        let bank = ["-H", "Authorization: Bearer bank-1"];
        call(&format!("{base}/v1/payments?n=[1-1020]"), &[&["-d", "{}"], &partner[..]].concat())
            + call(&format!("{base}/v1/payments/[1-1010]"), &partner)
            + call(&format!("{base}/v1/bank/transactions?n=[1-212]"), &bank)
            + call(&format!("{base}/v1/settings?n=[1-105]"), &partner)
            + call(&format!("{base}/v1/settings?n=[1-103]"), &[])
    });
    let codes: Vec<(&str, u64)> = tally.codes.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(codes, [("1429", 5), ("1453", 3), ("1454", 10), ("1455", 12), ("1456", 20)]);
    let mut counted = std::collections::BTreeMap::new();
    for quota in seen.quotas("fluid-network", "header") {
        for (code, count) in quota["error_codes"].as_object().expect("codes") {
            let kind = quota["scope"]["kind"].as_str().unwrap_or("-").to_owned();
            *counted.entry((code.clone(), kind)).or_insert(0) += count.as_u64().expect("a count");
        }
    }
    let kinds: Vec<(&str, &str, u64)> = counted.iter().map(|((c, k), n)| (c.as_str(), k.as_str(), *n)).collect();
    assert_eq!(
        kinds,
        [
            ("1429", "account", 5),
            ("1453", "ip", 3),
            ("1454", "partner", 10),
            ("1455", "bank", 12),
            ("1456", "payment-processing", 20)
        ]
    );
    let hourly = seen.quotas("fluid-network", "declared");
    assert!(hourly.iter().any(|quota| quota["limit"] == 60_000 && quota["window_s"] == 3600), "{hourly:#?}");
    assert!(seen.rules("fluid-network").contains(&"error_code"));
}

#[test]
fn ceypay_pools_the_keys_of_a_merchant() {
    let (seen, tally) = watch(Provider::CeyPay, &[], |base| {
        call(&format!("{base}/v1/payment?n=[1-115]"), &["-d", "{}", "-H", "Authorization: Bearer merchant-1/key-a"])
            + call(&format!("{base}/v1/payment/[1-40]"), &["-H", "Authorization: Bearer merchant-1/key-a"])
            + call(&format!("{base}/v1/payment/list?n=[1-30]"), &["-H", "Authorization: Bearer merchant-1/key-a"])
    });
    assert_eq!(tally.refused, 15);
    let creations = seen.quota("ceypay", "header", 100, "POST /v1/payment");
    assert_eq!(
        (creations["remaining"].as_u64(), creations["throttled"].as_u64()),
        (Some(0), Some(15)),
        "{creations:#}"
    );
    assert_eq!((creations["scope"]["kind"].as_str(), creations["window_s"].as_u64()), (Some("merchant"), Some(60)));
    let lookups = seen.quota("ceypay", "header", 300, "GET /v1/payment/{id}");
    assert_eq!(lookups["remaining"], 260);
    let lists = seen.quota("ceypay", "header", 200, "GET /v1/payment/list");
    assert_eq!(lists["remaining"], 170);
    for rule in ["limit_hit", "utilization_high"] {
        assert!(seen.rules("ceypay").contains(&rule), "{rule}: {:#}", seen.0["alerts"]);
    }
}
