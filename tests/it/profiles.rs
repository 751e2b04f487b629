//! The built-in profiles say what the providers' documents say, and a user's profile goes beside and over them.

#![expect(clippy::unwrap_used, reason = "a test's own builders fail the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quotascope::extract::{ExtractOptions, Extractor, Profiles, WireRules};
use quotascope::model::{
    Amount, Body, Client, Credential, Exchange, Fields, HashKey, Observation, QuotaSource, Request, Response, Scope,
    ThrottleCause, Timestamp, WindowKind,
};

const SECRET: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

/// One exchange, written as a test reads best.
struct Call<'a> {
    request: &'a str,
    host: &'a str,
    status: u16,
    fields: &'a [(&'a str, &'a str)],
    body: &'a str,
    credentials: &'a [(&'a str, &'a str)],
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self {
            request: "GET /",
            host: "api.example.com",
            status: 200,
            fields: &[],
            body: "",
            credentials: &[("authorization", SECRET)],
        }
    }
}

fn key() -> HashKey {
    HashKey::new(*b"sixteen octets !")
}

fn exchange(call: &Call<'_>) -> Exchange {
    let (method, path) = call.request.split_once(' ').unwrap();
    let mut fields = Fields::new();
    for (name, value) in call.fields {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    let credentials = call
        .credentials
        .iter()
        .map(|(carrier, secret)| Credential { carrier: (*carrier).into(), id: key().identity(secret.as_bytes()) });
    Exchange {
        source: "test".into(),
        client: Client::Address(SocketAddr::from(([10, 0, 0, 7], 51_234))),
        server: Some(SocketAddr::from(([203, 0, 113, 9], 443))),
        request: Some(Request {
            at: None,
            method: method.into(),
            host: Some(call.host.into()),
            path: path.into(),
            credentials: credentials.collect(),
        }),
        response: Response {
            at: Timestamp::from_secs(1_672_531_155),
            status: call.status,
            fields,
            body: (!call.body.is_empty()).then(|| Body { octets: call.body.into(), truncated: false }),
        },
        latency: None,
    }
}

fn extractor(options: ExtractOptions) -> Extractor {
    Extractor::new(Profiles::built_in().unwrap(), options).unwrap()
}

fn observe(call: &Call<'_>) -> Observation {
    extractor(ExtractOptions::default()).observe(&exchange(call))
}

/// What the agent must count for an exchange: `POST /v1/payment 100/60s sliding merchant`, in the profile's order.
fn declared(observation: &Observation) -> Vec<String> {
    let line = |quota: &Arc<quotascope::model::DeclaredQuota>| {
        let burst = quota.burst.map(|burst| format!(" burst {burst}")).unwrap_or_default();
        let kind = serde_json::to_value(quota.window_kind).unwrap();
        let kind = kind.as_str().unwrap();
        format!("{} {}/{}s{burst} {kind} {}", quota.policy, quota.limit, quota.window.as_secs(), quota.scope_kind)
    };
    observation.declared.iter().map(line).collect()
}

/// The quotas of the class that a request falls in, as the profile states them, whoever counts.
fn class_of(provider: &str, environment: &str, request: &str) -> Vec<String> {
    let profiles = Profiles::built_in().unwrap();
    let profile = profiles.find(provider).unwrap();
    let at = profile.environments().position(environment).unwrap_or(0);
    let (method, path) = request.split_once(' ').unwrap();
    let Some(class) = profile.class_of(method, path) else { return Vec::new() };
    let line = |quota: &quotascope::extract::QuotaRule| {
        let limit = quota.limit(at).map_or_else(|| "-".into(), |limit| limit.to_string());
        let burst = quota.burst(at).map(|burst| format!(" burst {burst}")).unwrap_or_default();
        let counted = if quota.is_announced() { "announced" } else { "counted" };
        let scope = quota.scope().map_or("-", |scope| scope.kind());
        format!(
            "{}: {limit} in {}s{burst}, {counted}, per {scope}",
            class.name(),
            quota.window().unwrap_or_default().as_secs()
        )
    };
    class.quotas().iter().map(line).collect()
}

#[test]
fn octopus_cards_counts_each_class_in_rolling_windows() {
    for (request, production, sandbox) in [
        ("POST /auth/login", 10, 30),
        ("POST /auth/refresh", 20, 30),
        ("GET /api/v1/products", 300, 600),
        ("GET /api/v1/orders/42", 300, 600),
        ("GET /api/v1/wallets", 300, 600),
        ("POST /api/v1/orders", 60, 120),
        ("POST /api/v1/topups/orders", 60, 120),
        ("POST /api/v1/esim/orders", 60, 120),
        ("POST /api/v1/products/991/charges", 120, 300),
        ("POST /api/v1/topups/charges", 120, 300),
        ("POST /api/v1/esim/charges", 120, 300),
    ] {
        for (host, limit) in [("api.octopuscards.io", production), ("sandbox-api.octopuscards.io", sandbox)] {
            let observation = observe(&Call { request, host, ..Call::default() });
            assert_eq!(observation.provider.as_deref(), Some("octopus-cards"));
            let [quota] = &*observation.declared else { panic!("{request} on {host}: {:?}", observation.declared) };
            assert_eq!(quota.limit, Amount::from_count(limit), "{request} on {host}");
            assert_eq!(quota.window, Duration::from_mins(1));
            assert_eq!(quota.window_kind, WindowKind::Sliding);
            assert_eq!(&*quota.scope_kind, "account");
            assert_eq!(observation.scope.as_ref().unwrap().id, Some(key().identity(SECRET.as_bytes())));
        }
    }
    let unlisted =
        observe(&Call { request: "DELETE /api/v1/webhooks/7", host: "api.octopuscards.io", ..Call::default() });
    assert!(unlisted.declared.is_empty(), "the documents name no limit for it");
}

#[test]
fn octopus_cards_knows_its_environment_by_configuration_too() {
    let options = ExtractOptions {
        providers: vec![
            ("127.0.0.1:9001".into(), "octopus-cards".into()),
            ("127.0.0.1".into(), "octopus-cards".into()),
        ],
        environments: vec![("127.0.0.1:9001".into(), "sandbox".into())],
        ..ExtractOptions::default()
    };
    let extractor = extractor(options);
    let at =
        |host| declared(&extractor.observe(&exchange(&Call { request: "POST /auth/login", host, ..Call::default() })));
    assert_eq!(at("127.0.0.1:9001"), ["POST /auth/login (sandbox) 30/60s sliding account"]);
    assert_eq!(at("127.0.0.1:9002"), ["POST /auth/login 10/60s sliding account"]);
    let by_name =
        ExtractOptions { environments: vec![("octopus-cards".into(), "sandbox".into())], ..ExtractOptions::default() };
    let call = Call { request: "POST /auth/login", host: "api.octopuscards.io", ..Call::default() };
    let observation = Extractor::new(Profiles::built_in().unwrap(), by_name).unwrap().observe(&exchange(&call));
    assert_eq!(declared(&observation), ["POST /auth/login (sandbox) 30/60s sliding account"]);
}

#[test]
fn centrapay_counts_for_the_account_that_calls() {
    let own = [("x-centrapay-account", "someone-elses"), ("x-api-key", SECRET)];
    let observation = observe(&Call {
        request: "GET /api/accounts/1",
        host: "service.centrapay.com",
        credentials: &own,
        ..Call::default()
    });
    assert_eq!(declared(&observation), ["general 200/60s sliding account"]);
    assert_eq!(observation.scope, Some(Scope { kind: "account".into(), id: Some(key().identity(SECRET.as_bytes())) }));
    let targeted = [("x-centrapay-account", "someone-elses")];
    let observation = observe(&Call { host: "service.centrapay.com", credentials: &targeted, ..Call::default() });
    assert_eq!(observation.scope, Some(Scope { kind: "account".into(), id: None }));
}

#[test]
fn p100_counts_by_address_and_announces_it() {
    assert_eq!(class_of("p100", "", "GET /v1/user"), ["requests per address: 300 in 60s, announced, per ip"]);
    let observation = observe(&Call { host: "partner-api.p100.io", ..Call::default() });
    assert!(observation.declared.is_empty(), "its responses carry the numbers");
    assert_eq!(observation.scope, Some(Scope { kind: "ip".into(), id: Some("10.0.0.7".into()) }));
}

#[test]
fn fluid_network_has_three_tiers_by_minute_and_hour() {
    for (request, class, scope, minute, hour, burst) in [
        ("POST /api/v1/payment-providers/debit-requests", "payment-provider", "partner", 1_000, 60_000, 100),
        ("GET /api/v1/payment-providers/banks/EXB", "payment-provider", "partner", 1_000, 60_000, 100),
        ("POST /v1/payments", "payment-provider", "partner", 1_000, 60_000, 100),
        ("GET /api/v1/banks/debit-transactions", "bank", "bank", 200, 12_000, 50),
        ("GET /v1/transactions/42", "bank", "bank", 200, 12_000, 50),
        ("GET /v1/reports", "bank", "bank", 200, 12_000, 50),
        ("GET /v1/webhooks", "general", "account", 100, 6_000, 20),
    ] {
        let wanted = [
            format!("{class}: {minute} in 60s burst {burst}, announced, per {scope}"),
            format!("{class}: {hour} in 3600s, counted, per {scope}"),
        ];
        assert_eq!(class_of("fluid-network", "", request), wanted, "{request}");
        for host in ["api.fluid-network.com", "sandbox-api.fluid-network.com"] {
            let observation = observe(&Call { request, host, ..Call::default() });
            assert_eq!(declared(&observation), [format!("{class} {hour}/3600s sliding {scope}")], "{request}");
        }
    }
}

#[test]
fn fluid_networks_codes_name_scope_quota_and_limit() {
    let profiles = Profiles::built_in().unwrap();
    let fluid = profiles.find("fluid-network").unwrap();
    for (code, scope, limit) in [
        ("1429", "account", 100),
        ("1453", "ip", 100),
        ("1454", "partner", 1_000),
        ("1455", "bank", 200),
        ("1456", "payment-processing", 1_000),
    ] {
        let rule = fluid.code(code).unwrap();
        assert_eq!(&**rule.scope().unwrap().kind(), scope, "{code}");
        assert_eq!(rule.cause(), Some(ThrottleCause::Quota));
        let minute = &fluid.class(rule.quota().unwrap()).unwrap().quotas()[0];
        assert_eq!(
            (minute.limit(0), minute.window()),
            (Some(Amount::from_count(limit)), Some(Duration::from_mins(1))),
            "{code}"
        );
        assert!(fluid.wire().throttle_codes.contains(&code.to_owned()));
    }
}

#[test]
fn fluid_networks_hour_is_not_spent_where_its_minute_refused() {
    let body = r#"{"error":{"code":1454,"details":{"limit":1000,"window":"1 minute","retry_after":45}}}"#;
    let call = Call {
        request: "POST /api/v1/payments/quote",
        host: "api.fluid-network.com",
        status: 429,
        body,
        ..Call::default()
    };
    let mut tracker = quotascope::track::Tracker::new(quotascope::track::TrackOptions::default());
    tracker.handle_observation(&observe(&call), None);
    let snapshot = tracker.snapshot(Timestamp::from_secs(1_672_531_156));
    let shown = |window| {
        let quota = snapshot.quotas.iter().find(|quota| quota.window == Some(Duration::from_secs(window))).unwrap();
        (quota.source, quota.limit, quota.remaining, quota.retry_after)
    };
    let count = |count| Some(Amount::from_count(count));
    assert_eq!(shown(60), (QuotaSource::Body, count(1_000), None, Some(Duration::from_secs(45))));
    assert_eq!(shown(3600), (QuotaSource::Declared, count(60_000), count(59_999), None));
}

#[test]
fn ceypay_limits_each_of_its_endpoints() {
    for (request, class, limit) in [
        ("POST /v1/payment", "POST /v1/payment", 100),
        ("GET /v1/payment/pay_81f3", "GET /v1/payment/{id}", 300),
        ("GET /v1/payment/list", "GET /v1/payment/list", 200),
        ("POST /v1/payment-link", "POST /v1/payment-link", 50),
        ("GET /v1/payment-link/7", "GET /v1/payment-link/{id}", 100),
        ("GET /v1/payment-link/list", "GET /v1/payment-link/list", 100),
        ("PATCH /v1/payment-link/7", "PATCH /v1/payment-link/{id}", 50),
        ("DELETE /v1/payment-link/7", "DELETE /v1/payment-link/{id}", 50),
    ] {
        assert_eq!(
            class_of("ceypay", "", request),
            [format!("{class}: {limit} in 60s, announced, per merchant")],
            "{request}"
        );
        let observation = observe(&Call { request, host: "api.ceypay.io", ..Call::default() });
        assert_eq!(observation.endpoint.as_deref(), Some(class), "{request}");
        assert_eq!(observation.scope.unwrap().kind, "merchant".into());
    }
    assert_eq!(class_of("ceypay", "", "GET /v1/webhooks/config"), [""; 0]);
}

#[test]
fn a_log_without_response_fields_may_be_counted() {
    let counting = extractor(ExtractOptions { count_announced: true, ..ExtractOptions::default() });
    let call = Call { request: "POST /v1/payment", host: "api.ceypay.io", ..Call::default() };
    assert_eq!(declared(&counting.observe(&exchange(&call))), ["POST /v1/payment 100/60s sliding merchant"]);
    let fields = [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "95"), ("X-RateLimit-Reset", "1672531200")];
    let announced = Call { fields: &fields, ..call };
    assert_eq!(declared(&counting.observe(&exchange(&announced))), [""; 0]);
}

