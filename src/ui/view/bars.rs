//! Bars and sparklines out of block characters, an eighth of a cell fine.

use ratatui::text::Span;

use super::super::theme::{Level, Theme};
use crate::model::{Timestamp, Trend};

const LEFT_EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LOWER_EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A bar of a fixed width for a ratio from 0 to 1; something is drawn as soon as the ratio is not 0.
pub(super) fn bar(ratio: f64, width: u16) -> (String, String) {
    let eighths = eighths(ratio, usize::from(width) * 8);
    let (full, part) = (eighths / 8, eighths % 8);
    let mut filled = "█".repeat(full);
    filled.push_str(LEFT_EIGHTHS.get(part).copied().unwrap_or_default());
    let empty = usize::from(width) - full - usize::from(part > 0);
    (filled, "·".repeat(empty))
}

/// A bar in the colour of its level, on a dotted track.
pub(super) fn gauge(ratio: Option<f64>, level: Level, width: u16, theme: Theme) -> Vec<Span<'static>> {
    let Some(ratio) = ratio else {
        return vec![Span::styled(" ".repeat(usize::from(width)), theme.track())];
    };
    let (filled, empty) = bar(ratio, width);
    vec![Span::styled(filled, theme.level(level)), Span::styled(empty, theme.track())]
}

/// The utilization of the last five minutes, one cell for an even part of it; a part where nothing was seen stays blank.
pub(super) fn sparkline(trend: &Trend, now: Option<Timestamp>, width: u16, theme: Theme) -> Vec<Span<'static>> {
    const SECONDS: f64 = 300.0;
    let cells = usize::from(width);
    let mut highest: Vec<Option<f64>> = vec![None; cells];
    let step = trend.step.as_secs_f64();
    if now.is_some() && step > 0.0 {
        for (back, point) in trend.points.iter().rev().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "at most 360 points")]
            let seconds = back as f64 * step;
            if seconds >= SECONDS {
                break;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a part of the width, not negative"
            )]
            let cell = cells - 1 - ((seconds / SECONDS * cells as f64) as usize).min(cells - 1);
            let slot = highest.get_mut(cell);
            if let (Some(slot), Some(value)) = (slot, point.utilization) {
                *slot = Some(slot.map_or(value, |other: f64| other.max(value)));
            }
        }
    }
    highest
        .into_iter()
        .map(|value| match value {
            None => Span::raw(" "),
            Some(ratio) => {
                // Even an empty quota shows that it was seen.
                let height = eighths(ratio, 8).max(1);
                let symbol = LOWER_EIGHTHS.get(height).copied().unwrap_or("█");
                Span::styled(symbol, theme.level(Level::of_utilization(Some(ratio))))
            }
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped")]
fn eighths(ratio: f64, most: usize) -> usize {
    if ratio.is_nan() || ratio <= 0.0 {
        return 0;
    }
    ((ratio * most as f64).floor() as usize).clamp(1, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_at_its_end() {
        assert_eq!(bar(0.0, 4), (String::new(), "····".to_owned()));
        assert_eq!(bar(0.0001, 4), ("▏".to_owned(), "···".to_owned()));
        assert_eq!(bar(0.999, 4), ("███▉".to_owned(), String::new()));
        assert_eq!(bar(1.0, 4), ("████".to_owned(), String::new()));
        assert_eq!(bar(7.5, 4), ("████".to_owned(), String::new()));
        assert_eq!(bar(f64::NAN, 2), (String::new(), "··".to_owned()));
    }
}
