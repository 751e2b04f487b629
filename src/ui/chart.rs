//! Lines over time, in braille dots: two by four to a cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme::{Level, Theme};
use crate::model::Trend;

/// Cells at the left for the labels of the guides.
const GUTTER: u16 = 5;

/// Points further apart than this many steps are not joined: what happened between was not seen.
const WIDEST_JOIN: usize = 6;

/// A point: seconds from now (negative is past), and a ratio.
pub(crate) type Point = (f64, f64);

/// A horizontal line at a ratio that means something.
pub(crate) struct Guide {
    /// Where.
    pub(crate) at: f64,
    /// At the left: `80%`.
    pub(crate) label: String,
    /// At the right: `warning`.
    pub(crate) name: &'static str,
    /// In which colour.
    pub(crate) level: Level,
}

/// What is to be drawn.
pub(crate) struct Chart {
    /// The left edge, in seconds from now.
    pub(crate) from: f64,
    /// The right edge, in seconds from now.
    pub(crate) to: f64,
    /// The ratio at the upper edge; 0 is at the lower one.
    pub(crate) top: f64,
    /// Horizontal lines; the first ones win where labels want the same row.
    pub(crate) guides: Vec<Guide>,
    /// Lines that were seen.
    pub(crate) seen: Vec<Vec<Point>>,
    /// The line that is forecast.
    pub(crate) forecast: Vec<Point>,
    /// In which colour a ratio is drawn.
    pub(crate) level: fn(f64) -> Level,
}

/// The lines of a trend: one value for each step, cut where too long nothing was seen.
#[expect(clippy::cast_precision_loss, reason = "at most 360 points")]
pub(crate) fn lines(trend: &Trend, value: impl Fn(usize) -> Option<f64>) -> Vec<Vec<Point>> {
    let step = trend.step.as_secs_f64();
    let last = trend.points.len().saturating_sub(1);
    let mut lines: Vec<Vec<Point>> = Vec::new();
    let mut before: Option<usize> = None;
    for at in 0..trend.points.len() {
        let Some(value) = value(at).filter(|value| value.is_finite()) else { continue };
        let point = ((at as f64 - last as f64) * step, value.max(0.0));
        match (before, lines.last_mut()) {
            (Some(previous), Some(line)) if at - previous <= WIDEST_JOIN => line.push(point),
            _ => lines.push(vec![point]),
        }
        before = Some(at);
    }
    lines
}

impl Chart {
    /// Draws into the area: labels at the left, times below, the lines in between.
    pub(crate) fn draw(&self, theme: Theme, area: Rect, buffer: &mut Buffer) {
        if area.width <= GUTTER + 8 || area.height < 3 {
            return;
        }
        let plot = Rect::new(area.x + GUTTER, area.y, area.width - GUTTER, area.height - 1);
        self.draw_guides(theme, plot, buffer);
        self.draw_times(theme, plot, buffer);
        let mut future = Dots::new(plot);
        for pair in self.forecast.windows(2) {
            future.join(self, pair[0], pair[1], 3);
        }
        future.draw(buffer, |_| theme.forecast());
        let mut past = Dots::new(plot);
        for line in &self.seen {
            for pair in line.windows(2) {
                past.join(self, pair[0], pair[1], 1);
            }
            if let [only] = line.as_slice() {
                past.join(self, *only, *only, 1);
            }
        }
        past.draw(buffer, |value| theme.level((self.level)(value)));
        self.draw_names(theme, plot, &[past, future], buffer);
    }

    /// The names of the guides at the right, where no line runs through them.
    fn draw_names(&self, theme: Theme, plot: Rect, lines: &[Dots], buffer: &mut Buffer) {
        let mut named: Vec<usize> = Vec::new();
        for guide in &self.guides {
            let row = self.dot_row(plot, guide.at) / 4;
            let (width, wide) = (usize::from(plot.width), guide.name.len());
            let cells = (row + 1) * width - wide.min(width)..(row + 1) * width;
            let is_free =
                |dots: &Dots| dots.cells.get(cells.clone()).is_some_and(|c| c.iter().all(|(bits, _)| *bits == 0));
            let in_future = plot.x + self.column(plot, 0.0) + 1 + u16::try_from(wide).unwrap_or(0) <= plot.right();
            if wide == 0 || named.contains(&row) || !in_future || !lines.iter().all(is_free) {
                continue;
            }
            named.push(row);
            if let (Ok(x), Ok(y)) = (u16::try_from(width - wide), u16::try_from(row)) {
                buffer.set_string(plot.x + x, plot.y + y, guide.name, theme.guide(guide.level));
            }
        }
    }

    fn draw_guides(&self, theme: Theme, plot: Rect, buffer: &mut Buffer) {
        let mut labelled: Vec<u16> = Vec::new();
        // The last ones first, so that the first ones lie on top.
        for guide in self.guides.iter().rev() {
            let mut dots = Dots::new(plot);
            let row = self.dot_row(plot, guide.at);
            for column in (0..usize::from(plot.width) * 2).step_by(2) {
                dots.set(column, row, guide.at);
            }
            let style = if guide.level == Level::Unknown { theme.border() } else { theme.guide(guide.level) };
            dots.draw(buffer, |_| style);
        }
        for guide in &self.guides {
            let Ok(row) = u16::try_from(self.dot_row(plot, guide.at) / 4) else { continue };
            if labelled.contains(&row) {
                continue;
            }
            labelled.push(row);
            let label = format!("{:>4}", guide.label);
            buffer.set_stringn(plot.x - GUTTER, plot.y + row, label, usize::from(GUTTER), theme.dim());
        }
    }

