//! Counts by error code, bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What codes past the bound are counted as; the word of OpenTelemetry's `error.type`.
pub(super) const OTHER: &str = "_OTHER";

/// Adds the counts of others.
pub(super) fn merge_codes(codes: &mut BTreeMap<Arc<str>, u64>, others: &BTreeMap<Arc<str>, u64>, bound: usize) {
    for (code, more) in others {
        let known = codes.contains_key(code) || codes.len() < bound;
        let count = codes.entry(if known { Arc::clone(code) } else { OTHER.into() }).or_default();
        *count = count.saturating_add(*more);
    }
}

/// Counts a code; one that would pass the bound counts as `_OTHER`.
pub(super) fn count_code(codes: &mut BTreeMap<Arc<str>, u64>, code: &Arc<str>, bound: usize) {
    if let Some(count) = codes.get_mut(code) {
        *count = count.saturating_add(1);
    } else if codes.len() < bound {
        codes.insert(Arc::clone(code), 1);
    } else {
        let count = codes.entry(OTHER.into()).or_default();
        *count = count.saturating_add(1);
    }
}
