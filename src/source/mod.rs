//! Bytes in: live capture, capture files, lines of logs.

mod batch;
mod capture_file;
mod compression;
pub mod detect;
mod error;
mod exchange_lines;
mod lines;
mod live;
mod pcap;
mod pcapng;
mod record;
mod tail;
mod window;

pub use batch::FrameBatch;
pub use capture_file::CaptureFile;
pub use error::SourceError;
pub use lines::{LONGEST_LINE, Lines};
pub use live::{Interface, LiveCapture, LiveOptions, LiveStatistics, interfaces};
pub use tail::{Tail, TailFrom};
