//! `quotascope replay`: what files hold.

use super::printer::Printer;
use super::{CommandError, Outcome, Output, hash_key};
use crate::cli::{Common, Replay};
use crate::config::Settings;
use crate::pipeline::{EngineOptions, ReplayOptions, replay};
use crate::report::{write_summary, write_text};

pub(super) fn run(arguments: &Replay, common: &Common, settings: &Settings) -> Result<Outcome, CommandError> {
    let options = ReplayOptions {
        files: arguments.files.clone(),
        extractor: std::sync::Arc::clone(&settings.extractor),
        decode: settings.decode.clone(),
        key: hash_key(settings)?,
        engine: EngineOptions { bounds: settings.bounds, track: settings.track.clone(), alert: settings.alert.clone() },
        threads: arguments.threads.map_or(1, usize::from),
    };
    let mut printer = Printer::silent(Output::new()).with_events(arguments.events);
    let replayed = replay(options, &mut printer).map_err(CommandError::failed)?;
    let mut output = printer.finish().map_err(CommandError::Output)?;
    if common.json {
        output.write(|mut out| write_summary(&mut out, &replayed.snapshot, &replayed.episodes))?;
    } else if arguments.events.is_none() && !common.quiet {
        output.write(|mut out| write_text(&mut out, &replayed.snapshot, &replayed.episodes))?;
    }
    output.flush()?;
    if let Some(failure) = replayed.failures.into_iter().next() {
        return Err(CommandError::failed(failure));
    }
    let alerted =
        arguments.fail_on.is_some_and(|severity| replayed.episodes.iter().any(|alert| alert.severity >= severity));
    Ok(if alerted { Outcome::Alerted } else { Outcome::Done })
}
