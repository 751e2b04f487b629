//! Endpoint templates, and the bounds on what one run may name.

#![expect(clippy::unwrap_used, reason = "a test's own builders fail the test")]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use quotascope::extract::{BoundOptions, Bounds, ExtractOptions, Extractor, Profiles};
use quotascope::model::{Client, Exchange, Fields, Observation, Request, Response, Scope, Timestamp};

fn exchange(host: &str, method: &str, path: &str) -> Exchange {
    Exchange {
        source: "test".into(),
        client: Client::Address(SocketAddr::from(([10, 0, 0, 7], 51_234))),
        server: None,
        request: Some(Request {
            at: None,
            method: method.into(),
            host: Some(host.into()),
            path: path.into(),
            credentials: smallvec::SmallVec::new(),
        }),
        response: Response { at: Timestamp::from_secs(0), status: 200, fields: Fields::new(), body: None },
        latency: None,
    }
}

/// One for all tests: making it reads every profile.
static EXTRACTOR: LazyLock<Extractor> = LazyLock::new(|| {
    let templates =
        vec![(None, "GET /v3/reports/:kind/latest".into()), (Some("files.test".into()), "/buckets/{bucket}/**".into())];
    Extractor::new(Profiles::built_in().unwrap(), ExtractOptions { templates, ..ExtractOptions::default() }).unwrap()
});

fn endpoint(host: &str, request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    EXTRACTOR.observe(&exchange(host, method, path)).endpoint.unwrap().to_string()
}

#[test]
fn paths_become_templates() {
    for (request, wanted) in [
        ("GET /", "GET /"),
        ("GET /v1/payment/42", "GET /v1/payment/{id}"),
        ("GET /v1/payment/42/", "GET /v1/payment/{id}"),
        ("GET //v1//payment", "GET /v1/payment"),
        ("GET /v2.1/users/550e8400-e29b-41d4-a716-446655440000/keys", "GET /v2.1/users/{id}/keys"),
        ("GET /2/users/44196397/tweets", "GET /2/users/{id}/tweets"),
        ("GET /2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef.json", "GET /2010-04-01/Accounts/{id}.json"),
        ("GET /days/2026-11-22", "GET /days/{date}"),
        ("GET /users/jo@example.com/orders", "GET /users/{email}/orders"),
        ("GET /admin/api/2024-10/orders/450789469.json", "GET /admin/api/{date}/orders/{id}.json"),
        ("POST /v1/customers/cus_NffrFeUfNV2Hib/sources", "POST /v1/customers/{id}/sources"),
        ("GET /v3/reports/sales/latest", "GET /v3/reports/{kind}/latest"),
        ("OPTIONS *", "OPTIONS *"),
        ("BREW /pots/1", "_OTHER /pots/{id}"),
        ("get /pots/1", "_OTHER /pots/{id}"),
    ] {
        assert_eq!(endpoint("unheard-of.example", request), wanted, "{request}");
    }
    assert_eq!(endpoint("files.test", "GET /buckets/summer/objects/17"), "GET /buckets/{bucket}/objects/{id}");
    assert_eq!(endpoint("other.test", "GET /buckets/summer/objects/17"), "GET /buckets/summer/objects/{id}");
    assert_eq!(endpoint("api.ceypay.io", "GET /v1/payment/summer"), "GET /v1/payment/{id}");
    assert_eq!(
        endpoint("api.octopuscards.io", "POST /api/v1/products/steam/charges"),
        "POST /api/v1/products/{id}/charges"
    );
}

/// Settles a request of a host as the tracker's thread would.
fn settle(bounds: &mut Bounds, host: &str, path: &str) -> Observation {
    let mut observation = EXTRACTOR.observe(&exchange(host, "GET", path));
    bounds.settle(&mut observation);
    observation
}

#[test]
fn what_varies_is_learned_and_what_was_shown_stays() {
    let mut bounds = Bounds::new(BoundOptions::default());
    let name = |n: usize| format!("{}{}", ["anna", "ben", "cleo", "dan"][n % 4], "x".repeat(n / 4));
    let mut shown = Vec::new();
    for n in 0..100 {
        let path = format!("/v1/shops/{}/orders", name(n));
        shown.push((path.clone(), settle(&mut bounds, "a.test", &path).endpoint.unwrap()));
    }
    assert_eq!(&*shown[0].1, "GET /v1/shops/anna/orders");
    assert_eq!(&*shown[99].1, "GET /v1/shops/{id}/orders");
    for (path, endpoint) in &shown {
        assert_eq!(settle(&mut bounds, "a.test", path).endpoint.as_ref(), Some(endpoint), "{path}");
    }
    assert_eq!(settle(&mut bounds, "a.test", "/v1/payment").endpoint.as_deref(), Some("GET /v1/payment"));
}

