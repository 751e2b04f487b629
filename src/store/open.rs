//! Opening a store: the lock, the repair of what is damaged, the last resort.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::database::{Database, Failure};
use super::error::StoreError;
use super::generation;
use super::loaded::Loaded;
use crate::model::Timestamp;

/// How a store is kept.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// Now; it names what is moved aside.
    pub opened_at: Timestamp,
    /// The size on the disk, in octets, above which the oldest points are dropped, the finest first.
    pub size_limit: u64,
    /// Octets that are left free on the disk: nothing is written when there are fewer, as the database does not survive a
    /// write that fails half way.
    pub reserve: u64,
    /// Octets of the database's cache; its real use of memory is two or three times that.
    pub cache: u64,
    /// How often the database writes to the disk by itself: what a power failure may cost.
    pub flush_every: Duration,
}

impl StoreOptions {
    /// The defaults: 1 GiB at most, 32 MiB left free, a cache of 24 MiB, a flush each second.
    pub const fn new(opened_at: Timestamp) -> Self {
        Self { opened_at, size_limit: 1 << 30, reserve: 32 << 20, cache: 24 << 20, flush_every: Duration::from_secs(1) }
    }
}

/// In which state a store was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// All of it could be read.
    Clean,
    /// The database's own summary was damaged and is made anew; nothing of the content is lost.
    Repaired {
        /// Where the damaged summary is now.
        moved_to: PathBuf,
    },
    /// It could not be read. It was moved aside, and a new store begins.
    Replaced {
        /// Where the damaged database is now.
        moved_to: PathBuf,
        /// Records that could still be read and are in the new store.
        saved: u64,
        /// What was wrong.
        cause: String,
    },
}

/// The directory's lock, held while it lives.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock and leaves this process's number for the message that another one gives.
    pub(super) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _unreadable = (&mut file).take(16).read_to_string(&mut text);
                return Err(StoreError::InUse { directory: directory.to_path_buf(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::file("lock", &path)(error)),
        }
        let number = format!("{}\n", std::process::id());
        // The number is a courtesy: a full disk must not keep the store from being read.
        let _best_effort =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(number.as_bytes()));
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _closing_unlocks_too = self.0.unlock();
    }
}

/// Makes a directory that only its owner may enter; one that is there stays as it is.
pub(super) fn create_private_directory(directory: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(StoreError::file("create the directory", directory))
}

/// A database that was opened and read.
pub(super) struct Ready {
    pub(super) database: Database,
    pub(super) generation: u32,
    pub(super) loaded: Loaded,
    pub(super) opened: Opened,
}

/// Opens the database and reads all of it once; repairs it where it is damaged.
pub(super) fn open_or_repair(directory: &Path, options: &StoreOptions) -> Result<Ready, StoreError> {
    let generation = generation::newest(directory)?;
    let path = generation::path(directory, generation);
    let open = || {
        let database = Database::open(&path, options)?;
        Loaded::read(&database).map(|loaded| (database, loaded))
    };
    let refused = |failure| Database::refused(directory, failure);
    let cause = match open() {
        Ok((database, loaded)) => return Ok(Ready { database, generation, loaded, opened: Opened::Clean }),
        Err(Failure::Damaged(cause)) => cause,
        Err(other) => return Err(refused(other)),
    };
    let stamp = stamp(options.opened_at);
    if let Some(moved_to) = move_summaries_aside(directory, &path, &stamp)? {
        match open() {
            Ok((database, loaded)) => {
                return Ok(Ready { database, generation, loaded, opened: Opened::Repaired { moved_to } });
            }
            Err(Failure::Damaged(_)) => {}
            Err(other) => return Err(refused(other)),
        }
    }
    // The rescue is complete before the damaged database is touched: on a full disk this can be tried again.
    let moved_to = free_name(directory, &format!("corrupt-{stamp}"));
    let (database, saved) = generation::replace(directory, generation, &moved_to, options).map_err(refused)?;
    let loaded = Loaded::read(&database).map_err(refused)?;
    let generation = generation.saturating_add(1);
    Ok(Ready { database, generation, loaded, opened: Opened::Replaced { moved_to, saved, cause } })
}

/// Moves the database's summaries (`snap.*`) into a directory of their own; without them it reads its whole log again.
fn move_summaries_aside(directory: &Path, database: &Path, stamp: &str) -> Result<Option<PathBuf>, StoreError> {
    let mut moved_to = None;
    let entries = fs::read_dir(database).map_err(StoreError::file("read", database))?;
    for entry in entries {
        let entry = entry.map_err(StoreError::file("read", database))?;
        if !entry.file_name().to_string_lossy().starts_with("snap.") {
            continue;
        }
        let aside = match moved_to.take() {
            Some(aside) => aside,
            None => free_name(directory, &format!("damaged-{stamp}")),
        };
        create_private_directory(&aside)?;
        let from = entry.path();
        fs::rename(&from, aside.join(entry.file_name())).map_err(StoreError::file("move aside", &from))?;
        moved_to = Some(aside);
    }
    Ok(moved_to)
}

/// A name that nothing has yet.
fn free_name(directory: &Path, name: &str) -> PathBuf {
    let first = directory.join(name);
    let later = (2..1000).map(|number| directory.join(format!("{name}.{number}")));
    std::iter::once(first.clone()).chain(later).find(|path| !path.exists()).unwrap_or(first)
}

/// A time as part of a file's name: `20261122T034512Z`.
fn stamp(at: Timestamp) -> String {
    Timestamp::from_secs(at.as_secs()).to_string().replace(['-', ':'], "")
}

/// Whether an error of the system means that there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        // The database wraps what it was told into text when it hands an error to several threads.
        || error.to_string().contains("StorageFull")
        || error.to_string().contains("No space left")
}
