//! What the content of a response says, found once for contents that come again.
//!
//! A server refuses many exchanges with the same few octets. What they say by themselves is remembered with them; only what
//! depends on the time beside them, a wait or a quota, is read anew.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::WireRules;
use super::clock::Clock;
use super::dialect::Quota;
use super::error_body::Content;
use super::error_code;
use super::json::Json;
use super::recent::{Hash, Recent};
use super::throttle;
use crate::model::Body;

/// The contents that came last.
#[derive(Debug, Clone)]
pub(super) struct Explanations {
    known: Recent<Known>,
    keys: [RandomState; 2],
}

/// A content under a status and a provider's rules.
#[derive(Debug, Clone)]
struct Known {
    digest: Digest,
    status: u16,
    rules: Option<WireRules>,
    found: Found,
}

/// Stands for a content, which is not kept: it may hold what a client sent. Nobody can choose two contents with the same without
/// the keys, and chance would need 2^64 contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u64; 2]);

impl Digest {
    /// Where what is remembered of the content has its place.
    pub(super) fn hash(self) -> Hash {
        let Self([first, _]) = self;
        Hash::of(&[&first.to_le_bytes()])
    }
}

/// What was found so far of a content.
#[derive(Debug, Clone, Default)]
struct Found {
    code: OnceCell<Option<Arc<str>>>,
    says_throttled: OnceCell<bool>,
    says_refused: OnceCell<bool>,
    causes: OnceCell<u32>,
    scope: OnceCell<Option<Arc<str>>>,
    may_ask_to_wait: OnceCell<bool>,
    may_state_quotas: OnceCell<bool>,
}

/// One response's content, read when it is asked for what is not known.
#[derive(Debug)]
pub(super) struct Explanation<'a> {
    body: &'a Body,
    status: u16,
    rules: Option<&'a WireRules>,
    found: Cow<'a, Found>,
    content: OnceCell<Content<'a>>,
}

/// Room for 64 contents: more than the servers that a client is refused by at a time.
const SETS: usize = 16;
/// A longer content is not remembered: it is a page, or holds what no other holds.
const LONGEST: usize = 1024;

impl Explanations {
    pub(super) fn new() -> Self {
        Self { known: Recent::new(SETS), keys: [RandomState::new(), RandomState::new()] }
    }

    /// What stands for a content; absent where it is not remembered.
    pub(super) fn digest(&self, body: &Body) -> Option<Digest> {
        let digest = || self.keys.each_ref().map(|key| key.hash_one((&body.octets, body.truncated)));
        (body.octets.len() <= LONGEST).then(|| Digest(digest()))
    }

    /// What a response's content of that digest says.
    pub(super) fn of<'a>(
        &'a mut self,
        body: &'a Body,
        digest: Option<Digest>,
        status: u16,
        rules: Option<&'a WireRules>,
    ) -> Explanation<'a> {
        let found = digest.and_then(|digest| self.found(digest, status, rules));
        let found = found.map_or_else(Cow::default, Cow::Borrowed);
        Explanation { body, status, rules, found, content: OnceCell::new() }
    }

    /// What was found before, or has its place from now on.
    fn found(&mut self, digest: Digest, status: u16, rules: Option<&WireRules>) -> Option<&Found> {
        let hash = digest.hash();
        let is_meant =
            |known: &Known| known.digest == digest && known.status == status && known.rules.as_ref() == rules;
        if self.known.known(hash, is_meant).is_none() {
            let known = Known { digest, status, rules: rules.cloned(), found: Found::default() };
            self.known.keep(hash, known);
        }
        self.known.known(hash, is_meant).map(|known| &known.found)
    }
}

impl<'a> Explanation<'a> {
    fn content(&self) -> &Content<'a> {
        self.content.get_or_init(|| Content::of(self.body))
    }

    /// The provider's code.
    pub(super) fn code(&self) -> Option<&Arc<str>> {
        self.found.code.get_or_init(|| self.content().code(self.status, self.rules)).as_ref()
    }

    /// Whether a code says "too fast", wherever it stands.
    pub(super) fn says_throttled(&self) -> bool {
        let says = || self.throttling_code(error_code::says_throttled).is_some();
        *self.found.says_throttled.get_or_init(says)
    }

    /// A code that says "too fast", wherever it stands.
    pub(super) fn throttling_code(&self, is_throttling: impl Fn(&str) -> bool) -> Option<Arc<str>> {
        self.content().throttling_code(self.status, is_throttling)
    }

    /// The JSON document.
    pub(super) fn json(&self) -> Option<&Json<'a>> {
        self.content().json()
    }

    /// Whether a sentence says that a rate limit was passed.
    pub(super) fn says_refused(&self) -> bool {
        *self.found.says_refused.get_or_init(|| self.content().messages().any(throttle::is_refusal))
    }

    /// What its sentences say of a refusal's cause, see [`throttle::causes_in`].
    pub(super) fn causes(&self) -> u32 {
        let causes = || self.content().messages().fold(0, |causes, message| causes | throttle::causes_in(message));
        *self.found.causes.get_or_init(causes)
    }

    /// What it says is limited.
    pub(super) fn scope(&self) -> Option<&Arc<str>> {
        self.found.scope.get_or_init(|| self.content().scope()).as_ref()
    }

    /// The wait that it asks for. `near` is how far the header's reset is, to settle a unit.
    pub(super) fn retry_after(
        &self,
        clock: &Clock,
        near: Option<Duration>,
        doubts: &mut Vec<&'static str>,
    ) -> Option<Duration> {
        let may_ask = *self.found.may_ask_to_wait.get_or_init(|| self.content().may_ask_to_wait(self.rules));
        may_ask.then(|| self.content().retry_after(self.rules, clock, near, doubts)).flatten()
    }

    /// Whether it was found to say the same whenever it is read: nothing of a wait, and nothing of a quota.
    pub(super) fn is_timeless(&self) -> bool {
        let Found { may_ask_to_wait, may_state_quotas, .. } = &*self.found;
        may_ask_to_wait.get() == Some(&false) && may_state_quotas.get() == Some(&false)
    }

    /// The quotas that it states.
    pub(super) fn quotas(&self, throttled: bool, clock: &Clock) -> Vec<Quota> {
        let may_state = *self.found.may_state_quotas.get_or_init(|| self.content().may_state_quotas());
        if may_state { self.content().quotas(throttled, clock) } else { Vec::new() }
    }
}
