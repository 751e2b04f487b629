//! No credential that an input holds is shown, logged or stored, whatever the command and however much it says.

#![cfg(test)]

use std::path::Path;
use std::process::{Command, Stdio};

/// Each stands in one place of the input, and nowhere else.
const SECRETS: [&str; 15] = [
    "sk-live-bearer-4eC39HqLyjWDarjtT1",
    "jo-basic-user:pa55-basic-word",
    // The same, as it stands on the wire.
    "am8tYmFzaWMtdXNlcjpwYTU1LWJhc2ljLXdvcmQ=",
    "pa55-basic-word",
    "xapikey-7f3a9b2c1d",
    "cookie-session-91b2c3",
    "query-api-key-55aa66bb",
    "query-token-0099ffee",
    "userinfo-name-12ab",
    "userinfo-word-34cd",
    "body-secret-90ab12cd",
    "set-cookie-secret-77aa",
    "other-header-secret-42",
    "fragment-secret-8888",
    "proxy-auth-secret-31337",
];

/// Exchanges of one caller who shows everything: some are throttled, so that bodies are read and alerts are raised.
fn input() -> String {
    let mut lines = String::new();
    for number in 0..40u32 {
        let throttled = number % 4 == 3;
        let body = r#"{"error":{"code":1454,"message":"slow down","token":"body-secret-90ab12cd"}}"#;
        let line = serde_json::json!({
            "ts": 1_795_320_000 + number,
            "method": "GET",
            "url": format!(
                "https://userinfo-name-12ab:userinfo-word-34cd@api.example.com/v1/payment/{number}\
                 ?api_key=query-api-key-55aa66bb&token=query-token-0099ffee#fragment-secret-8888"
            ),
            "status": if throttled { 429 } else { 200 },
            "request_headers": [
                ["Authorization", if number % 2 == 0 {
                    "Bearer sk-live-bearer-4eC39HqLyjWDarjtT1"
                } else {
                    "Basic am8tYmFzaWMtdXNlcjpwYTU1LWJhc2ljLXdvcmQ="
                }],
                ["Proxy-Authorization", "Bearer proxy-auth-secret-31337"],
                ["X-Api-Key", "xapikey-7f3a9b2c1d"],
                ["Cookie", "session=cookie-session-91b2c3"],
            ],
            "response_headers": [
                ["RateLimit-Limit", "100"],
                ["RateLimit-Remaining", (40 - number).to_string()],
                ["RateLimit-Reset", "60"],
                ["Set-Cookie", "session=set-cookie-secret-77aa"],
                ["X-Internal-Token", "other-header-secret-42"],
                ["Content-Type", "application/json"],
            ],
            "response_body": body,
            "client": "10.0.0.7:51234",
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    // What cannot be read is not quoted either.
    lines.push_str(
        "{\"ts\":1795320041,\"url\":\"https://x/?token=query-token-0099ffee\",\"status\":\"xapikey-7f3a9b2c1d\n",
    );
    lines.push_str("Authorization: Bearer sk-live-bearer-4eC39HqLyjWDarjtT1\n");
    lines
}

/// Runs the built program; what it wrote to both outputs.
fn run(arguments: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_quotascope"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let mut all = output.stdout;
    all.extend(output.stderr);
    all
}

fn check(what: &str, octets: &[u8]) {
    let lower = octets.to_ascii_lowercase();
    for secret in SECRETS {
        let wanted = secret.to_ascii_lowercase();
        let shown = lower.windows(wanted.len()).any(|window| window == wanted.as_bytes());
        assert!(!shown, "{what} shows {secret:?}");
    }
}

fn files(folder: &Path, each: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, each) } else { each(&path) }
    }
}

#[test]
fn no_secret_is_shown_or_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchanges.ndjson");
    let text = input();
    std::fs::write(&path, &text).unwrap();
    // The input does hold what is looked for, so that the search below can fail.
    for secret in SECRETS.iter().filter(|secret| !secret.contains("pa55-basic-word")) {
        assert!(text.contains(secret), "{secret}");
    }
    for arguments in [
        &["replay", "exchanges.ndjson"][..],
        &["replay", "exchanges.ndjson", "--json"],
        &["replay", "exchanges.ndjson", "--events"],
        &["replay", "exchanges.ndjson", "--events=all", "-vv"],
        &["replay", "exchanges.ndjson", "-vv"],
        &["watch", "--read", "exchanges.ndjson", "--json", "--events=all", "--store", "kept", "-vv"],
        &["history", "--store", "kept"],
        &["history", "--json", "--store", "kept", "-vv"],
        &["history", "--csv", "--store", "kept"],
        &["config", "print"],
    ] {
        let shown = run(arguments, folder.path());
        assert!(!shown.is_empty() || arguments.contains(&"print"), "{arguments:?} says nothing");
        check(&arguments.join(" "), &shown);
    }
    let events = String::from_utf8(run(&["replay", "exchanges.ndjson", "--events=all"], folder.path())).unwrap();
    assert_eq!(events.matches("\"host\":\"api.example.com\"").count(), 40, "the exchanges were read");
    let mut stored = 0;
    files(&folder.path().join("kept"), &mut |file| {
        stored += 1;
        check(&file.display().to_string(), &std::fs::read(file).unwrap());
    });
    assert!(stored > 0, "nothing was stored");
}
