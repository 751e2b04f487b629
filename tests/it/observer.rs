//! An observer that remembers finds what an extractor finds that does not, whatever came before.

#![expect(clippy::unwrap_used, reason = "a test's own builders fail the test")]

#[path = "../bench/plain_fields.rs"]
#[expect(unreachable_pub, reason = "a module of the benches")]
mod plain_fields;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use quotascope::extract::{ExtractOptions, Extractor, Hints, Observer, Profiles, Reader, read_response};
use quotascope::model::{Body, Client, Credential, Exchange, Fields, Observation, Request, Response, Timestamp};

use plain_fields::PLAIN;

/// One for all tests: making it reads every profile.
static EXTRACTOR: LazyLock<Arc<Extractor>> = LazyLock::new(|| {
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let names =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect::<BTreeMap<_, _>>();
    let options = ExtractOptions {
        providers: [("mapped.test/v2", "ceypay"), ("mapped.test/1000001", "github")].map(pair).into(),
        environments: [("sandbox.octopuscards.io", "sandbox"), ("mapped.test/v2/42", "sandbox")].map(pair).into(),
        aliases: names(&[("k:00000001", "prod key"), ("10.0.0.1", "build server")]),
        pools: names(&[("k:00000002", "merchant 7"), ("prod key", "merchant 7")]),
        templates: vec![
            (None, "GET /v3/reports/:kind/latest".into()),
            (None, "GET /v3/accounts/1000001/keys".into()),
            (Some("mapped.test/1000002".into()), "GET /1000002/orders/{order}".into()),
            (None, "/hooks/{token}/deliveries/{id}".into()),
        ],
        count_announced: false,
    };
    Arc::new(Extractor::new(Profiles::built_in().unwrap(), options).unwrap())
});

/// Hosts that profiles know, each pattern's star replaced; and some that none knows.
static HOSTS: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| {
    let known = EXTRACTOR.profiles().iter().flat_map(|profile| profile.hosts());
    let known = known.map(|pattern| pattern.to_string().split('/').next().unwrap().replace('*', "eu"));
    known.chain(["mapped.test", "api.example.com", "api.example.com:8443"].map(str::to_owned)).map(Arc::from).collect()
});

/// Segments that patterns know, and some that stand for one thing among many.
static SEGMENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let endpoints = EXTRACTOR
        .profiles()
        .iter()
        .flat_map(|profile| profile.classes().iter().flat_map(|class| class.endpoints()).chain(profile.templates()));
    let mut segments: Vec<String> = endpoints
        .flat_map(|pattern| pattern.path().to_string().split('/').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    segments.sort();
    segments.dedup();
    segments
});

fn host() -> impl Strategy<Value = Option<Arc<str>>> {
    prop::option::weighted(0.95, prop::sample::select(HOSTS.clone()))
}

fn segment() -> impl Strategy<Value = String> {
    let number = (1_000_000u32..1_000_004).prop_map(|number| number.to_string());
    let values = [
        "42",
        "7",
        "550e8400-e29b-41d4-a716-446655440000",
        "cus_NffrFeUfNV2Hib",
        "cus_NffrFeUfNV2Hic",
        "2026-11-22",
        "450789469.json",
        "gpt-1234567:predict",
        "jo@example.com",
        "v1",
        "v2",
        "1.1",
        "2010-04-01",
        "",
        "a%20b",
        "reports",
        "accounts",
        "orders",
        "hooks",
        "deliveries",
        "keys",
        "latest",
        "repos",
        "issues",
    ];
    prop_oneof![
        3 => number,
        3 => prop::sample::select(values.to_vec()).prop_map(str::to_owned),
        3 => prop::sample::select(SEGMENTS.clone()),
        1 => "[a-z0-9._:-]{0,12}",
    ]
}

