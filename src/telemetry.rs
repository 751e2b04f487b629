//! Our own logs and spans: lines on stderr, and spans over OTLP where that is wanted.
//!
//! What a line shows may have come from the network, so control characters are written as escapes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::export::{ExportError, ExportOptions, Traces};

/// The verbosity at which nothing is logged: a screen has the terminal to itself.
pub const SILENT: i8 = i8::MIN;

/// The target of the line that each quota writes once a minute.
pub const QUOTA_TARGET: &str = "quotascope::quota";

/// Crates that log what concerns nobody here, and whose spans would be exports of exports.
const NOISE: &[&str] = &[
    "h2",
    "hyper",
    "hyper_util",
    "opentelemetry",
    "opentelemetry_otlp",
    "opentelemetry_sdk",
    "reqwest",
    "rustls",
    "sled",
    "tonic",
    "tower",
];

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The process logs already.
    #[error("logging was started twice in one process")]
    AlreadyStarted,
    /// Spans were wanted, but cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// Keeps logging alive; its [`Guard::shutdown`] exports the last spans.
#[must_use = "spans are exported only while the guard lives"]
pub struct Guard {
    traces: Option<Traces>,
}

impl Guard {
    /// Exports the last spans, within the patience.
    pub fn shutdown(self, patience: Duration) {
        if let Some(traces) = self.traces {
            traces.shutdown(patience);
        }
    }
}

/// Starts logging to stderr. `verbosity` is [`SILENT`], or below 0 for errors only, 0 for warnings, 1 for information, 2 for details and 3 for
/// everything; `RUST_LOG` overrides it. With `otlp_traces` our own spans go to its collector.
///
/// # Errors
/// If the process logs already, or the spans' exporter cannot be built.
pub fn start(verbosity: i8, color: bool, otlp_traces: Option<&ExportOptions>) -> Result<Guard, TelemetryError> {
    let traces = otlp_traces.map(Traces::start).transpose()?.flatten();
    let tracer = traces.as_ref().and_then(Traces::tracer);
    let asked = std::env::var("RUST_LOG").ok().filter(|directives| !directives.is_empty());
    let parsed = asked.as_deref().map(EnvFilter::try_new);
    let refused = matches!(parsed, Some(Err(_)));
    let filter = match parsed {
        Some(Ok(filter)) => filter,
        Some(Err(_)) | None => EnvFilter::new(directives(verbosity)),
    };
    let subscriber = subscriber(filter, color, std::io::stderr, tracer);
    tracing::subscriber::set_global_default(subscriber).map_err(|_set| TelemetryError::AlreadyStarted)?;
    if refused {
        tracing::warn!("RUST_LOG cannot be read as directives and is ignored; write it like quotascope=debug");
    }
    Ok(Guard { traces })
}

/// What one quota did in the last minute.
#[derive(Debug, Clone, Copy)]
pub struct Minute<'a> {
    /// The provider's name.
    pub provider: Option<&'a str>,
    /// The host.
    pub host: &'a str,
    /// The policy, the endpoint or the class of endpoints.
    pub quota: &'a str,
    /// For whom it is counted.
    pub scope: Option<&'a str>,
    /// Exchanges.
    pub total_requests: u64,
    /// Of those, throttled ones.
    pub rate_limited: u64,
    /// Throttling error codes.
    pub by_error_code: &'a BTreeMap<Arc<str>, u64>,
    /// Units used now.
    pub current_usage: Option<f64>,
    /// Most units used.
    pub peak_usage: Option<f64>,
    /// Units that the window allows.
    pub limit: Option<f64>,
    /// The used share now, a ratio from 0.
    pub utilization: Option<f64>,
}

/// Logs what a quota did in the last minute, as one line with a field for each number; what is not known has no field.
pub fn log_minute(minute: &Minute<'_>) {
    tracing::info!(
        target: QUOTA_TARGET,
        provider = minute.provider,
        host = minute.host,
        quota = minute.quota,
        scope = minute.scope,
        total_requests = minute.total_requests,
        rate_limited = minute.rate_limited,
        by_error_code = %Counts(minute.by_error_code),
        current_usage = minute.current_usage,
        peak_usage = minute.peak_usage,
        limit = minute.limit,
        utilization = minute.utilization,
        "quota"
    );
}

