//! Which key does what: one table, that also makes the help overlay and the footer.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Select the row above.
    Up,
    /// Select the row below.
    Down,
    /// Ten rows up.
    PageUp,
    /// Ten rows down.
    PageDown,
    /// The first row, and stay on it whatever quota comes there.
    First,
    /// The last row.
    Last,
    /// All that is known of the selected quota.
    Details,
    /// The next panel of the lower row, where it is folded.
    NextTab,
    /// The panel before.
    PreviousTab,
    /// Type a filter.
    Filter,
    /// Another order of the quotas.
    Sort,
    /// Another length of time in the charts.
    TimeRange,
    /// The list of alerts.
    Alerts,
    /// How the client behaves.
    Findings,
    /// The throttling error codes.
    ErrorCodes,
    /// The endpoints.
    Endpoints,
    /// What came in, and what of it could not be read.
    Input,
    /// Hold the screen still.
    Pause,
    /// This help.
    Help,
    /// Back to the quotas; clears the filter there.
    Back,
    /// End.
    Quit,
}

/// One line of the table.
#[derive(Debug)]
pub struct Binding {
    /// The keys that do it.
    keys: &'static [KeyCode],
    /// The keys as the screen writes them.
    pub shown: &'static str,
    /// What they do.
    pub action: Action,
    /// The line of the help overlay.
    pub help: &'static str,
    /// The word of the footer, for keys that it names.
    pub footer: Option<&'static str>,
}

const fn key(
    keys: &'static [KeyCode],
    shown: &'static str,
    action: Action,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding { keys, shown, action, help, footer }
}

/// All keys, in the order of the help overlay and, by importance, of the footer. Ctrl-C quits too.
pub const BINDINGS: &[Binding] = &[
    key(&[KeyCode::Up, KeyCode::Char('k')], "↑ k", Action::Up, "select the row above", None),
    key(&[KeyCode::Down, KeyCode::Char('j')], "↓ j", Action::Down, "select the row below", None),
    key(&[KeyCode::PageUp], "PgUp", Action::PageUp, "ten rows up", None),
    key(&[KeyCode::PageDown], "PgDn", Action::PageDown, "ten rows down", None),
    key(&[KeyCode::Home, KeyCode::Char('g')], "Home g", Action::First, "the first row, and stay there", None),
    key(&[KeyCode::End, KeyCode::Char('G')], "End G", Action::Last, "the last row", None),
    key(&[KeyCode::Enter], "⏎", Action::Details, "all about the selected quota", Some("details")),
    key(&[KeyCode::Char('/')], "/", Action::Filter, "only what contains a text", Some("filter")),
    key(&[KeyCode::Char('s')], "s", Action::Sort, "another order of the quotas", Some("sort")),
    key(&[KeyCode::Tab, KeyCode::Right], "Tab →", Action::NextTab, "next tab of a small screen", None),
    key(&[KeyCode::BackTab, KeyCode::Left], "←", Action::PreviousTab, "previous tab", None),
    key(&[KeyCode::Char('a')], "a", Action::Alerts, "alerts, firing and past", Some("alerts")),
    key(&[KeyCode::Char('f')], "f", Action::Findings, "how the client behaves", Some("findings")),
    key(&[KeyCode::Char('e')], "e", Action::ErrorCodes, "throttling error codes", Some("codes")),
    key(&[KeyCode::Char('n')], "n", Action::Endpoints, "endpoints", Some("endpoints")),
    key(&[KeyCode::Char('i')], "i", Action::Input, "input: drops, gaps, damage", Some("input")),
    key(&[KeyCode::Char('t')], "t", Action::TimeRange, "charts over 5 min, 15 min, 1 h", Some("time")),
    key(&[KeyCode::Char('p'), KeyCode::Char(' ')], "p spc", Action::Pause, "hold the screen still", Some("pause")),
    key(&[KeyCode::Esc, KeyCode::Backspace], "Esc", Action::Back, "back; then drop the filter", None),
    key(&[KeyCode::Char('?'), KeyCode::Char('h')], "?", Action::Help, "these keys", Some("help")),
    key(&[KeyCode::Char('q')], "q", Action::Quit, "quit (Ctrl-C too)", Some("quit")),
];

/// What a key asks for, outside of the filter's line.
pub fn action_of(event: KeyEvent) -> Option<Action> {
    if is_interrupt(event) {
        return Some(Action::Quit);
    }
    if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return None;
    }
    BINDINGS.iter().find(|binding| binding.keys.contains(&event.code)).map(|binding| binding.action)
}

/// Ctrl-C, which a raw terminal hands over as a key.
pub(crate) fn is_interrupt(event: KeyEvent) -> bool {
    event.modifiers.contains(KeyModifiers::CONTROL) && matches!(event.code, KeyCode::Char('c' | 'C'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_does_one_thing() {
        let mut seen: Vec<KeyCode> = Vec::new();
        for code in BINDINGS.iter().flat_map(|binding| binding.keys) {
            assert!(!seen.contains(code), "{code} is bound twice");
            seen.push(*code);
        }
    }
}