#[test]
fn keys_of_one_merchant_share_a_pool() {
    let (one, two) = (key().identity(b"ak_one"), key().identity(b"ak_two"));
    let options = ExtractOptions {
        aliases: [(one, "checkout".into())].into(),
        pools: [("checkout".into(), "shop 7".into()), (two, "shop 7".into())].into(),
        ..ExtractOptions::default()
    };
    let extractor = extractor(options);
    let scope = |secret: &str| {
        let credentials = [("x-api-key", secret)];
        extractor
            .observe(&exchange(&Call { host: "api.ceypay.io", credentials: &credentials, ..Call::default() }))
            .scope
            .unwrap()
    };
    assert_eq!(scope("ak_one"), Scope { kind: "merchant".into(), id: Some("shop 7".into()) });
    assert_eq!(scope("ak_two"), scope("ak_one"));
    assert_eq!(scope("ak_three").id, Some(key().identity(b"ak_three")), "without a mapping a key is a pool of its own");
}

#[test]
fn without_a_profile_the_credential_or_the_address_is_counted() {
    let scope = |credentials| observe(&Call { host: "unheard-of.example", credentials, ..Call::default() }).scope;
    assert_eq!(
        scope(&[("authorization", SECRET)]),
        Some(Scope { kind: "api-key".into(), id: Some(key().identity(SECRET.as_bytes())) })
    );
    assert_eq!(scope(&[("?key", "a"), ("x-api-key", "b")]).unwrap().id, Some(key().identity(b"b")));
    assert_eq!(scope(&[]), Some(Scope { kind: "ip".into(), id: Some("10.0.0.7".into()) }));
}

