//! Text of unknown origin in, text that a terminal may show out.

use std::borrow::Cow;

use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for a character that must not reach a terminal.
const REPLACEMENT: char = '\u{fffd}';

/// No cell of any table is wider, so that a hostile text of a million zero-width characters costs no more than this.
const MOST_CHARACTERS: usize = 1024;

/// The text without what could move the cursor, change the direction of writing, or pile up on one cell.
///
/// Control, bidirectional and invisible format characters become `U+FFFD`; combining marks are dropped; at most 1024
/// characters are looked at.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST_CHARACTERS && text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().take(MOST_CHARACTERS).filter_map(shown).collect())
}

/// The text, cleaned and cut to a width in terminal cells; `…` ends it where something was cut.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.width() <= width {
        return text.into_owned();
    }
    let mut fitted = String::new();
    let mut used = 0;
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        fitted.push(character);
    }
    if width > 0 {
        fitted.push('…');
    }
    fitted
}

/// The width of a text, once cleaned, in terminal cells.
pub(crate) fn width(text: &str) -> usize {
    clean(text).width()
}

/// A line of spans cut to a width, `…` at the cut.
pub(crate) fn fit_line(line: Line<'static>, width: usize) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let mut room = width;
    let mut spans = Vec::new();
    for span in line.spans {
        if room == 0 {
            break;
        }
        let wide = span.width();
        if wide < room {
            room -= wide;
            spans.push(span);
        } else {
            // Something follows or the span itself is too wide: either way the last cell says that it was cut.
            let mut text = span.content.into_owned();
            text.push('\u{2026}');
            spans.push(Span::styled(fit(&text, room), span.style));
            room = 0;
        }
    }
    Line { spans, ..line }
}

/// The text in lines of at most a width, broken at spaces where there are any; at most `most` lines.
pub(crate) fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let text = clean(text);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let gap = usize::from(!line.is_empty());
        if line.width() + gap + word.width() > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    let cut = lines.len() > most;
    lines.truncate(most);
    let last = lines.len().saturating_sub(1);
    lines
        .into_iter()
        .enumerate()
        .map(|(at, line)| if cut && at == last { fit(&format!("{line} …"), width) } else { fit(&line, width) })
        .collect()
}

fn shown(character: char) -> Option<char> {
    let invisible = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    if invisible {
        return Some(REPLACEMENT);
    }
    match character.width() {
        None => Some(REPLACEMENT),
        Some(0) => None,
        Some(_) => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(
            clean("a\u{1b}[31mb\u{202e}c\r\n\u{9b}d\u{301}"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}\u{fffd}\u{fffd}d"
        );
    }

    #[test]
    fn cuts_at_the_width_in_cells() {
        assert_eq!(fit("payments", 8), "payments");
        assert_eq!(fit("payments", 7), "paymen…");
        assert_eq!(fit("支払い限度", 7), "支払い…");
        assert_eq!(fit("支払い限度", 6), "支払…");
        assert_eq!(fit("payments", 0), "");
        let line = Line::from(vec![Span::raw("core"), Span::raw(" declared")]);
        assert_eq!(fit_line(line.clone(), 9).to_string(), "core dec…");
        assert_eq!(fit_line(line, 4).to_string(), "cor…");
    }

    #[test]
    fn wraps_at_spaces() {
        assert_eq!(wrap("one two three", 7, 9), ["one two", "three"]);
        assert_eq!(wrap("one two three four", 7, 2), ["one two", "three …"]);
    }
}
