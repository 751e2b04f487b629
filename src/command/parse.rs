//! `quotascope parse`: the quotas that response heads on stdin announce.

use std::io::Read;
use std::sync::Arc;

use super::{CommandError, Outcome, Output};
use crate::cli::{Common, Parse};
use crate::clock;
use crate::config::{ConfigError, Settings};
use crate::decode::response_text;
use crate::model::{Client, Exchange, Observation, Request, Timestamp};
use crate::report::{exchange_line, write_announcement};

/// The most that is read of stdin: a page of heads and bodies, not a download.
const MOST_OCTETS: u64 = 64 << 20;

pub(super) fn run(arguments: &Parse, common: &Common, settings: &Settings) -> Result<Outcome, CommandError> {
    let at = match arguments.at {
        Some(seconds) => Timestamp::from_secs_f64(seconds)
            .ok_or_else(|| ConfigError::flag("--at", "give seconds since 1970, such as 1763783112"))?,
        None => clock::now(),
    };
    let mut text = Vec::new();
    std::io::stdin().lock().take(MOST_OCTETS).read_to_end(&mut text).map_err(CommandError::failed)?;
    let responses = response_text::responses(&text, at);
    if responses.is_empty() {
        return Err(CommandError::failed(
            "stdin holds no response head; pipe one in, such as from `curl -si URL`, starting with HTTP/1.1 200 OK",
        ));
    }
    let observations: Vec<Observation> = responses
        .into_iter()
        .map(|response| {
            let request = Request {
                at: None,
                method: arguments.method.to_ascii_uppercase().into(),
                host: arguments.host.as_deref().map(|host| host.to_ascii_lowercase().into()),
                path: arguments.path.split(['?', '#']).next().unwrap_or("/").into(),
                credentials: smallvec::SmallVec::new(),
            };
            let exchange = Exchange {
                source: Arc::from("stdin"),
                client: Client::Unknown,
                server: None,
                request: Some(request),
                response,
                latency: None,
            };
            settings.extractor.observe(&exchange)
        })
        .collect();
    let mut output = Output::new();
    if common.json {
        output.write(|mut out| write_announcement(&mut out, &observations))?;
    } else {
        for observation in &observations {
            output.write(|out| writeln!(out, "{}", exchange_line(observation)))?;
        }
    }
    output.flush()?;
    Ok(Outcome::Done)
}
