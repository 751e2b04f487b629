//! Where exports go, and how: what the user set, else the standard `OTEL_*` variables, else a default.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>,
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::ExportError;
use crate::model::Redacted;

/// How exports are sent. What is not set is left to the standard `OTEL_*` variables.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// The collector for all signals: `http://collector:4318`, `https://…`; over HTTP `/v1/metrics` and the like are appended.
    pub endpoint: Option<String>,
    /// The transport. Where nobody says, port 4317 means gRPC and every other port HTTP.
    pub protocol: Option<Protocol>,
    /// Fields (gRPC: metadata) that each request carries, for an access token.
    pub headers: Vec<(String, Redacted<String>)>,
    /// How requests are compressed; not at all where nobody says.
    pub compression: Option<Compression>,
    /// The time from one export of metrics to the next; 15 seconds where nobody says.
    pub interval: Option<Duration>,
    /// How long one request may take; 10 seconds where nobody says.
    pub timeout: Option<Duration>,
    /// A file of PEM certificates to trust instead of the system's.
    pub certificate: Option<PathBuf>,
    /// A file with the PEM certificate that we show the collector.
    pub client_certificate: Option<PathBuf>,
    /// A file with the PEM private key of `client_certificate`.
    pub client_key: Option<PathBuf>,
    /// Attributes of the resource, such as `deployment.environment.name`.
    pub resource: BTreeMap<String, String>,
}

/// A transport of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `grpc`.
    Grpc,
    /// `http/protobuf`.
    HttpProtobuf,
}

impl FromStr for Protocol {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, ExportError> {
        match text {
            "grpc" => Ok(Self::Grpc),
            "http/protobuf" => Ok(Self::HttpProtobuf),
            _ => Err(ExportError::Protocol { value: text.to_owned() }),
        }
    }
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// By gzip.
    Gzip,
    /// By Zstandard.
    Zstd,
}

impl FromStr for Compression {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, ExportError> {
        match text {
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(ExportError::Compression { value: text.to_owned() }),
        }
    }
}

/// The variables of the process, or of a test.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of the process; an empty one counts as not set, as the specification has it.
pub(crate) fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).as_deref().and_then(OsStr::to_str).map(str::to_owned).filter(|value| !value.is_empty())
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Metrics,
    Logs,
    Traces,
}

impl Signal {
    /// The word of the variables: `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
            Self::Traces => "TRACES",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
            Self::Traces => "/v1/traces",
        }
    }
}

/// Where one signal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    /// As the transport takes it: with the signal's path over HTTP.
    pub(crate) url: String,
    /// Whether TLS protects it.
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

const INTERVAL: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(10);

