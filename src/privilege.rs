//! Giving up rights that are needed only to open a capture.
//!
//! The order is a contract: open the captures, call [`give_up`], then start threads and create files. Files are then
//! created by the user whom the agent runs as from there on.

use nix::unistd::{Gid, Group, Uid, User, setgid, setgroups, setuid};

/// What became of the rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// The agent never ran as root.
    WereNone,
    /// The agent goes on as that user.
    GivenUp {
        /// Its name.
        user: String,
        /// Its home.
        home: std::path::PathBuf,
    },
    /// The agent runs as root and was told of no other user.
    Kept,
}

/// Why rights could not be given up.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("capture.user: there is no user \"{0}\"; name one that exists, or leave the key out")]
    NoSuchUser(String),
    /// The system refused.
    #[error("cannot become the user \"{user}\": {source}")]
    Refused {
        /// Whom.
        user: String,
        /// What the system says.
        source: nix::errno::Errno,
    },
}

/// Becomes `user`, or the user who called `sudo`, where the process runs as root. It cannot be undone.
///
/// # Errors
/// Where the user does not exist, or the system refuses.
pub fn give_up(user: Option<&str>, sudo_uid: Option<u32>) -> Result<Rights, PrivilegeError> {
    if !Uid::effective().is_root() {
        return Ok(Rights::WereNone);
    }
    let found = match (user, sudo_uid) {
        (Some(name), _) => {
            let found = User::from_name(name).map_err(|source| refused(name, source))?;
            Some(found.ok_or_else(|| PrivilegeError::NoSuchUser(name.to_owned()))?)
        }
        (None, Some(uid)) if uid != 0 => {
            User::from_uid(Uid::from_raw(uid)).map_err(|source| refused("$SUDO_UID", source))?
        }
        (None, _) => None,
    };
    let Some(found) = found else { return Ok(Rights::Kept) };
    become_user(&found).map_err(|source| refused(&found.name, source))?;
    Ok(Rights::GivenUp { user: found.name, home: found.dir })
}

fn become_user(user: &User) -> nix::Result<()> {
    let groups: Vec<Gid> = Group::from_gid(user.gid)?.map(|group| group.gid).into_iter().collect();
    setgroups(&groups)?;
    setgid(user.gid)?;
    setuid(user.uid)
}

fn refused(user: &str, source: nix::errno::Errno) -> PrivilegeError {
    PrivilegeError::Refused { user: user.to_owned(), source }
}
