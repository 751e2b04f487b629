//! What responses say: the documented answers of five providers, one of each family, and what must hold for any input.

use std::fmt::Write as _;

use proptest::prelude::*;
use quotascope::extract::{Hints, ResetUnit, Said, WireRules, is_telling_field, may_explain_refusal, read_response};
use quotascope::model::{Body, Fields, QuotaSource, Response, ThrottleCause, Timestamp};

/// 16 March 2026, 09:46:40 UTC.
const NOW: i64 = 1_773_654_400;

fn respond(status: u16, lines: &[(&[u8], &[u8])], body: Option<&[u8]>) -> Response {
    let mut fields = Fields::new();
    for (name, value) in lines {
        if is_telling_field(name) {
            fields.push(name, value);
        }
    }
    let body = body.map(|octets| Body { octets: octets.to_vec(), truncated: false });
    Response { at: Timestamp::from_secs(NOW), status, fields, body }
}

/// Reads a response written as `Name: value` lines.
fn read(status: u16, head: &str, body: &str, rules: Option<&WireRules>) -> Said {
    let lines: Vec<(&[u8], &[u8])> = head
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let body = (!body.is_empty()).then_some(body.as_bytes());
    read_response(&respond(status, &lines, body), &Hints { rules, ..Hints::default() })
}

/// What a response says, a line for each quota, then one for the rest; only what is known.
fn show(said: &Said) -> String {
    let mut text = String::new();
    for reading in &said.readings {
        let _ = write!(text, "{}", reading.dimension);
        let mut show = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(text, " {name}={value}");
            }
        };
        show("policy", reading.policy.as_deref().map(str::to_owned));
        show("limit", reading.limit.map(|n| n.to_string()));
        show("left", reading.remaining.map(|n| n.to_string()));
        show("used", reading.used.map(|n| n.to_string()));
        show("utilization", reading.utilization.map(|n| format!("{n:.4}").trim_end_matches('0').to_owned()));
        show("window", reading.window.map(|d| d.as_secs_f64().to_string()));
        let now = Timestamp::from_secs(NOW);
        let ahead = |at: Timestamp| at.since(now).as_secs_f64() - now.since(at).as_secs_f64();
        show("reset", reading.reset_at.map(|at| format!("{:+}", ahead(at))));
        show("bucket", reading.bucket.as_deref().map(str::to_owned));
        show("from", (reading.source != QuotaSource::Header).then(|| reading.source.as_str().to_owned()));
        text.push('\n');
    }
    let mut rest: Vec<String> = Vec::new();
    rest.extend(said.dialect.map(str::to_owned));
    rest.extend(said.retry_after.map(|wait| format!("wait={}", wait.as_secs_f64())));
    rest.extend(said.throttled.map(|cause| format!("throttled={}", format!("{cause:?}").to_lowercase())));
    rest.extend(said.error_code.as_deref().map(|code| format!("code={code}")));
    rest.extend(said.scope.as_ref().map(|(kind, id)| match id {
        Some(id) => format!("scope={kind}:{id}"),
        None => format!("scope={kind}"),
    }));
    rest.extend(said.doubts.iter().map(|doubt| format!("doubt={doubt}")));
    text.push_str(&rest.join(" "));
    text
}

#[track_caller]
pub(super) fn check(status: u16, head: &str, body: &str, wanted: &str) {
    let wanted = wanted.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    assert_eq!(show(&read(status, head, body, None)), wanted.trim(), "\n{head}");
}

mod providers {
    use super::*;

