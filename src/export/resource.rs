//! Who exports: the resource's attributes.

use std::fmt::Write as _;

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};

use super::options::{Environment, ExportOptions};

/// The agent's own words, then the options', then `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`: the later ones win.
pub(crate) fn of_agent(options: &ExportOptions, environment: Environment<'_>) -> Resource {
    let mut own = vec![
        KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    own.extend(instance_id().map(|id| KeyValue::new("service.instance.id", id)));
    own.extend(host_name().map(|name| KeyValue::new("host.name", name)));
    let set = options.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(own)
        .with_attributes(set)
        .with_detector(Box::new(EnvResourceDetector::new()));
    match environment("OTEL_SERVICE_NAME") {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// What instruments, records and spans are made by.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION")).build()
}

/// A random UUID (version 4, RFC 9562 section 5.4): two agents on one host are told apart.
fn instance_id() -> Option<String> {
    let mut octets = [0u8; 16];
    getrandom::fill(&mut octets).ok()?;
    let mut text = String::with_capacity(36);
    for (at, octet) in octets.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let octet = match at {
            6 => octet & 0x0f | 0x40,
            8 => octet & 0x3f | 0x80,
            _ => octet,
        };
        write!(text, "{octet:02x}").ok()?;
    }
    Some(text)
}

/// Source: proc(5), `/proc/sys/kernel/hostname`.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_options_and_those_over_the_agent() {
        let mut options = ExportOptions::default();
        options.resource.insert("service.version".into(), "mine".into());
        options.resource.insert("service.name".into(), "mine".into());
        let resource = of_agent(&options, &|name| (name == "OTEL_SERVICE_NAME").then(|| "theirs".to_owned()));
        let value = |name: &'static str| resource.get(&name.into()).map(|value| value.to_string());
        assert_eq!(value("service.name").as_deref(), Some("theirs"));
        assert_eq!(value("service.version").as_deref(), Some("mine"));
        assert_eq!(value("service.instance.id").map(|id| id.len()), Some(36));
        assert_eq!(value("telemetry.sdk.language").as_deref(), Some("rust"));
    }
}
