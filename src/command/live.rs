//! What `watch`, `agent` and `demo` have in common: open the captures, give up the rights, start the threads, show.

use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::printer::Printer;
use super::{CommandError, Outcome, Output, is_root};
use crate::cli::{Color, Common, LiveOutput};
use crate::clock;
use crate::config::{CaptureSettings, Settings};
use crate::export::{ExportOptions, Exporter};
use crate::model::{HashKey, OwnedFrame};
use crate::pipeline::{EngineOptions, Live, LiveOptions, LiveSource, Recorder, Summary};
use crate::privilege::{self, Rights};
use crate::report::{write_summary, write_text};
use crate::source::{LiveCapture, LiveOptions as CaptureOptions, Tail, TailFrom, detect};
use crate::store::{self, Opened, SledStore, Store};
use crate::telemetry;
use crate::ui::{self, UiOptions};

/// What is watched and how it is shown.
pub(super) struct Watching<'a> {
    pub(super) settings: Settings,
    pub(super) common: &'a Common,
    pub(super) output: &'a LiveOutput,
    /// Whether there may be a screen.
    pub(super) screen: bool,
    /// Whether time series are kept although the user did not say where.
    pub(super) keep: bool,
    /// Frames that somebody else makes, with the name they are shown under.
    pub(super) frames: Option<(Arc<str>, crossbeam_channel::Receiver<OwnedFrame>)>,
    /// What begins when everything is open.
    pub(super) begin: Option<&'a dyn Fn()>,
}

const EXPORT_PATIENCE: Duration = Duration::from_secs(2);

/// Watches until the end that the user asked for.
pub(super) fn run(watching: Watching<'_>) -> Result<Outcome, CommandError> {
    let Watching { mut settings, common, output, screen, keep, frames, begin } = watching;
    let screen = screen && !common.json && output.events.is_none() && Output::is_terminal();
    let verbosity = if screen { telemetry::SILENT } else { super::verbosity(common) };
    let color = use_color(common.color);

    let captures = open_captures(&settings.capture, &settings.export)?;
    if !captures.is_empty() {
        let rights = privilege::give_up(settings.capture.user.as_deref(), settings.capture.sudo_uid);
        if let Rights::GivenUp { home, .. } = rights.map_err(CommandError::failed)? {
            settings.store = settings.store.at_home(home);
        }
    }
    let mut sources: Vec<LiveSource> = captures.into_iter().map(LiveSource::Interface).collect();
    let mut names: Vec<String> = settings.capture.interfaces.clone();
    for path in &settings.read {
        // A file that cannot be read is said before the screen starts; stdin cannot be opened twice.
        if path.as_os_str() != "-" {
            detect::open(path).map_err(CommandError::failed)?;
        }
        sources.push(LiveSource::File(path.clone()));
        names.push(path.display().to_string());
    }
    for path in &settings.tail {
        sources.push(LiveSource::Tail(Tail::open(path, TailFrom::End).map_err(CommandError::failed)?));
        names.push(path.display().to_string());
    }
    if let Some((name, frames)) = frames {
        names.push(name.to_string());
        sources.push(LiveSource::Frames(name, frames));
    }

    let traces = settings.traces.then_some(&settings.export);
    let logging = telemetry::start(verbosity, color, traces).map_err(CommandError::failed)?;
    let (recorder, key, waiting) = open_recorder(&settings, keep)?;
    let kept_outbox = recorder.as_ref().filter(|_| settings.export.is_wanted()).map(Recorder::outbox);
    let mut printer = Printer::silent(Output::new()).with_events(output.events).live();
    printer = printer.with_alerts(!screen && !common.json && output.events.is_none() && !common.quiet);
    let stop = Arc::new(AtomicBool::new(false));
    let options = LiveOptions {
        sources,
        extractor: Arc::clone(&settings.extractor),
        decode: settings.decode.clone(),
        key,
        engine: EngineOptions { bounds: settings.bounds, track: settings.track.clone(), alert: settings.alert.clone() },
        recorder,
        seconds: output.seconds,
        linger: screen,
        exports: settings.export.is_wanted(),
        stop: Arc::clone(&stop),
    };
    let live = Live::start(options, Box::new(printer.stopping(Arc::clone(&stop)))).map_err(CommandError::failed)?;
    stop_on_signals(Arc::clone(&stop)).map_err(CommandError::failed)?;
    if let Some(begin) = begin {
        begin();
    }
    if settings.export.is_wanted() {
        let outbox = kept_outbox.unwrap_or_else(|| Box::new(crate::export::MemoryOutbox::new()));
        let exporter = Exporter::start(&settings.export, live.snapshots(), outbox).map_err(CommandError::failed)?;
        for alert in waiting.iter().filter_map(store::StoredAlert::to_alert) {
            exporter.emit(&alert);
        }
        live.export_by(exporter);
    }
    if screen {
        let options = UiOptions { color, sources: names, ..UiOptions::default() };
        let shown = ui::run(live.snapshots(), &stop, options);
        stop.store(true, Ordering::Relaxed);
        let summary = live.join();
        shown.map_err(CommandError::failed)?;
        logging.shutdown(EXPORT_PATIENCE);
        return ended(&summary);
    }
    announce(&names, common.quiet);
    let summary = live.join();
    logging.shutdown(EXPORT_PATIENCE);
    let mut out = Output::new();
    if common.json {
        out.write(|mut out| write_summary(&mut out, &summary.snapshot, &summary.episodes))?;
    } else if output.events.is_none() && !common.quiet {
        out.write(|mut out| write_text(&mut out, &summary.snapshot, &summary.episodes))?;
    }
    out.flush()?;
    ended(&summary)
}

