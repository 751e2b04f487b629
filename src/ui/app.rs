//! What the screen shows and what is selected; pure: keys and snapshots in, state out.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::UiOptions;
use super::keys::{self, Action};
use super::order::{self, Filter, Sort};
use super::rates::Rates;
use super::screen::{Screen, Tab, TimeRange};
use super::theme::Theme;
use crate::model::{QuotaKey, QuotaState, Snapshot};

/// Longer filters are not typed by people.
const LONGEST_FILTER: usize = 100;

/// What is to be done after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing changed.
    Nothing,
    /// Draw.
    Redraw,
    /// End.
    Quit,
}

/// The screen's state. Drawing reads it and changes nothing.
#[derive(Debug)]
pub struct App {
    options: UiOptions,
    theme: Theme,
    shown: Arc<Snapshot>,
    /// The newest snapshot while the screen is held still.
    newer: Option<Arc<Snapshot>>,
    paused: bool,
    rates: Rates,
    silent: Duration,
    screen: Screen,
    help: bool,
    tab: Tab,
    time_range: TimeRange,
    sort: Sort,
    typed: String,
    filter: Filter,
    /// The filter as it was before typing began, to return to.
    typing: Option<String>,
    /// The quota that was chosen; without one the first row is selected, whatever comes there.
    chosen: Option<QuotaKey>,
    /// Quotas that pass the filter, in order, as indices into the snapshot's list.
    rows: Vec<usize>,
    /// The selected row of the quotas, or of the other screen's list.
    quota_row: usize,
    list_row: usize,
}

impl App {
    /// Before the first snapshot.
    pub fn new(options: UiOptions) -> Self {
        let theme = Theme::new(options.color);
        Self {
            options,
            theme,
            shown: Arc::default(),
            newer: None,
            paused: false,
            rates: Rates::default(),
            silent: Duration::ZERO,
            screen: Screen::default(),
            help: false,
            tab: Tab::default(),
            time_range: TimeRange::default(),
            sort: Sort::default(),
            typed: String::new(),
            filter: Filter::default(),
            typing: None,
            chosen: None,
            rows: Vec::new(),
            quota_row: 0,
            list_row: 0,
        }
    }

