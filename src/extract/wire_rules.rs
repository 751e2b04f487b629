//! What a provider's documents say of its wire format, where the general rules would not know.

/// How to read what one provider sends. The default adds nothing to the general rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WireRules {
    /// The unit of a bare reset number; overrides every general rule.
    pub reset: Option<ResetUnit>,
    /// JSON pointers (RFC 6901, `*` for any array element) to the error code, tried before the general ones.
    pub code_pointers: Vec<String>,
    /// JSON pointers to the retry delay in seconds, tried before the general ones.
    pub retry_pointers: Vec<String>,
    /// Sentences that state the retry delay, `{n}` standing for the seconds: `Retry after {n} seconds`.
    pub retry_messages: Vec<String>,
    /// Status codes that mean throttled whatever the body says.
    pub throttle_statuses: Vec<u16>,
    /// Error codes that mean throttled whatever the status is.
    pub throttle_codes: Vec<String>,
    /// Error codes that never mean throttled, though the status might.
    pub other_codes: Vec<String>,
    /// Whether successful responses may carry a throttling code in their content, so that it must be looked at.
    pub throttles_in_success: bool,
}

/// The unit of a bare number in a reset field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetUnit {
    /// Seconds from the response.
    DeltaSeconds,
    /// Milliseconds from the response.
    DeltaMilliseconds,
    /// Minutes from the response.
    DeltaMinutes,
    /// Seconds since the Unix epoch.
    EpochSeconds,
    /// Milliseconds since the Unix epoch.
    EpochMilliseconds,
}
