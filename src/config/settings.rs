//! The settings in force: defaults, then the file, then the environment, then the flags, one line each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ConfigError;
use super::file::File;
use super::openapi;
use super::quantity::Octets;
use crate::alert::AlertOptions;
use crate::cli::{Common, Export};
use crate::decode::DecodeOptions;
use crate::export::ExportOptions;
use crate::extract::{BoundOptions, ExtractOptions, Extractor, Profiles};
use crate::model::{Redacted, Timestamp};
use crate::store::StoreOptions;
use crate::track::TrackOptions;

/// The environment, as a function of a variable's name; a test gives its own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Live capture.
    pub capture: CaptureSettings,
    /// Files that are read once.
    pub read: Vec<PathBuf>,
    /// Growing files that are followed.
    pub tail: Vec<PathBuf>,
    /// What exchanges mean.
    pub extractor: Arc<Extractor>,
    /// Bounds of decoding.
    pub decode: DecodeOptions,
    /// Bounds on names.
    pub bounds: BoundOptions,
    /// Quota tracking.
    pub track: TrackOptions,
    /// Thresholds.
    pub alert: AlertOptions,
    /// Time series.
    pub store: StoreSettings,
    /// OTLP.
    pub export: ExportOptions,
    /// Whether the agent's own spans are exported.
    pub traces: bool,
}

/// How interfaces are captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureSettings {
    /// Their names.
    pub interfaces: Vec<String>,
    /// A BPF expression.
    pub filter: Option<String>,
    /// The kernel's buffer, each interface, in octets.
    pub buffer: u64,
    /// Octets captured of each frame.
    pub snaplen: u32,
    /// Whether frames are handed over at once.
    pub immediate: bool,
    /// The user whom the agent becomes once the captures are open.
    pub user: Option<String>,
    /// The user who called `sudo`.
    pub sudo_uid: Option<u32>,
}

/// Whether, where and how time series are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// The size on the disk above which the oldest points go, in octets.
    pub size: u64,
    /// What is left free on the disk, in octets.
    pub reserve: u64,
    /// The database's cache, in octets.
    pub cache: u64,
}

/// Whether, where and how time series are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Whether they are kept.
    pub enabled: bool,
    /// Where, if the user says; else see [`StoreSettings::directory`].
    pub chosen: Option<PathBuf>,
    /// How much.
    pub limits: StoreLimits,
    state_directory: Option<PathBuf>,
    state_home: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl StoreSettings {
    /// Where the store is: as chosen, else systemd's state directory, else `/var/lib/quotascope` for root and
    /// `$XDG_STATE_HOME/quotascope` or `~/.local/state/quotascope` for others.
    pub fn directory(&self, root: bool) -> PathBuf {
        if let Some(chosen) = self.chosen.as_ref().or(self.state_directory.as_ref()) {
            return chosen.clone();
        }
        match (&self.state_home, &self.home) {
            _ if root => PathBuf::from("/var/lib/quotascope"),
            (Some(state), _) => state.join("quotascope"),
            (None, Some(home)) => home.join(".local/state/quotascope"),
            (None, None) => PathBuf::from("quotascope-store"),
        }
    }

    /// The same without what belongs to the user who called `sudo`: his home is asked for by the caller.
    #[must_use]
    pub fn at_home(mut self, home: PathBuf) -> Self {
        self.home = Some(home);
        self.state_home = None;
        self
    }

    /// How the store is opened at that moment.
    pub fn options(&self, opened_at: Timestamp) -> StoreOptions {
        let StoreLimits { size, reserve, cache } = self.limits;
        StoreOptions { size_limit: size, reserve, cache, ..StoreOptions::new(opened_at) }
    }
}

