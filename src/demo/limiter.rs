//! Counting requests over a window, as a server does that limits them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A limit over a window, with the requests that it has admitted.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: usize,
    window: Duration,
    sliding: bool,
    admitted: VecDeque<Instant>,
}

/// What a limiter says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) admitted: bool,
    pub(super) limit: usize,
    pub(super) remaining: usize,
    /// Until the window ends (fixed), or until the oldest request leaves it (sliding).
    pub(super) reset_in: Duration,
}

impl Limiter {
    pub(super) const fn new(limit: usize, window: Duration, sliding: bool) -> Self {
        Self { limit, window, sliding, admitted: VecDeque::new() }
    }

    /// Admits a request where there is room. Refused requests are not counted: hammering does not prolong the wait.
    pub(super) fn admit(&mut self, now: Instant) -> Verdict {
        if self.sliding {
            while self.admitted.front().is_some_and(|&at| now.duration_since(at) >= self.window) {
                self.admitted.pop_front();
            }
        } else if self.admitted.front().is_some_and(|&at| now.duration_since(at) >= self.window) {
            self.admitted.clear();
        }
        let admitted = self.admitted.len() < self.limit;
        if admitted {
            self.admitted.push_back(now);
        }
        let reset_in =
            self.admitted.front().map_or(self.window, |&oldest| self.window.saturating_sub(now.duration_since(oldest)));
        Verdict { admitted, limit: self.limit, remaining: self.limit - self.admitted.len(), reset_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sliding_window_frees_one_by_one_and_a_fixed_one_at_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sliding = Limiter::new(2, Duration::from_secs(10), true);
        let mut fixed = Limiter::new(2, Duration::from_secs(10), false);
        for limiter in [&mut sliding, &mut fixed] {
            assert_eq!(limiter.admit(at(0)).remaining, 1);
            assert_eq!(limiter.admit(at(4)).remaining, 0);
            let refused = limiter.admit(at(5));
            assert!(!refused.admitted);
            assert_eq!(refused.reset_in, Duration::from_secs(5));
        }
        assert_eq!(sliding.admit(at(10)).remaining, 0);
        assert!(!sliding.admit(at(11)).admitted);
        assert_eq!(fixed.admit(at(10)).remaining, 1);
        assert!(fixed.admit(at(11)).admitted);
    }
}
