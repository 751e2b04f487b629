//! A growing log file, followed through truncation and rotation.
//!
//! Does not wait: whoever follows it polls at its own pace.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::SourceError;
use super::lines::{LONGEST_LINE, line_end, without_return};
use crate::model::{Anomaly, InputCounters};

/// What one poll reads at most of one file, so that a flood in one log starves nothing else.
const POLL: usize = 1 << 20;

/// A file whose new lines are wanted.
pub struct Tail {
    path: PathBuf,
    file: Option<Following>,
    /// The start of a line whose end was not written yet.
    partial: Vec<u8>,
    /// Inside a line that is too long.
    skipping: bool,
    buffer: Vec<u8>,
}

struct Following {
    file: File,
    /// Device and inode: who the file is, whatever it is called.
    identity: (u64, u64),
    position: u64,
}

/// Where to begin in a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailFrom {
    /// At its first line.
    Start,
    /// Behind its last line.
    End,
}

impl Tail {
    /// Follows the file at `path`. It may be missing still: then it is read from its start once it is there.
    ///
    /// # Errors
    /// When it is there and cannot be opened, or is a directory.
    pub fn open(path: &Path, from: TailFrom) -> Result<Self, SourceError> {
        let name = || path.display().to_string();
        let mut tail =
            Self { path: path.to_owned(), file: None, partial: Vec::new(), skipping: false, buffer: vec![0; POLL] };
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(SourceError::Directory { name: name() }),
            Ok(_) => tail.follow(from).map_err(|reason| SourceError::Open { name: name(), reason })?,
            Err(reason) if reason.kind() == ErrorKind::NotFound => {}
            Err(reason) => return Err(SourceError::Open { name: name(), reason }),
        }
        Ok(tail)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what was written since the last poll and gives each complete line to `sink`. Says whether there was
    /// anything, so that the caller polls again at once or waits. A line without its end is kept until that comes.
    ///
    /// # Errors
    /// When the system cannot read the file. A file that is gone is no error: it may come again.
    pub fn poll(&mut self, counters: &mut InputCounters, sink: &mut impl FnMut(&[u8])) -> Result<bool, SourceError> {
        let outcome = self.advance(counters, sink);
        outcome.map_err(|reason| SourceError::Read { name: self.path.display().to_string(), reason })
    }

    fn advance(&mut self, counters: &mut InputCounters, sink: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        if self.file.is_none() {
            self.follow_if_there()?;
        }
        let Some(following) = &mut self.file else { return Ok(false) };
        if following.file.metadata()?.len() < following.position {
            // Truncated in place, as `copytruncate` does: it begins anew, and the partial line is lost with the rest.
            following.file = File::open(&self.path)?;
            following.identity = identity(&following.file.metadata()?);
            following.position = 0;
            self.forget_partial(counters);
        }
        let Some(following) = &mut self.file else { return Ok(false) };
        let read = match following.file.read(&mut self.buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            outcome => outcome?,
        };
        following.position = following.position.saturating_add(read as u64);
        if read > 0 {
            counters.bytes = counters.bytes.saturating_add(read as u64);
            self.split(read, counters, sink);
            return Ok(true);
        }
        // All of it is read: only now may another file of that name take its place.
        let followed = following.identity;
        match std::fs::metadata(&self.path) {
            Ok(metadata) if identity(&metadata) != followed => {
                self.last_line(sink);
                self.file = None;
                self.follow_if_there()?;
                Ok(self.file.is_some())
            }
            Ok(_) => Ok(false),
            // Moved away, and the next one is not there yet; the old one may still grow.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn follow_if_there(&mut self) -> io::Result<()> {
        match self.follow(TailFrom::Start) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    fn follow(&mut self, from: TailFrom) -> io::Result<()> {
        use std::io::{Seek, SeekFrom};
        let mut file = File::open(&self.path)?;
        let position = match from {
            TailFrom::Start => 0,
            TailFrom::End => file.seek(SeekFrom::End(0))?,
        };
        let identity = identity(&file.metadata()?);
        self.file = Some(Following { file, identity, position });
        Ok(())
    }

    /// Cuts what was read into lines.
    fn split(&mut self, read: usize, counters: &mut InputCounters, sink: &mut impl FnMut(&[u8])) {
        let mut rest = self.buffer.get(..read).unwrap_or_default();
        while let Some(end) = line_end(rest) {
            let (line, behind) = rest.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            if self.skipping {
                self.skipping = false;
            } else if self.partial.is_empty() {
                sink(without_return(line));
            } else {
                self.partial.extend_from_slice(line);
                sink(without_return(&self.partial));
            }
            self.partial.clear();
        }
        if self.skipping {
            return;
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > LONGEST_LINE {
            counters.count(Anomaly::LineTooLong);
            self.skipping = true;
            self.partial = Vec::new();
        }
    }

    /// A file that was rotated away ends with its last line, line end or not.
    fn last_line(&mut self, sink: &mut impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            sink(without_return(&self.partial));
        }
        self.partial.clear();
        self.skipping = false;
    }

    fn forget_partial(&mut self, counters: &mut InputCounters) {
        if !self.partial.is_empty() {
            counters.count(Anomaly::LineMalformed);
        }
        self.partial.clear();
        self.skipping = false;
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
