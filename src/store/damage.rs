//! Why a stored record cannot be believed.

/// Why a stored record cannot be believed. It is skipped and counted; the others stay readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    /// The record is shorter than its frame.
    #[error("the record is too short")]
    Short,
    /// A newer program wrote it.
    #[error("the record has format {0}, which this program does not know")]
    Version(u8),
    /// The checksum does not fit the content.
    #[error("the checksum does not fit")]
    Checksum,
    /// The checksum fits, the content makes no sense.
    #[error("the record is malformed: {0}")]
    Malformed(&'static str),
}