    fn draw_times(&self, theme: Theme, plot: Rect, buffer: &mut Buffer) {
        let row = plot.bottom();
        let past = format!("-{}", short_time(-self.from));
        buffer.set_string(plot.x, row, &past, theme.dim());
        let now = plot.x + self.column(plot, 0.0);
        let now_label = now.min(plot.right().saturating_sub(3));
        if now_label > plot.x + 8 {
            buffer.set_string(now_label, row, "now", theme.dim());
        }
        if self.to > 0.0 {
            let future = format!("+{}", short_time(self.to));
            let wide = u16::try_from(future.len()).unwrap_or(0);
            if now_label + 4 + wide <= plot.right() {
                buffer.set_string(plot.right() - wide, row, &future, theme.dim());
            }
            for y in plot.y..plot.bottom() {
                if let Some(cell) = buffer.cell_mut((now, y)) {
                    cell.set_symbol("┊").set_style(theme.track());
                }
            }
        }
        let middle = self.from / 2.0;
        let label = format!("-{}", short_time(-middle));
        let at = plot.x + self.column(plot, middle);
        if at > plot.x + 8 && at + 8 < now_label {
            buffer.set_string(at, row, &label, theme.dim());
        }
    }

    fn column(&self, plot: Rect, seconds: f64) -> u16 {
        u16::try_from(self.dot_column(plot, seconds) / 2).unwrap_or(0).min(plot.width.saturating_sub(1))
    }

    fn dot_column(&self, plot: Rect, seconds: f64) -> usize {
        scale((seconds - self.from) / (self.to - self.from), usize::from(plot.width) * 2)
    }

    /// The ratio at a row of dots.
    #[expect(clippy::cast_precision_loss, reason = "a row of a screen")]
    fn ratio(&self, plot: Rect, dot_row: usize) -> f64 {
        let last = (usize::from(plot.height) * 4).saturating_sub(1).max(1);
        self.top * (1.0 - dot_row as f64 / last as f64)
    }

    fn dot_row(&self, plot: Rect, ratio: f64) -> usize {
        scale(1.0 - ratio / self.top, usize::from(plot.height) * 4)
    }
}

/// A part of 1 as one of `places`, clamped.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped")]
fn scale(part: f64, places: usize) -> usize {
    let last = places.saturating_sub(1);
    if part.is_nan() { last } else { (part.clamp(0.0, 1.0) * last as f64).round() as usize }
}

fn short_time(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.0}s")
    } else if seconds < 3600.0 {
        let minutes = seconds / 60.0;
        if (minutes - minutes.round()).abs() < 0.05 { format!("{minutes:.0}m") } else { format!("{minutes:.1}m") }
    } else {
        format!("{:.0}h", seconds / 3600.0)
    }
}

/// The dots of one layer.
struct Dots {
    plot: Rect,
    cells: Vec<(u8, f64)>,
}

impl Dots {
    fn new(plot: Rect) -> Self {
        Self { plot, cells: vec![(0, 0.0); usize::from(plot.width) * usize::from(plot.height)] }
    }

    fn set(&mut self, column: usize, row: usize, value: f64) {
        // Unicode numbers the dots of a braille cell down the columns, the lowest row last.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let at = row / 4 * usize::from(self.plot.width) + column / 2;
        if let Some((bits, highest)) = self.cells.get_mut(at) {
            *bits |= BITS[row % 4][column % 2];
            *highest = highest.max(value);
        }
    }

    /// A straight line from dot to dot; every n-th dot of it.
    fn join(&mut self, chart: &Chart, from: Point, to: Point, every: usize) {
        if to.0 < chart.from || from.0 > chart.to {
            return;
        }
        let (x0, y0) = (chart.dot_column(self.plot, from.0), chart.dot_row(self.plot, from.1));
        let (x1, y1) = (chart.dot_column(self.plot, to.0), chart.dot_row(self.plot, to.1));
        let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
        for step in (0..=steps).step_by(every) {
            let part = |a: usize, b: usize| (a * (steps - step) + b * step + steps / 2) / steps;
            // The colour follows the height at which the dot is seen.
            let row = part(y0, y1);
            let value = if row == y0 {
                from.1
            } else if row == y1 {
                to.1
            } else {
                chart.ratio(self.plot, row)
            };
            self.set(part(x0, x1), row, value);
        }
    }

    fn draw(&self, buffer: &mut Buffer, style: impl Fn(f64) -> Style) {
        let positions = self.plot.rows().flat_map(Rect::columns).map(Rect::as_position);
        for (position, (bits, value)) in positions.zip(&self.cells) {
            if *bits == 0 {
                continue;
            }
            if let (Some(cell), Some(symbol)) = (buffer.cell_mut(position), char::from_u32(0x2800 + u32::from(*bits))) {
                cell.set_char(symbol).set_style(style(*value));
            }
        }
    }
}
