//! OTLP metrics, logs and traces.
