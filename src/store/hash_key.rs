//! The secret under which credentials are hashed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::error::StoreError;
use crate::model::HashKey;

const KEY_OCTETS: usize = 16;

/// The key of this installation: `hash.key` in the store's directory, 16 random octets that only their owner may read. It is
/// made at the first call; of several processes that make it at once, one wins and all get the same.
///
/// # Errors
/// The directory or the file cannot be used, others may read the file, or it is no key.
pub fn hash_key(directory: &Path) -> Result<HashKey, StoreError> {
    super::open::create_private_directory(directory)?;
    let path = directory.join("hash.key");
    match File::open(&path) {
        Ok(file) => read(&path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(directory, &path)?;
            read(&path, File::open(&path).map_err(StoreError::file("read", &path))?)
        }
        Err(error) => Err(StoreError::file("read", &path)(error)),
    }
}

fn read(path: &Path, file: File) -> Result<HashKey, StoreError> {
    let metadata = file.metadata().map_err(StoreError::file("read", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyOpen { path: path.to_path_buf(), mode });
    }
    // One octet more than a key has shows a file that is too long, without reading all of it.
    let mut octets = Vec::new();
    file.take(KEY_OCTETS as u64 + 1).read_to_end(&mut octets).map_err(StoreError::file("read", path))?;
    let key = <[u8; KEY_OCTETS]>::try_from(octets.as_slice()).ok().ok_or_else(|| StoreError::KeyLength {
        path: path.to_path_buf(),
        expected: KEY_OCTETS as u64,
        found: metadata.len(),
    })?;
    Ok(HashKey::new(key))
}

/// Writes a whole key under another name and links it into place: a crash leaves no half key, and a key that is there
/// already is never replaced.
fn create(directory: &Path, path: &Path) -> Result<(), StoreError> {
    let mut octets = [0u8; KEY_OCTETS];
    getrandom::fill(&mut octets)
        .map_err(|error| StoreError::file("fill with random octets", path)(io::Error::other(error.to_string())))?;
    let draft = directory.join(format!("hash.key.{}", std::process::id()));
    // A crash of an earlier process with the same number may have left one.
    let _absent = fs::remove_file(&draft);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(&octets)?;
        file.sync_all()
    });
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let _absent = fs::remove_file(&draft);
    linked.map_err(StoreError::file("create", path))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(StoreError::file("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_stays_private() {
        let directory = tempfile::tempdir().unwrap();
        let identity = |key: HashKey| key.identity(b"secret");
        let first = hash_key(directory.path()).unwrap();
        assert_eq!(identity(hash_key(directory.path()).unwrap()), identity(first));
        let path = directory.path().join("hash.key");
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (16, 0o600));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = hash_key(directory.path()).unwrap_err().to_string();
        assert!(error.contains("mode 0640") && error.contains("chmod 600"), "{error}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        let error = hash_key(directory.path()).unwrap_err().to_string();
        assert!(error.contains("must be a file of 16 octets, it has 5"), "{error}");
    }

    #[test]
    fn several_processes_get_the_same_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hash.key");
        create(directory.path(), &path).unwrap();
        let first = fs::read(&path).unwrap();
        // The loser of the race comes too late, and keeps what is there.
        create(directory.path(), &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
    }
}
