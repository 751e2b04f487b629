//! Refusals that come again: what one says is read once.
//!
//! A server that refuses one exchange mostly refuses many, with the same status, numbers and content. Only those are remembered
//! that say the same whenever they are read: a wait, or a reset that counts from now, is read anew each time.

use std::sync::Arc;

use super::WireRules;
use super::explanation::Digest;
use super::recent::Recent;
use super::reset;
use super::response::Said;
use crate::model::{CommonFields, Reading, Response, Timestamp};

/// The refusals that came last.
#[derive(Debug, Clone)]
pub(super) struct Refusals(Recent<Known>);

/// A refusal, and what it says.
#[derive(Debug, Clone)]
struct Known {
    status: u16,
    rules: Option<WireRules>,
    lines: Arc<CommonFields>,
    /// The lines that say something, and their values.
    values: Box<[(usize, Box<[u8]>)]>,
    content: Digest,
    said: Said,
    /// The resets are too far ahead to be believed by whoever sees them earlier.
    credible_from: Timestamp,
}

/// Room for 64 refusals: more than the servers that a client is refused by at a time.
const SETS: usize = 16;

impl Refusals {
    pub(super) const fn new() -> Self {
        Self(Recent::new(SETS))
    }

    /// What a response of that content says, where a former one said the same.
    pub(super) fn said(&self, response: &Response, content: Digest, rules: Option<&WireRules>) -> Option<&Said> {
        let Response { at, status, fields, .. } = response;
        let lines = fields.common()?;
        let is_meant = |known: &Known| {
            known.content == content
                && known.status == *status
                && Arc::ptr_eq(&known.lines, lines)
                && known.values.iter().all(|(line, value)| *fields.value(*line) == **value)
                && known.rules.as_ref() == rules
                && known.credible_from <= *at
        };
        self.0.known(content.hash(), is_meant).map(|known| &known.said)
    }

    /// Remembers what a refusal said, which these lines and its content say whenever they are read.
    #[cold]
    pub(super) fn keep(
        &mut self,
        response: &Response,
        lines: impl Iterator<Item = usize>,
        content: Digest,
        rules: Option<&WireRules>,
        said: &Said,
    ) {
        let Response { status, fields, .. } = response;
        // Those that no other message has would hardly come again.
        let Some(common) = fields.common().filter(|common| Arc::strong_count(common) > 1) else { return };
        let resets = said.readings.iter().filter_map(|reading| reading.reset_at);
        let known = Known {
            status: *status,
            rules: rules.cloned(),
            lines: Arc::clone(common),
            values: lines.map(|line| (line, Box::from(fields.value(line)))).collect(),
            content,
            said: said.clone(),
            credible_from: resets.map(reset::credible_from).max().unwrap_or(Timestamp::MIN),
        };
        self.0.keep(content.hash(), known);
    }
}

impl Said {
    /// The same once more, in the memory of readings that are of no more use and gone.
    pub(super) fn again(&self, mut readings: Vec<Reading>) -> Self {
        readings.extend_from_slice(&self.readings);
        let Self { dialect, readings: _, retry_after, throttled, error_code, scope, doubts } = self;
        let (dialect, retry_after, throttled) = (*dialect, *retry_after, *throttled);
        let (error_code, scope, doubts) = (error_code.clone(), scope.clone(), doubts.clone());
        Self { dialect, readings, retry_after, throttled, error_code, scope, doubts }
    }
}
