//! Which of the database's directories is the one.
//!
//! sled's files grow and hardly ever shrink, so a database that became too large is copied into a new directory. The
//! directories are numbered, `series-1`, `series-2`, …, and the highest number is the one: the copy gets its name by one rename, when it
//! is complete. What a crash leaves half done has another name or a lower number, and is removed at the next opening.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::database::{Database, Failure};
use super::error::StoreError;
use super::open::StoreOptions;

/// The directory of a generation.
pub(super) fn path(directory: &Path, generation: u32) -> PathBuf {
    directory.join(format!("series-{generation}"))
}

/// The newest generation, 1 in a new store. Removes what a crash left.
pub(super) fn newest(directory: &Path) -> Result<u32, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(StoreError::file("read", directory))? {
        let entry = entry.map_err(StoreError::file("read", directory))?;
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix("series-")) else { continue };
        if let Ok(generation) = rest.parse::<u32>() {
            found.push(generation);
        } else if rest.ends_with(UNFINISHED) || rest.ends_with(REMOVED) {
            fs::remove_dir_all(entry.path()).map_err(StoreError::file("remove", &entry.path()))?;
        }
    }
    found.sort_unstable();
    let newest = found.pop().unwrap_or(1);
    for older in found {
        remove(directory, older).map_err(StoreError::file("remove", &path(directory, older)))?;
    }
    Ok(newest)
}

/// Copies what lies in the database into the next generation, and opens that. Should the copy fail, the old one stays; it
/// is closed in any case.
pub(super) fn rebuild(
    directory: &Path,
    generation: u32,
    old: Database,
    options: &StoreOptions,
) -> Result<Database, Failure> {
    let next = generation.saturating_add(1);
    draft(directory, next, options, |new| new.copy_from(&old))?;
    drop(old);
    // Should this fail, the next opening removes it.
    let _removed = remove(directory, generation);
    Database::open(&path(directory, next), options)
}

/// Saves what can still be read of a damaged database into the next generation, opens that, and moves the damaged one aside.
/// Says how many records were saved.
pub(super) fn replace(
    directory: &Path,
    generation: u32,
    aside: &Path,
    options: &StoreOptions,
) -> Result<(Database, u64), Failure> {
    let next = generation.saturating_add(1);
    let old = path(directory, generation);
    let saved = draft(directory, next, options, |new| new.save_from(&old, options))?;
    fs::rename(&old, aside).map_err(|error| Failure::Other(format!("cannot move {}: {error}", old.display())))?;
    Ok((Database::open(&path(directory, next), options)?, saved))
}

/// Fills a new generation and gives it its name when it is complete.
fn draft<T>(
    directory: &Path,
    generation: u32,
    options: &StoreOptions,
    fill: impl FnOnce(&Database) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let draft = directory.join(format!("series-{generation}{UNFINISHED}"));
    let filled = Database::open(&draft, options).and_then(|new| fill(&new)).and_then(|filled| {
        fs::rename(&draft, path(directory, generation))
            .and_then(|()| fs::File::open(directory)?.sync_all())
            .map_err(|error| Failure::Other(format!("cannot rename {}: {error}", draft.display())))?;
        Ok(filled)
    });
    if filled.is_err() {
        let _removed_at_the_next_opening_else = fs::remove_dir_all(&draft);
    }
    filled
}

const UNFINISHED: &str = ".unfinished";
const REMOVED: &str = ".removed";

/// Removes a generation: renamed first, so that a crash in the middle leaves no half of a database under a valid name.
fn remove(directory: &Path, generation: u32) -> io::Result<()> {
    let aside = directory.join(format!("series-{generation}{REMOVED}"));
    fs::rename(path(directory, generation), &aside)?;
    fs::remove_dir_all(&aside)
}
