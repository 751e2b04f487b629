//! Whether exports arrive, and since when they do not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::options::Target;
use crate::clock;
use crate::model::Timestamp;

/// Longer messages of a transport are cut: they end up in a status line.
const LONGEST_REASON: usize = 120;

/// How the exports of one signal go.
#[derive(Debug)]
pub(crate) struct Health {
    place: String,
    failing: Mutex<Option<Failing>>,
    failures: AtomicU64,
}

#[derive(Debug, Clone)]
struct Failing {
    since: Timestamp,
    reason: String,
}

impl Health {
    pub(crate) fn of(target: &Target) -> Self {
        let Target { host, port, .. } = target;
        let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self { place, failing: Mutex::new(None), failures: AtomicU64::new(0) }
    }

    pub(crate) fn handle_success(&self) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn handle_failure(&self, reason: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let reason = gist(reason);
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let since = failing.as_ref().map_or_else(clock::now, |known| known.since);
        *failing = Some(Failing { since, reason });
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn failing(&self) -> Option<Failing> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The trouble in one sentence: the signal that fails longest speaks for all.
pub(crate) fn trouble<'a>(signals: impl Iterator<Item = &'a Health>, waiting: usize) -> Option<Arc<str>> {
    let failing = signals.filter_map(|health| Some((health.failing()?, health.place.as_str())));
    let (failing, place) = failing.min_by_key(|(failing, _)| failing.since)?;
    let since = failing.since.to_string();
    let time = since.get(11..19).unwrap_or(&since);
    let state = if is_unreachable(&failing.reason) { "unreachable" } else { "refuses exports" };
    let alerts = match waiting {
        0 => String::new(),
        1 => ", 1 alert waiting".to_owned(),
        many => format!(", {many} alerts waiting"),
    };
    Some(format!("collector at {place} {state} since {time}{alerts} ({})", failing.reason).into())
}

/// The end of a chain of causes says most: `Operation failed: … transport error: tcp connect error: Connection refused`.
fn gist(reason: &str) -> String {
    let mut causes: Vec<&str> = reason.split(": ").collect();
    causes.dedup();
    let last_two = causes.get(causes.len().saturating_sub(2)..).unwrap_or_default().join(": ");
    last_two.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect()
}

/// By the words of the SDK's errors: an answer of the collector names a status or a code of its own.
fn is_unreachable(reason: &str) -> bool {
    let answered = reason.contains("status code:") || (reason.contains("gRPC code:") && !is_transport_code(reason));
    !answered
}

fn is_transport_code(reason: &str) -> bool {
    ["Unavailable", "DeadlineExceeded", "Cancelled", "Unknown"].iter().any(|code| reason.contains(code))
}

#[cfg(test)]
mod tests {
    use super::super::options::Protocol;
    use super::*;

    #[test]
    fn trouble_begins_with_the_first_failure_and_ends_with_a_success() {
        let target = Target {
            protocol: Protocol::Grpc,
            url: "http://[::1]:4317".into(),
            secure: false,
            host: "::1".into(),
            port: 4317,
        };
        let (metrics, logs) = (Health::of(&target), Health::of(&target));
        let told = |waiting| trouble([&metrics, &logs].into_iter(), waiting);
        assert_eq!(told(0), None);
        logs.handle_failure("TonicLogsClient export failed with gRPC code: Unavailable: tcp\u{1b}[31m connect error");
        let since = logs.failing().unwrap().since;
        logs.handle_failure("TonicLogsClient export failed with gRPC code: Unauthenticated");
        assert_eq!(logs.failing().unwrap().since, since);
        assert!(told(1).unwrap().starts_with("collector at [::1]:4317 refuses exports since "));
        assert_eq!(
            gist("a: transport error: tcp connect error: tcp connect error: refused"),
            "tcp connect error: refused"
        );
        logs.handle_failure("HTTP export failed: network error \u{1b}");
        let text = told(3).unwrap();
        assert!(text.contains("unreachable since") && text.contains(", 3 alerts waiting"), "{text}");
        assert!(!text.contains('\u{1b}'));
        logs.handle_success();
        assert_eq!((told(0), logs.failures()), (None, 3));
    }
}