impl ExportOptions {
    /// Whether anything is to be exported: an endpoint is set here or by a variable, and `OTEL_SDK_DISABLED` is not `true`.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted_in(&process_environment)
    }

    /// The hosts and ports that exports go to, so that a capture can leave them out.
    ///
    /// # Errors
    /// Where an endpoint or a protocol cannot be understood.
    pub fn endpoints(&self) -> Result<Vec<(String, u16)>, ExportError> {
        let mut endpoints = Vec::new();
        for signal in [Signal::Metrics, Signal::Logs, Signal::Traces] {
            if let Some(target) = self.target(signal, &process_environment)? {
                endpoints.push((target.host, target.port));
            }
        }
        endpoints.sort_unstable();
        endpoints.dedup();
        Ok(endpoints)
    }

    pub(crate) fn is_wanted_in(&self, environment: Environment<'_>) -> bool {
        let signals = [Signal::Metrics, Signal::Logs];
        !is_disabled(environment) && signals.iter().any(|signal| self.endpoint_of(*signal, environment).is_some())
    }

    /// Where a signal goes; nowhere, if no endpoint is set for it, or the environment switches it off.
    pub(crate) fn target(&self, signal: Signal, environment: Environment<'_>) -> Result<Option<Target>, ExportError> {
        let exporter = environment(&format!("OTEL_{}_EXPORTER", signal.word()));
        if is_disabled(environment) || exporter.as_deref() == Some("none") {
            return Ok(None);
        }
        let Some((endpoint, is_whole)) = self.endpoint_of(signal, environment) else { return Ok(None) };
        let invalid = |reason| ExportError::Endpoint { endpoint: without_user(&endpoint), reason };
        let schemed = match endpoint.split_once("://") {
            Some(_) => endpoint.clone(),
            None => format!("{}://{endpoint}", if is_insecure(signal, environment) { "http" } else { "https" }),
        };
        let uri: hyper::Uri = schemed.parse().map_err(|_malformed| invalid("it is no URL"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid("its scheme is neither http nor https")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| invalid("it names no host"))?;
        let protocol = match self.protocol_of(signal, environment)? {
            Some(protocol) => protocol,
            None if uri.port_u16() == Some(4317) => Protocol::Grpc,
            None => Protocol::HttpProtobuf,
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let is_http = protocol == Protocol::HttpProtobuf;
        let url = if is_http && !is_whole && !uri.path().ends_with(signal.path()) {
            format!("{}{}", schemed.trim_end_matches('/'), signal.path())
        } else {
            schemed
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Some(Target { protocol, url, secure, host, port }))
    }

    pub(crate) fn interval(&self, environment: Environment<'_>) -> Duration {
        let asked = self.interval.or_else(|| milliseconds(environment("OTEL_METRIC_EXPORT_INTERVAL")));
        asked.filter(|interval| !interval.is_zero()).unwrap_or(INTERVAL)
    }

    pub(crate) fn timeout(&self, signal: Signal, environment: Environment<'_>) -> Duration {
        let asked = self.timeout.or_else(|| milliseconds(of_signal("TIMEOUT", signal, environment)));
        asked.filter(|timeout| !timeout.is_zero()).unwrap_or(TIMEOUT)
    }

    pub(crate) fn certificate(&self, signal: Signal, environment: Environment<'_>) -> Option<PathBuf> {
        file(self.certificate.as_ref(), "CERTIFICATE", signal, environment)
    }

    pub(crate) fn client_certificate(&self, signal: Signal, environment: Environment<'_>) -> Option<PathBuf> {
        file(self.client_certificate.as_ref(), "CLIENT_CERTIFICATE", signal, environment)
    }

    pub(crate) fn client_key(&self, signal: Signal, environment: Environment<'_>) -> Option<PathBuf> {
        file(self.client_key.as_ref(), "CLIENT_KEY", signal, environment)
    }

    /// The endpoint, and whether it is the signal's own, which is used as it stands.
    fn endpoint_of(&self, signal: Signal, environment: Environment<'_>) -> Option<(String, bool)> {
        let own = || environment(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.word())).map(|url| (url, true));
        let common = || environment("OTEL_EXPORTER_OTLP_ENDPOINT").map(|url| (url, false));
        let set = self.endpoint.clone().filter(|endpoint| !endpoint.is_empty());
        set.map(|url| (url, false)).or_else(own).or_else(common)
    }

    fn protocol_of(&self, signal: Signal, environment: Environment<'_>) -> Result<Option<Protocol>, ExportError> {
        match self.protocol {
            Some(protocol) => Ok(Some(protocol)),
            None => of_signal("PROTOCOL", signal, environment).map(|value| value.parse()).transpose(),
        }
    }
}

