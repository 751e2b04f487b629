//! The command line: types only, no work and no input or output.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::Severity;

/// How close is each API quota to its limit? Watches the traffic that is there anyway; sends no request of its own.
#[derive(Debug, Parser)]
#[command(name = "quotascope", version, about, long_about = None, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
}

const EXAMPLES: &str = "\
Examples:
  quotascope demo                               see it work, no setup
  sudo quotascope watch -i eth0                 watch an interface
  quotascope replay traffic.pcapng              what does this capture hold?
  curl -si https://api.github.com | quotascope parse --host api.github.com
  my-client | quotascope watch --read -         exchanges that an HTTP client writes as NDJSON";

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Read settings from FILE (TOML); `quotascope config print` shows all of them
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub config: Option<PathBuf>,
    /// Treat HOST (or `*.example.com`) as the provider PROFILE, a name or a file; may be repeated
    #[arg(long = "provider", global = true, value_name = "HOST=PROFILE", help_heading = "Common options")]
    pub providers: Vec<String>,
    /// Keep and read time series, alerts and the hash key in DIR
    #[arg(long, global = true, value_name = "DIR", help_heading = "Common options")]
    pub store: Option<PathBuf>,
    /// Print one JSON document (schema 1) instead of text
    #[arg(long, global = true, help_heading = "Common options")]
    pub json: bool,
    /// Print errors only
    #[arg(short, long, global = true, help_heading = "Common options")]
    pub quiet: bool,
    /// Say more on stderr; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub verbose: u8,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, help_heading = "Common options")]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Where the output is a terminal and `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch live traffic: a terminal UI, or plain lines where stdout is no terminal
    Watch(Watch),
    /// Watch without a UI, for systemd or Kubernetes
    Agent(Agent),
    /// Read files once and say what they hold
    Replay(Replay),
    /// Read response heads on stdin and say which quotas they announce
    Parse(Parse),
    /// Show stored series
    History(History),
    /// Check or print the configuration
    Config {
        /// What to do with it.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// List or show the provider profiles
    Profiles {
        /// What to do with them.
        #[command(subcommand)]
        action: ProfilesAction,
    },
    /// Say what this machine lets the agent see, and how to fix what it does not
    Doctor,
    /// Start five API servers and clients on loopback, and show them live
    Demo(Demo),
    /// Print the completions for a shell
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Capture on IFACE; may be repeated; `any` is all of them
    #[arg(short, long = "interface", value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// Read a capture or NDJSON file, then go on; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub read: Vec<PathBuf>,
    /// Follow a growing NDJSON file, through rotation and truncation
    #[arg(long, value_name = "FILE")]
    pub tail: Vec<PathBuf>,
    /// Capture only what this BPF expression lets through, as in tcpdump
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// How it is shown and when it ends.
    #[command(flatten)]
    pub output: LiveOutput,
    /// Where metrics go.
    #[command(flatten)]
    pub export: Export,
}

/// `agent`.
#[derive(Debug, Args)]
pub struct Agent {
    /// Where metrics go.
    #[command(flatten)]
    pub export: Export,
}

/// How live traffic is shown.
#[derive(Debug, Clone, Default, Args)]
pub struct LiveOutput {
    /// End after N seconds
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// No UI: print each telling exchange as a line of JSON (`=all`: each exchange)
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "telling")]
    pub events: Option<Events>,
}

/// Which exchanges are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Events {
    /// Those that say something about a quota or were throttled.
    Telling,
    /// Each.
    All,
}

/// Where metrics and alerts go.
#[derive(Debug, Clone, Default, Args)]
pub struct Export {
    /// Send OTLP to URL (default: `$OTEL_EXPORTER_OTLP_ENDPOINT`; nothing is sent where neither is set)
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// How: `grpc` or `http/protobuf` (default: `$OTEL_EXPORTER_OTLP_PROTOCOL`)
    #[arg(long, value_name = "PROTOCOL")]
    pub otlp_protocol: Option<String>,
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Captures (pcap, pcapng) or exchange NDJSON, each also gzip or zstd compressed; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print each telling exchange as a line of JSON (`=all`: each exchange)
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "telling")]
    pub events: Option<Events>,
    /// End with status 3 if an alert of this severity or a higher one fired
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity)]
    pub fail_on: Option<Severity>,
    /// Work with N threads; the output is the same for any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: Option<u16>,
}

/// `parse`.
#[derive(Debug, Args)]
pub struct Parse {
    /// The host that was asked; it chooses the profile
    #[arg(long)]
    pub host: Option<String>,
    /// The request's method
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// The request's path
    #[arg(long, default_value = "/")]
    pub path: String,
    /// When the response was seen (default: now)
    #[arg(long, value_name = "UNIX_SECONDS", allow_negative_numbers = true)]
    pub at: Option<f64>,
}

/// `history`.
#[derive(Debug, Args)]
pub struct History {
    /// Show only series whose provider, quota, endpoint or scope contains this (`*` matches anything)
    pub selector: Option<String>,
    /// How far back: `30m`, `24h`, `7d`
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub since: String,
    /// Print comma-separated values
    #[arg(long)]
    pub csv: bool,
    /// Show the stored alerts instead of the series
    #[arg(long)]
    pub alerts: bool,
}

/// `config`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigAction {
    /// Check the file that --config names, and say what is wrong with it
    Check,
    /// Print the settings in force; without --config, all settings with their defaults
    Print,
}

/// `profiles`.
#[derive(Debug, Clone, Subcommand)]
pub enum ProfilesAction {
    /// Name each profile with its hosts
    List,
    /// Print one profile
    Show {
        /// Its name.
        name: String,
    },
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// How it is shown and when it ends.
    #[command(flatten)]
    pub output: LiveOutput,
    /// Where metrics go.
    #[command(flatten)]
    pub export: Export,
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    [Severity::Info, Severity::Warning, Severity::High, Severity::Critical]
        .into_iter()
        .find(|severity| severity.as_str() == text)
        .ok_or_else(|| "a severity is info, warning, high or critical".to_owned())
}
