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
    let draft = directory.join(format!("series-{}{UNFINISHED}", generation.saturating_add(1)));
    let copied = Database::open(&draft, options).and_then(|new| new.copy_from(&old));
    if let Err(failure) = copied {
        let _best_effort = fs::remove_dir_all(&draft);
        return Err(failure);
    }
    drop(old);
    let next = path(directory, generation.saturating_add(1));
    let renamed = fs::rename(&draft, &next).and_then(|()| fs::File::open(directory)?.sync_all());
    renamed.map_err(|error| Failure::Other(error.to_string()))?;
    let _removed_at_the_next_opening_else = remove(directory, generation);
    Database::open(&next, options)
}

const UNFINISHED: &str = ".unfinished";
const REMOVED: &str = ".removed";

/// Removes a generation: renamed first, so that a crash in the middle leaves no half of a database under a valid name.
fn remove(directory: &Path, generation: u32) -> io::Result<()> {
    let aside = directory.join(format!("series-{generation}{REMOVED}"));
    fs::rename(path(directory, generation), &aside)?;
    fs::remove_dir_all(&aside)
}
