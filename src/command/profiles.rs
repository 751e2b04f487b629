//! `quotascope profiles`: the providers that the agent knows.

use super::{CommandError, Outcome, Output};
use crate::cli::{Common, ProfilesAction};
use crate::config::ConfigError;
use crate::config::Settings;
use crate::extract::Profile;
use crate::report::Table;

pub(super) fn run(action: &ProfilesAction, common: &Common, settings: &Settings) -> Result<Outcome, CommandError> {
    let profiles = settings.extractor.profiles();
    let mut output = Output::new();
    match action {
        ProfilesAction::List if common.json => {
            let rows: Vec<serde_json::Value> = profiles.iter().map(|profile| as_json(profile)).collect();
            output.write(|out| {
                serde_json::to_writer_pretty(&mut *out, &rows).map_err(Into::into).and_then(|()| writeln!(out))
            })?;
        }
        ProfilesAction::List => {
            let mut table = Table::new(&["PROFILE", "PROVIDER", "HOSTS", ">CLASSES", "DOCUMENTATION"]);
            for profile in profiles.iter() {
                table.row(vec![
                    profile.name().to_string(),
                    profile.title().to_string(),
                    some_hosts(profile),
                    profile.classes().len().to_string(),
                    profile.documentation().map_or_else(String::new, ToString::to_string),
                ]);
            }
            output.write(|mut out| table.write(&mut out))?;
        }
        ProfilesAction::Show { name } => {
            let profile = profiles.find(name).ok_or_else(|| {
                let message = "no profile is called that; `quotascope profiles list` names them";
                CommandError::Config(ConfigError::flag(format!("profiles show {name}"), message))
            })?;
            output.write(|out| out.write_all(profile.source_text().as_bytes()))?;
        }
    }
    output.flush()?;
    Ok(Outcome::Done)
}

/// The first hosts, as far as a line of a terminal has room.
fn some_hosts(profile: &Profile) -> String {
    let hosts = hosts(profile);
    match hosts.as_slice() {
        [first, _, rest @ ..] if !rest.is_empty() => format!("{first} and {} more", rest.len() + 1),
        few => few.join(", "),
    }
}

fn hosts(profile: &Profile) -> Vec<String> {
    profile.hosts().iter().map(ToString::to_string).collect()
}

fn as_json(profile: &Profile) -> serde_json::Value {
    serde_json::json!({
        "name": &**profile.name(),
        "title": &**profile.title(),
        "hosts": hosts(profile),
        "classes": profile.classes().iter().map(|class| class.name().to_string()).collect::<Vec<_>>(),
        "documentation": profile.documentation().map(ToString::to_string),
        "built_in": profile.is_built_in(),
    })
}
