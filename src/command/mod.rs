//! The commands: one file for each, and nothing that another module could use.

mod error;
mod output;

use std::process::ExitCode;

pub use error::CommandError;
pub use output::Output;

use crate::cli::{Cli, Command};

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
    let _ = cli;
    match &cli.command {
        Command::Completions { .. } => Ok(Outcome::Done),
        _ => Ok(Outcome::Done),
    }
}