impl Settings {
    /// Reads the file that `common` or `$QUOTASCOPE_CONFIG` names, and lays environment and flags over it.
    ///
    /// # Errors
    /// What is wrong: the file, line and key, or the flag.
    pub fn load(common: &Common, export: &Export, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let path = common.config.clone().or_else(|| environment("QUOTASCOPE_CONFIG").map(PathBuf::from));
        let file = match &path {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let origin = path.as_deref().map_or_else(|| "flags".to_owned(), |path| path.display().to_string());
        Self::layered(file, &origin, common, export, environment)
    }

    fn layered(
        file: File,
        origin: &str,
        common: &Common,
        export: &Export,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        let octets = |size: Option<Octets>, default: u64| size.map_or(default, |size| size.0);
        let stored = StoreOptions::new(Timestamp::default());
        let path_variable = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Ok(Self {
            capture: CaptureSettings {
                interfaces: file.capture.interfaces.unwrap_or_default(),
                filter: file.capture.filter.filter(|filter| !filter.trim().is_empty()),
                buffer: octets(file.capture.buffer, 16 << 20),
                snaplen: file.capture.snaplen.unwrap_or(262_144),
                immediate: file.capture.immediate.unwrap_or(false),
                user: file.capture.user,
                sudo_uid: environment("SUDO_UID").and_then(|uid| uid.parse().ok()),
            },
            read: file.input.read.unwrap_or_default(),
            tail: file.input.tail.unwrap_or_default(),
            extractor: Arc::new(extractor(&file.profiles.files, &file.provider, file.callers, file.templates, common)?),
            decode: decode(&file.bounds),
            bounds: bounds(&file.bounds),
            track: track(&file.bounds),
            alert: alerts(&file.alerts, origin)?,
            store: StoreSettings {
                enabled: file.store.enabled.unwrap_or(true),
                chosen: common.store.clone().or_else(|| path_variable("QUOTASCOPE_STORE")).or(file.store.directory),
                limits: StoreLimits {
                    size: octets(file.store.size, stored.size_limit),
                    reserve: octets(file.store.reserve, stored.reserve),
                    cache: octets(file.store.cache, stored.cache),
                },
                state_directory: path_variable("STATE_DIRECTORY"),
                state_home: path_variable("XDG_STATE_HOME"),
                home: path_variable("HOME"),
            },
            traces: file.export.traces.unwrap_or(false),
            export: exports(file.export, export, environment)?,
        })
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// Where it cannot be read or breaks its form: the file, line and key.
pub fn read(path: &Path) -> Result<File, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Parses the text of a configuration file.
///
/// # Errors
/// The file, line and key at fault.
pub fn parse(path: &Path, text: &str) -> Result<File, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::from_toml(path, text, &error))
}

fn extractor(
    files: &[PathBuf],
    providers: &[super::file::Provider],
    callers: super::file::Callers,
    templates: BTreeMap<String, Vec<String>>,
    common: &Common,
) -> Result<Extractor, ConfigError> {
    let mut profiles = Profiles::built_in()?;
    for file in files {
        add_profile(&mut profiles, file)?;
    }
    let mut hosts = Vec::new();
    for pair in &common.providers {
        let (host, profile) = pair
            .split_once('=')
            .filter(|(host, profile)| !host.is_empty() && !profile.is_empty())
            .ok_or_else(|| {
                ConfigError::flag(format!("--provider {pair}"), "give HOST=PROFILE, such as pay.internal:8080=ceypay")
            })?;
        hosts.push((host.to_owned(), profile_name(&mut profiles, profile)?));
    }
    let mut environments = Vec::new();
    for provider in providers {
        if let Some(profile) = &provider.profile {
            hosts.push((provider.host.clone(), profile_name(&mut profiles, profile)?));
        }
        if let Some(environment) = &provider.environment {
            environments.push((provider.host.clone(), environment.clone()));
        }
    }
    let words = |map: BTreeMap<String, String>| {
        map.into_iter().map(|(from, to)| (Arc::from(from.as_str()), Arc::from(to.as_str()))).collect()
    };
    let mut listed = Vec::new();
    for (host, entries) in templates {
        let host = (host != "*").then_some(host);
        for entry in entries {
            let patterns = if openapi::is_document(&entry) { document(Path::new(&entry))? } else { vec![entry] };
            listed.extend(patterns.into_iter().map(|pattern| (host.clone(), pattern)));
        }
    }
    let options = ExtractOptions {
        providers: hosts,
        environments,
        aliases: words(callers.aliases),
        pools: words(callers.pools),
        templates: listed,
        ..ExtractOptions::default()
    };
    Ok(Extractor::new(profiles, options)?)
}

/// The endpoints of an `OpenAPI` document.
fn document(path: &Path) -> Result<Vec<String>, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let wrong = |message| ConfigError::Wrong { origin: path.display().to_string(), line: 1, message };
    openapi::patterns(&text).map_err(wrong)
}

/// The name of a profile that is given by its name or by its file.
fn profile_name(profiles: &mut Profiles, given: &str) -> Result<String, ConfigError> {
    if profiles.find(given).is_some() {
        return Ok(given.to_owned());
    }
    let path = Path::new(given);
    if path.extension().is_some_and(|extension| extension == "toml") || path.exists() {
        return add_profile(profiles, path);
    }
    // Whoever uses the name says that it is unknown, and names those that are known.
    Ok(given.to_owned())
}