    #[test]
    fn octopus_cards_says_nothing_until_it_refuses() {
        check(200, "Content-Type: application/json", "{\"data\":[]}", "");
        let body = r#"{"error":{"name":"TooManyRequestsError","code":"TOO_MANY_REQUESTS",
            "message":"Rate limit exceeded. Retry after 17 seconds."}}"#;
        check(429, "Retry-After: 9", body, "retry-after-only wait=9 throttled=unspecified code=TOO_MANY_REQUESTS");
        check(429, "", body, "body-only wait=17 throttled=unspecified code=TOO_MANY_REQUESTS");
    }

    #[test]
    fn centrapay_puts_its_code_into_the_message() {
        let body = r#"{"message":"RATE_LIMIT_EXCEEDED"}"#;
        check(429, "Retry-After: 22", body, "retry-after-only wait=22 throttled=unspecified code=RATE_LIMIT_EXCEEDED");
    }

    #[test]
    fn p100_says_its_limit_in_the_body() {
        let head = "X-RateLimit-Limit: 300\nX-RateLimit-Remaining: 75\nX-RateLimit-Reset: 1773654441";
        check(200, head, "", "requests limit=300 left=75 used=225 utilization=0.75 reset=+41\nx-ratelimit");
        let body = r#"{"error":"Rate limit exceeded","message":"You have exceeded the maximum number of requests allowed (300 requests/min).","retry_after":60,"limit":300,"window":"1 minute"}"#;
        check(
            429,
            "Retry-After: 55",
            body,
            "requests limit=300 window=60 from=body\nretry-after-only wait=55 throttled=quota",
        );
        // Where the field lines say the same quota, the body only adds its window.
        let head = "X-RateLimit-Limit: 300\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1773654441";
        check(
            429,
            head,
            body,
            "requests limit=300 left=0 used=300 utilization=1. window=60 reset=+41\nx-ratelimit wait=60 throttled=quota",
        );
    }

    #[test]
    fn fluid_network_writes_epochs_under_the_names_of_the_draft() {
        let head = "RateLimit-Limit: 1000\nRateLimit-Remaining: 847\nRateLimit-Reset: 1773654460\nRetry-After: 45";
        check(
            200,
            head,
            "",
            "requests limit=1000 left=847 used=153 utilization=0.153 reset=+60\nratelimit-epoch wait=45",
        );
        let body = r#"{"error":{"code":1455,"message":"Rate limit exceeded for bank","category":"security",
            "details":{"limit":200,"window":"1 minute","retry_after":31}}}"#;
        check(429, "", body, "requests limit=200 window=60 from=body\nbody-only wait=31 throttled=quota code=1455");
        // The profile says that the number is an epoch: a small one is then no delta but a doubt.
        let rules = WireRules { reset: Some(ResetUnit::EpochSeconds), ..WireRules::default() };
        let said = read(200, "RateLimit-Limit: 1000\nRateLimit-Remaining: 9\nRateLimit-Reset: 30", "", Some(&rules));
        assert_eq!(said.readings[0].reset_at, None);
        assert_eq!(said.doubts, ["reset-against-profile"]);
    }

    #[test]
    fn ceypay_echoes_the_status_which_is_no_code() {
        let body = r#"{"statusCode":429,"message":"Rate limit exceeded. Maximum 50 requests per 60 seconds. Try again in 12 seconds.","error":"Too Many Requests","retryAfter":12}"#;
        let head = "X-RateLimit-Limit: 50\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1773654412";
        check(
            429,
            head,
            body,
            "requests limit=50 left=0 used=50 utilization=1. reset=+12\nx-ratelimit wait=12 throttled=quota",
        );
    }
}

mod families {
    use super::*;

    #[test]
    fn the_drafts_of_the_ietf() {
        check(
            200,
            "RateLimit-Limit: 90, 90;w=60;burst=9;comment=\"a, b\", 700;w=3600\nRateLimit-Remaining: 30\nRateLimit-Reset: 7",
            "",
            "requests limit=90 left=30 used=60 utilization=0.6667 window=60 reset=+7
             requests limit=700 window=3600
             ietf-00-02",
        );
        check(
            200,
            "RateLimit-Limit: 700\nRateLimit-Policy: 90;w=60, 700;w=3600\nRateLimit-Remaining: 30\nRateLimit-Reset: 7",
            "",
            "requests limit=90 window=60
             requests limit=700 left=30 used=670 utilization=0.9571 window=3600 reset=+7
             ietf-03-06",
        );
        check(
            200,
            "RateLimit: reset=9, limit=12, remaining=3\nRateLimit-Policy: 12;w=10",
            "",
            "requests limit=12 left=3 used=9 utilization=0.75 window=10 reset=+9\nietf-07",
        );
        check(
            200,
            "RateLimit: main;r=5;t=2\nRateLimit-Policy: main;l=20;w=10",
            "",
            "requests policy=main limit=20 left=5 used=15 utilization=0.75 window=10 reset=+2\nietf-07-token",
        );
        check(
            200,
            "X-Acme-RateLimit: \"up\";r=512;t=3;pk=:no base64:, \"b;,\\\"\";r=1\n\
             X-Acme-RateLimit-Policy: \"up\";q=1024;qu=\"content-bytes\";w=10;pk=:no base64:, \"c\";q=5;w=1",
            "",
            "requests policy=b;,\" left=1
             requests policy=c limit=5 window=1
             content-bytes policy=up limit=1024 left=512 used=512 utilization=0.5 window=10 reset=+3
             ietf-08+",
        );
    }

