//! Defaults, the file, the environment and the flags, parsed into the types that the other modules take.
//!
//! What comes out is checked: nothing is validated later. An error names the file, line and key, or the flag.

mod error;
mod file;
mod openapi;
mod quantity;
mod settings;

pub use error::ConfigError;
pub use file::File;
pub use quantity::{Octets, Span};
pub use settings::{CaptureSettings, Environment, Settings, StoreLimits, StoreSettings, parse, read};

/// A configuration file with each key and its default; `config print` shows it, and a test holds it to the defaults.
pub const SAMPLE: &str = include_str!("sample.toml");
