//! `quotascope config`: check or print the configuration.

use super::{CommandError, Outcome, Output};
use crate::cli::{Common, ConfigAction};
use crate::config::{ConfigError, SAMPLE, Settings};

pub(super) fn run(action: ConfigAction, common: &Common, settings: &Settings) -> Result<Outcome, CommandError> {
    let mut output = Output::new();
    match (action, &common.config) {
        (ConfigAction::Check, None) => {
            return Err(ConfigError::flag("config check", "name the file: --config quotascope.toml").into());
        }
        (ConfigAction::Check, Some(path)) => {
            let profiles = settings.extractor.profiles().iter().count();
            output.write(|out| writeln!(out, "{}: good; {profiles} profiles", path.display()))?;
        }
        (ConfigAction::Print, None) => output.write(|out| out.write_all(SAMPLE.as_bytes()))?,
        (ConfigAction::Print, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(CommandError::failed)?;
            output.write(|out| out.write_all(text.as_bytes()))?;
        }
    }
    output.flush()?;
    Ok(Outcome::Done)
}
