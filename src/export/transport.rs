//! Exporters of the OpenTelemetry SDK, made from the options.
//!
//! Two things the SDK leaves to us: over gRPC an `https` endpoint without a TLS configuration trusts nobody, and the
//! variables for certificates are not read.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use tokio::runtime::Runtime;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};

use super::ExportError;
use super::options::{Compression, Environment, ExportOptions, Protocol, Signal, Target, process_environment};

/// What a transport needs besides its target, with all files read.
pub(crate) struct Transport {
    options: ExportOptions,
    target: Target,
    timeout: Duration,
    tls: Tls,
}

/// PEM texts.
#[derive(Default)]
struct Tls {
    /// Whom to trust instead of the system's roots.
    trusted: Option<Vec<u8>>,
    /// Certificate and key that we show.
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Builds an exporter of one signal over either transport; their builders share no trait that would do it.
macro_rules! build {
    ($self:ident, $builder:expr) => {{
        let transport = $self;
        match transport.target.protocol {
            Protocol::Grpc => {
                let mut builder = $builder
                    .with_tonic()
                    .with_endpoint(&transport.target.url)
                    .with_timeout(transport.timeout)
                    .with_metadata(transport.metadata()?)
                    .with_retry_policy(Transport::retries());
                if transport.target.secure {
                    builder = builder.with_tls_config(transport.grpc_tls());
                }
                if let Some(compression) = transport.options.compression {
                    builder = builder.with_compression(compression.into());
                }
                builder.build().map_err(|error| ExportError::Build(error.to_string()))
            }
            Protocol::HttpProtobuf => {
                let mut builder = $builder
                    .with_http()
                    .with_endpoint(&transport.target.url)
                    .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                    .with_timeout(transport.timeout)
                    .with_headers(transport.headers()?)
                    .with_http_client(transport.http_client()?)
                    .with_retry_policy(Transport::retries());
                if let Some(compression) = transport.options.compression {
                    builder = builder.with_compression(compression.into());
                }
                builder.build().map_err(|error| ExportError::Build(error.to_string()))
            }
        }
    }};
}

impl Transport {
    /// Reads the certificates.
    pub(crate) fn new(
        options: &ExportOptions,
        target: &Target,
        signal: Signal,
        environment: Environment<'_>,
    ) -> Result<Self, ExportError> {
        let identity = match (options.client_certificate(signal, environment), options.client_key(signal, environment))
        {
            (Some(certificate), Some(key)) => Some((read(&certificate)?, read(&key)?)),
            (None, None) => None,
            _ => return Err(ExportError::HalfIdentity),
        };
        let trusted = options.certificate(signal, environment).map(|path| read_certificates(&path)).transpose()?;
        let timeout = options.timeout(signal, environment);
        Ok(Self { options: options.clone(), target: target.clone(), timeout, tls: Tls { trusted, identity } })
    }

    /// Over gRPC this must run inside a tokio runtime, over HTTP outside of any.
    pub(crate) fn metric_exporter(&self) -> Result<MetricExporter, ExportError> {
        build!(self, MetricExporter::builder())
    }

    /// See [`Self::metric_exporter`].
    pub(crate) fn log_exporter(&self) -> Result<LogExporter, ExportError> {
        build!(self, LogExporter::builder())
    }

    /// See [`Self::metric_exporter`].
    pub(crate) fn span_exporter(&self) -> Result<SpanExporter, ExportError> {
        build!(self, SpanExporter::builder())
    }

    /// One repetition at once bridges a connection that the collector closed while it was idle; what lasts longer is left to
    /// the next export, so that a collector that is down holds nobody up.
    fn retries() -> RetryPolicy {
        RetryPolicy::recommended().with_max_retries(1)
    }

    fn headers(&self) -> Result<HashMap<String, String>, ExportError> {
        let checked = self.options.headers.iter().map(|(name, value)| {
            let name_is_valid = hyper::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
            let value_is_valid = hyper::header::HeaderValue::from_str(value.reveal()).is_ok();
            if !name_is_valid || !value_is_valid {
                return Err(ExportError::Header { name: name.clone() });
            }
            // The SDK decodes percent signs here, as in the variable, which a token of ours does not ask for.
            Ok((name.to_ascii_lowercase(), value.reveal().replace('%', "%25")))
        });
        checked.collect()
    }

    fn metadata(&self) -> Result<MetadataMap, ExportError> {
        let mut metadata = MetadataMap::new();
        for (name, value) in &self.options.headers {
            let invalid = || ExportError::Header { name: name.clone() };
            let key = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes()).map_err(|_malformed| invalid())?;
            let value = MetadataValue::try_from(value.reveal().as_str()).map_err(|_malformed| invalid())?;
            metadata.insert(key, value);
        }
        Ok(metadata)
    }

    fn grpc_tls(&self) -> ClientTlsConfig {
        let mut tls = match &self.tls.trusted {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_enabled_roots(),
        };
        if let Some((certificate, key)) = &self.tls.identity {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        tls
    }

    fn http_client(&self) -> Result<reqwest::blocking::Client, ExportError> {
        let build = |error: reqwest::Error| ExportError::Build(error.to_string());
        // A redirect would carry the access token to whoever answers; collectors do not redirect.
        let mut client =
            reqwest::blocking::Client::builder().timeout(self.timeout).redirect(reqwest::redirect::Policy::none());
        if !self.target.secure {
            // The client would not be built on a system without root certificates, such as a small container, although plain
            // HTTP needs none.
            client = client.tls_certs_only([]);
        } else if let Some(pem) = &self.tls.trusted {
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem).map_err(build)?);
        }
        if let Some((certificate, key)) = &self.tls.identity {
            let both = [certificate.as_slice(), b"\n", key.as_slice()].concat();
            client = client.identity(reqwest::Identity::from_pem(&both).map_err(build)?);
        }
        client.build().map_err(build)
    }
}

/// Builds an exporter on a thread of its own: a gRPC channel must be made inside its runtime, and the blocking HTTP client outside
/// of any, whichever the caller stands in.
pub(crate) fn build_apart<T: Send>(
    runtime: &Runtime,
    options: &ExportOptions,
    target: &Target,
    signal: Signal,
    make: impl FnOnce(&Transport) -> Result<T, ExportError> + Send,
) -> Result<T, ExportError> {
    std::thread::scope(|threads| {
        let build = || {
            let _entered = (target.protocol == Protocol::Grpc).then(|| runtime.enter());
            make(&Transport::new(options, target, signal, &process_environment)?)
        };
        let building = std::thread::Builder::new().spawn_scoped(threads, build).map_err(ExportError::Thread)?;
        building.join().map_err(|_panic| ExportError::Build("the transport's builder panicked".into()))?
    })
}

/// A runtime for gRPC's channels, on which nothing else may run: a flush that runs on the only worker of a runtime waits
/// for itself for ever.
pub(crate) fn runtime() -> Result<Runtime, ExportError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp")
        .enable_all()
        .build()
        .map_err(ExportError::Thread)
}

impl From<Compression> for opentelemetry_otlp::Compression {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Gzip => Self::Gzip,
            Compression::Zstd => Self::Zstd,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ExportError> {
    std::fs::read(path).map_err(|source| ExportError::File { path: path.to_owned(), source })
}

/// A file without a certificate would mean to trust nobody, which shows only as failing exports.
fn read_certificates(path: &Path) -> Result<Vec<u8>, ExportError> {
    let pem = read(path)?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    let has_one = pem.windows(marker.len()).any(|window| window == marker);
    if has_one { Ok(pem) } else { Err(ExportError::NoCertificate { path: path.to_owned() }) }
}