    #[test]
    fn triples_of_any_provider() {
        let quota = "requests limit=80 left=20 used=60 utilization=0.75 reset=+30\n";
        for (names, family) in [
            (["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"], "ratelimit-delta"),
            (["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"], "x-ratelimit"),
            (["X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"], "x-rate-limit"),
            (["X-Acme-RateLimit", "X-Acme-RateLimit-Left", "X-Acme-RateLimit-Reset-After"], "vendor-triple"),
            (["acme-rate-limit-max", "acme-rate-limit-remain", "acme-rate-limit-expiry"], "vendor-triple"),
            (["X-Acme-Limit", "X-Acme-Limit-Status", "X-Acme-Limit-Reset"], "vendor-triple"),
            (["X-RateLimit-Allowed", "X-RateLimit-Available", "X-RateLimit-Next"], "x-ratelimit"),
        ] {
            let reset = if names[2].ends_with("Next") { "2026-03-16T09:47:10Z" } else { "30" };
            let head = format!("{}: 80\n{}: 20\n{}: {reset}", names[0], names[1], names[2]);
            check(200, &head, "", &format!("{quota}{family}"));
        }
        check(
            200,
            "X-Rate-Limit-Requests-Left: 20\nX-Rate-Limit-Requests-Quota: 80\nX-Rate-Limit-Time-Reset-Ms: 30000\n\
             X-Rate-Limit-Time-Window-Ms: 60000",
            "",
            "requests limit=80 left=20 used=60 utilization=0.75 window=60 reset=+30\nx-rate-limit",
        );
    }

    #[test]
    fn dimensions_labels_and_windows_in_names() {
        check(
            200,
            "X-RateLimit-Limit-Requests: 60\nX-RateLimit-Remaining-Requests: 45\nX-RateLimit-Reset-Requests: 1m2.5s\n\
             X-RateLimit-Limit-Tokens: 9000\nX-RateLimit-Remaining-Tokens: 9000\nX-RateLimit-Reset-Tokens: 12ms",
            "",
            "requests limit=60 left=45 used=15 utilization=0.25 reset=+62.5
             tokens limit=9000 left=9000 used=0 utilization=0. reset=+0.012
             per-dimension",
        );
        check(
            200,
            "anthropic-ratelimit-input-tokens-limit: 400\nanthropic-ratelimit-input-tokens-remaining: 100\n\
             anthropic-ratelimit-input-tokens-reset: 2026-03-16T09:46:50Z",
            "",
            "input_tokens limit=400 left=100 used=300 utilization=0.75 reset=+10\nanthropic",
        );
        check(
            200,
            "X-Acme-RateLimit-UserLimit: 10\nX-Acme-RateLimit-UserRemaining: 4\nX-Acme-RateLimit-UserReset: 1773654402",
            "",
            "requests policy=user limit=10 left=4 used=6 utilization=0.6 reset=+2\nper-dimension",
        );
        check(
            200,
            "X-Acme-PerMinuteRateLimit-Limit: 60\nX-Acme-PerMinuteRateLimit-Remaining: 59\n\
             X-Acme-RateLimit-Daily: 1000\nX-Acme-RateLimit-Daily-Remaining: 750",
            "",
            "requests policy=minute limit=60 left=59 used=1 utilization=0.0167 window=60
             requests policy=daily limit=1000 left=750 used=250 utilization=0.25 window=86400
             window-in-name",
        );
    }

