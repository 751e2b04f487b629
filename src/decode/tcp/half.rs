//! One direction of a connection: where it stands, and what of it was seen.

use super::OutOfOrder;
use crate::model::Timestamp;

/// Offsets start high enough that octets before the first one seen have an offset too.
const EPOCH: u64 = 1 << 33;

/// Since when the octets of a direction are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Origin {
    /// Nothing is known.
    #[default]
    Unknown,
    /// From somewhere in the middle.
    Joined,
    /// From its start: a SYN of this side was seen, or the other side's answer to it.
    Start,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// Since when its octets are known; all offsets below mean nothing before.
    pub(crate) origin: Origin,
    /// Whether this end was seen sending anything.
    pub(crate) heard_from: bool,
    /// The offset of the first octet.
    pub(crate) start: u64,
    /// The offset of the next octet that the reader needs. Stepping over a body moves it past octets yet to come.
    pub(crate) next: u64,
    /// The offset behind the furthest octet seen.
    pub(crate) high: u64,
    /// How far the other side acknowledged.
    pub(crate) acknowledged: u64,
    /// The offset of the FIN, once seen.
    pub(crate) fin: Option<u64>,
    /// Whether the reader was told that the direction ended.
    pub(crate) closed: bool,
    /// Octets that came before their turn.
    pub(crate) early: OutOfOrder,
    /// Octets that never came so far.
    pub(crate) holes: Holes,
}

impl Half {
    /// Starts at a sequence number.
    pub(crate) fn begin(&mut self, sequence: u32) {
        let offset = EPOCH.saturating_add(u64::from(sequence));
        self.origin = Origin::Joined;
        self.start = offset;
        self.next = offset;
        self.high = offset;
        self.acknowledged = offset;
    }

    /// Whether it is known where the direction stands.
    pub(crate) fn is_known(&self) -> bool {
        self.origin != Origin::Unknown
    }

    /// The offset that a sequence number stands for: the nearest to the furthest octet seen.
    ///
    /// Source: RFC 9293 section 3.4, arithmetic modulo 2^32.
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "modulo 2^32 by intent")]
    pub(crate) const fn offset(&self, sequence: u32) -> u64 {
        let distance = sequence.wrapping_sub(self.high as u32) as i32;
        // Offsets start far above 0, and no stream is so long that they wrap.
        self.high.wrapping_add_signed(distance as i64)
    }

    /// Whether it is known where it stands, and it goes on with nothing early and nothing missing.
    pub(crate) fn is_even(&self) -> bool {
        self.is_known() && self.early.is_empty() && self.holes.is_empty() && self.fin.is_none()
    }

    /// Whether nothing was seen of the stream but its start.
    pub(crate) const fn is_untouched(&self) -> bool {
        self.high == self.start
    }

    /// Whether a sequence number is near to what was seen last: a receive window is rarely larger.
    pub(crate) fn is_near(&self, sequence: u32) -> bool {
        /// One in four thousand numbers is as near by chance.
        const NEAR: u64 = 1 << 19;
        self.is_known() && self.offset(sequence).abs_diff(self.high) <= NEAR
    }

    /// Notes that the octets from `start` to `end` were seen, for the account of what never came.
    pub(crate) fn see(&mut self, start: u64, end: u64, at: Timestamp) {
        if start > self.high {
            self.holes.open(self.high, start, at);
        } else if start < self.high && !self.holes.is_empty() {
            self.holes.fill(start, end);
        }
        self.high = self.high.max(end);
    }
}

/// Octets that were sent (others behind them were seen), but did not come so far.
#[derive(Debug, Default)]
pub(crate) struct Holes {
    open: Vec<(u64, u64, Timestamp)>,
    lost: u64,
}

/// More open holes than this are counted at once: a list to search must stay short.
const OPEN_HOLES: usize = 16;

impl Holes {
    /// The memory that they take.
    pub(crate) const fn footprint(&self) -> usize {
        self.open.capacity().saturating_mul(size_of::<(u64, u64, Timestamp)>())
    }

    /// Counts all that are open as lost.
    pub(crate) fn settle(&mut self) {
        self.lost = self.lost.saturating_add(self.open.len() as u64);
        self.open = Vec::new();
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn open(&mut self, start: u64, end: u64, at: Timestamp) {
        if self.open.len() >= OPEN_HOLES {
            self.open.remove(0);
            self.lost = self.lost.saturating_add(1);
        }
        self.open.push((start, end, at));
    }

    fn fill(&mut self, start: u64, end: u64) {
        let mut index = 0usize;
        while let Some(&(from, to, at)) = self.open.get(index) {
            if end <= from || start >= to {
                index = index.saturating_add(1);
                continue;
            }
            self.open.remove(index);
            for (from, to) in [(from, start), (end, to)] {
                if from < to {
                    self.open.insert(index, (from, to, at));
                    index = index.saturating_add(1);
                }
            }
        }
        self.open.truncate(OPEN_HOLES.saturating_mul(2));
        self.release();
    }

    /// Gives the memory back where none is open.
    fn release(&mut self) {
        if self.open.is_empty() {
            self.open = Vec::new();
        }
    }

    /// How many holes were given up since the last call: all that were open before `horizon`.
    pub(crate) fn take_lost(&mut self, horizon: Timestamp) -> u64 {
        let before = self.open.len();
        self.open.retain(|&(_, _, at)| at >= horizon);
        let expired = before.saturating_sub(self.open.len()) as u64;
        self.release();
        std::mem::take(&mut self.lost).saturating_add(expired)
    }
}
