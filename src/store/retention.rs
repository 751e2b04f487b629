//! What is dropped, and when.

use super::keys;
use super::point::Resolution;

/// The most alert episodes that are kept: at about 500 octets each 50 MB, years of any sane installation.
pub(super) const MOST_ALERTS: usize = 100_000;
/// How long an alert episode is kept from its start, as long as the coarsest points.
pub(super) const ALERTS_KEPT_SECONDS: u32 = Resolution::Hour.kept_seconds();
/// The most notifications that wait for a receiver: at about 700 octets each 7 MB. Past it the oldest is given up and counted.
pub(super) const MOST_NOTIFICATIONS: usize = 10_000;

/// How much larger the database is on the disk than what lies in it, while nothing is dropped: 3.1 to 4.1 times, measured with
/// a thousand busy series. What lies in it is held to the size limit divided by this.
pub(super) const AMPLIFICATION: u64 = 4;

/// A clock that jumps ahead further than this is not believed at once: dropping all that looks old by it cannot be undone.
pub(super) const LARGEST_JUMP_SECONDS: u32 = 86_400;
/// After how many ticks such a clock is believed: an hour of them.
pub(super) const TICKS_UNTIL_BELIEVED: u32 = 360;

/// The start of the oldest window that is kept at a moment, both in seconds since the epoch: one goes when its last point
/// is too old.
pub(super) fn oldest_window(resolution: Resolution, now: u32) -> u32 {
    now.saturating_sub(resolution.kept_seconds() + resolution.window_seconds()).saturating_add(1).min(now)
}

/// The keys of a resolution that are too old at a moment, in seconds since the epoch.
pub(super) fn expired(resolution: Resolution, now: u32) -> std::ops::Range<[u8; 9]> {
    keys::chunk_range(resolution, 0, oldest_window(resolution, now))
}

/// Whether retention may follow the clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    newest: Option<u32>,
    doubted: u32,
}

impl Clock {
    /// From the latest moment that the store holds, in seconds since the epoch.
    pub(super) const fn new(newest: Option<u32>) -> Self {
        Self { newest, doubted: 0 }
    }

    /// A tick; says whether the clock is to be believed.
    pub(super) fn tick(&mut self, now: u32) -> bool {
        if self.newest.is_some_and(|newest| now.saturating_sub(newest) > LARGEST_JUMP_SECONDS) {
            self.doubted = TICKS_UNTIL_BELIEVED;
        }
        // A clock that is set back is followed: by it nothing looks older than before.
        self.newest = Some(now);
        self.doubted = self.doubted.saturating_sub(1);
        self.doubted == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::series::SeriesId;

    #[test]
    fn a_jump_ahead_is_believed_after_an_hour() {
        let mut clock = Clock::new(Some(1_800_000_000));
        assert!(clock.tick(1_800_000_010));
        let far = 2_800_000_000;
        let believed: Vec<bool> = (0..361).map(|tick| clock.tick(far + tick * 10)).collect();
        assert_eq!(believed.iter().filter(|believed| !**believed).count(), 359);
        // Set right again: believed at once, though the far moment was the newest.
        assert!(clock.tick(1_800_000_020));
        // A new store has nothing to lose.
        assert!(Clock::new(None).tick(far));
    }

    #[test]
    fn a_window_expires_when_its_last_point_does() {
        let now = 1_800_000_000;
        for resolution in Resolution::ALL {
            let expired = expired(resolution, now);
            let at = |age: u32| {
                let window = resolution.window_of(now - age);
                expired.contains(&keys::chunk(resolution, window, SeriesId(1)))
            };
            assert!(!at(resolution.kept_seconds()));
            assert!(at(resolution.kept_seconds() + 2 * resolution.window_seconds()));
        }
    }
}
