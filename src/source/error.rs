//! What keeps an input from being read at all.

use std::io;

/// An input that cannot be opened or read on. Damage inside an input is no error: it is counted.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file that is missing, or that may not be read.
    #[error("cannot open {name}: {reason}")]
    Open {
        /// The file.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
    /// A directory was named.
    #[error("{name} is a directory: name the files in it")]
    Directory {
        /// The directory.
        name: String,
    },
    /// A file without content.
    #[error("{name} is empty, and so none of the known formats: {known}")]
    Empty {
        /// The file.
        name: String,
        /// The formats that are known.
        known: String,
    },
    /// A file that is nothing we read.
    #[error("{name} is none of the known formats: {known}")]
    UnknownFormat {
        /// The file.
        name: String,
        /// The formats that are known.
        known: String,
    },
    /// The system failed in the middle.
    #[error("cannot read on in {name}: {reason}")]
    Read {
        /// The file.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The process lacks the right to capture.
    #[error(
        "no right to capture on {interface}: run as root, or allow it once with \
         `sudo setcap cap_net_raw=ep $(command -v quotascope)`"
    )]
    NotAllowed {
        /// The interface.
        interface: String,
    },
    /// No such interface.
    #[error("there is no interface {interface}; there are: {known}")]
    NoInterface {
        /// What was asked for.
        interface: String,
        /// The interfaces that exist.
        known: String,
    },
    /// The filter does not compile.
    #[error("the filter \"{filter}\" cannot be used on {interface}: {reason}")]
    Filter {
        /// The interface, whose link type matters to a filter.
        interface: String,
        /// The filter.
        filter: String,
        /// What libpcap said.
        reason: String,
    },
    /// The capture cannot start, or ended by itself.
    #[error("capture on {interface} failed: {reason}")]
    Capture {
        /// The interface.
        interface: String,
        /// What libpcap said.
        reason: String,
    },
}