#[test]
fn past_the_bounds_all_is_other() {
    let options = BoundOptions { hosts: 2, endpoints_per_host: 3, endpoints: 4, scopes: 2 };
    let mut bounds = Bounds::new(options);
    let words = ["alpha", "beta", "gamma", "delta", "epsilon"];
    let endpoints: Vec<_> =
        words.iter().map(|w| settle(&mut bounds, "a.test", &format!("/{w}")).endpoint.unwrap()).collect();
    assert_eq!(
        endpoints.iter().map(|e| &**e).collect::<Vec<_>>(),
        ["GET /alpha", "GET /beta", "GET /gamma", "other", "other"]
    );
    let hosts: Vec<_> = words.iter().map(|w| settle(&mut bounds, &format!("{w}.test"), "/").host.unwrap()).collect();
    assert_eq!(hosts.iter().map(|h| &**h).collect::<Vec<_>>(), ["alpha.test", "other", "other", "other", "other"]);
    settle(&mut bounds, "alpha.test", "/");
    let last = settle(&mut bounds, "alpha.test", "/beta").endpoint.unwrap();
    assert_eq!(&*last, "other", "two endpoints are within a host's bound, but five are not within that of all hosts");
    let mut ids = Vec::new();
    for word in words {
        let mut observation = EXTRACTOR.observe(&exchange("a.test", "GET", "/alpha"));
        observation.scope = Some(Scope { kind: "api-key".into(), id: Some(word.into()) });
        bounds.settle(&mut observation);
        ids.push(observation.scope.unwrap().id.unwrap());
    }
    // The first of the two scopes is the client's address, which the requests above were counted for.
    assert_eq!(ids, ["alpha", "other", "other", "other", "other"].map(Arc::from));
}

#[test]
fn names_that_come_again_in_the_allocations_of_before_are_settled_the_same() {
    let options = BoundOptions { hosts: 2, endpoints_per_host: 3, endpoints: 4, scopes: 3 };
    let mut bounds = [Bounds::new(options), Bounds::new(options)];
    let all: Vec<_> = (0..60)
        .map(|n| {
            let host = format!("{}.test", ["a", "b", "c"][n % 3]);
            let mut observation = EXTRACTOR.observe(&exchange(&host, "GET", &format!("/{}", "wxyz".repeat(n % 5))));
            let kind = if n % 2 == 0 { "account" } else { "api-key" };
            observation.scope = Some(Scope { kind: kind.into(), id: Some(format!("k:{}", n % 4).into()) });
            observation
        })
        .collect();
    for observation in all.iter().chain(&all).chain(&all) {
        let mut same = observation.clone();
        let mut fresh = observation.clone();
        for name in [&mut fresh.host, &mut fresh.endpoint].into_iter().flatten() {
            *name = Arc::from(&**name);
        }
        bounds[0].settle(&mut same);
        bounds[1].settle(&mut fresh);
        let names = |observation: Observation| (observation.host, observation.endpoint, observation.scope);
        assert_eq!(names(same), names(fresh));
    }
}

proptest! {
    #[test]
    fn any_path_gives_a_short_printable_template(method in "\\PC{0,32}", path in "(/?\\PC{0,60}){0,40}", host in "\\PC{0,40}") {
        let observation = EXTRACTOR.observe(&exchange(&host, &method, &path));
        let endpoint = observation.endpoint.unwrap();
        prop_assert!(endpoint.len() <= 300, "{} octets", endpoint.len());
        prop_assert!(endpoint.is_ascii(), "{endpoint}");
    }

    #[test]
    fn endpoints_stay_bounded(paths in proptest::collection::vec("/[a-z]{1,4}(/[a-z]{1,3}){0,3}", 0..400)) {
        let mut bounds = Bounds::new(BoundOptions { endpoints_per_host: 20, ..BoundOptions::default() });
        let mut seen = std::collections::BTreeSet::new();
        for path in &paths {
            seen.insert(settle(&mut bounds, "a.test", path).endpoint.unwrap());
        }
        prop_assert!(seen.len() <= 21);
        for path in &paths {
            prop_assert!(seen.contains(&settle(&mut bounds, "a.test", path).endpoint.unwrap()));
        }
    }

    #[test]
    fn any_text_is_a_profile_or_an_error(text in "\\PC{0,200}") {
        let _ = Profiles::empty().add(&text, "any.toml").map_err(|e| e.to_string());
    }
}