/// `{"1454":12,"1456":3}`.
struct Counts<'a>(&'a BTreeMap<Arc<str>, u64>);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self.0).map_err(|_no_json| fmt::Error)?)
    }
}

fn directives(verbosity: i8) -> String {
    let level = match verbosity {
        ..0 if verbosity == SILENT => "off",
        ..0 => "error",
        0 => "warn",
        1 => "info",
        2 => "debug",
        3.. => "trace",
    };
    NOISE.iter().fold(level.to_owned(), |directives, noise| format!("{directives},{noise}=off"))
}

fn subscriber<W>(filter: EnvFilter, color: bool, writer: W, tracer: Option<SdkTracer>) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer)
        // A closed stderr must not end the agent.
        .log_internal_errors(false)
        .event_format(Line { color })
        .with_filter(filter);
    let own = Targets::new().with_target(env!("CARGO_PKG_NAME"), Level::INFO);
    let spans = tracer.map(|tracer| tracing_opentelemetry::layer().with_tracer(tracer).with_filter(own));
    tracing_subscriber::registry().with(lines).with(spans)
}

/// `2026-11-22T03:45:12.123456Z WARN quotascope::export: collector unreachable host="c" `
struct Line {
    color: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let (on, off) = if self.color { (sgr(*metadata.level()), "\u{1b}[0m") } else { ("", "") };
        write!(writer, "{} {on}{:>5}{off} {}: ", clock::now(), metadata.level(), metadata.target())?;
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        for c in fields.chars() {
            if c.is_control() {
                write!(writer, "{}", c.escape_default())?;
            } else {
                writer.write_char(c)?;
            }
        }
        writeln!(writer)
    }
}

/// The colour of a level, as a terminal's "select graphic rendition".
const fn sgr(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG | Level::TRACE => "\u{1b}[2m",
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written at a verbosity; the time at the start of each line is cut off.
    fn written(verbosity: i8, color: bool, log: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let filter = EnvFilter::new(directives(verbosity));
        tracing::subscriber::with_default(subscriber(filter, color, move || writer.clone(), None), log);
        let octets = buffer.0.lock().unwrap().clone();
        let text = String::from_utf8(octets).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn a_quota_writes_one_line_without_what_is_unknown() {
        let codes = BTreeMap::from([("1454".into(), 12), ("1456".into(), 3)]);
        let minute = Minute {
            provider: Some("fluid-network"),
            host: "api.fluid.example",
            quota: "POST /v1/payments",
            scope: None,
            total_requests: 910,
            rate_limited: 28,
            by_error_code: &codes,
            current_usage: Some(910.0),
            peak_usage: None,
            limit: Some(1000.0),
            utilization: Some(0.91),
        };
        let lines = written(1, false, || log_minute(&minute));
        assert_eq!(
            lines,
            [" INFO quotascope::quota: quota provider=\"fluid-network\" host=\"api.fluid.example\" \
              quota=\"POST /v1/payments\" total_requests=910 rate_limited=28 by_error_code={\"1454\":12,\"1456\":3} \
              current_usage=910.0 limit=1000.0 utilization=0.91"]
        );
        assert!(written(0, false, || log_minute(&minute)).is_empty());
    }

    #[test]
    fn nothing_from_the_network_moves_the_cursor() {
        let lines = written(0, false, || tracing::warn!(host = %"a\u{1b}[2Jb\nc", "seen"));
        assert_eq!(lines, [" WARN quotascope::telemetry::tests: seen host=a\\u{1b}[2Jb\\nc"]);
    }

    #[test]
    fn transports_are_silent_at_every_verbosity() {
        let lines = written(3, true, || {
            tracing::error!(target: "h2::codec", "frame");
            tracing::warn!(target: "opentelemetry_sdk", "lost");
            tracing::trace!("ours");
        });
        assert_eq!(lines, ["\u{1b}[2mTRACE\u{1b}[0m quotascope::telemetry::tests: ours"]);
    }
}