fn is_insecure(signal: Signal, environment: Environment<'_>) -> bool {
    of_signal("INSECURE", signal, environment).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn is_disabled(environment: Environment<'_>) -> bool {
    environment("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// A variable's value for the signal, else for all signals.
fn of_signal(what: &str, signal: Signal, environment: Environment<'_>) -> Option<String> {
    environment(&format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.word()))
        .or_else(|| environment(&format!("OTEL_EXPORTER_OTLP_{what}")))
}

fn file(set: Option<&PathBuf>, what: &str, signal: Signal, environment: Environment<'_>) -> Option<PathBuf> {
    set.cloned().or_else(|| of_signal(what, signal, environment).map(PathBuf::from))
}

fn milliseconds(value: Option<String>) -> Option<Duration> {
    value?.trim().parse().ok().map(Duration::from_millis)
}

/// An endpoint without what may be a password, for a message.
fn without_user(endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://{place}"),
            None => endpoint.to_owned(),
        },
        None => endpoint.rsplit_once('@').map_or(endpoint, |(_, place)| place).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target of a signal where these variables are set.
    fn target(
        options: &ExportOptions,
        signal: Signal,
        variables: &[(&str, &str)],
    ) -> Result<Option<Target>, ExportError> {
        let environment = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        options.target(signal, &environment)
    }

    fn url(options: &ExportOptions, signal: Signal, variables: &[(&str, &str)]) -> Option<(Protocol, String)> {
        target(options, signal, variables).unwrap().map(|target| (target.protocol, target.url))
    }

    #[test]
    fn endpoints_follow_the_specification() {
        let unset = ExportOptions::default();
        let flag = ExportOptions { endpoint: Some("http://flag:4318/".into()), ..ExportOptions::default() };
        let http = |url: &str| Some((Protocol::HttpProtobuf, url.to_owned()));
        let grpc = |url: &str| Some((Protocol::Grpc, url.to_owned()));
        let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318");
        let own = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://metrics/otlp");

        assert_eq!(url(&unset, Signal::Metrics, &[]), None);
        assert_eq!(url(&unset, Signal::Metrics, &[common]), http("http://all:4318/v1/metrics"));
        assert_eq!(url(&unset, Signal::Logs, &[common]), http("http://all:4318/v1/logs"));
        assert_eq!(url(&unset, Signal::Metrics, &[common, own]), http("https://metrics/otlp"));
        assert_eq!(url(&unset, Signal::Logs, &[own]), None);
        assert_eq!(url(&flag, Signal::Logs, &[common, own]), http("http://flag:4318/v1/logs"));
        assert_eq!(url(&unset, Signal::Logs, &[common, ("OTEL_LOGS_EXPORTER", "none")]), None);
        assert_eq!(url(&unset, Signal::Logs, &[common, ("OTEL_SDK_DISABLED", "TRUE")]), None);

        let by_port = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317");
        assert_eq!(url(&unset, Signal::Metrics, &[by_port]), grpc("http://all:4317"));
        let said = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        assert_eq!(url(&unset, Signal::Metrics, &[by_port, said]), http("http://all:4317/v1/metrics"));
        let bare = ("OTEL_EXPORTER_OTLP_ENDPOINT", "all:4317");
        assert_eq!(url(&unset, Signal::Metrics, &[bare]), grpc("https://all:4317"));
        let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
        assert_eq!(url(&unset, Signal::Metrics, &[bare, insecure]), grpc("http://all:4317"));

        let v6 =
            target(&unset, Signal::Metrics, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]:4318")]).unwrap().unwrap();
        assert_eq!((v6.host.as_str(), v6.port, v6.secure), ("::1", 4318, false));
    }

    #[test]
    fn what_cannot_work_is_refused_without_its_password() {
        let unset = ExportOptions::default();
        let error = |variables: &[(&str, &str)]| target(&unset, Signal::Metrics, variables).unwrap_err().to_string();
        let ftp = error(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://me:secret@all:21")]);
        assert!(ftp.contains("ftp://all:21") && !ftp.contains("secret"), "{ftp}");
        let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318");
        assert!(error(&[common, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]).contains("http/protobuf"));
    }

    #[test]
    fn wanted_only_with_an_endpoint() {
        let none = |_: &str| None;
        assert!(!ExportOptions::default().is_wanted_in(&none));
        let set = ExportOptions { endpoint: Some("http://flag:4318".into()), ..ExportOptions::default() };
        assert!(set.is_wanted_in(&none));
        assert!(!set.is_wanted_in(&|name| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned())));
        let metrics = |name: &str| (name == "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT").then(|| "http://m".to_owned());
        assert!(ExportOptions::default().is_wanted_in(&metrics));
    }

    #[test]
    fn variables_speak_where_the_user_does_not() {
        let variables = |name: &str| {
            let value = match name {
                "OTEL_EXPORTER_OTLP_CERTIFICATE" => "/all.pem",
                "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE" => "/logs.pem",
                "OTEL_EXPORTER_OTLP_TIMEOUT" => "2500",
                "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT" => "soon",
                "OTEL_METRIC_EXPORT_INTERVAL" => "60000",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let unset = ExportOptions::default();
        assert_eq!(unset.certificate(Signal::Metrics, &variables), Some("/all.pem".into()));
        assert_eq!(unset.certificate(Signal::Logs, &variables), Some("/logs.pem".into()));
        assert_eq!(unset.timeout(Signal::Metrics, &variables), Duration::from_millis(2500));
        assert_eq!(unset.timeout(Signal::Logs, &variables), TIMEOUT);
        assert_eq!(unset.interval(&variables), Duration::from_mins(1));
        assert_eq!(unset.interval(&|_| None), INTERVAL);
        let set = ExportOptions {
            certificate: Some("/mine.pem".into()),
            interval: Some(Duration::from_secs(1)),
            timeout: Some(Duration::from_secs(3)),
            ..ExportOptions::default()
        };
        assert_eq!(set.certificate(Signal::Logs, &variables), Some("/mine.pem".into()));
        assert_eq!(set.interval(&variables), Duration::from_secs(1));
        assert_eq!(set.timeout(Signal::Metrics, &variables), Duration::from_secs(3));
    }

    #[test]
    fn secrets_do_not_show() {
        let options = ExportOptions {
            headers: vec![("authorization".into(), Redacted::new("Bearer x".into()))],
            ..Default::default()
        };
        assert!(!format!("{options:?}").contains("Bearer"));
    }
}
