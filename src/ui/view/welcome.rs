//! Before anything was seen: what is watched, and what to do if nothing comes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::format;
use super::super::text;
use super::super::theme::Level;
use super::panel::{Panel, put};
use crate::model::Anomaly;

/// ```text
/// ╭ waiting for the first exchange ───────────────────────╮
/// │ watching   eth0 lo                                    │
/// │ so far     1,204 packets, 3 connections, 0 requests   │
/// │                                                       │
/// │ If nothing comes:                                     │
/// │  · …                                                  │
/// ╰───────────────────────────────────────────────────────╯
/// ```
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let (theme, snapshot) = (app.theme(), app.snapshot());
    let title = Line::styled("waiting for the first exchange", theme.title());
    let inner = Panel::new(title).draw(app, area, buffer);
    let width = usize::from(inner.width);
    let sources = app.options().sources.join("  ");
    let sources = if sources.is_empty() { "–".to_owned() } else { sources };
    let input = &snapshot.input;
    let so_far = format!(
        "{} packets, {} connections, {} requests, {} responses",
        format::count(input.packets),
        format::count(input.connections),
        format::count(input.requests),
        format::count(input.responses)
    );
    let fact = |name: &str, value: String| {
        Line::from(vec![Span::styled(format!("{name:<11}"), theme.dim()), Span::raw(value)])
    };
    let mut lines =
        vec![Line::default(), fact("watching", text::fit(&sources, width.saturating_sub(11))), fact("so far", so_far)];
    let encrypted = input.damage(Anomaly::TlsUnreadable);
    if encrypted > 0 {
        let words = format!(
            "{} {} HTTPS connections were seen, and cannot be read from here",
            Level::Warning.mark(),
            format::count(encrypted)
        );
        lines.push(Line::styled(words, theme.level(Level::Warning)));
    }
    for capture in &snapshot.captures {
        if let Some(trouble) = &capture.trouble {
            let words = format!("{} {}: {trouble}", Level::High.mark(), capture.interface);
            lines.push(Line::styled(text::clean(&words).into_owned(), theme.level(Level::High)));
        }
    }
    lines.push(Line::default());
    lines.push(Line::styled("If nothing comes:", theme.title()));
    let advice = [
        "Is it the right interface? Calls to this very machine go over lo; containers have interfaces of their own.",
        "HTTPS cannot be read in a plain capture: feed the exchanges from the HTTP client, as the README shows, or \
         capture where TLS ends.",
        "Capturing needs a right (CAP_NET_RAW) and a buffer: `quotascope doctor` says what this machine lets it see, \
         and how to fix what it does not.",
        "Without live traffic: `quotascope replay FILE` reads captures and exchanges as NDJSON; `quotascope demo` \
         shows what this screen looks like.",
    ];
    for sentence in advice {
        let wrapped = text::wrap(sentence, width.saturating_sub(3), 4);
        for (at, line) in wrapped.into_iter().enumerate() {
            let bullet = if at == 0 { " · " } else { "   " };
            lines.push(Line::from(vec![Span::styled(bullet, theme.accent()), Span::raw(line)]));
        }
    }
    for (row, line) in (0..).zip(lines) {
        put(line, inner, row, buffer);
    }
}