    /// Takes a newer snapshot; shows it unless the screen is held still.
    pub fn handle_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.rates.handle_snapshot(&snapshot);
        self.silent = Duration::ZERO;
        if self.paused {
            self.newer = Some(snapshot);
        } else {
            self.shown = snapshot;
            self.arrange();
        }
    }

    /// Takes how long no snapshot came.
    pub fn handle_silence(&mut self, silent: Duration) {
        self.silent = silent;
    }

    /// Takes a key.
    pub fn handle_key(&mut self, event: KeyEvent) -> Step {
        if event.kind == KeyEventKind::Release {
            return Step::Nothing;
        }
        if self.typing.is_some() && !keys::is_interrupt(event) {
            return self.handle_typing(event);
        }
        match keys::action_of(event) {
            Some(Action::Quit) => Step::Quit,
            Some(action) => {
                self.handle_action(action);
                Step::Redraw
            }
            // Any key closes the help.
            None if self.help => {
                self.help = false;
                Step::Redraw
            }
            None => Step::Nothing,
        }
    }

    /// Does what a key asks for; [`Action::Quit`] is the caller's.
    pub fn handle_action(&mut self, action: Action) {
        if self.help {
            self.help = false;
            if matches!(action, Action::Help | Action::Back) {
                return;
            }
        }
        match action {
            Action::Up => self.select(self.row().saturating_sub(1)),
            Action::Down => self.select(self.row().saturating_add(1)),
            Action::PageUp => self.select(self.row().saturating_sub(10)),
            Action::PageDown => self.select(self.row().saturating_add(10)),
            Action::First => {
                self.select(0);
                if self.screen == Screen::Quotas {
                    self.chosen = None;
                }
            }
            Action::Last => self.select(usize::MAX),
            Action::Details => self.toggle_details(),
            Action::NextTab => self.tab = self.tab.step(1),
            Action::PreviousTab => self.tab = self.tab.step(Tab::ALL.len() - 1),
            Action::Filter => self.typing = Some(self.typed.clone()),
            Action::Sort => {
                self.sort = self.sort.next();
                self.arrange();
            }
            Action::TimeRange => self.time_range = self.time_range.next(),
            Action::Alerts => self.open(Screen::Alerts),
            Action::Findings => self.open(Screen::Findings),
            Action::ErrorCodes => self.open(Screen::ErrorCodes),
            Action::Endpoints => self.open(Screen::Endpoints),
            Action::Input => self.open(Screen::Input),
            Action::Pause => self.toggle_pause(),
            Action::Help => self.help = true,
            Action::Back if self.screen == Screen::Quotas => self.filter_by(String::new()),
            Action::Back => self.open(Screen::Quotas),
            Action::Quit => {}
        }
    }

    /// What is shown.
    pub fn snapshot(&self) -> &Snapshot {
        &self.shown
    }

    /// What the screen was started with.
    pub fn options(&self) -> &UiOptions {
        &self.options
    }

    /// Which list fills the screen.
    pub fn screen(&self) -> Screen {
        self.screen
    }

    /// Which panel of the lower row is shown on a narrow screen.
    pub fn tab(&self) -> Tab {
        self.tab
    }

    /// How much of the past the charts show.
    pub fn time_range(&self) -> TimeRange {
        self.time_range
    }

    /// By what the quotas are sorted.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// Whether the help is open.
    pub fn is_help_open(&self) -> bool {
        self.help
    }

    /// Whether the screen is held still.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether keys go into the filter's line.
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// The filter as typed.
    pub fn filter_text(&self) -> &str {
        &self.typed
    }

    /// The quotas that pass the filter, in order.
    pub fn quotas(&self) -> impl ExactSizeIterator<Item = &QuotaState> {
        // The rows are indices into this very snapshot, so none is left out.
        self.rows.iter().map(|&at| &self.shown.quotas[at])
    }

    /// The selected quota.
    pub fn selected_quota(&self) -> Option<&QuotaState> {
        self.shown.quotas.get(*self.rows.get(self.quota_row)?)
    }

    /// Whether only its window tells the quota of that row from another one. The snapshot's order puts such quotas side by
    /// side.
    pub(crate) fn has_twin(&self, row: usize) -> bool {
        let quotas = &self.shown.quotas;
        let Some((at, quota)) = self.rows.get(row).and_then(|&at| Some((at, quotas.get(at)?))) else { return false };
        let neighbours = [at.checked_sub(1), at.checked_add(1)].into_iter().flatten().filter_map(|at| quotas.get(at));
        neighbours.map(|other| &other.key).any(|other| {
            other.owner == quota.key.owner
                && other.bucket == quota.key.bucket
                && other.dimension == quota.key.dimension
                && other.scope == quota.key.scope
        })
    }

    /// The selected row of the list that fills the screen.
    pub fn row(&self) -> usize {
        match self.screen {
            Screen::Quotas | Screen::Details => self.quota_row,
            _ => self.list_row,
        }
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(crate) fn theme(&self) -> Theme {
        self.theme
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
    }

    pub(crate) fn silent(&self) -> Duration {
        self.silent
    }

    fn handle_typing(&mut self, event: KeyEvent) -> Step {
        let plain = !event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match event.code {
            KeyCode::Enter => self.typing = None,
            KeyCode::Esc => {
                let before = self.typing.take().unwrap_or_default();
                self.filter_by(before);
            }
            KeyCode::Backspace => {
                let mut typed = std::mem::take(&mut self.typed);
                typed.pop();
                self.filter_by(typed);
            }
            KeyCode::Char('u') if event.modifiers.contains(KeyModifiers::CONTROL) => self.filter_by(String::new()),
            KeyCode::Char(character) if plain && !character.is_control() => {
                if self.typed.len() < LONGEST_FILTER {
                    let mut typed = std::mem::take(&mut self.typed);
                    typed.push(character);
                    self.filter_by(typed);
                }
            }
            KeyCode::Up => self.select(self.row().saturating_sub(1)),
            KeyCode::Down => self.select(self.row().saturating_add(1)),
            _ => return Step::Nothing,
        }
        Step::Redraw
    }

    fn filter_by(&mut self, typed: String) {
        self.filter = Filter::new(&typed);
        self.typed = typed;
        self.arrange();
    }

    fn open(&mut self, screen: Screen) {
        // The same key again leads back.
        self.screen = if self.screen == screen { Screen::Quotas } else { screen };
        self.list_row = 0;
    }

    fn toggle_details(&mut self) {
        match self.screen {
            Screen::Quotas if self.selected_quota().is_some() => {
                // What is looked at stays, even if another quota comes first.
                self.select(self.quota_row);
                self.screen = Screen::Details;
            }
            Screen::Details => self.screen = Screen::Quotas,
            Screen::Alerts => self.open_alert(),
            _ => {}
        }
    }

    /// From an alert to its quota, past any filter.
    fn open_alert(&mut self) {
        let alerts = order::alert_rows(&self.shown, &self.filter);
        let Some(key) = alerts.get(self.list_row).and_then(|alert| alert.quota.clone()) else { return };
        if self.shown.quotas.iter().any(|quota| quota.key == key) {
            self.chosen = Some(key);
            self.screen = Screen::Details;
            self.filter_by(String::new());
        }
    }

    fn toggle_pause(&mut self) {
        self.paused = !self.paused;
        if let Some(newer) = self.newer.take() {
            self.shown = newer;
            self.arrange();
        }
    }

    fn select(&mut self, row: usize) {
        let last = self.row_count().saturating_sub(1);
        let row = row.min(last);
        match self.screen {
            Screen::Quotas | Screen::Details => {
                self.quota_row = row;
                self.chosen = self.selected_quota().map(|quota| quota.key.clone());
            }
            _ => self.list_row = row,
        }
    }

    /// How many rows the list that fills the screen has.
    fn row_count(&self) -> usize {
        let snapshot = &self.shown;
        match self.screen {
            Screen::Quotas | Screen::Details => self.rows.len(),
            Screen::Alerts => snapshot.alerts.iter().filter(|alert| self.filter.passes_alert(alert)).count(),
            Screen::Findings => snapshot.findings.iter().filter(|f| self.filter.passes_finding(f)).count(),
            Screen::ErrorCodes => snapshot.error_codes.iter().filter(|c| self.filter.passes_error_code(c)).count(),
            Screen::Endpoints => snapshot.endpoints.iter().filter(|e| self.filter.passes_endpoint(e)).count(),
            Screen::Input => snapshot.input.damaged.len(),
        }
    }

    /// Brings rows and selection in line with snapshot, filter and order.
    fn arrange(&mut self) {
        self.rows = order::quota_rows(&self.shown, self.sort, &self.filter);
        let chosen = self.chosen.as_ref();
        let position = chosen.and_then(|key| self.quotas().position(|quota| quota.key == *key));
        self.quota_row = match position {
            Some(row) => row,
            // A chosen quota that is gone leaves the selection where it was; without one it is the first row.
            None if chosen.is_some() => self.quota_row.min(self.rows.len().saturating_sub(1)),
            None => 0,
        };
        self.list_row = match self.screen {
            Screen::Quotas | Screen::Details => 0,
            _ => self.list_row.min(self.row_count().saturating_sub(1)),
        };
    }
}
