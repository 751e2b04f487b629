//! When alerts fire and clear.

use std::time::Duration;

/// Every threshold. The defaults are what the alerts do without any configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertOptions {
    /// `utilization` fires at this utilization or above …
    pub utilization: f64,
    /// … held for this long, or for a 20th of the window where that is shorter …
    pub utilization_hold: Duration,
    /// … and seen this often.
    pub utilization_sightings: u32,
    /// `utilization` clears below this.
    pub utilization_clear: f64,
    /// `utilization_high` fires at this utilization or above, at once.
    pub high: f64,
    /// `utilization_high` clears below this.
    pub high_clear: f64,
    /// How long a condition must be gone before its alert is over.
    pub clear_hold: Duration,
    /// Windows shorter than this begin anew faster than people react: `utilization` judges many of them together.
    pub short_window: Duration,
    /// Of this many short windows …
    pub short_windows: u32,
    /// … this share must have reached `utilization`.
    pub short_share: f64,
    /// `limit_hit` clears when there was none for this long, or for the wait that the provider asked for where that is longer.
    pub hit_hold: Duration,
    /// `throttled_ratio` fires above this share of throttled exchanges, over both spans.
    pub throttled: f64,
    /// `throttled_ratio` clears below this share over the long span.
    pub throttled_clear: f64,
    /// The long span; at most five minutes.
    pub throttled_long: Duration,
    /// The short span.
    pub throttled_short: Duration,
    /// Exchanges that the long span must hold.
    pub throttled_exchanges: u64,
    /// Throttled exchanges that the long span must hold.
    pub throttled_refusals: u64,
    /// `error_code` fires when one code comes more often than this within a minute.
    pub error_codes: u32,
    /// `error_code` clears when it comes at most this often within a minute …
    pub error_codes_clear: u32,
    /// … for this long.
    pub error_codes_hold: Duration,
    /// `exhaustion` fires when the quota runs out before this share of the time to its reset …
    pub exhaustion_share: f64,
    /// … and at least this much of it is used.
    pub exhaustion_utilization: f64,
    /// `capture_stalled` fires when an interface shows no packet for this long …
    pub capture_silence: Duration,
    /// … or loses more than this share of its packets.
    pub capture_loss: f64,
    /// Packets that the loss must be judged by.
    pub capture_packets: u64,
    /// More changes than this …
    pub flapping_changes: u32,
    /// … within this time are held as one firing alert …
    pub flapping_span: Duration,
    /// … until it was quiet for this long.
    pub flapping_quiet: Duration,
    /// How long `quota_changed` stays: a change is over at once, but should be seen.
    pub changed_hold: Duration,
    /// Quotas and codes under watch at once; past it new ones are counted, not watched. Twice what the tracker keeps.
    pub watched: usize,
    /// Changes that wait to be polled; past it the oldest are dropped and counted.
    pub changes: usize,
    /// Resolved alerts that are kept.
    pub resolved: usize,
}

impl Default for AlertOptions {
    fn default() -> Self {
        Self {
            utilization: 0.80,
            utilization_hold: Duration::from_secs(30),
            utilization_sightings: 2,
            utilization_clear: 0.75,
            high: 0.90,
            high_clear: 0.85,
            clear_hold: Duration::from_mins(2),
            short_window: Duration::from_mins(1),
            short_windows: 30,
            short_share: 0.20,
            hit_hold: Duration::from_mins(2),
            throttled: 0.05,
            throttled_clear: 0.03,
            throttled_long: Duration::from_mins(5),
            throttled_short: Duration::from_mins(1),
            throttled_exchanges: 20,
            throttled_refusals: 3,
            error_codes: 10,
            error_codes_clear: 5,
            error_codes_hold: Duration::from_mins(5),
            exhaustion_share: 0.9,
            exhaustion_utilization: 0.5,
            capture_silence: Duration::from_mins(1),
            capture_loss: 0.01,
            capture_packets: 100,
            flapping_changes: 4,
            flapping_span: Duration::from_mins(15),
            flapping_quiet: Duration::from_mins(10),
            changed_hold: Duration::from_mins(10),
            watched: 20_000,
            changes: 4096,
            resolved: 256,
        }
    }
}
