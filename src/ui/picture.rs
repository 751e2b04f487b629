//! A drawn screen as text and as an SVG picture.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// A cell's size in the picture, in pixels: the proportions of a terminal's font.
const CELL: (f64, f64) = (8.4, 18.0);

const GROUND: &str = "#11151c";
const INK: &str = "#cdd6e0";

/// The screen as plain text, one line for each row, without trailing spaces.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.area.rows() {
        let mut line = String::new();
        let mut covered = 0;
        for position in row.columns().map(Rect::as_position) {
            let Some(cell) = buffer.cell(position) else { continue };
            // A wide character covers the cell after it.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = super::text::width(cell.symbol()).saturating_sub(1);
            line.push_str(cell.symbol());
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The screen as an SVG picture. Lines, blocks and dots are drawn as shapes, so that it looks the same with any font.
pub(crate) fn svg(buffer: &Buffer) -> String {
    let (cell_width, cell_height) = CELL;
    let width = f64::from(buffer.area.width) * cell_width + 24.0;
    let height = f64::from(buffer.area.height) * cell_height + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"'DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n\
         <g transform=\"translate(12 12)\">\n"
    );
    for row in buffer.area.rows() {
        row_svg(buffer, row, &mut svg);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn row_svg(buffer: &Buffer, row: Rect, svg: &mut String) {
    let cells: Vec<&Cell> = row.columns().filter_map(|at| buffer.cell(at.as_position())).collect();
    let top = f64::from(row.y - buffer.area.y) * CELL.1;
    let looks: Vec<Look> = cells.iter().map(|cell| Look::of(cell)).collect();
    let mut start = 0;
    while let Some(look) = looks.get(start) {
        let end = (start..looks.len()).find(|&at| looks.get(at) != Some(look)).unwrap_or(looks.len());
        if look.ground != GROUND {
            let (x, width) = (left(start), left(end - start));
            // Writing into a String cannot fail.
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                CELL.1, look.ground
            );
        }
        // A word at a time: not every program that shows SVG places single letters.
        let (mut words, mut shapes, mut in_word) = (Vec::<(String, String)>::new(), String::new(), false);
        for (at, cell) in (start..end).zip(cells.get(start..end).unwrap_or_default()) {
            let x = left(at);
            match cell.symbol().chars().next() {
                None | Some(' ') => in_word = false,
                Some(symbol) if shape(symbol, x, top, &mut shapes) => in_word = false,
                Some(_) => {
                    if !in_word {
                        words.push((String::new(), String::new()));
                        in_word = true;
                    }
                    let Some((places, letters)) = words.last_mut() else { continue };
                    for letter in cell.symbol().chars() {
                        let _ = write!(places, "{x:.1} ");
                        escape(letter, letters);
                    }
                }
            }
        }
        if !shapes.is_empty() {
            let _ = writeln!(
                svg,
                "<path d=\"{}\" fill=\"{}\" opacity=\"{}\"/>",
                shapes.trim_end(),
                look.ink,
                look.opacity()
            );
        }
        for (places, letters) in words {
            let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.1}\" fill=\"{}\" opacity=\"{}\"{weight}>{letters}</text>",
                places.trim_end(),
                top + 13.5,
                look.ink,
                look.opacity()
            );
        }
        start = end;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a column of a screen")]
fn left(column: usize) -> f64 {
    column as f64 * CELL.0
}

/// How a cell looks, in the picture's colours.
#[derive(PartialEq, Eq)]
struct Look {
    ink: String,
    ground: String,
    bold: bool,
    dim: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (mut ink, mut ground) = (css(cell.fg, INK), css(cell.bg, GROUND));
        if cell.modifier.contains(Modifier::REVERSED) {
            std::mem::swap(&mut ink, &mut ground);
        }
        let (bold, dim) = (cell.modifier.contains(Modifier::BOLD), cell.modifier.contains(Modifier::DIM));
        Self { ink, ground, bold, dim }
    }

    fn opacity(&self) -> &'static str {
        if self.dim { "0.6" } else { "1" }
    }
}