#[test]
fn a_profile_is_ten_lines() {
    let mut profiles = Profiles::built_in().unwrap();
    let text = r#"
name = "acme"
hosts = ["api.acme.test"]
scope = "account"

[[quotas]]
endpoints = ["POST /v1/orders"]
limit = 20
window = "10s"
"#;
    profiles.add(text, "acme.toml").unwrap();
    let extractor = Extractor::new(profiles, ExtractOptions::default()).unwrap();
    let call = Call { request: "POST /v1/orders", host: "api.acme.test", ..Call::default() };
    assert_eq!(declared(&extractor.observe(&exchange(&call))), ["POST /v1/orders 20/10s sliding account"]);
}

#[test]
fn a_users_profile_replaces_or_extends_a_built_in_one() {
    let mut profiles = Profiles::built_in().unwrap();
    let text = r#"
name = "centrapay"
extends = "centrapay"

[[quotas]]
name = "payment requests"
endpoints = ["POST /api/payment-requests"]
limit = 500
window = "1m"

[[quotas]]
name = "general"
limit = 250
window = "1m"
"#;
    profiles.add(text, "mine.toml").unwrap();
    let extractor = Extractor::new(profiles, ExtractOptions::default()).unwrap();
    let at = |request| {
        declared(&extractor.observe(&exchange(&Call { request, host: "service.centrapay.com", ..Call::default() })))
    };
    assert_eq!(at("POST /api/payment-requests"), ["payment requests 500/60s sliding account"]);
    assert_eq!(at("GET /api/payment-requests"), ["general 250/60s sliding account"]);

    let mut profiles = Profiles::built_in().unwrap();
    profiles.add("name = \"ceypay\"\nhosts = [\"pay.test\"]\n", "mine.toml").unwrap();
    assert!(profiles.find("ceypay").unwrap().classes().is_empty());
}

