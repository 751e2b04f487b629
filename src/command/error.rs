//! Why a command failed.

use std::error::Error;
use std::io;

/// Why a command failed; its message is one line that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// An argument or the configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// Anything that failed while running.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

impl CommandError {
    /// A failure while running.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    /// 1 for a failure while running, 2 for wrong arguments or configuration.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Output(_) | Self::Failed(_) => 1,
        }
    }

    /// Whether the reader of our output went away, which is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message with its causes, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.contains(&next) {
                text = format!("{text}: {next}");
            }
            cause = error.source();
        }
        text.replace('\n', " ")
    }
}
