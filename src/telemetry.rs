//! Our own logs and spans.
