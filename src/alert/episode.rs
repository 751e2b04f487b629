//! An alert from its firing to its end, and when it is told.

use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use crate::model::{Alert, AlertState, QuotaKey, Rule, Subject, Timestamp};

use super::machine::Fired;
use super::summary::Summary;

/// Keys of the two halves of an episode's name. They are public: the name tells episodes apart, it hides nothing.
const KEYS: [&[u8; 16]; 2] = [b"quotascope alert", b"episode's second"];

/// A firing alert. What a higher severity speaks for is not told, but what was told is also told to be over.
#[derive(Debug, Clone)]
pub(super) struct Episode {
    /// Without its summary.
    alert: Alert,
    summary: Summary,
    told: bool,
}

impl Episode {
    pub(super) fn begin(about: About, judged: Judged, fired: Fired, now: Timestamp) -> Self {
        let id = name(&about, fired.before, now);
        let About { rule, subject, quota } = about;
        let flapping = fired.flapping;
        let alert = Alert {
            id,
            sequence: 0,
            rule,
            severity: rule.severity(),
            state: AlertState::Firing,
            subject,
            value: judged.value,
            threshold: judged.threshold,
            started_at: now,
            ended_at: None,
            summary: Arc::default(),
            reason: if flapping { "flapping" } else { "fired" },
            flapping,
            muted: false,
            quota,
        };
        Self { alert, summary: judged.summary, told: false }
    }

    /// The alert, but for its summary.
    pub(super) const fn alert(&self) -> &Alert {
        &self.alert
    }

    /// The alert with its summary.
    pub(super) fn shown(&self) -> Alert {
        let mut alert = self.alert.clone();
        self.summary.tell(&mut alert);
        alert
    }

    /// Takes a worse value than before.
    pub(super) fn worsen(&mut self, judged: Judged) {
        self.alert.value = judged.value;
        self.alert.threshold = judged.threshold;
        self.summary = judged.summary;
    }

    /// Mutes or unmutes it; the alert, where it is now to be told for the first time.
    pub(super) fn tell(&mut self, muted: bool) -> Option<Alert> {
        self.alert.muted = muted;
        (!muted && !std::mem::replace(&mut self.told, true)).then(|| self.shown())
    }

    /// Ends it; the alert, and whether that is to be told.
    pub(super) fn end(mut self, reason: &'static str, now: Timestamp) -> (Alert, bool) {
        self.alert.state = AlertState::Resolved;
        self.alert.ended_at = Some(now);
        self.alert.reason = reason;
        self.alert.sequence = self.alert.sequence.saturating_add(1);
        self.summary.tell(&mut self.alert);
        (self.alert, self.told)
    }
}

/// What an episode is about.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) rule: Rule,
    pub(super) subject: Subject,
    pub(super) quota: Option<QuotaKey>,
}

/// A judged value, its level, and what there is to say of it.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) value: f64,
    pub(super) threshold: f64,
    pub(super) summary: Summary,
}

fn name(about: &About, before: u64, start: Timestamp) -> Arc<str> {
    let About { rule, subject, quota } = about;
    let [first, second] = KEYS.map(|key| {
        let mut hasher = SipHasher24::new_with_key(key);
        // A part that is absent differs from one that is empty, and no two parts run together.
        let mut part = |text: Option<&str>| {
            hasher.write(text.unwrap_or_default().as_bytes());
            hasher.write_u8(if text.is_some() { 0xff } else { 0xfe });
        };
        part(Some(rule.as_str()));
        part(subject.provider.as_deref());
        part(subject.host.as_deref());
        part(subject.policy.as_deref());
        part(subject.scope.as_ref().map(|scope| &*scope.kind));
        part(subject.scope.as_ref().and_then(|scope| scope.id.as_deref()));
        part(subject.dimension.as_ref().map(|dimension| &*dimension.0));
        part(subject.error_code.as_deref());
        part(subject.interface.as_deref());
        // Quotas of one name may differ in their window.
        part(quota.as_ref().map(|key| &*key.bucket));
        let window = quota.as_ref().and_then(|key| key.window);
        hasher.write_u128(window.map_or(u128::MAX, |window| window.as_nanos()));
        hasher.write_i64(start.as_nanos());
        hasher.write_u64(before);
        hasher.finish()
    });
    format!("{first:016x}{second:016x}").into()
}
