//! The tracker's bounds, and what they cut.

use std::time::Duration;

/// How much the tracker keeps. Every number bounds what hostile traffic can make it hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackOptions {
    /// Quotas; past it the one that was silent the longest is forgotten. A busy quota takes up to about 18 KiB, so the
    /// default keeps the worst case below 200 MiB.
    pub quotas: usize,
    /// Quotas that differ only in their window or limit; past it the one that was silent the longest is forgotten. Providers
    /// state up to four (second, minute, hour, day); a table walks them one by one.
    pub alike: usize,
    /// Endpoints (host and template); past it the one that was silent the longest is forgotten. Templates keep real
    /// integrations far below the default.
    pub endpoints: usize,
    /// Endpoints by owner and scope, which remember the quotas that they burn; the same bound for the same reason.
    pub routes: usize,
    /// Different error codes in all; a provider documents dozens. What comes past it counts as `_OTHER`.
    pub error_codes: usize,
    /// Different error codes of one quota or endpoint; what comes past it counts as `_OTHER`.
    pub error_codes_each: usize,
    /// Endpoints named under one quota; the screen shows a few.
    pub endpoints_each: usize,
    /// Quotas whose limit nobody states and that refuse, so that it may be learned, at once; past it the one that was silent
    /// the longest begins anew. Each takes up to 50 KiB.
    pub learners: usize,
    /// Readings judged of one observation; a response announces a handful.
    pub readings: usize,
    /// Events that wait to be polled; past it the oldest are dropped.
    pub events: usize,
    /// How far an observation may lie behind the newest one and still count as recent. Live ticks and several sources
    /// make small disorder normal; anything older adds to the totals only.
    pub disorder: Duration,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self {
            quotas: 10_000,
            alike: 16,
            endpoints: 10_000,
            routes: 10_000,
            error_codes: 1024,
            error_codes_each: 64,
            endpoints_each: 64,
            learners: 256,
            readings: 64,
            events: 16_384,
            disorder: Duration::from_secs(5),
        }
    }
}

/// What the bounds cut so far, and what could not be placed. Counters only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cuts {
    /// Quotas that were forgotten.
    pub quotas: u64,
    /// Quotas that were forgotten because too many differed only in their window or limit.
    pub alike: u64,
    /// Endpoints that were forgotten.
    pub endpoints: u64,
    /// Routes that were forgotten.
    pub routes: u64,
    /// Readings past the bound of one observation.
    pub readings: u64,
    /// Events that nobody polled in time.
    pub events: u64,
    /// Observations that name neither provider nor host nor server.
    pub unplaced: u64,
    /// Observations older than the allowed disorder; they add to the totals only.
    pub late: u64,
}
