//! Up to when the store must hold points.
//!
//! sled takes the first damaged place in its log for the end of it, and says nothing: all that was written later is gone. A file beside
//! the database says how far it reached when it was last flushed, so that such a loss is reported and not taken for silence.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::Timestamp;

/// The latest moment that is on the disk; `None` where it is not known.
pub(super) fn read(directory: &Path) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(fs::read_to_string(path(directory)).ok()?.trim())
}

/// Notes the latest moment that is on the disk, or that there is none. A note that cannot be written costs only a warning, later.
pub(super) fn write(directory: &Path, newest: Option<Timestamp>) {
    let draft = directory.join("checkpoint.draft");
    let _best_effort = match newest {
        Some(newest) => fs::write(&draft, format!("{newest}\n")).and_then(|()| fs::rename(&draft, path(directory))),
        None => fs::remove_file(path(directory)),
    };
}

fn path(directory: &Path) -> PathBuf {
    directory.join("checkpoint")
}
