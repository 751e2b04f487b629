//! The words that every module shares; data only.
//!
//! Knows nothing of packets, files, clocks or screens. A stage's output type lives here when the next stage needs it:
//! [`Exchange`] is what `decode` gives to `extract`, [`Observation`] what `extract` gives to `track`, [`Snapshot`] what
//! `track` and `alert` give to the screen, the exporters and the reports.
//!
//! Terms: RFC 9110, draft-ietf-httpapi-ratelimit-headers, the OpenTelemetry semantic conventions.

mod alert;
mod caller;
mod common_fields;
mod coverage;
mod credential;
mod exchange;
mod few_octets;
mod fields;
mod frame;
mod input;
mod loss;
mod number;
mod observation;
mod path;
mod quota;
mod settled;
mod short_values;
mod snapshot;
mod time;

pub use alert::{Alert, AlertState, Rule, Severity, Subject};
pub use common_fields::CommonFields;
pub use coverage::Coverage;
pub use credential::{Credential, HashKey, Redacted};
pub use exchange::{Body, Client, Exchange, Interest, Request, Response};
pub use fields::Fields;
pub use frame::{Frame, LinkType, OwnedFrame};
pub use input::{Anomaly, InputCounters};
pub use loss::{Losses, Peer, Place};
pub use number::Amount;
pub use observation::{DeclaredQuota, Observation, Reading, ThrottleCause, WindowKind};
pub use path::Path;
pub use quota::{Dimension, QuotaKey, QuotaSource, Scope};
pub(crate) use quota::{keep_scope, keep_text, same_or_absent, same_scope, same_text};
pub use settled::SettledNames;
pub use snapshot::{CaptureState, EndpointState, ErrorCodeCount, Finding, QuotaState, Snapshot, Trend, TrendPoint};
pub use time::Timestamp;
