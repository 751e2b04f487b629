//! Why the store could not do as it was told.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Timestamp;

/// Why the store could not do as it was told. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory.
    #[error(
        "the store {} is in use by another quotascope{}; stop it or give --store another directory",
        directory.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The store's directory.
        directory: PathBuf,
        /// The other process, where it left its number.
        pid: Option<u32>,
    },
    /// No room.
    #[error(
        "the disk of the store {} is full: {free} octets are free, {needed} are kept as a reserve; free some space, or set a smaller size for the store",
        directory.display()
    )]
    DiskFull {
        /// The store's directory.
        directory: PathBuf,
        /// Octets that are free.
        free: u64,
        /// Octets that must be free before anything is written.
        needed: u64,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: "create", "read", …
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database failed.
    #[error("the store {} fails: {detail}; it is tried again at the next tick", directory.display())]
    Database {
        /// The store's directory.
        directory: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// A newer program wrote the store.
    #[error(
        "the store {} has format {found}, this program knows {known}; use a newer quotascope or give --store another directory",
        directory.display()
    )]
    Newer {
        /// The store's directory.
        directory: PathBuf,
        /// Its format.
        found: u8,
        /// The format of this program.
        known: u8,
    },
    /// The clock is absurd.
    #[error(
        "the clock says {at}: nothing is recorded before {} or from {} on; set the clock",
        super::keys::EARLIEST,
        super::keys::LATEST
    )]
    Clock {
        /// The time that was given.
        at: Timestamp,
    },
    /// The key file is open to others.
    #[error("the key file {} may be read by others (mode {mode:04o}); if nobody else read it: chmod 600, else remove it: identities change then", path.display())]
    KeyOpen {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key file is no key.
    #[error("the key file {} must be a file of {expected} octets, it has {found}; remove it to make a new one: identities change then", path.display())]
    KeyLength {
        /// The key file.
        path: PathBuf,
        /// The octets that a key has.
        expected: u64,
        /// The octets that the file has.
        found: u64,
    },
}

impl StoreError {
    /// Wraps what the system says of a path.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_path_buf(), source }
    }
}
