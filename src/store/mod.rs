//! Time series and alerts in sled.
