//! `quotascope history`: what the store holds.

use super::{CommandError, Outcome, Output, is_root, open_store};
use crate::cli::{Common, History};
use crate::clock;
use crate::config::{ConfigError, Settings, Span};
use crate::report::history::{HistoryFormat, HistoryView, write_history};
use crate::report::printable;
use crate::store::{Resolution, StoredAlert, history};

/// Columns of a sparkline.
const SPARKLINE: usize = 40;

pub(super) fn run(arguments: &History, common: &Common, settings: &Settings) -> Result<Outcome, CommandError> {
    let since = Span::parse(&arguments.since)
        .ok_or_else(|| ConfigError::flag("--since", "give a duration such as 30m, 24h or 7d"))?;
    let directory = settings.store.directory(is_root());
    if !directory.exists() {
        return Err(CommandError::failed(format!(
            "there is no store at {}: `quotascope watch` or `agent` makes it, --store names another",
            directory.display()
        )));
    }
    let store = open_store(settings)?;
    let to = clock::now();
    let from = to.before(since.0);
    let mut output = Output::new();
    if arguments.alerts {
        let alerts = store.alerts(from, to).map_err(CommandError::failed)?;
        if common.json {
            output.write(|out| {
                serde_json::to_writer_pretty(&mut *out, &alerts).map_err(Into::into).and_then(|()| writeln!(out))
            })?;
        } else {
            for alert in &alerts {
                output.write(|out| writeln!(out, "{}", line(alert)))?;
            }
        }
    } else {
        let selector = arguments.selector.as_deref().unwrap_or_default();
        let resolution = Resolution::reaching(from, to);
        let series = history::select(&*store, selector, from, to, resolution).map_err(CommandError::failed)?;
        let format = match (common.json, arguments.csv) {
            (true, _) => HistoryFormat::Json,
            (false, true) => HistoryFormat::Csv,
            (false, false) => HistoryFormat::Table,
        };
        let view = HistoryView { from, to, sparkline: SPARKLINE };
        output.write(|mut out| write_history(&mut out, &series, format, &view))?;
    }
    output.flush()?;
    Ok(Outcome::Done)
}

fn line(alert: &StoredAlert) -> String {
    let ended = alert.ended_at.map_or_else(|| "firing".to_owned(), |at| format!("until {at}"));
    format!(
        "{}  {ended}  {:<8}  {:<16}  {}",
        alert.started_at,
        alert.severity.as_str(),
        alert.rule,
        printable(&alert.summary)
    )
}