#[test]
fn errors_name_file_line_and_key() {
    let refused = |text: &str| Profiles::built_in().unwrap().add(text, "acme.toml").unwrap_err().to_string();
    for (text, wanted) in [
        ("name = \"acme\"\nhots = []\n", "acme.toml:2: hots: unknown key; accepted are name, title,"),
        (
            "name = \"acme\"\n\n[[quotas]]\nlimt = 3\n",
            "acme.toml:4: quotas[0].limt: unknown key; accepted are name, endpoints,",
        ),
        (
            "name = \"acme\"\n[[quotas]]\nlimit = 3\n",
            "acme.toml:2: quotas[0]: window is missing; write window = \"1m\"",
        ),
        (
            "name = \"acme\"\n[[quotas]]\nlimit = 0\nwindow = 60\n",
            "acme.toml:3: quotas[0].limit: must be a number above 0",
        ),
        (
            "name = \"acme\"\n[[quotas]]\nlimit = 1\nwindow = \"1 moon\"\n",
            "acme.toml:4: quotas[0].window: must be a length of time",
        ),
        (
            "name = \"acme\"\nhosts = [\"a.test\",\n \"https://b.test\"]\n",
            "acme.toml:3: hosts[1]: \"https://b.test\" is a URL",
        ),
        (
            "name = \"acme\"\n[[quotas]]\nendpoints = \"POST\"\nlimit = 1\nwindow = 1\n",
            "acme.toml:3: quotas[0].endpoints: \"POST\" is no endpoint pattern",
        ),
        ("name = 3\n", "acme.toml:1: name: must be a string, not an integer"),
        (
            "name = \"acme\"\n[codes]\n7 = { quota = \"none\" }\n",
            "acme.toml:3: codes.7.quota: no quota is named \"none\"",
        ),
        (
            "name = \"acme\"\n[wire]\nreset = \"weeks\"\n",
            "acme.toml:3: wire.reset: \"weeks\" is unknown; accepted are delta-seconds,",
        ),
        ("name = \"acme\"\n[environments]\nsandbox = []\n", "no environment is called \"production\""),
        ("hosts = []\n", "name is missing"),
        ("name = \"acme\"\nextends = \"nobody\"\n", "acme.toml:2: extends: no profile of that name is known"),
        ("name = \"acme\n", "acme.toml:1: "),
    ] {
        let message = refused(text);
        assert!(message.contains(wanted), "{message}\nshould say: {wanted}");
    }
    let unknown = ExtractOptions { providers: vec![("a.test".into(), "nobody".into())], ..ExtractOptions::default() };
    let message = Extractor::new(Profiles::built_in().unwrap(), unknown).unwrap_err().to_string();
    assert!(message.contains("a.test=nobody") && message.contains("no profile is called"), "{message}");
}