/// A path: one that a profile knows with its names filled in, or any.
fn path() -> impl Strategy<Value = String> {
    let templates: Vec<String> = EXTRACTOR
        .profiles()
        .iter()
        .flat_map(|profile| profile.classes().iter().flat_map(|class| class.endpoints()).chain(profile.templates()))
        .map(|pattern| pattern.path().to_string())
        .collect();
    let filled =
        (prop::sample::select(templates), prop::collection::vec(segment(), 4)).prop_map(|(template, values)| {
            let mut values = values.into_iter().cycle();
            let filled = template
                .split('/')
                .map(|part| if part.contains(['{', '*']) { values.next().unwrap() } else { part.to_owned() });
            filled.collect::<Vec<_>>().join("/")
        });
    let any = prop::collection::vec(segment(), 0..6).prop_map(|parts| format!("/{}", parts.join("/")));
    prop_oneof![4 => filled, 3 => any, 1 => "\\PC{0,600}"]
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        "date",
        "age",
        "retry-after",
        "retry-after-ms",
        "ratelimit",
        "ratelimit-policy",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-used",
        "x-ratelimit-resource",
        "x-ratelimit-limit-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        "x-rate-limit-limit",
        "x-rate-limit-remaining",
        "x-rate-limit-reset",
        "x-acme-limit",
        "x-acme-usage",
        "x-acme-left-minute",
        "x-acme-left-day",
        "x-acme-reset",
        "x-mbx-used-weight-1m",
        "x-mbx-used-weight-1h",
        "docker-ratelimit-source",
        "x-envoy-ratelimited",
        "x-app-usage",
        "x-sentry-rate-limits",
        "x-amzn-errortype",
        "grpc-status",
        "x-ms-ratelimit-remaining-resource",
        "anthropic-ratelimit-tokens-limit",
        "server",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "x-[a-z]{1,6}-(limit|left|reset)"]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "100",
        "0",
        "42",
        "1773658000",
        "30",
        "60000",
        "1m30s",
        "12ms",
        "100;w=60, 1000;w=3600",
        "32/40",
        "-1",
        "",
        "limit=100, remaining=50, reset=5",
        "\"default\";r=50;t=30",
        "\"default\";q=100;w=60",
        "core",
        "8",
        "true",
        "{\"call_count\":28}",
        "60:error:key",
        "Mon, 16 Mar 2026 09:46:40 GMT",
        "total=100; remaining=99; resets=41",
        "10.0.0.7",
        "ThrottlingException",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..30),
        1 => Just(vec![b','; 17_000]),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let bodies = [
        "",
        "{\"error\":{\"code\":1454,\"message\":\"Rate limit exceeded\"}}",
        "{\"message\":\"RATE_LIMIT_EXCEEDED\"}",
        "{\"error\":\"slow\",\"limit\":300,\"window\":\"1 minute\",\"retry_after\":9}",
        "Too many requests, retry in 5 s",
        "{\"error\":{\"code\":1455,\"message\":\"burst\"}}",
        "{\"code\":\"1453\"}",
        "<Error><Code>SlowDown</Code></Error>",
    ];
    let lines = prop::collection::vec((name(), value()), 0..7);
    let status = prop::sample::select(vec![200u16, 201, 400, 403, 429, 503]);
    (lines, status, prop::sample::select(bodies.to_vec()), 0..3i64).prop_map(|(lines, status, body, later)| {
        let mut fields = Fields::new();
        for (name, value) in lines {
            fields.push(name.as_bytes(), &value);
        }
        let body = (!body.is_empty()).then(|| Body { octets: body.as_bytes().to_vec(), truncated: false });
        Response { at: Timestamp::from_secs(1_773_654_400 + later), status, fields, body }
    })
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let carriers = ["authorization", "x-api-key", "x-octopus-apikey", "?key"];
    let credential = (prop::sample::select(carriers.to_vec()), 1..4u8)
        .prop_map(|(carrier, number)| Credential { carrier: carrier.into(), id: format!("k:0000000{number}").into() });
    let methods = prop::sample::select(vec!["GET", "POST", "DELETE", "get", "BREW"]);
    let credentials = prop::collection::vec(credential, 0..3);
    let request = (methods, host(), path(), credentials).prop_map(|(method, host, path, credentials)| Request {
        at: None,
        method: method.into(),
        host,
        path: path.into(),
        credentials: credentials.into(),
    });
    let client = prop_oneof![
        (0..3u8, any::<u16>()).prop_map(|(last, port)| Client::Address(SocketAddr::from(([10, 0, 0, last], port)))),
        prop::sample::select(vec!["10.0.0.1", "10.0.0.1:80", "worker-7"]).prop_map(|name| Client::Named(name.into())),
        Just(Client::Unknown),
    ];
    (client, prop::option::weighted(0.95, request), response()).prop_map(|(client, request, response)| Exchange {
        source: "test".into(),
        client,
        server: None,
        request,
        response,
        latency: Some(Duration::from_millis(3)),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_came_before_changes_nothing(exchanges in prop::collection::vec(exchange(), 1..24)) {
        let mut observer = Observer::new(Arc::clone(&EXTRACTOR));
        let mut used = Observation::default();
        for exchange in exchanges.iter().chain(&exchanges) {
            let alone = EXTRACTOR.observe(exchange);
            observer.observe_into(&mut exchange.clone(), &mut used);
            prop_assert_eq!(format!("{used:?}"), format!("{alone:?}"));
        }
    }

    #[test]
    fn what_was_read_before_changes_nothing(responses in prop::collection::vec(response(), 1..24)) {
        let mut reader = Reader::default();
        for response in responses.iter().chain(&responses) {
            prop_assert_eq!(reader.read(response, &Hints::default()), read_response(response, &Hints::default()));
        }
    }
}

#[test]
fn paths_that_differ_by_an_identity_keep_their_own_endpoint() {
    let mut observer = Observer::new(Arc::clone(&EXTRACTOR));
    let mut endpoint = |host: &str, path: &str| {
        let request = Request {
            at: None,
            method: "GET".into(),
            host: Some(host.into()),
            path: path.into(),
            credentials: smallvec::SmallVec::new(),
        };
        let response = Response { at: Timestamp::from_secs(0), status: 200, fields: Fields::new(), body: None };
        let observation = observer.observe(Exchange {
            source: "test".into(),
            client: Client::Unknown,
            server: None,
            request: Some(request),
            response,
            latency: None,
        });
        let provider = observation.provider.as_deref().unwrap_or("-").to_owned();
        (provider, observation.endpoint.unwrap().to_string(), observation.path.unwrap().to_string())
    };
    for (host, path, wanted) in [
        ("api.test", "/v3/accounts/1000002/keys", ("-", "GET /v3/accounts/{id}/keys", "/v3/accounts/1000002/keys")),
        ("api.test", "/v3/accounts/1000001/keys", ("-", "GET /v3/accounts/1000001/keys", "/v3/accounts/1000001/keys")),
        ("api.test", "/v3/accounts/1000003/keys", ("-", "GET /v3/accounts/{id}/keys", "/v3/accounts/1000003/keys")),
        (
            "api.test",
            "/hooks/1000003/deliveries/1",
            ("-", "GET /hooks/{token}/deliveries/{id}", "/hooks/{token}/deliveries/1"),
        ),
        (
            "api.test",
            "/hooks/1000004/deliveries/2",
            ("-", "GET /hooks/{token}/deliveries/{id}", "/hooks/{token}/deliveries/2"),
        ),
        ("mapped.test", "/1000001/x", ("github", "GET /{id}/x", "/1000001/x")),
        ("mapped.test", "/1000003/x", ("-", "GET /{id}/x", "/1000003/x")),
    ] {
        let found = endpoint(host, path);
        assert_eq!((&*found.0, &*found.1, &*found.2), wanted, "{host}{path}");
    }
}

/// What almost every response is: one of a server whose field names were read before, and none of which is of a quota.
#[test]
fn a_response_without_a_quota_costs_no_allocation() {
    const DATES: [(&str, &str); 2] = [("date", "Mon, 16 Mar 2026 09:46:40 GMT"), ("age", "0")];
    let response = |more: &[(&str, &str)]| {
        let mut fields = Fields::new();
        for (name, value) in DATES.iter().chain(&PLAIN).chain(more) {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        Response { at: Timestamp::from_secs(1_773_654_400), status: 200, fields, body: None }
    };
    let (silent, limited) = (response(&[]), response(&[("x-ratelimit-remaining", "7")]));
    let mut reader = Reader::default();
    let mut count = |response: &Response| {
        reader.read(response, &Hints::default());
        allocation_counter::measure(|| drop(reader.read(response, &Hints::default()))).count_total
    };
    assert_eq!(count(&silent), 0);
    // What the counter counts: the reading of a quota is kept somewhere.
    assert_ne!(count(&limited), 0);
}
