//! What a run prints as it goes: lines of JSON for exchanges, or lines of text for alerts.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Output;
use crate::cli::Events;
use crate::model::{Alert, Amount, Observation};
use crate::pipeline::Sink;
use crate::report::{alert_line, write_event};
use crate::telemetry::{self, Minute};
use crate::track::MinuteReport;

/// Prints findings to standard output as they come.
pub(super) struct Printer {
    output: Output,
    events: Option<Events>,
    alerts: bool,
    minutes: bool,
    flush: bool,
    failure: Option<io::Error>,
    stop: Option<Arc<AtomicBool>>,
}

impl Printer {
    /// Prints nothing.
    pub(super) fn silent(output: Output) -> Self {
        Self { output, events: None, alerts: false, minutes: false, flush: false, failure: None, stop: None }
    }

    /// Prints exchanges as lines of JSON.
    #[must_use]
    pub(super) fn with_events(mut self, events: Option<Events>) -> Self {
        self.events = events;
        self
    }

    /// Prints alerts as lines of text.
    #[must_use]
    pub(super) const fn with_alerts(mut self, alerts: bool) -> Self {
        self.alerts = alerts;
        self
    }

    /// Logs a line for each quota and minute, and hands each line over at once.
    #[must_use]
    pub(super) const fn live(mut self) -> Self {
        self.minutes = true;
        self.flush = true;
        self
    }

    /// Sets `stop` when nobody reads the output any more.
    #[must_use]
    pub(super) fn stopping(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Gives the output back, or what broke it.
    pub(super) fn finish(self) -> Result<Output, io::Error> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.output),
        }
    }

    fn print(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failure.is_some() {
            return;
        }
        let flush = self.flush;
        let written = self.output.write_raw(|out| {
            write(out)?;
            if flush { out.flush() } else { Ok(()) }
        });
        if let Err(error) = written {
            self.failure = Some(error);
            if let Some(stop) = &self.stop {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl Sink for Printer {
    fn observation(&mut self, observation: &Observation) {
        let wanted = match self.events {
            Some(Events::All) => true,
            Some(Events::Telling) => observation.is_telling(),
            None => false,
        };
        if wanted {
            self.print(|mut out| write_event(&mut out, observation));
        }
    }

    fn alert(&mut self, alert: &Alert) {
        if self.alerts {
            self.print(|out| writeln!(out, "{}", alert_line(alert)));
        }
    }

    fn minute(&mut self, report: &MinuteReport) {
        if self.minutes {
            log_minute(report);
        }
    }

    fn wants_more(&self) -> bool {
        self.failure.is_none()
    }
}

/// One structured line for a quota and minute, as FLUID Network's document asks of an integration.
fn log_minute(report: &MinuteReport) {
    let quota = &report.quota;
    let scope = quota.scope.as_ref().map(|scope| match &scope.id {
        Some(id) => format!("{} {id}", scope.kind),
        None => scope.kind.to_string(),
    });
    telemetry::log_minute(&Minute {
        provider: Some(&quota.owner),
        host: &quota.owner,
        quota: &quota.bucket,
        scope: scope.as_deref(),
        total_requests: report.requests,
        rate_limited: report.throttled,
        by_error_code: &report.error_codes,
        current_usage: report.current_usage.map(Amount::value),
        peak_usage: report.peak_usage.map(Amount::value),
        limit: report.limit.map(Amount::value),
        utilization: report.utilization,
    });
}