#[test]
fn the_users_mapping_goes_before_the_profiles_hosts() {
    let options = ExtractOptions {
        providers: vec![("*.ceypay.io".into(), "p100".into()), ("eu.ceypay.io".into(), "centrapay".into())],
        ..ExtractOptions::default()
    };
    let extractor = extractor(options);
    let provider = |host| extractor.profile(host, "/").map(|profile| profile.name().to_string());
    assert_eq!(provider("api.ceypay.io").as_deref(), Some("p100"));
    assert_eq!(provider("eu.ceypay.io:8443").as_deref(), Some("centrapay"));
    assert_eq!(provider("ceypay.io"), None);
}

#[test]
fn no_secret_shows() {
    let credentials = [("authorization", SECRET), ("x-api-key", "another-secret"), ("?token", "third-secret")];
    for host in ["api.ceypay.io", "service.centrapay.com", "unheard-of.example"] {
        let observation = format!("{:?}", observe(&Call { host, credentials: &credentials, ..Call::default() }));
        assert!(!observation.contains(SECRET) && !observation.contains("-secret"), "{observation}");
    }
}

#[test]
fn every_built_in_profile_has_hosts_and_documents() {
    let profiles = Profiles::built_in().unwrap();
    for name in ["octopus-cards", "centrapay", "p100", "fluid-network", "ceypay"] {
        assert!(profiles.find(name).is_some(), "{name}");
    }
    for profile in profiles.iter() {
        let name = profile.name();
        assert!(!profile.hosts().is_empty(), "{name} knows no host");
        assert!(profile.documentation().is_some_and(|url| url.starts_with("https://")), "{name} names no documents");
        assert!(profile.title() != name, "{name} has no title");
        assert!(profile.source_text().contains(&format!("name = \"{name}\"")));
        assert_eq!(**profile.origin(), *format!("profiles/{name}.toml"), "a profile's file is called after it");
        let says_something = profile.scope().is_some()
            || !profile.classes().is_empty()
            || profile.codes().count() > 0
            || *profile.wire() != WireRules::default();
        assert!(says_something, "{name} adds nothing");
    }
}

