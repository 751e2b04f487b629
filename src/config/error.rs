//! What is wrong with a configuration, and where.

use std::path::{Path, PathBuf};

/// A configuration that cannot be used; the file, line and key at fault.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A key or value is wrong.
    #[error("{origin}:{line}: {message}")]
    Wrong {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what is accepted.
        message: String,
    },
    /// A flag or an environment variable is wrong.
    #[error("{flag}: {message}")]
    Flag {
        /// The flag or variable.
        flag: String,
        /// What is wrong, and what is accepted.
        message: String,
    },
    /// A provider profile is wrong.
    #[error(transparent)]
    Profile(#[from] crate::extract::ProfileError),
}

impl ConfigError {
    /// From what the TOML reader says of `text`, read from `path`.
    pub(super) fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|&octet| octet == b'\n').count() + 1;
        Self::Wrong { origin: path.display().to_string(), line, message: error.message().replace('\n', " ") }
    }

    /// A flag with a wrong value.
    pub fn flag(flag: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Flag { flag: flag.into(), message: message.into() }
    }
}
