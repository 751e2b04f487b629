//! The commands: one file for each, and nothing that another module could use.

mod config;
mod demo;
mod doctor;
mod error;
mod history;
mod live;
mod output;
mod parse;
mod printer;
mod profiles;
mod replay;
mod watch;

use std::process::ExitCode;

use clap::CommandFactory;

pub use error::CommandError;
pub use output::Output;

use crate::cli::{Cli, Command, Common, Export};
use crate::clock;
use crate::config::Settings;
use crate::model::HashKey;
use crate::store::{self, SledStore, Store};
use crate::telemetry;

/// How a command ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was asked to.
    Done,
    /// It did, and an alert fired that `--fail-on` names.
    Alerted,
}

/// Runs a command line and maps its end to the exit status: 0 done, 1 failed, 2 wrong arguments or configuration, 3 alerted.
#[expect(clippy::print_stderr, reason = "the one line that says why it failed")]
pub fn run(cli: &Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Alerted) => ExitCode::from(3),
        // Whoever read our output has enough of it.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quotascope: {}", error.chain());
            ExitCode::from(error.exit_status())
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Outcome, CommandError> {
    let common = &cli.common;
    let environment = |name: &str| std::env::var(name).ok();
    let settings = |export: &Export| Settings::load(common, export, &environment).map_err(CommandError::from);
    let plain = || settings(&Export::default());
    match &cli.command {
        Command::Watch(arguments) => watch::watch(arguments, common, settings(&arguments.export)?),
        Command::Agent(arguments) => watch::agent(common, settings(&arguments.export)?),
        Command::Demo(arguments) => demo::run(arguments, common, &environment),
        Command::Replay(arguments) => replay::run(arguments, common, &logged(common, plain()?)?),
        Command::Parse(arguments) => parse::run(arguments, common, &logged(common, plain()?)?),
        Command::History(arguments) => history::run(arguments, common, &logged(common, plain()?)?),
        Command::Config { action } => config::run(*action, common, &logged(common, plain()?)?),
        Command::Profiles { action } => profiles::run(action, common, &logged(common, plain()?)?),
        Command::Doctor => doctor::run(common, &logged(common, plain()?)?),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "quotascope", &mut text);
            print(&text)
        }
        Command::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(CommandError::failed)?;
            print(&text)
        }
    }
}

fn print(text: &[u8]) -> Result<Outcome, CommandError> {
    let mut output = Output::new();
    output.write(|out| out.write_all(text))?;
    output.flush()?;
    Ok(Outcome::Done)
}

/// Starts logging for a command that only reads.
fn logged(common: &Common, settings: Settings) -> Result<Settings, CommandError> {
    let _guard =
        telemetry::start(verbosity(common), live::use_color(common.color), None).map_err(CommandError::failed)?;
    Ok(settings)
}

fn verbosity(common: &Common) -> i8 {
    if common.quiet { -1 } else { i8::try_from(common.verbose).unwrap_or(i8::MAX) }
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

fn open_store(settings: &Settings) -> Result<Box<dyn Store>, CommandError> {
    let directory = settings.store.directory(is_root());
    let (store, _) = SledStore::open(&directory, settings.store.options(clock::now())).map_err(CommandError::failed)?;
    Ok(Box::new(store))
}

/// The key that credentials are hashed under: the store's, so that two runs name a caller alike; where there can be no
/// store (a read-only home), one that lasts as long as the process.
fn hash_key(settings: &Settings) -> Result<HashKey, CommandError> {
    let directory = settings.store.directory(is_root());
    if !settings.store.enabled || (std::fs::create_dir_all(&directory).is_err() && !directory.exists()) {
        tracing::warn!(directory = %directory.display(), "no store: callers get other names in the next run");
        return passing_key();
    }
    store::hash_key(&directory).map_err(CommandError::failed)
}

/// A key that lasts as long as the process.
fn passing_key() -> Result<HashKey, CommandError> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|error| CommandError::failed(error.to_string()))?;
    Ok(HashKey::new(key))
}
