//! Lines out of octets, with a bound on each.

use std::io::{self, BufRead, Read};

use super::window::Window;
use crate::model::{Anomaly, InputCounters};

/// The longest line that is kept. A logged exchange with a body of some MiB is legitimate; past it is damage or an attack.
pub const LONGEST_LINE: usize = 16 << 20;

/// Lines of a stream, without their line ends.
pub struct Lines {
    window: Window,
    /// What of the window is known to hold no line end.
    searched: usize,
    /// The line end of the last line is still to be stepped over.
    used: usize,
    /// Inside a line that is too long.
    skipping: bool,
}

impl Lines {
    /// Reads a stream.
    pub fn new(input: Box<dyn Read + Send>) -> Self {
        Self { window: Window::new(input), searched: 0, used: 0, skipping: false }
    }

    /// The next line without its line end, or `None` at the end. Counts octets, and lines that are too long.
    ///
    /// # Errors
    /// When the system cannot read on.
    pub fn next_line(&mut self, counters: &mut InputCounters) -> io::Result<Option<&[u8]>> {
        self.window.advance(self.used);
        self.used = 0;
        loop {
            let octets = self.window.octets();
            let end = octets.get(self.searched..).and_then(line_end).map(|at| at + self.searched);
            let there = octets.len();
            if let Some(end) = end {
                counters.bytes = counters.bytes.saturating_add(end as u64 + 1);
                self.searched = 0;
                if self.skipping || end > LONGEST_LINE {
                    self.too_long(counters);
                    self.skipping = false;
                    self.window.advance(end + 1);
                    continue;
                }
                self.used = end + 1;
                return Ok(self.window.octets().get(..end).map(without_return));
            }
            if there > LONGEST_LINE || self.skipping {
                self.too_long(counters);
                counters.bytes = counters.bytes.saturating_add(there as u64);
                self.skipping = true;
                self.searched = 0;
                self.window.advance(there);
            } else {
                self.searched = there;
            }
            let wanted = self.window.octets().len() + 1;
            if !self.window.want(wanted)? {
                break;
            }
        }
        // What stands behind the last line end is a line too.
        let rest = self.window.octets().len();
        counters.bytes = counters.bytes.saturating_add(rest as u64);
        (self.used, self.searched) = (rest, 0);
        Ok((rest > 0).then(|| without_return(self.window.octets())))
    }

    /// Counts the line once, at its first part.
    fn too_long(&self, counters: &mut InputCounters) {
        if !self.skipping {
            counters.count(Anomaly::LineTooLong);
        }
    }
}

/// Where the first line ends. A slice's own `skip_until` searches with the system's `memchr`, many octets at a time.
pub(super) fn line_end(octets: &[u8]) -> Option<usize> {
    let mut rest = octets;
    let end = rest.skip_until(b'\n').ok()?.checked_sub(1)?;
    (octets.get(end) == Some(&b'\n')).then_some(end)
}

/// Without the carriage return of a Windows line end.
pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
