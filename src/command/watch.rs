//! `quotascope watch` and `quotascope agent`: live traffic, with a screen or without.

use super::live::{self, Watching};
use super::{CommandError, Outcome};
use crate::cli::{Common, LiveOutput, Watch};
use crate::config::{ConfigError, Settings};

/// The interface that is watched where the user names none: all of them, loopback too.
const ANY: &str = "any";

pub(super) fn watch(arguments: &Watch, common: &Common, mut settings: Settings) -> Result<Outcome, CommandError> {
    live::with_flags(&mut settings, &arguments.interfaces, &arguments.read, &arguments.tail);
    if let Some(filter) = &arguments.filter {
        settings.capture.filter = Some(filter.clone());
    }
    if settings.capture.interfaces.is_empty() && settings.read.is_empty() && settings.tail.is_empty() {
        settings.capture.interfaces.push(ANY.to_owned());
    }
    let only_files = settings.capture.interfaces.is_empty() && settings.tail.is_empty();
    live::run(Watching {
        settings,
        common,
        output: &arguments.output,
        screen: true,
        keep: !only_files,
        frames: None,
        begin: None,
    })
}

pub(super) fn agent(common: &Common, settings: Settings) -> Result<Outcome, CommandError> {
    if settings.capture.interfaces.is_empty() && settings.read.is_empty() && settings.tail.is_empty() {
        return Err(ConfigError::flag(
            "agent",
            "nothing to watch: name capture.interfaces or input.tail in the file that --config names",
        )
        .into());
    }
    let output = LiveOutput::default();
    live::run(Watching { settings, common, output: &output, screen: false, keep: true, frames: None, begin: None })
}
