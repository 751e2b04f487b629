//! sled, with its panics and error kinds turned into the few answers that matter here.

use std::fs;
use std::io;
use std::ops::RangeBounds;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::open::{StoreOptions, is_full};

/// Why the database did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// What is on the disk cannot be read.
    Damaged(String),
    /// No room.
    Full,
    /// Anything else: permissions, a broken disk.
    Other(String),
}

/// Entries of the database, in the order of their keys.
pub(super) type Entries = Vec<(sled::IVec, sled::IVec)>;

/// What is to be written: a value, or `None` to remove the key. All of it at once or nothing.
pub(super) type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What sled says of a database that is still open; it has no error of its own for it.
const LOCKED: &str = "could not acquire lock";

/// How often and after which pause a database that is just being closed is tried again: five seconds in all.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// How many octets a copy holds in memory at once.
const COPIED_AT_ONCE: usize = 1 << 20;

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    sled: sled::Db,
    path: PathBuf,
}

impl Database {
    pub(super) fn open(path: &Path, options: &StoreOptions) -> Result<Self, Failure> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(options.cache)
            .flush_every_ms(u64::try_from(options.flush_every.as_millis()).ok());
        let mut tries = 0;
        let sled = loop {
            match guarded(|| config.open()) {
                // The directory's own lock is ours, so this one is of a database that this process has just let go of: its
                // threads end a moment later.
                Err(Failure::Other(reason)) if reason.contains(LOCKED) && tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                opened => break opened?,
            }
        };
        Ok(Self { sled, path: path.to_path_buf() })
    }

    /// Shows every entry of a range once.
    pub(super) fn scan<K: AsRef<[u8]>>(
        &self,
        range: impl RangeBounds<K>,
        mut visit: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Failure> {
        guarded(|| {
            for entry in self.sled.range(range) {
                let (key, value) = entry?;
                visit(&key, &value);
            }
            Ok(())
        })
    }

    /// Takes over what can still be read of a damaged database; says how many records that were.
    pub(super) fn save_from(&self, damaged: &Path, options: &StoreOptions) -> Result<u64, Failure> {
        let Ok(old) = guarded(|| sled::Config::new().path(damaged).cache_capacity(options.cache).open()) else {
            return Ok(0);
        };
        let mut saved = 0u64;
        let mut position = 0u128;
        let mut stride = 1u128;
        // A page that cannot be read ends the way through the keys, and does not say where the next page begins. So it is
        // stepped over by longer and longer strides: what is lost is the page and at most as much again.
        while position < POSITIONS {
            let mut reached = position;
            let passed = guarded(|| {
                for entry in old.range(key_at(position)..) {
                    let (key, value) = entry?;
                    reached = reached.max(position_of(&key));
                    saved += u64::from(self.sled.insert(key, value)?.is_none());
                }
                Ok(())
            });
            match passed {
                Ok(()) => break,
                Err(Failure::Damaged(_)) => {}
                Err(other) => return Err(other),
            }
            stride = if reached > position { 1 } else { stride * 2 };
            position = reached + stride;
        }
        guarded(|| self.sled.flush())?;
        Ok(saved)
    }

    /// Copies all of another database, and waits until it is on the disk.
    pub(super) fn copy_from(&self, old: &Self) -> Result<(), Failure> {
        guarded(|| {
            let mut batch = sled::Batch::default();
            let mut octets = 0;
            for entry in &*old.sled {
                let (key, value) = entry?;
                octets += key.len() + value.len();
                batch.insert(key, value);
                if octets > COPIED_AT_ONCE {
                    self.sled.apply_batch(std::mem::take(&mut batch))?;
                    octets = 0;
                }
            }
            self.sled.apply_batch(batch)?;
            self.sled.flush().map(|_octets| ())
        })
    }

    pub(super) fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<sled::IVec>, Failure> {
        guarded(|| self.sled.get(key.as_ref()))
    }

    /// The entries of a range, at most `most`.
    pub(super) fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>, most: usize) -> Result<Entries, Failure> {
        guarded(|| self.sled.range(range).take(most).collect())
    }

    /// Writes all changes or none. They are on the disk only after [`Self::flush`].
    pub(super) fn apply(&self, changes: &Changes) -> Result<(), Failure> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        guarded(|| self.sled.apply_batch(batch))
    }

    pub(super) fn flush(&self) -> Result<(), Failure> {
        guarded(|| self.sled.flush()).map(|_octets| ())
    }

    /// Octets on the disk: the database's files, without asking it, as it counts only some of them.
    pub(super) fn size_on_disk(&self) -> u64 {
        directory_size(&self.path)
    }

    /// The error for a caller.
    pub(super) fn refused(directory: &Path, failure: Failure) -> StoreError {
        match failure {
            Failure::Full => full(directory, 0),
            Failure::Damaged(detail) | Failure::Other(detail) => {
                StoreError::Database { directory: directory.to_path_buf(), detail }
            }
        }
    }
}

/// How many positions there are: nine octets, as long as the keys are.
const POSITIONS: u128 = 1 << 72;

/// Where a key stands among all keys, by its first nine octets.
fn position_of(key: &[u8]) -> u128 {
    let padded = key.iter().copied().chain(std::iter::repeat(0)).take(9);
    padded.fold(0, |position, octet| position << 8 | u128::from(octet))
}

/// The first key at a position.
fn key_at(position: u128) -> Vec<u8> {
    position.to_be_bytes().into_iter().skip(7).collect()
}

/// The error of a full disk, with the figures.
pub(super) fn full(directory: &Path, needed: u64) -> StoreError {
    StoreError::DiskFull { directory: directory.to_path_buf(), free: free_octets(directory).unwrap_or(0), needed }
}

/// Octets that an ordinary user may still write; `None` where the system does not say.
pub(super) fn free_octets(directory: &Path) -> Option<u64> {
    let figures = nix::sys::statvfs::statvfs(directory).ok()?;
    #[expect(clippy::useless_conversion, reason = "the types differ between platforms")]
    Some(u64::from(figures.blocks_available()).saturating_mul(u64::from(figures.fragment_size())))
}

fn directory_size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            // `blobs/`, one level: it holds single large values.
            Ok(metadata) if metadata.is_dir() => fs::read_dir(entry.path())
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|blob| blob.metadata().ok())
                .map(|metadata| metadata.len())
                .sum(),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Calls the database. It asserts where it should doubt, so a panic on damaged content is an answer too.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failure(&error)),
        Err(_panic) => Err(Failure::Damaged("the database panicked".into())),
    }
}

fn failure(error: &sled::Error) -> Failure {
    match error {
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) | sled::Error::CollectionNotFound(_) => {
            Failure::Damaged(error.to_string())
        }
        sled::Error::Io(io) if is_full(io) => Failure::Full,
        sled::Error::Io(io) if matches!(io.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => {
            Failure::Damaged(error.to_string())
        }
        sled::Error::Io(_) | sled::Error::Unsupported(_) => Failure::Other(error.to_string()),
    }
}