#[test]
fn the_format_is_documented() {
    let text = include_str!("../../src/profiles/README.md");
    let examples: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let whole: Vec<&&str> = examples.iter().filter(|example| example.starts_with("name = ")).collect();
    assert_eq!(whole.len(), 2);
    for example in whole {
        Profiles::built_in().unwrap().add(example, "README.md").unwrap();
    }
    for table in ["", "[[quotas]]\n", "[codes.x]\n", "[wire]\n", "[scope]\n"] {
        let broken = format!("name = \"acme\"\n{table}nonsense = 1\n");
        let message = Profiles::empty().add(&broken, "a.toml").unwrap_err().message;
        let keys = message.strip_prefix("unknown key; accepted are ").unwrap();
        for key in keys.split(", ") {
            let is_named = text.contains(&format!("`{key}`")) || text.contains(&format!("{key} = "));
            assert!(
                is_named || text.contains(&format!("`[{key}]`")) || text.contains(&format!("`[[{key}]]`")),
                "{key}"
            );
        }
    }
}

/// What a response says, in one line: quotas, wait, refusal, code, scope.
fn said(call: &Call<'_>) -> String {
    let observation = observe(call);
    let number = |amount: Option<Amount>| amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string());
    let quotas = observation.readings.iter().map(|reading| {
        let window = reading.window.map(|window| format!(" in {}s", window.as_secs())).unwrap_or_default();
        let until = reading.reset_at.map(|at| format!(" until {}", at.as_secs())).unwrap_or_default();
        let bucket = reading.bucket.as_deref().map(|bucket| format!(" of {bucket}")).unwrap_or_default();
        let party = reading.scope.as_ref().map(|scope| format!(" for {}", scope.kind)).unwrap_or_default();
        let (remaining, limit) = (number(reading.remaining), number(reading.limit));
        format!("{:?} {remaining}/{limit}{window}{until}{bucket}{party}; ", reading.source)
    });
    let line: String = quotas.collect();
    let wait = observation.retry_after.map(|wait| format!("wait {}s, ", wait.as_secs())).unwrap_or_default();
    let cause = observation.throttled.map(|cause| format!("{cause:?}, ")).unwrap_or_default();
    let code = observation.error_code.map(|code| format!("code {code}, ")).unwrap_or_default();
    format!("{line}{wait}{cause}{code}per {}", observation.scope.unwrap().kind)
}