/// Whether colours are wanted: as the flag says, else where stdout is a terminal and `NO_COLOR` is not set.
///
/// Source: <https://no-color.org>.
pub(super) fn use_color(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => Output::is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

fn open_captures(capture: &CaptureSettings, export: &ExportOptions) -> Result<Vec<LiveCapture>, CommandError> {
    let filter = filter(capture.filter.as_deref(), export)?;
    let open = |interface: &String| {
        LiveCapture::open(&CaptureOptions {
            interface: interface.clone(),
            filter: filter.clone(),
            buffer_octets: usize::try_from(capture.buffer).unwrap_or(usize::MAX),
            immediate: capture.immediate,
            snaplen: usize::try_from(capture.snaplen).unwrap_or(usize::MAX),
            ..CaptureOptions::default()
        })
    };
    capture.interfaces.iter().map(open).collect::<Result<_, _>>().map_err(CommandError::failed)
}

/// The user's filter, without our own exports: an agent that watched those would never come to rest.
fn filter(asked: Option<&str>, export: &ExportOptions) -> Result<Option<String>, CommandError> {
    let mut parts: Vec<String> = asked.map(|asked| format!("({asked})")).into_iter().collect();
    if export.is_wanted() {
        for (host, port) in export.endpoints().map_err(CommandError::failed)? {
            // A name that cannot be resolved is the exporter's trouble, and it says so.
            let addresses = (host.as_str(), port).to_socket_addrs().into_iter().flatten();
            parts.extend(addresses.map(|address| format!("not (host {} and tcp port {port})", address.ip())));
        }
    }
    Ok((!parts.is_empty()).then(|| parts.join(" and ")))
}

type Recording = (Option<Recorder>, HashKey, Vec<store::StoredAlert>);

fn open_recorder(settings: &Settings, keep: bool) -> Result<Recording, CommandError> {
    if !(settings.store.enabled && (keep || settings.store.chosen.is_some())) {
        return Ok((None, super::passing_key()?, Vec::new()));
    }
    let directory = settings.store.directory(is_root());
    let (store, opened) =
        SledStore::open(&directory, settings.store.options(clock::now())).map_err(CommandError::failed)?;
    match opened {
        Opened::Clean => {}
        Opened::Repaired { moved_to } => {
            tracing::warn!(damaged = %moved_to.display(), "the store's summary was damaged and made anew; nothing is lost");
        }
        Opened::Shortened { until, expected } => {
            let until = until.map(|at| at.to_string());
            tracing::error!(?until, %expected, "the store lost its newest records, damaged on the disk; the others are whole");
        }
        Opened::Replaced { moved_to, saved, cause } => {
            tracing::error!(damaged = %moved_to.display(), saved, cause, "the store could not be read; a new one begins");
        }
    }
    let key = store::hash_key(&directory).map_err(CommandError::failed)?;
    let waiting = store.outbox();
    let keep_outbox = settings.export.is_wanted();
    Ok((Some(Recorder::start(Box::new(store), keep_outbox)), key, waiting))
}

/// Says that it has begun: a script waits for this line.
#[expect(clippy::print_stderr, reason = "stdout belongs to the findings")]
fn announce(names: &[String], quiet: bool) {
    if !quiet {
        let names: Vec<_> = names.iter().map(|name| crate::report::printable(name)).collect();
        eprintln!("quotascope: watching {}; Ctrl-C ends it", names.join(", "));
    }
}

fn ended(summary: &Summary) -> Result<Outcome, CommandError> {
    match summary.failures.first().or(summary.store_failure.as_ref()) {
        Some(failure) => Err(CommandError::failed(failure.clone())),
        None => Ok(Outcome::Done),
    }
}

/// SIGINT and SIGTERM end the run as its own end would, with everything flushed.
fn stop_on_signals(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                stop.store(true, Ordering::Relaxed);
            }
        });
    })?;
    Ok(())
}

/// The interfaces and files of a command line over those of the configuration.
pub(super) fn with_flags(settings: &mut Settings, interfaces: &[String], read: &[PathBuf], tail: &[PathBuf]) {
    if !interfaces.is_empty() || !read.is_empty() || !tail.is_empty() {
        settings.capture.interfaces = interfaces.to_vec();
        settings.read = read.to_vec();
        settings.tail = tail.to_vec();
    }
}
