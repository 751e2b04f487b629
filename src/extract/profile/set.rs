//! The profiles that are known.

use std::sync::Arc;

use include_dir::{Dir, include_dir};

use super::{Profile, ProfileError};

static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/profiles");

/// The profiles that are known, built-in and the user's own, by name.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    /// In order of their names.
    profiles: Vec<Arc<Profile>>,
}

impl Profiles {
    /// None at all.
    pub const fn empty() -> Self {
        Self { profiles: Vec::new() }
    }

    /// Those that are part of the program.
    ///
    /// # Errors
    /// Where one of them is broken, which a test rules out.
    pub fn built_in() -> Result<Self, ProfileError> {
        let mut profiles = Self::empty();
        let mut files: Vec<_> =
            BUILT_IN.files().filter(|file| file.path().extension().is_some_and(|e| e == "toml")).collect();
        files.sort_by_key(|file| file.path());
        for file in files {
            let origin = format!("profiles/{}", file.path().display());
            profiles.insert(file.contents_utf8().unwrap_or_default(), &origin, true)?;
        }
        Ok(profiles)
    }

    /// Adds a profile; one of the same name is replaced.
    ///
    /// `origin` is what an error calls the text's place: its file.
    ///
    /// # Errors
    /// Where the text is no profile: the line, the key, and what to write.
    pub fn add(&mut self, text: &str, origin: &str) -> Result<Arc<Profile>, ProfileError> {
        self.insert(text, origin, false)
    }

    fn insert(&mut self, text: &str, origin: &str, built_in: bool) -> Result<Arc<Profile>, ProfileError> {
        let profile = Arc::new(Profile::parse(text, origin, built_in, self)?);
        match self.profiles.binary_search_by(|known| known.name.cmp(&profile.name)) {
            Ok(at) => {
                if let Some(known) = self.profiles.get_mut(at) {
                    *known = Arc::clone(&profile);
                }
            }
            Err(at) => self.profiles.insert(at, Arc::clone(&profile)),
        }
        Ok(profile)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.iter()
    }

    /// The one of that name.
    pub fn find(&self, name: &str) -> Option<&Arc<Profile>> {
        let at = self.profiles.binary_search_by(|known| (*known.name).cmp(name)).ok()?;
        self.profiles.get(at)
    }
}
