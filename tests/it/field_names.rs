//! What field names mean: whose count it is, of what, over which window, and which names are no quota's.

use crate::dialects::check;

#[test]
fn the_cost_of_one_request_is_not_what_was_used() {
    check(
        200,
        "X-RateLimit-Total: 700\nX-RateLimit-Remaining: 350\nX-RateLimit-Used-CurrentRequest: 2",
        "",
        "requests limit=700 left=350 used=350 utilization=0.5\nx-ratelimit",
    );
}

#[test]
fn a_credential_s_token_is_none_of_a_model_s() {
    check(
        200,
        "X-Rate-Limit-Api-Token-Interval-Ms: 5000\nX-Rate-Limit-Api-Token-Max: 80\nX-Rate-Limit-Api-Token-Remaining: 60\n\
         X-Rate-Limit-Api-Key-Max: 200\nX-Rate-Limit-Api-Key-Remaining: 50",
        "",
        "requests policy=api-key limit=200 left=50 used=150 utilization=0.75
         requests policy=api-token limit=80 left=60 used=20 utilization=0.25 window=5
         per-dimension",
    );
    check(
        200,
        "X-RateLimit-Auth-Token-Limit: 8\nX-RateLimit-Auth-Token-Remaining: 2\nX-RateLimit-Limit-Tokens: 400\n\
         X-RateLimit-Remaining-Tokens: 100",
        "",
        "requests policy=auth-token limit=8 left=2 used=6 utilization=0.75
         tokens limit=400 left=100 used=300 utilization=0.75
         per-dimension",
    );
}

#[test]
fn a_window_may_be_a_number_and_a_unit() {
    check(
        200,
        "x-ratelimit-limit-req-30-second: 40\nx-ratelimit-remaining-req-30-second: 10",
        "",
        "requests policy=30-second limit=40 left=10 used=30 utilization=0.75 window=30\nwindow-in-name",
    );
    check(
        200,
        "X-RateLimit-Limit-Requests: 50\nX-RateLimit-Remaining-Requests: 25\nX-RateLimit-RenewalPeriod-Requests: 60",
        "",
        "requests limit=50 left=25 used=25 utilization=0.5 window=60\nx-ratelimit",
    );
    check(
        200,
        "RateLimit-DailyLimit: 800\nRateLimit-Remaining: 600\nRateLimit-ResetTime: 2026-03-17T00:00:00+00:00",
        "",
        "requests policy=daily limit=800 left=600 used=200 utilization=0.25 window=86400 reset=+51200\nratelimit-delta",
    );
}

#[test]
fn time_itself_may_be_counted() {
    check(
        200,
        "x-ratelimit-limit-audio-seconds: 7000\nx-ratelimit-remaining-audio-seconds: 3500\n\
         x-ratelimit-reset-audio-seconds: 41s",
        "",
        "audio_seconds limit=7000 left=3500 used=3500 utilization=0.5 reset=+41\nper-dimension",
    );
    check(
        200,
        "X-Rate-Limit-Db-Query-Time-Interval-Ms: 90000\nX-Rate-Limit-Db-Query-Time-Max: 60000\n\
         X-Rate-Limit-Db-Query-Time-Remaining: 30000",
        "",
        "time policy=db-query limit=60000 left=30000 used=30000 utilization=0.5 window=90\nper-dimension",
    );
    check(200, "X-RateLimit-Time-Remaining: 12\nX-RateLimit-Seconds-Left: 12", "", "");
}

#[test]
fn a_reset_says_its_unit_in_many_words() {
    for name in ["Time-To-Reset", "Seconds-Until-Reset", "Reset-In", "Reset-After", "Reset-Seconds", "Resets-After"] {
        check(
            200,
            &format!("X-RateLimit-Limit: 4\nX-RateLimit-Remaining: 3\nX-RateLimit-{name}: 11"),
            "",
            "requests limit=4 left=3 used=1 utilization=0.25 reset=+11\nx-ratelimit",
        );
    }
    check(
        200,
        "X-Acme-Quota-Remaining: 7\nX-Acme-Quota-Resets-After: 00:01:05",
        "",
        "requests left=7 reset=+65\nvendor-triple",
    );
    // Under another name that is perhaps the time of the day.
    check(200, "X-RateLimit-Remaining: 7\nX-RateLimit-Reset: 00:01:05", "", {
        "requests left=7\nx-ratelimit doubt=reset-unreadable"
    });
    // Seconds beyond the window, and too few for milliseconds.
    check(
        200,
        "X-RateLimit-Limit: 4\nX-RateLimit-Remaining: 3\nX-RateLimit-Window: 60\nX-RateLimit-Reset: 400",
        "",
        "requests limit=4 left=3 used=1 utilization=0.25 window=60\nx-ratelimit doubt=reset-unit-unknown",
    );
}

