//! `quotascope demo`: five API servers and their clients on loopback, under watch.

use super::live::{self, Watching};
use super::{CommandError, Outcome};
use crate::cli::{self, Common};
use crate::config::{Environment, Settings};
use crate::demo::{Demo, DemoOptions};
use crate::source::{LiveCapture, LiveOptions};

/// The interface that the demo's traffic goes over.
const LOOPBACK: &str = "lo";

pub(super) fn run(
    arguments: &cli::Demo,
    common: &Common,
    environment: Environment<'_>,
) -> Result<Outcome, CommandError> {
    let allowed = may_capture();
    let demo = Demo::start(&DemoOptions::default()).map_err(CommandError::failed)?;
    let mut common = common.clone();
    let pairs = demo.servers().map(|(provider, _, host)| format!("{host}={}", provider.name()));
    common.providers.extend(pairs);
    let mut settings = Settings::load(&common, &arguments.export, environment)?;
    settings.read.clear();
    settings.tail.clear();
    settings.capture.interfaces.clear();
    let frames = match allowed {
        Ok(()) => {
            settings.capture.interfaces.push(LOOPBACK.to_owned());
            settings.capture.filter = Some(demo.filter());
            None
        }
        Err(reason) => {
            say(&reason, common.quiet);
            Some(("the demo's own clients".into(), demo.frames().clone()))
        }
    };
    let tap = frames.is_some();
    // The clients start when the capture is open, so that no connection is joined in its middle.
    let begin = || demo.start_clients(tap);
    live::run(Watching {
        settings,
        common: &common,
        output: &arguments.output,
        screen: true,
        keep: false,
        frames,
        begin: Some(&begin),
    })
}

/// Whether loopback may be sniffed; else why not.
fn may_capture() -> Result<(), String> {
    let options = LiveOptions { interface: LOOPBACK.to_owned(), ..LiveOptions::default() };
    LiveCapture::open(&options).map(drop).map_err(|error| error.to_string())
}

#[expect(clippy::print_stderr, reason = "stdout belongs to the findings")]
fn say(reason: &str, quiet: bool) {
    if !quiet {
        eprintln!("quotascope: {reason}");
        eprintln!("quotascope: the demo goes on without libpcap: its clients' octets are made into frames");
    }
}