fn add_profile(profiles: &mut Profiles, path: &Path) -> Result<String, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let origin = path.display().to_string();
    profiles.add(&text, &origin)?;
    let added = profiles.iter().find(|profile| **profile.origin() == *origin);
    Ok(added.map(|profile| profile.name().to_string()).unwrap_or_default())
}

fn decode(file: &super::file::Bounds) -> DecodeOptions {
    let memory = file.memory.map_or(DecodeOptions::MEMORY, |octets| usize::try_from(octets.0).unwrap_or(usize::MAX));
    let within = DecodeOptions::within(memory);
    DecodeOptions { connections: file.connections.unwrap_or(within.connections), ..within }
}

fn bounds(file: &super::file::Bounds) -> BoundOptions {
    let default = BoundOptions::default();
    BoundOptions {
        hosts: file.hosts.unwrap_or(default.hosts),
        endpoints_per_host: file.endpoints_per_host.unwrap_or(default.endpoints_per_host),
        scopes: file.scopes.unwrap_or(default.scopes),
        ..default
    }
}

fn track(file: &super::file::Bounds) -> TrackOptions {
    let default = TrackOptions::default();
    TrackOptions { quotas: file.quotas.unwrap_or(default.quotas), ..default }
}

fn alerts(file: &super::file::Alerts, origin: &str) -> Result<AlertOptions, ConfigError> {
    let default = AlertOptions::default();
    let clear_after = file.clear_after.map_or(default.clear_hold, |span| span.0);
    let options = AlertOptions {
        utilization: file.utilization.unwrap_or(default.utilization),
        utilization_hold: file.utilization_hold.map_or(default.utilization_hold, |span| span.0),
        utilization_clear: file.utilization_clear.unwrap_or(default.utilization_clear),
        high: file.utilization_high.unwrap_or(default.high),
        high_clear: file.utilization_high_clear.unwrap_or(default.high_clear),
        throttled: file.throttled_ratio.unwrap_or(default.throttled),
        throttled_clear: file.throttled_ratio_clear.unwrap_or(default.throttled_clear),
        error_codes: file.error_codes_per_minute.unwrap_or(default.error_codes),
        clear_hold: clear_after,
        hit_hold: clear_after,
        capture_silence: file.capture_silence.map_or(default.capture_silence, |span| span.0),
        capture_loss: file.capture_loss.unwrap_or(default.capture_loss),
        ..default
    };
    for (key, fires, clears) in [
        ("utilization", options.utilization, options.utilization_clear),
        ("utilization_high", options.high, options.high_clear),
        ("throttled_ratio", options.throttled, options.throttled_clear),
    ] {
        let sound = fires > 0.0 && fires.is_finite() && (0.0..=fires).contains(&clears);
        if !sound {
            let message =
                format!("fires at {fires}, clears below {clears}: give ratios, the second not above the first");
            return Err(ConfigError::flag(format!("{origin}: alerts.{key}"), message));
        }
    }
    Ok(options)
}

fn exports(
    file: super::file::Export,
    flags: &Export,
    environment: Environment<'_>,
) -> Result<ExportOptions, ConfigError> {
    let wrong = |key: &str, error: crate::export::ExportError| ConfigError::flag(key, error.to_string());
    let protocol = flags.otlp_protocol.as_ref().or(file.protocol.as_ref());
    let mut headers = Vec::new();
    for (name, value) in file.headers {
        let value = match value.strip_prefix("env:") {
            Some(variable) => environment(variable).ok_or_else(|| {
                ConfigError::flag(format!("export.headers.{name}"), format!("${variable} is not set"))
            })?,
            None => value,
        };
        headers.push((name, Redacted::new(value)));
    }
    Ok(ExportOptions {
        endpoint: flags.otlp_endpoint.clone().or(file.endpoint),
        protocol: protocol.map(|text| text.parse()).transpose().map_err(|error| wrong("export.protocol", error))?,
        headers,
        compression: file
            .compression
            .map(|text| text.parse())
            .transpose()
            .map_err(|error| wrong("export.compression", error))?,
        interval: file.interval.map(|span| span.0),
        timeout: file.timeout.map(|span| span.0),
        certificate: file.certificate,
        client_certificate: file.client_certificate,
        client_key: file.client_key,
        resource: file.resource,
    })
}
