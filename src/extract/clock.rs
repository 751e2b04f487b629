//! Which clock a response's times are told by.

use crate::model::Timestamp;

/// The times beside a response's values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// When the response's head was seen.
    pub(super) seen: Timestamp,
    /// What the server's clock said then; as seen where the server did not say.
    pub(super) server: Timestamp,
    /// When the response was made, by the observer's clock: earlier than seen where a cache answered.
    pub(super) made: Timestamp,
    /// Whether a cache answered.
    pub(super) cached: bool,
}

impl Clock {
    /// `date` is the `Date` field's point in time, `age` the `Age` field's seconds.
    ///
    /// Source: RFC 9110 section 6.6.1, RFC 9111 section 4.2.3.
    #[inline]
    pub(super) fn new(seen: Timestamp, date: Option<Timestamp>, age: Option<f64>) -> Self {
        let age = age.filter(|age| *age > 0.0).map(|age| std::time::Duration::from_secs_f64(age.min(LONGEST_AGE)));
        let Some(age) = age else {
            return Self { seen, server: date.unwrap_or(seen), made: seen, cached: false };
        };
        let server = date.map_or(seen, |date| date.after(age));
        Self { seen, server, made: seen.before(age), cached: true }
    }
}

/// Nothing stays in a cache longer than a year (RFC 9111 section 1.2.2 knows larger numbers only as "forever").
const LONGEST_AGE: f64 = 366.0 * 86_400.0;
