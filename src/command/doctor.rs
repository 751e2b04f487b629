//! `quotascope doctor`: what this machine lets the agent see, and how to fix what it does not.

use super::{CommandError, Outcome, Output, is_root};
use crate::cli::Common;
use crate::clock;
use crate::config::Settings;
use crate::source::{LiveCapture, LiveOptions, interfaces};
use crate::store::{SledStore, StoreError};

/// One thing that was looked at.
struct Check {
    name: String,
    good: bool,
    found: String,
    advice: Option<String>,
}

pub(super) fn run(common: &Common, settings: &Settings) -> Result<Outcome, CommandError> {
    let mut checks = captures();
    checks.push(store(settings));
    checks.push(exports(settings));
    checks.extend(unread_protocols());
    let mut output = Output::new();
    if common.json {
        let rows: Vec<serde_json::Value> = checks
            .iter()
            .map(|check| {
                serde_json::json!({"check": check.name, "good": check.good, "found": check.found, "advice": check.advice})
            })
            .collect();
        output.write(|out| {
            serde_json::to_writer_pretty(&mut *out, &rows).map_err(Into::into).and_then(|()| writeln!(out))
        })?;
    } else {
        for check in &checks {
            let mark = if check.good { "ok  " } else { "LOOK" };
            output.write(|out| writeln!(out, "{mark}  {}: {}", check.name, check.found))?;
            if let Some(advice) = &check.advice {
                output.write(|out| writeln!(out, "      {advice}"))?;
            }
        }
    }
    output.flush()?;
    Ok(Outcome::Done)
}

fn captures() -> Vec<Check> {
    let found = match interfaces() {
        Ok(found) => found,
        Err(error) => {
            let advice = Some("is libpcap installed?".to_owned());
            return vec![Check { name: "interfaces".to_owned(), good: false, found: error.to_string(), advice }];
        }
    };
    let candidates = found.iter().filter(|interface| interface.up);
    let mut checks: Vec<Check> = candidates
        .map(|interface| {
            let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
            let options = LiveOptions { interface: interface.name.clone(), ..LiveOptions::default() };
            let name = format!("interface {}", interface.name);
            match LiveCapture::open(&options) {
                Ok(_) => {
                    let found = format!(
                        "can be captured; {}",
                        if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") }
                    );
                    Check { name, good: true, found, advice: None }
                }
                Err(error) => Check { name, good: false, found: error.to_string(), advice: None },
            }
        })
        .collect();
    if checks.is_empty() {
        let advice = Some("read a capture file (`quotascope replay FILE`) or feed exchanges as NDJSON".to_owned());
        checks.push(Check { name: "interfaces".to_owned(), good: false, found: "none is up".to_owned(), advice });
    }
    checks
}

/// What is counted, by host, and not read.
fn unread_protocols() -> [Check; 2] {
    let found = "counted by host and port (`input.lost` in --json, the input panel, quotascope.decode.lost), not read";
    let check = |name: &str, advice: &str| Check {
        name: name.to_owned(),
        good: false,
        found: found.to_owned(),
        advice: Some(advice.to_owned()),
    };
    [
        check(
            "HTTPS",
            "feed the exchanges from the HTTP client (see \"Feed it from my HTTP client\" in the README), or capture \
             where TLS ends",
        ),
        check(
            "HTTP/2 and HTTP/3",
            "have the client speak HTTP/1.1 on the way that is captured, or feed the exchanges from the HTTP client",
        ),
    ]
}

fn store(settings: &Settings) -> Check {
    let directory = settings.store.directory(is_root());
    let name = "store".to_owned();
    if !settings.store.enabled {
        return Check { name, good: true, found: "switched off".to_owned(), advice: None };
    }
    if !directory.exists() {
        let found = format!("{} will be made at the first start", directory.display());
        return Check { name, good: true, found, advice: None };
    }
    match SledStore::open(&directory, settings.store.options(clock::now())) {
        Ok((store, _)) => {
            use crate::store::Store;
            let found =
                format!("{}: {} series, {} KiB", directory.display(), store.series().len(), store.size_on_disk() >> 10);
            Check { name, good: true, found, advice: None }
        }
        Err(error @ StoreError::InUse { .. }) => Check { name, good: true, found: error.to_string(), advice: None },
        Err(error) => Check { name, good: false, found: error.to_string(), advice: None },
    }
}

fn exports(settings: &Settings) -> Check {
    let name = "export".to_owned();
    if !settings.export.is_wanted() {
        let advice = Some("set OTEL_EXPORTER_OTLP_ENDPOINT or give --otlp-endpoint".to_owned());
        return Check { name, good: true, found: "nothing is exported".to_owned(), advice };
    }
    match settings.export.endpoints() {
        Ok(endpoints) => {
            let mut good = true;
            let found: Vec<String> = endpoints
                .iter()
                .map(|(host, port)| match reach(host, *port) {
                    Ok(()) => format!("{host}:{port} answers"),
                    Err(error) => {
                        good = false;
                        format!("{host}:{port} does not answer ({error})")
                    }
                })
                .collect();
            let advice = (!good).then(|| "start the collector, or correct the endpoint".to_owned());
            Check { name, good, found: found.join(", "), advice }
        }
        Err(error) => Check { name, good: false, found: error.to_string(), advice: None },
    }
}

/// Whether somebody listens there; a collector, which the user named, not an API.
fn reach(host: &str, port: u16) -> std::io::Result<()> {
    use std::net::{TcpStream, ToSocketAddrs};
    let address = (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"))?;
    TcpStream::connect_timeout(&address, std::time::Duration::from_secs(2)).map(drop)
}
