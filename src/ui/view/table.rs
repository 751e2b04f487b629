//! Tables whose columns share a width: the least important ones give way first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;

use super::super::app::App;
use super::super::text;

/// Rows that are looked at for how wide a column wants to be.
const MEASURED: usize = 200;

/// On which side a column's cells are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One column.
pub(super) struct Column {
    /// Its heading.
    pub(super) head: &'static str,
    /// Its cells' side.
    pub(super) side: Side,
    /// The narrowest and the widest it may be. In between it is as wide as its content, or takes what it gets.
    pub(super) width: (u16, u16),
    /// Whether it takes room that its content does not need, more slowly than the others.
    pub(super) stretches: bool,
    /// 0 is always shown; the highest number goes first.
    pub(super) rank: u8,
    /// The narrowest table that it is shown in.
    pub(super) from: u16,
}

impl Column {
    /// As wide as its content, within bounds.
    pub(super) const fn new(head: &'static str, side: Side, width: (u16, u16), rank: u8) -> Self {
        Self { head, side, width, stretches: false, rank, from: 0 }
    }

    /// Only in tables from that width on: where it would fit, but others need the room more.
    pub(super) const fn from(self, width: u16) -> Self {
        Self { from: width, ..self }
    }

    /// Takes room that its content does not need.
    pub(super) const fn stretching(self) -> Self {
        Self { stretches: true, ..self }
    }
}

/// Whether a column is shown in a table of that width.
pub(super) fn shows(columns: &[Column], column: usize, room: u16) -> bool {
    columns.get(column).is_some_and(|column| is_shown(column, columns, room))
}

/// All columns of its rank, and of the lower ones, must fit at their narrowest.
fn is_shown(column: &Column, columns: &[Column], room: u16) -> bool {
    let fits = |rank: u8| {
        let kept = columns.iter().filter(|other| other.rank <= rank && other.from <= room);
        kept.map(least).sum::<i32>() - 1 <= i32::from(room)
    };
    column.rank == 0 || (column.from <= room && fits(column.rank))
}

/// At its narrowest, with the space after it.
fn least(column: &Column) -> i32 {
    i32::from(column.width.0) + 1
}

/// Draws one cell: row, column, width.
type Draw<'a> = dyn Fn(usize, usize, u16) -> Line<'static> + 'a;

/// A table: columns, and a function for its cells.
pub(super) struct Table<'a> {
    pub(super) columns: &'a [Column],
    pub(super) rows: usize,
    pub(super) selected: Option<usize>,
    pub(super) cell: &'a Draw<'a>,
}

impl Table<'_> {
    /// Draws the headings and as many rows as fit, the selected one among them.
    pub(super) fn draw(&self, app: &App, area: Rect, buffer: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let widths = self.widths(area.width);
        let theme = app.theme();
        self.draw_row(area, buffer, &widths, |column, width| {
            Line::styled(text::fit(self.columns[column].head, usize::from(width)), theme.dim())
        });
        let height = usize::from(area.height - 1);
        // The selected row stays in the middle once there is more than a page: no scroll state is needed.
        let latest = self.rows.saturating_sub(height);
        let first = self.selected.map_or(0, |row| row.saturating_sub(height / 2)).min(latest);
        for (row, line) in (first..self.rows).zip(area.rows().skip(1)) {
            self.draw_row(line, buffer, &widths, |column, width| (self.cell)(row, column, width));
            if self.selected == Some(row) {
                for position in line.columns().map(Rect::as_position) {
                    if let Some(cell) = buffer.cell_mut(position) {
                        if cell.fg == ratatui::style::Color::Reset {
                            cell.set_style(theme.selected_text());
                        }
                        cell.modifier.remove(Modifier::DIM);
                        cell.set_style(theme.selected());
                    }
                }
            }
        }
        let hidden = self.rows.saturating_sub(first + height);
        if hidden > 0 || first > 0 {
            let last = (first + height).min(self.rows);
            let note = format!(" {}–{last} of {} ", first + 1, self.rows);
            let wide = u16::try_from(text::width(&note)).unwrap_or(0);
            // It sits in the frame below the table.
            let x = area.right().saturating_sub(wide);
            if x > area.x && area.bottom() < buffer.area.bottom() {
                buffer.set_stringn(x, area.bottom(), note, usize::from(wide), theme.dim());
            }
        }
    }

    fn draw_row(&self, area: Rect, buffer: &mut Buffer, widths: &[u16], content: impl Fn(usize, u16) -> Line<'static>) {
        let mut x = area.x;
        for (column, &width) in widths.iter().enumerate() {
            if width == 0 {
                continue;
            }
            let line = text::fit_line(content(column, width), usize::from(width));
            let slack = width.saturating_sub(u16::try_from(line.width()).unwrap_or(width));
            let indent = if self.columns[column].side == Side::Right { slack } else { 0 };
            buffer.set_line(x + indent, area.y, &line, width - indent);
            x += width + 1;
        }
    }

    /// The width of each column; 0 for those that give way.
    fn widths(&self, room: u16) -> Vec<u16> {
        let shown = |column: &&Column| is_shown(column, self.columns, room);
        let mut widths: Vec<u16> =
            self.columns.iter().map(|column| if shown(&column) { column.width.0 } else { 0 }).collect();
        let used = self.columns.iter().filter(shown).map(least).sum::<i32>() - 1;
        let mut left = u16::try_from(i32::from(room) - used).unwrap_or(0);
        let growing: Vec<usize> = (0..widths.len()).filter(|&at| widths[at] > 0).collect();
        let wanted: Vec<u16> = growing.iter().map(|&at| self.wanted(at)).collect();
        // Cell by cell in turn, so that columns in want share what is left; stretching ones take part in every other turn.
        let mut turn = 0u16;
        while left > 0 && growing.iter().zip(&wanted).any(|(&at, &wanted)| widths[at] < wanted) {
            for (&at, &wanted) in growing.iter().zip(&wanted) {
                let waits = self.columns[at].stretches && turn.is_multiple_of(2);
                if left > 0 && widths[at] < wanted && !waits {
                    widths[at] += 1;
                    left -= 1;
                }
            }
            turn = turn.wrapping_add(1);
        }
        widths
    }

    fn wanted(&self, column: usize) -> u16 {
        let (least, most) = self.columns[column].width;
        if self.columns[column].stretches || least == most {
            return most;
        }
        let content = (0..self.rows.min(MEASURED)).map(|row| (self.cell)(row, column, most).width()).max();
        u16::try_from(content.unwrap_or(0)).unwrap_or(most).clamp(least, most)
    }
}
