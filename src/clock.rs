//! The only reader of a clock.

use std::time::SystemTime;

use crate::model::Timestamp;

/// Now, by the system's clock.
pub fn now() -> Timestamp {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => Timestamp::from_secs(0).after(since),
        Err(before) => Timestamp::from_secs(0).before(before.duration()),
    }
}