#[test]
fn the_five_providers_responses_are_understood() {
    let octopus = r#"{"error":{"name":"TooManyRequestsError","code":"TOO_MANY_REQUESTS",
        "message":"Rate limit exceeded. Retry after 12 seconds."}}"#;
    let mut call = Call {
        request: "POST /api/v1/orders",
        host: "api.octopuscards.io",
        status: 429,
        body: octopus,
        ..Call::default()
    };
    assert_eq!(said(&call), "wait 12s, Quota, code TOO_MANY_REQUESTS, per account");
    call.fields = &[("Retry-After", "7")];
    assert_eq!(said(&call), "wait 7s, Quota, code TOO_MANY_REQUESTS, per account");

    let fields = [("Retry-After", "30")];
    let call = Call {
        host: "service.centrapay.com",
        status: 429,
        fields: &fields,
        body: r#"{"message":"RATE_LIMIT_EXCEEDED"}"#,
        ..Call::default()
    };
    assert_eq!(said(&call), "wait 30s, Quota, code RATE_LIMIT_EXCEEDED, per account");

    let fields = [("X-RateLimit-Limit", "300"), ("X-RateLimit-Remaining", "241"), ("X-RateLimit-Reset", "1672531200")];
    let call = Call { request: "GET /v1/users/7", host: "partner-api.p100.io", fields: &fields, ..Call::default() };
    assert_eq!(said(&call), "Header 241/300 in 60s until 1672531200 of requests per address; per ip");
    let refused = r#"{"error":"Rate limit exceeded","message":"You have exceeded the maximum number of requests allowed (300 requests/min). Please try again later.","retry_after":60,"limit":300,"window":"1 minute"}"#;
    let call = Call { host: "partner-api.p100.io", status: 429, body: refused, ..Call::default() };
    assert_eq!(said(&call), "Body -/300 in 60s of requests per address; wait 60s, Quota, per ip");

    let fields = [
        ("RateLimit-Limit", "1000"),
        ("RateLimit-Remaining", "847"),
        ("RateLimit-Reset", "1672531200"),
        ("Retry-After", "45"),
    ];
    let call =
        Call { request: "GET /v1/payments/7", host: "api.fluid-network.com", fields: &fields, ..Call::default() };
    assert_eq!(said(&call), "Header 847/1000 in 60s until 1672531200 of payment-provider; wait 45s, per partner");
    let refused = r#"{"error":{"code":1454,"message":"Rate limit exceeded for payment partner","category":"security",
        "severity":"medium","details":{"limit":1000,"window":"1 minute","retry_after":45}}}"#;
    let call = Call {
        request: "GET /v1/payments/7",
        host: "api.fluid-network.com",
        status: 429,
        body: refused,
        ..Call::default()
    };
    assert_eq!(said(&call), "Body -/1000 in 60s of payment-provider; wait 45s, Quota, code 1454, per partner");
    let refused = refused.replace("1454", "1453").replace("1000", "100");
    let call = Call { body: &refused, ..call };
    assert_eq!(said(&call), "Body -/100 in 60s of ip; wait 45s, Quota, code 1453, per ip");

    let refused = r#"{"statusCode":429,"message":"Rate limit exceeded. Maximum 100 requests per 60 seconds. Try again in 45 seconds.","error":"Too Many Requests","retryAfter":45}"#;
    let fields = [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1672531200")];
    let call = Call {
        request: "POST /v1/payment",
        host: "api.ceypay.io",
        status: 429,
        fields: &fields,
        body: refused,
        ..Call::default()
    };
    assert_eq!(said(&call), "Header 0/100 in 60s until 1672531200 of POST /v1/payment; wait 45s, Quota, per merchant");
}

#[test]
fn a_path_shows_no_credential() {
    for (host, path, shown) in [
        ("hooks.slack.com", "/services/T000/B000/sk_hook_secret", "/services/T000/B000/{token}"),
        ("api.telegram.org", "/bot12345:sk_bot_secret/sendMessage", "/bot{token}/sendMessage"),
        ("discord.com", "/api/v10/webhooks/1234567890/sk_hook_secret", "/api/v10/webhooks/1234567890/{token}"),
    ] {
        let request = format!("POST {path}");
        let observation = observe(&Call { request: &request, host, ..Call::default() });
        assert_eq!(observation.path.as_deref(), Some(shown));
        assert!(!format!("{observation:?}").contains("secret"), "{observation:?}");
    }
}

