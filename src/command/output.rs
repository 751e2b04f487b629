//! Standard output: buffered, and asked once whether it is a terminal.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use super::CommandError;

/// Standard output, buffered.
#[derive(Debug)]
pub struct Output {
    writer: BufWriter<Stdout>,
}

impl Output {
    /// Takes standard output.
    pub fn new() -> Self {
        Self { writer: BufWriter::with_capacity(1 << 16, io::stdout()) }
    }

    /// Whether a person reads it.
    pub fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Writes by `write`, as an error of this command.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CommandError> {
        self.write_raw(write).map_err(CommandError::Output)
    }

    /// Writes by `write`.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write_raw(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        write(&mut self.writer)
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn flush(&mut self) -> Result<(), CommandError> {
        self.writer.flush().map_err(CommandError::Output)
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}
