//! Bytes to exchanges.