    #[test]
    fn lists_ratios_and_documents() {
        check(
            200,
            "X-RateLimit-Limit: 2, 9000\nX-RateLimit-Policy: 2;w=1, 9000;w=86400\nX-RateLimit-Remaining: 1, 6000\n\
             X-RateLimit-Reset: 1, 419704",
            "",
            "requests limit=2 left=1 used=1 utilization=0.5 window=1 reset=+1
             requests limit=9000 left=6000 used=3000 utilization=0.3333 window=86400 reset=+419704
             parallel-list",
        );
        check(
            200,
            "X-App-Rate-Limit: 20:1,100:120\nX-App-Rate-Limit-Count: 5:1,125:120",
            "",
            "requests policy=app limit=20 left=15 used=5 utilization=0.25 window=1
             requests policy=app limit=100 left=0 used=125 utilization=1.25 window=120
             count-window-list",
        );
        check(200, "X-Acme-Api-Call-Limit: 10/40", "", "requests limit=40 left=30 used=10 utilization=0.25\nratio");
        check(
            200,
            "X-App-Usage: {\"call_count\":131,\"total_time\":\"25\"}",
            "",
            "requests policy=app utilization=1.31\ntime policy=app utilization=0.25\njson-usage",
        );
        check(
            200,
            "X-Acme-Primary-Used-Percent: 12.5\nX-Acme-Primary-Window-Minutes: 300\nX-Acme-Primary-Reset-At: 1773654500",
            "",
            "requests policy=primary utilization=0.125 window=18000 reset=+100\npercent-used",
        );
        check(
            200,
            "X-Sentry-Rate-Limits: 60:transaction:key, 2700:error;default:organization",
            "",
            "error;default policy=organization reset=+2700
             transaction policy=key reset=+60
             sentry scope=organization",
        );
    }

    #[test]
    fn one_number_alone() {
        check(200, "RateLimit-Remaining: 4499", "", "requests left=4499\nremaining-only");
        check(200, "X-MBX-USED-WEIGHT-1M: 12", "", "weight policy=1m used=12 window=60\nused-only");
        check(200, "x-amzn-RateLimit-Limit: 0.5", "", "requests limit=0.5 window=1\nlimit-only");
        check(429, "Stripe-Rate-Limited-Reason: global-rate", "", "scope-only throttled=unspecified scope=global-rate");
    }

    #[test]
    fn two_names_for_one_quota_are_one_and_two_layers_are_two() {
        check(
            200,
            "X-RateLimit-Limit-Minute: 40\nX-RateLimit-Remaining-Minute: 10\nRateLimit-Limit: 40\n\
             RateLimit-Remaining: 10\nRateLimit-Reset: 44",
            "",
            "requests policy=minute limit=40 left=10 used=30 utilization=0.75 window=60 reset=+44\nmixed",
        );
        check(
            200,
            "X-RateLimit-Limit: 5000\nX-RateLimit-Remaining: 4000\nX-RateLimit-Reset: 1773658000\n\
             RateLimit-Limit: 100\nRateLimit-Remaining: 50\nRateLimit-Reset: 30",
            "",
            "requests limit=100 left=50 used=50 utilization=0.5 reset=+30
             requests limit=5000 left=4000 used=1000 utilization=0.2 reset=+3600
             mixed",
        );
    }

    #[test]
    fn what_cannot_be_known_is_absent() {
        check(200, "X-RateLimit-Limit: -1\nX-RateLimit-Remaining: unlimited\nX-RateLimit-Reset: 0", "", {
            "malformed doubt=negative-number doubt=number-unreadable"
        });
        check(
            200,
            "X-RateLimit-Limit: 1,000\nX-RateLimit-Remaining: 9\nX-RateLimit-Reset: 60000",
            "",
            "requests left=9\nparallel-list doubt=lists-not-aligned",
        );
        check(
            200,
            "X-RateLimit-Limit: 18446744073709551615\nX-RateLimit-Remaining: NaN",
            "",
            "malformed doubt=number-too-large doubt=number-unreadable",
        );
        check(200, "RateLimit: \"a;r=1;t=5", "", "malformed doubt=structured-field-malformed");
        for lookalike in [
            "X-Page-Limit: 50\nX-Total-Count: 900",
            "X-Item-Limit: 25",
            "X-Frame-Rate: 60",
            "X-Request-Cost: 4",
            "Access-Control-Expose-Headers: X-RateLimit-Limit",
            "X-Upload-Limit: 5\nX-Upload-Remaining: 2",
            "X-Result-Limit: 20\nX-Result-Count: 20\nX-Result-Total: 40",
        ] {
            check(200, lookalike, "", "");
        }
    }
}

