//! How bad something is, as a mark, a word and a colour: the colour never says it alone.

use ratatui::style::{Color, Modifier, Style};

use crate::model::{QuotaKey, QuotaState, Severity, Snapshot, Timestamp};

/// How bad, as the screen tells it; rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing is known, or what is known is history.
    Unknown,
    /// Far from the limit.
    Calm,
    /// From 80 % on.
    Warning,
    /// From 90 % on, or refused.
    High,
    /// The integration suffers.
    Critical,
}

impl Level {
    /// By the levels of the built-in alerts.
    pub(crate) fn of_utilization(utilization: Option<f64>) -> Self {
        match utilization {
            None => Self::Unknown,
            Some(ratio) if ratio >= 0.90 => Self::High,
            Some(ratio) if ratio >= 0.80 => Self::Warning,
            Some(_) => Self::Calm,
        }
    }

    /// By the share of throttled exchanges: 5 % is critical.
    pub(crate) fn of_throttled(ratio: Option<f64>) -> Self {
        match ratio {
            None => Self::Unknown,
            Some(ratio) if ratio > 0.05 => Self::Critical,
            Some(ratio) if ratio > 0.0 => Self::Warning,
            Some(_) => Self::Calm,
        }
    }

    /// Of a quota: the worst of its utilization, its firing alerts, and whether the provider refuses now.
    pub(crate) fn of_quota(quota: &QuotaState, snapshot: &Snapshot) -> Self {
        let alerts = firing_for(&quota.key, snapshot);
        if quota.stale {
            return alerts.unwrap_or(Self::Unknown);
        }
        let refused = if is_blocked(quota, snapshot.at) { Self::High } else { Self::Unknown };
        Self::of_utilization(quota.utilization).max(refused).max(alerts.unwrap_or(Self::Unknown))
    }

    /// One cell.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Unknown => "·",
            Self::Calm => "○",
            Self::Warning => "●",
            Self::High => "▲",
            Self::Critical => "◆",
        }
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Calm,
            Severity::Warning => Self::Warning,
            Severity::High => Self::High,
            Severity::Critical => Self::Critical,
        }
    }
}

/// Whether the provider asked to wait, and the wait is not over.
pub(crate) fn is_blocked(quota: &QuotaState, now: Option<Timestamp>) -> bool {
    matches!((quota.blocked_until, now), (Some(until), Some(now)) if until > now)
}

fn firing_for(key: &QuotaKey, snapshot: &Snapshot) -> Option<Level> {
    snapshot
        .alerts
        .iter()
        .filter(|alert| alert.state == crate::model::AlertState::Firing && alert.quota.as_ref() == Some(key))
        .map(|alert| Level::from(alert.severity))
        .max()
}

/// The colours: of the 256-colour palette, so that they are the same on every terminal, and readable on light and dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Whether there are colours at all; without them bold, dim and reversed remain.
    color: bool,
}

impl Theme {
    /// With colours or without.
    pub(crate) const fn new(color: bool) -> Self {
        Self { color }
    }

    /// Of a mark, a number or a bar of that level.
    pub(crate) fn level(self, level: Level) -> Style {
        let (color, emphasis) = match level {
            Level::Unknown => (245, Modifier::empty()),
            Level::Calm => (72, Modifier::empty()),
            Level::Warning => (178, Modifier::empty()),
            Level::High => (208, Modifier::BOLD),
            Level::Critical => (203, Modifier::BOLD),
        };
        self.foreground(color).add_modifier(emphasis)
    }

    /// Of a line that marks a level, and of its name.
    pub(crate) fn guide(self, level: Level) -> Style {
        let color = match level {
            Level::Unknown | Level::Calm => 240,
            Level::Warning => 136,
            Level::High => 130,
            Level::Critical => 131,
        };
        self.quiet(color)
    }

    /// Of what matters less.
    pub(crate) fn dim(self) -> Style {
        self.quiet(245)
    }

    /// Of frames and guide lines.
    pub(crate) fn border(self) -> Style {
        self.quiet(240)
    }

    /// Of panel titles.
    pub(crate) fn title(self) -> Style {
        self.foreground(110).add_modifier(Modifier::BOLD)
    }

    /// Of the program's name and of keys.
    pub(crate) fn accent(self) -> Style {
        self.foreground(75).add_modifier(Modifier::BOLD)
    }

    /// Of what is forecast rather than seen.
    pub(crate) fn forecast(self) -> Style {
        self.foreground(140)
    }

    /// Of bars that carry no level.
    pub(crate) fn bar(self) -> Style {
        self.foreground(67)
    }

    /// Of the empty part of a bar.
    pub(crate) fn track(self) -> Style {
        self.quiet(238)
    }

    /// Of the selected row, laid over what the row already has.
    pub(crate) fn selected(self) -> Style {
        if self.color {
            Style::default().bg(Color::Indexed(236)).add_modifier(Modifier::BOLD)
        } else {
            Style::default().add_modifier(Modifier::REVERSED)
        }
    }

    /// Of text in the selected row that has no colour of its own: it must show on the row's dark ground.
    pub(crate) fn selected_text(self) -> Style {
        self.foreground(255)
    }

    fn foreground(self, color: u8) -> Style {
        if self.color { Style::default().fg(Color::Indexed(color)) } else { Style::default() }
    }

    fn quiet(self, color: u8) -> Style {
        if self.color {
            Style::default().fg(Color::Indexed(color))
        } else {
            Style::default().add_modifier(Modifier::DIM)
        }
    }
}
