//! Columns that line up, whatever the width of their characters.

use std::io;

use unicode_width::UnicodeWidthStr;

/// Rows of text, printed with each column as wide as its widest cell.
#[derive(Debug)]
pub struct Table {
    heads: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads; a head that starts with `>` is aligned to the right.
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.iter().map(|head| head.trim_start_matches('>')).collect(),
            right: heads.iter().map(|head| head.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    /// Appends a row; cells beyond the heads are left out.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether there is no row.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes head and rows, each line indented by two spaces.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| {
                std::iter::once(&heads)
                    .chain(&self.rows)
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::from(" ");
            for ((cell, width), right) in row.iter().zip(&widths).zip(&self.right) {
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                line.push(' ');
                if *right {
                    line.push_str(&padding);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&padding);
                }
                line.push(' ');
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
