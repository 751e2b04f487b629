//! The `quotascope` program.

use std::process::ExitCode;

use clap::Parser;
use quotascope::cli::Cli;

fn main() -> ExitCode {
    quotascope::command::run(&Cli::parse())
}