#[test]
fn what_must_be_seen_is_asked_for() {
    let interest = extractor(ExtractOptions::default()).interest();
    for name in [
        "Authorization",
        "X-API-Key",
        "x-shopify-access-token",
        "PRIVATE-TOKEN",
        "KC-API-KEY",
        "x-mbx-apikey",
        "apikey",
    ] {
        assert!(interest.credential_field(name.as_bytes()), "{name}");
    }
    for name in ["X-Centrapay-Account", "Cookie", "Content-Type", "Accept", "", "x-api-keys", "authorisation"] {
        assert!(!interest.credential_field(name.as_bytes()), "{name}");
    }
    for name in ["api_key", "access_token", "key", "hapikey", "Token"] {
        assert!(interest.credential_parameter(name.as_bytes()), "{name}");
    }
    assert!(!interest.credential_parameter(b"page"));
    for name in ["RateLimit-Limit", "x-ratelimit-remaining", "retry-after", "gw-ratelimit-reset"] {
        assert!(interest.response_field(name.as_bytes()), "{name}");
    }
    for (status, host, path, wanted) in [
        (429, None, None, true),
        (200, None, None, false),
        (200, Some("api.github.com"), Some("/graphql"), true),
        (200, Some("api.github.com"), Some("/user"), false),
        (200, Some("api.bybit.com"), Some("/v5/order/create"), true),
        (200, Some("api.ceypay.io"), Some("/v1/payment"), false),
    ] {
        assert_eq!(interest.content(status, host, path), wanted, "{status} {host:?} {path:?}");
    }
}

#[test]
fn the_public_apis_responses_are_understood() {
    let in_success = r#"{"retCode":10006,"retMsg":"Too many visits!","result":{},"time":1672531155123}"#;
    let call = Call { request: "POST /v5/order/create", host: "api.bybit.com", body: in_success, ..Call::default() };
    assert_eq!(said(&call), "Quota, code 10006, per account");
    let fields = [("gw-ratelimit-limit", "2000"), ("gw-ratelimit-remaining", "1997"), ("gw-ratelimit-reset", "22000")];
    let call = Call { host: "api.kucoin.com", fields: &fields, ..Call::default() };
    assert_eq!(said(&call), "Header 1997/2000 until 1672531177; per account");
    let banned = Call {
        host: "api.binance.com",
        status: 418,
        body: r#"{"code":-1003,"msg":"Way too much request weight used"}"#,
        ..Call::default()
    };
    assert_eq!(said(&banned), "Quota, code -1003, per ip");
    let lock = r#"{"error":{"code":"lock_timeout","type":"invalid_request_error"}}"#;
    let call = Call { host: "api.stripe.com", status: 429, body: lock, ..Call::default() };
    assert_eq!(said(&call), "Concurrency, code lock_timeout, per account");
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let call = Call { host: "api.anthropic.com", status: 529, body: overloaded, ..Call::default() };
    assert_eq!(said(&call), "per account");
    let graphql = r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}"#;
    let call = Call {
        request: "POST /admin/api/2024-10/graphql.json",
        host: "shop.myshopify.com",
        body: graphql,
        ..Call::default()
    };
    assert_eq!(said(&call), "Quota, code THROTTLED, per account");
    let spent = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    let call = Call {
        request: "POST /v1/chat/completions",
        host: "api.openai.com",
        status: 429,
        body: spent,
        ..Call::default()
    };
    assert_eq!(said(&call), "Billing, code insufficient_quota, per account");
    let fields = [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "4999"),
        ("x-ratelimit-reset", "1672531200"),
        ("x-ratelimit-resource", "core"),
    ];
    let call = Call {
        request: "GET /repos/rust-lang/rust/issues/1",
        host: "api.github.com",
        fields: &fields,
        ..Call::default()
    };
    assert_eq!(said(&call), "Header 4999/5000 in 3600s until 1672531200 of core for api-key; per core");
    assert_eq!(observe(&call).endpoint.as_deref(), Some("GET /repos/{owner}/{repo}/issues/{id}"));
}
