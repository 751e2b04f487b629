//! A moving window over a stream: large reads, and slices of what was read without a copy.

use std::io::{self, ErrorKind, Read};

/// One read: large, so that the cost of a system call vanishes, and that of threads that wait for their turns at it; and small
/// enough that what was read is still in a cache when it is decoded.
pub(super) const READ: usize = 512 << 10;

/// The part of a stream that was read and not used yet.
pub(super) struct Window {
    input: Box<dyn Read + Send>,
    /// `start..end` is what is there; behind `end` is room for the next read.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl Window {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input, buffer: Vec::new(), start: 0, end: 0, ended: false }
    }

    /// What was read and not used yet.
    pub(super) fn octets(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Where [`Self::octets`] begins in the block that [`Self::swap`] gives away.
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// What was read, used octets too, from `position` on.
    pub(super) fn block(&self, position: usize) -> &[u8] {
        self.buffer.get(position..self.end).unwrap_or_default()
    }

    /// Marks octets as used.
    pub(super) fn advance(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Whether the stream has ended; [`Self::octets`] is all that is left then.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads until `count` octets are there, or the stream ends. Says whether they are there.
    pub(super) fn want(&mut self, count: usize) -> io::Result<bool> {
        if self.octets().len() >= count {
            return Ok(true);
        }
        let room = count.saturating_add(READ);
        if self.start > 0 && self.buffer.len().saturating_sub(self.start) < room {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        grow(&mut self.buffer, self.start.saturating_add(room));
        while self.end.saturating_sub(self.start) < count && !self.ended {
            // Never more than that, so that where a file's blocks end does not depend on which memory is used again.
            let room = self.buffer.get_mut(self.end..self.start + room).unwrap_or_default();
            match self.input.read(room) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.octets().len() >= count)
    }

    /// Gives the whole block away, used octets too, and goes on in `other` with a copy of what is not used yet.
    ///
    /// A block keeps its length: growing it again would write zeros over all of it for each read.
    pub(super) fn swap(&mut self, other: &mut Vec<u8>) {
        let rest = self.end.saturating_sub(self.start);
        grow(other, rest);
        if let Some(front) = other.get_mut(..rest) {
            front.copy_from_slice(self.octets());
        }
        std::mem::swap(&mut self.buffer, other);
        self.start = 0;
        self.end = rest;
    }
}

/// Makes a block that long, if it is shorter.
fn grow(block: &mut Vec<u8>, length: usize) {
    if block.is_empty() {
        // The system gives large memory full of zeros, and none is touched before it is read into.
        *block = vec![0; length];
    } else if block.len() < length {
        block.resize(length, 0);
    }
}
