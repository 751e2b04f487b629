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
        Ok(Self { sled: guarded(|| config.open())?, path: path.to_path_buf() })
    }

    /// Shows every entry once. What cannot be read shows so at the start, not in the middle of a question.
    pub(super) fn scan(&self, mut visit: impl FnMut(&[u8], &[u8])) -> Result<(), Failure> {
        guarded(|| {
            for entry in &*self.sled {
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
        // Forward from the first key, then backward from the last: what lies between the damaged places is lost. The
        // database may panic where it is damaged; what was copied until then counts.
        for backward in [false, true] {
            let _end = guarded(|| {
                let mut entries = old.iter();
                while let Some(Ok((key, value))) = if backward { entries.next_back() } else { entries.next() } {
                    saved += u64::from(self.sled.insert(key, value)?.is_none());
                }
                Ok(())
            });
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