mod refusals {
    use super::*;

    #[track_caller]
    fn refused(status: u16, head: &str, body: &str) -> Option<(ThrottleCause, Option<String>)> {
        let said = read(status, head, body, None);
        said.throttled.map(|cause| (cause, said.error_code.map(|code| code.to_string())))
    }

    #[test]
    fn a_refusal_needs_evidence_where_the_status_is_none() {
        use ThrottleCause::{Abuse, Billing, Burst, Quota, Unspecified};
        let code = |code: &str| Some(code.to_owned());
        let spent = "X-RateLimit-Limit: 9\nX-RateLimit-Remaining: 0";
        for (status, head, body, wanted) in [
            (429, "", "", Some((Unspecified, None))),
            (420, "", "Enhance your calm", Some((Unspecified, None))),
            (403, spent, "", Some((Quota, None))),
            (403, "Retry-After: 60", "", None),
            (403, "", r#"{"message":"You have exceeded a secondary rate limit."}"#, Some((Abuse, None))),
            (403, "X-RateLimit-Remaining: 4", r#"{"message":"Resource not accessible"}"#, None),
            (503, spent, "", Some((Quota, None))),
            (503, "Retry-After: 120", "<html>busy</html>", None),
            (401, spent, "", None),
            (200, spent, "", None),
            (400, "", r#"{"error":{"code":"limit_invalid"}}"#, None),
            (400, "", r#"{"__type":"x#ThrottlingException"}"#, Some((Unspecified, code("ThrottlingException")))),
            (404, "", r#"{"error":{"code":"rate_limit_exceeded"}}"#, None),
            (200, "grpc-status: 8", "", Some((Unspecified, code("RESOURCE_EXHAUSTED")))),
            (200, "", r#"{"errors":[{"extensions":{"code":"THROTTLED"}}]}"#, Some((Unspecified, code("THROTTLED")))),
            (200, "", r#"{"name":"Throttled","code":"RATE_LIMITED"}"#, None),
            (429, "", r#"{"error":{"code":"insufficient_quota"}}"#, Some((Billing, code("insufficient_quota")))),
            (429, "RateLimit-Reason: acme-burst-based", "", Some((Burst, None))),
            (503, "", "<?xml?><Response><Code>SlowDown</Code></Response>", Some((Unspecified, code("SlowDown")))),
        ] {
            assert_eq!(refused(status, head, body), wanted, "{status} {head} {body}");
        }
    }

    #[test]
    fn a_profile_decides_where_the_general_rules_cannot() {
        let rules = WireRules {
            throttle_codes: vec!["10006".into()],
            other_codes: vec!["lock_timeout".into()],
            code_pointers: vec!["/fault/*/number".into()],
            retry_pointers: vec!["/fault/*/after".into()],
            throttle_statuses: vec![418],
            throttles_in_success: true,
            ..WireRules::default()
        };
        assert!(may_explain_refusal(200, Some(&rules)) && !may_explain_refusal(200, None));
        assert!(may_explain_refusal(429, None) && !may_explain_refusal(304, Some(&rules)));
        let said = read(200, "", r#"{"retCode":10006,"retMsg":"Too many visits!"}"#, Some(&rules));
        assert_eq!((said.throttled.is_some(), said.error_code.as_deref()), (true, Some("10006")));
        assert_eq!(read(200, "", r#"{"retCode":0}"#, Some(&rules)).throttled, None);
        assert_eq!(read(429, "", r#"{"code":"lock_timeout"}"#, Some(&rules)).throttled, None);
        let said = read(418, "", r#"{"fault":[{"number":77,"after":2.5}]}"#, Some(&rules));
        assert_eq!(show(&said), "body-only wait=2.5 throttled=unspecified code=77");
        let spoken = WireRules { retry_messages: vec!["come back in {n} s.".into()], ..WireRules::default() };
        let said = read(429, "", r#"{"message":"Slow! Come back in 40 s."}"#, Some(&spoken));
        assert_eq!(show(&said), "body-only wait=40 throttled=unspecified");
    }

    #[test]
    fn the_most_exact_wait_wins() {
        let wait = |head: &str, body: &str| read(429, head, body, None).retry_after.map(|wait| wait.as_millis());
        assert_eq!(wait("Retry-After: 1\nRetry-After-Ms: 524", r#"{"retry_after":9}"#), Some(524));
        assert_eq!(wait("X-RateLimit-Retry-After: 40", ""), Some(40_000));
        assert_eq!(wait("Retry-After: 5\nRetry-After: 30", ""), Some(30_000));
        assert_eq!(wait("", r#"{"error":{"details":[{"retryDelay":"4.5s"}]}}"#), Some(4500));
        assert_eq!(wait("", r#"{"retry_after":1234}"#), None);
        assert_eq!(wait("X-RateLimit-Reset: 1773654405\nRetry-After: 5100", ""), Some(5100));
    }
}

/// Field lines as a server may write them: real names and forms, and noise.
fn line() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        8 => prop::sample::select(vec![
            "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit", "RateLimit-Policy",
            "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Used", "X-RateLimit-Window",
            "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Interval", "Retry-After", "Retry-After-Ms",
            "X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute", "X-RateLimit-Reset-Tokens", "X-App-Usage",
            "X-Acme-Api-Call-Limit", "X-App-Rate-Limit", "X-App-Rate-Limit-Count", "X-Sentry-Rate-Limits", "Date", "Age",
            "X-RateLimit-Scope", "X-RateLimit-Resource", "X-MBX-USED-WEIGHT-1M", "X-Acme-Limit", "X-Acme-Limit-Status",
            "x-ms-ratelimit-remaining-resource", "Sforce-Limit-Info", "X-Codex-Primary-Used-Percent", "gw-ratelimit-reset",
        ])
        .prop_map(str::to_owned),
        1 => "[a-z-]{0,20}(limit|remaining|reset|used|retry-after)[a-z0-9_-]{0,12}",
    ];
    let value = prop_oneof![
        6 => (0u64..10_000).prop_map(|n| n.to_string()),
        1 => any::<u64>().prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|n| n.to_string()),
        3 => prop::sample::select(vec![
            "1, 15000", "100, 100;w=60", "32/40", "20:1,100:120", "\"a\";r=5;t=9", "\"a\";q=10;w=60", "60;w=60",
            "limit=9, remaining=3, reset=5", "-1", "unlimited", "inf", "NaN", "1m30s", "2026-03-16T09:47:00Z",
            "Mon, 16 Mar 2026 09:47:00 GMT", "{\"call_count\":28}", "60:error:key", "api-usage=18/5000", "A/Get3Min;19",
            "1773654460", "1773654460123", "core", "", "\"", ",", "=", ";", ":", "1e400", "99999999999999999999999999",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,40}",
    ];
    (name, value)
}

fn said_of(status: u16, lines: &[(String, String)], body: Option<&[u8]>) -> Said {
    let lines: Vec<(&[u8], &[u8])> = lines.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    read_response(&respond(status, &lines, body), &Hints::default())
}

fn assert_sound(said: &Said) {
    for reading in &said.readings {
        for amount in [reading.limit, reading.remaining, reading.used].into_iter().flatten() {
            assert!(amount.value().is_finite() && amount.value() >= 0.0, "{reading:?}");
        }
        assert!(reading.utilization.is_none_or(|ratio| ratio.is_finite() && ratio >= 0.0), "{reading:?}");
        assert!(reading.policy.as_ref().is_none_or(|policy| policy.len() <= 64), "{reading:?}");
    }
    assert!(
        said.error_code
            .as_ref()
            .is_none_or(|code| code.len() <= 128 && code.bytes().all(|b| (b' '..=b'~').contains(&b)))
    );
    assert!(said.error_code.is_none() || said.throttled.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lines of different names may come in any order and case; lines of one name keep theirs (RFC 9110 section 5.3).
    #[test]
    fn order_and_case_say_nothing(
        lines in prop::collection::vec(line(), 0..8),
        keys in prop::collection::vec(any::<u32>(), 8),
        upper in any::<bool>(),
        status in prop::sample::select(vec![200u16, 403, 429, 503]),
    ) {
        let before = said_of(status, &lines, None);
        let mut names: Vec<String> = lines.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        names.dedup();
        let place = |name: &str| {
            let index = names.binary_search(&name.to_ascii_lowercase()).expect("each name is listed");
            (keys[index % keys.len()], index)
        };
        let mut shuffled = lines;
        shuffled.sort_by_key(|(name, _)| place(name));
        for (name, _) in &mut shuffled {
            *name = if upper { name.to_ascii_uppercase() } else { name.to_ascii_lowercase() };
        }
        prop_assert_eq!(before, said_of(status, &shuffled, None));
    }

    /// A list is the same on one line and on several, wherever it is split.
    #[test]
    fn a_list_may_be_split(
        numbers in prop::collection::vec(0u32..100_000, 2..6),
        windows in prop::collection::vec(1u32..100_000, 6),
        cuts in prop::collection::vec(any::<bool>(), 6),
        form in 0usize..10,
    ) {
        let (name, beside) = [
            ("X-RateLimit-Limit", ("X-RateLimit-Remaining", "7")),
            ("RateLimit-Policy", ("RateLimit-Remaining", "7")),
            ("RateLimit-Policy", ("RateLimit", "\"p1\";r=7;t=3")),
            ("X-App-Rate-Limit", ("X-App-Rate-Limit-Count", "7:60")),
            ("X-Ms-RateLimit-Remaining-Resource", ("Retry-After", "7")),
            ("X-Sentry-Rate-Limits", ("Retry-After", "7")),
            ("RateLimit-Remaining", ("RateLimit-Limit", "7;w=60")),
            ("RateLimit", ("RateLimit-Policy", "7;w=60")),
            ("X-Acme-Api-Call-Limit", ("Retry-After", "7")),
            ("Sforce-Limit-Info", ("Retry-After", "7")),
        ][form];
        let parts: Vec<String> = numbers.iter().zip(&windows).enumerate().map(|(index, (number, window))| match form {
            0 => number.to_string(),
            1 | 6 => format!("{number};w={window};comment=\"a, b\""),
            2 => format!("\"p{index}\";q={number};w={window}"),
            3 => format!("{number}:{window}"),
            4 => format!("Acme/Get{index};{number}"),
            5 => format!("{number}:c{index}:s{window}"),
            8 => format!("{number}/{window}"),
            9 => format!("kind{index}={number}/{window}"),
            _ => format!("\"p{index}\";r={number};t={window}"),
        }).collect();
        let state = (beside.0.to_owned(), beside.1.to_owned());
        let joined = said_of(200, &[(name.to_owned(), parts.join(", ")), state.clone()], None);
        let mut lines: Vec<String> = Vec::new();
        for (part, cut) in parts.into_iter().zip(cuts) {
            match lines.last_mut().filter(|_| !cut) {
                Some(line) => { let _ = write!(line, ",{part}"); }
                None => lines.push(part),
            }
        }
        let mut lines: Vec<_> = lines.into_iter().map(|line| (name.to_owned(), line)).collect();
        lines.push(state);
        prop_assert_eq!(joined, said_of(200, &lines, None));
    }

    /// White space and quotes around a number say nothing.
    #[test]
    fn white_space_and_quotes_say_nothing(limit in 1u32..100_000, left in 0u32..100_000, reset in 1u32..9_999) {
        let plain = |n: u32| n.to_string();
        let quoted = |n: u32| format!(" \t\"{n}\" ");
        let head = |show: &dyn Fn(u32) -> String| {
            let names = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
            names.into_iter().map(str::to_owned).zip([limit, left, reset].map(show)).collect::<Vec<_>>()
        };
        let said = said_of(200, &head(&plain), None);
        prop_assert_eq!(said.readings.len(), 1);
        prop_assert_eq!(said.readings[0].remaining.map(quotascope::model::Amount::value), Some(f64::from(left)));
        prop_assert_eq!(&said, &said_of(200, &head(&quoted), None));
    }

    /// Nothing that a server writes makes a number that cannot be.
    #[test]
    fn numbers_are_sound(lines in prop::collection::vec(line(), 0..12), status in 100u16..1000, body in "\\PC{0,200}") {
        assert_sound(&said_of(status, &lines, Some(body.as_bytes())));
    }

    /// Octets of any kind are read without a panic.
    #[test]
    fn any_octets_are_read(
        lines in prop::collection::vec(
            (prop::sample::select(vec![&b"ratelimit"[..], b"x-ratelimit-reset", b"x-app-usage", b"retry-after", b"date"]),
             prop::collection::vec(any::<u8>(), 0..80)),
            0..6,
        ),
        names in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4),
        body in prop::collection::vec(any::<u8>(), 0..300),
        status in 200u16..600,
    ) {
        let mut all: Vec<(&[u8], &[u8])> = lines.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        all.extend(names.iter().map(|name| (name.as_slice(), &b"5"[..])));
        assert_sound(&read_response(&respond(status, &all, Some(&body)), &Hints::default()));
    }

    /// A body of an API's shape, cut anywhere, gives no wrong code.
    #[test]
    fn a_cut_body_gives_no_code(cut in 0usize..60) {
        let whole = r#"{"error":{"code":"rate_limit_exceeded","message":"slow down"}}"#;
        let said = said_of(429, &[], Some(&whole.as_bytes()[..cut.min(whole.len() - 1)]));
        prop_assert_eq!(said.error_code, None);
    }
}

#[test]
fn hostile_sizes_stay_cheap() {
    let long = "1,".repeat(500_000);
    let pairs = "a=1;".repeat(200_000);
    let quotes = "\"".repeat(300_000);
    let names =
        ["RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Reset", "X-App-Usage", "Retry-After"];
    for value in [&long, &pairs, &quotes] {
        let lines: Vec<_> = names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
        assert_sound(&said_of(429, &lines, None));
    }
    // The longest values that are read, in each form, on as many lines as are read.
    let forms = [
        "1,",
        "1;w=1,",
        "\"a\";r=1;t=1,",
        "1:1,",
        "a=1/2;",
        "1:a:b,",
        "A/B3Min;1,",
        "\"",
        "\\\"",
        "(",
        "%\"",
        ":",
        "1.",
        "1m",
    ];
    for form in forms {
        let value = form.repeat(16 * 1024 / form.len());
        let lines: Vec<_> = (0..96)
            .map(|n| {
                (
                    format!(
                        "{}{}",
                        names[n % names.len()],
                        if n < names.len() { String::new() } else { format!("-a{n}") }
                    ),
                    value.clone(),
                )
            })
            .collect();
        assert_sound(&said_of(429, &lines, Some(value.as_bytes())));
    }
    // Many short lists: each of their quotas is compared with each other one.
    let lists: Vec<_> = (0..96).map(|n| (format!("x-ratelimit-limit-a{n}"), "1,2,3,".repeat(10))).collect();
    let said = said_of(200, &lists, None);
    assert!(said.readings.len() <= 128 && said.doubts.contains(&"too-many-quotas"), "{}", said.readings.len());
    let elements = "<Code ".repeat(200_000);
    assert_sound(&said_of(429, &[], Some(elements.as_bytes())));
    let deep = "[".repeat(65_536);
    assert_sound(&said_of(429, &[], Some(deep.as_bytes())));
    let many: Vec<_> = (0..5000).map(|n| (format!("x-ratelimit-limit-{n}"), "1".to_owned())).collect();
    assert!(said_of(200, &many, None).readings.len() <= 100);
}
