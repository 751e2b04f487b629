//! Chunks: the rows of one series over one window, as they lie in the database.

use super::codec;
use super::damage::Damage;
use super::envelope;
use super::point::Resolution;
use super::row::Row;

/// The chunk of a window that starts at `window`, in seconds since the epoch.
pub(super) fn encode(resolution: Resolution, window: u32, rows: &[Row]) -> Vec<u8> {
    envelope::seal(&codec::pack(resolution.base(window), rows))
}

/// The rows of a chunk; all lie within its window.
pub(super) fn decode(resolution: Resolution, window: u32, record: &[u8]) -> Result<Vec<Row>, Damage> {
    let base = resolution.base(window);
    let rows = codec::unpack(base, &envelope::open(record)?)?;
    let end = base.saturating_add(resolution.window_seconds() / resolution.step_seconds());
    match rows.last() {
        Some(last) if last.index >= end => Err(Damage::Malformed("a row beyond the window")),
        _ => Ok(rows),
    }
}