/// The 256-colour palette: a cube of six steps, and a grey ramp.
///
/// Source: xterm, <https://www.xfree86.org/current/ctlseqs.html>, and its `256colres.pl`.
fn css(color: Color, default: &str) -> String {
    match color {
        Color::Indexed(index @ 16..=231) => {
            let step = |number: u8| if number == 0 { 0 } else { 55 + 40 * u16::from(number) };
            let index = index - 16;
            format!("#{:02x}{:02x}{:02x}", step(index / 36), step(index / 6 % 6), step(index % 6))
        }
        Color::Indexed(index @ 232..) => {
            let grey = 8 + 10 * u16::from(index - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
        _ => default.to_owned(),
    }
}

fn escape(letter: char, text: &mut String) {
    match letter {
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '&' => text.push_str("&amp;"),
        other => text.push(other),
    }
}

/// Draws a line, block or braille character as shapes of a path; false for all others.
fn shape(symbol: char, x: f64, y: f64, path: &mut String) -> bool {
    let (width, height) = CELL;
    let (center, middle) = (x + width / 2.0, y + height / 2.0);
    let thin = 1.2;
    let mut rect = |x: f64, y: f64, w: f64, h: f64| {
        let _ = write!(path, "M{x:.1} {y:.1}h{w:.1}v{h:.1}h{:.1}z", -w);
    };
    match symbol {
        '█' => rect(x, y + 2.0, width + 0.2, height - 4.0),
        '▁'..='▇' => {
            let part = f64::from(u32::from(symbol) - 0x2580) / 8.0 * (height - 4.0);
            rect(x + 0.4, y + height - 2.0 - part, width - 0.8, part);
        }
        '▉'..='▏' => {
            let part = f64::from(0x2590 - u32::from(symbol)) / 8.0 * width;
            rect(x, y + 2.0, part, height - 4.0);
        }
        '─' => rect(x, middle - thin / 2.0, width, thin),
        '│' => rect(center - thin / 2.0, y, thin, height),
        '┊' => {
            for part in 0..4 {
                rect(center - thin / 2.0, y + f64::from(part) * height / 4.0 + 1.0, thin, height / 8.0);
            }
        }
        '╭' | '╮' | '╰' | '╯' => {
            // A square corner with its tip taken off reads as round at this size.
            let (down, right) = (matches!(symbol, '╭' | '╮'), matches!(symbol, '╭' | '╰'));
            let (side, end) = (if right { 1.0 } else { -1.0 }, if down { y + height } else { y });
            let bend = if down { 3.0 } else { -3.0 };
            let inner = thin / 2.0;
            let _ = write!(
                path,
                "M{:.1} {end:.1}V{:.1}Q{:.1} {:.1} {:.1} {:.1}H{:.1}v{:.1}H{:.1}Q{:.1} {:.1} {:.1} {:.1}V{end:.1}z",
                center - inner,
                middle + bend,
                center - inner,
                middle - inner,
                center + side * 3.0,
                middle - inner,
                center + side * width / 2.0,
                thin,
                center + side * 3.0,
                center + inner,
                middle + inner,
                center + inner,
                middle + bend,
            );
        }
        '\u{2800}'..='\u{28ff}' => {
            let bits = u32::from(symbol) - 0x2800;
            let places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
            for (bit, (column, row)) in places.into_iter().enumerate() {
                if bits >> bit & 1 == 1 {
                    let dot_x = x + (f64::from(column) + 0.5) * width / 2.0;
                    let dot_y = y + (f64::from(row) + 0.5) * height / 4.0;
                    rect(dot_x - 1.1, dot_y - 1.1, 2.2, 2.2);
                }
            }
        }
        _ => return false,
    }
    true
}
