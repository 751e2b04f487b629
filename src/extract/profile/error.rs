//! What can be wrong with a profile or with the options of extraction.

use std::fmt;
use std::sync::Arc;

/// A profile, or an option that names one, that cannot be used: where, which key, why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ProfileError {
    /// The file or option.
    pub origin: Arc<str>,
    /// The line, from 1, where it is in a file.
    pub line: Option<usize>,
    /// The key, as `quotas[1].limit`, where it is about one.
    pub key: Option<String>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// `acme.toml:7: quotas[0].limt: unknown key; accepted are …`
impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.message)
    }
}