#[test]
fn how_many_at_once() {
    check(
        200,
        "Current-Concurrent-Requests: 3\nMaximum-Concurrent-Requests: 4",
        "",
        "concurrent-requests limit=4 left=1 used=3 utilization=0.75\nper-dimension",
    );
    check(
        200,
        "Concurrency-Limit-Limit: 40\nConcurrency-Limit-Remaining: 30\nConcurrency-Limit-Type: Default",
        "",
        "concurrent-requests limit=40 left=30 used=10 utilization=0.25\nper-dimension",
    );
    check(200, "X-Acme-Api-Bucket-Level: 15/60", "", "requests limit=60 left=45 used=15 utilization=0.25\nratio");
}

#[test]
fn what_two_layers_both_say_is_said_once() {
    check(
        200,
        "RateLimit: limit=8, remaining=2, reset=9\nRateLimit: limit=8, remaining=2, reset=9\n\
         RateLimit-Policy: 8;w=10\nRateLimit-Policy: 8;w=10",
        "",
        "requests limit=8 left=2 used=6 utilization=0.75 window=10 reset=+9\nietf-07",
    );
    check(
        200,
        "X-App-Rate-Limit: 8:1,40:60\nX-App-Rate-Limit: 8:1,40:60\nX-App-Rate-Limit-Count: 2:1,10:60",
        "",
        "requests policy=app limit=8 left=6 used=2 utilization=0.25 window=1
         requests policy=app limit=40 left=30 used=10 utilization=0.25 window=60
         count-window-list",
    );
    check(
        200,
        "X-App-Usage: {\"call_count\":25}\nX-App-Usage: {\"call_count\":25}",
        "",
        "requests policy=app utilization=0.25\njson-usage",
    );
}

#[test]
fn a_policy_s_parameters_are_no_part_of_its_name() {
    check(
        200,
        "RateLimit: \"api\";r=30;t=9\nRateLimit-Policy: \"fixed window\";\"api\";q=40;w=300",
        "",
        "requests policy=api limit=40 left=30 used=10 utilization=0.25 window=300 reset=+9\nietf-08+",
    );
    check(
        200,
        "RateLimit: \"a\";r=30;t=9;seen=@1773654000\nRateLimit-Policy: \"a\";title=%\"caf%c3%a9\";hard;q=40;w=60;soft=?0",
        "",
        "requests policy=a limit=40 left=30 used=10 utilization=0.25 window=60 reset=+9\nietf-08+",
    );
}

#[test]
fn what_looks_like_a_quota_and_is_none() {
    for lookalike in [
        "X-Request-Limit: 100",
        "X-Token-Limit: 4096",
        "X-Context-Limit-Tokens: 128000",
        "X-Frame-Rate-Limit: 60",
        "X-Attempts-Limit: 5\nX-Attempts-Remaining: 2",
        "X-Seats-Limit: 20\nX-Seats-Remaining: 3",
        "X-Licenses-Limit: 10\nX-Licenses-Used: 4",
        "X-Stock-Limit: 9\nX-Stock-Left: 3",
        "X-Mailbox-Quota-Limit: 5000\nX-Mailbox-Quota-Used: 4",
        "X-Days-Left: 4",
        "X-Trial-Days-Remaining: 5",
        "X-Time-Limit: 100\nX-Time-Remaining: 4",
        "X-Content-Limit: 5\nAccept-Ranges: bytes\nAlt-Svc: h3=\":443\"; ma=86400",
        "X-File-Size-Limit: 4\nX-Page-Limit: 50\nX-Total-Count: 7",
        "X-RateLimit-Global: true\nX-RateLimit-Enabled: TRUE",
    ] {
        check(200, lookalike, "", "");
    }
    // With a reset beside it a provider's own pair is one.
    check(
        200,
        "X-Acme-Limit: 20\nX-Acme-Remaining: 15\nX-Acme-Reset: 1773654405",
        "",
        "requests limit=20 left=15 used=5 utilization=0.25 reset=+5\nvendor-triple",
    );
}

#[test]
fn codes_and_waits_that_bodies_write_in_other_ways() {
    check(
        429,
        "",
        "<?xml version=\"1.0\"?><e:Error xmlns:e=\"urn:x\"><e:Code kind=\"limit\">TooFast</e:Code></e:Error>",
        "body-only throttled=unspecified code=TooFast",
    );
    check(
        429,
        "",
        "<s:Envelope><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><faultcode>a:SlowDown</faultcode></s:Fault></s:Envelope>",
        "body-only throttled=unspecified code=SlowDown",
    );
    check(429, "", r#"{"message":"Please try again in 1h2m3s."}"#, "body-only wait=3723 throttled=unspecified");
    check(429, "", r#"{"message":"Retry after a few seconds"}"#, "throttled=unspecified");
}
