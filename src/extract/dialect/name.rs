//! What a field name says of its value.

use super::words::Share;

/// Longest name that is looked at; `anthropic-ratelimit-unified-representative-claim` has 48 octets.
pub(super) const LONGEST_NAME: usize = 80;

/// More parts than any name seen has.
const MOST_LABELS: usize = 5;

/// What the value of a field is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field {
    /// How many units there are.
    Limit,
    /// How many are left.
    Remaining,
    /// How many were used.
    Used,
    /// What remains, where a limit stands beside it.
    Status,
    /// When the quota is whole again.
    Reset,
    /// The length of the window; the flag: the unit of a bare number is not settled.
    Window(bool),
    /// How much is used.
    Utilization(Share),
    /// How much is left, as a share.
    RemainingShare(Share),
    /// A list of policies, or the policy's name.
    Policy,
    /// The quota's name.
    Name,
    /// For whom or what is counted; the lower the number, the more it says.
    Scope(u8),
    /// When to try again.
    Retry,
    /// The name does not say: the form of the value decides.
    Bare,
}

/// The unit of a bare number, as far as the name says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::extract) enum Unit {
    /// The name does not say.
    Unsaid,
    /// From now, in units of that many seconds.
    Delta(f64),
    /// A point in time, its unit unsaid.
    Moment,
}

/// How the mark is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// `ratelimit`
    Joined,
    /// `rate-limit`
    Hyphenated,
    /// There is none.
    Absent,
}

/// What a field name means.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Name<'a> {
    /// Tells the provider's fields from those of others in the same response.
    pub(super) owner: u64,
    /// Whether it begins with `x-`.
    pub(super) x: bool,
    /// Whether a word stands before the mark that is neither `x` nor in the list.
    pub(super) vendor: bool,
    /// How the mark is spelled.
    pub(super) mark: Mark,
    /// What the value is.
    pub(super) field: Field,
    /// The unit of a bare number.
    pub(super) unit: Unit,
    /// What is counted; the second narrows the first.
    pub(super) dimension: Option<&'a str>,
    /// `input_` of `input-tokens`.
    pub(super) narrows: &'static str,
    /// The window: its seconds, what it is called.
    pub(super) span: Option<(Option<f64>, &'a str)>,
    /// The parts of the quota's name.
    labels: [&'a str; MOST_LABELS],
    /// Tells the labels, dimension and policy of one quota from those of the provider's other quotas.
    parts: u64,
    /// Whether the name alone is proof enough.
    pub(super) certain: bool,
    /// Whether the name says more of a quota than that something is counted: two such names prove each other.
    pub(super) evident: bool,
    /// A row of the table gave the policy.
    pub(super) policy: Option<&'static str>,
    /// The window that the row's source documents, in seconds.
    pub(super) documented_window: Option<f64>,
}

impl<'a> Name<'a> {
    /// A name that a row of the table explains; `owner` groups the rows of one quota.
    pub(super) fn of_row(owner: &str, field: Field) -> Self {
        Self {
            owner: hash(SEED, owner.as_bytes()),
            x: true,
            vendor: true,
            mark: Mark::Absent,
            field,
            unit: Unit::Unsaid,
            dimension: None,
            narrows: "",
            span: None,
            labels: [""; MOST_LABELS],
            parts: SEED,
            certain: true,
            evident: true,
            policy: None,
            documented_window: None,
        }
    }

    /// A name whose mark is spelled so, of which nothing else is known.
    pub(super) fn marked(mark: Mark) -> Self {
        let owner = hash(SEED, &[mark as u8]);
        Self { owner, x: false, vendor: false, certain: false, mark, ..Self::of_row("", Field::Bare) }
    }

    /// The parts of the quota's name, in order.
    pub(super) fn labels(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.labels.iter().copied().filter(|label| !label.is_empty())
    }

    /// The same with the window that the tail of its name says.
    pub(super) fn with_span(self, span: Option<(Option<f64>, &'a str)>) -> Self {
        Self { span, ..self }
    }

    /// Adds a part, as long as there is room.
    pub(super) fn add_label(&mut self, text: &'a str) {
        if let Some(slot) = self.labels.iter_mut().find(|slot| slot.is_empty()) {
            *slot = text;
        }
        self.parts = hash(self.parts, text.as_bytes());
    }

    /// The same, with what it counts and what it is called counted among its parts.
    pub(super) fn sealed(self) -> Self {
        let said = [self.dimension.unwrap_or_default(), self.narrows, self.policy.unwrap_or_default()];
        Self { parts: said.iter().fold(self.parts, |parts, text| hash(parts, text.as_bytes())), ..self }
    }

    /// Whether both name the same quota.
    pub(super) fn same_quota(&self, other: &Self) -> bool {
        self.owner == other.owner
            && self.parts == other.parts
            && match (self.span, other.span) {
                (Some((Some(a), _)), Some((Some(b), _))) => a.total_cmp(&b).is_eq(),
                (Some((None, a)), Some((None, b))) => a.trim_end_matches("ly") == b.trim_end_matches("ly"),
                (a, b) => a.is_none() && b.is_none(),
            }
    }

    /// Whether the name has no label, dimension or window: it speaks of the provider's one quota.
    pub(super) fn is_plain(&self) -> bool {
        self.dimension.is_none() && self.span.is_none() && self.labels[0].is_empty() && self.policy.is_none()
    }

    /// Whether the name says nothing but that requests are counted.
    pub(super) fn is_requests_only(&self) -> bool {
        self.dimension == Some("requests") && self.narrows.is_empty() && self.span.is_none() && !self.has_labels()
    }

    /// Whether the name says nothing but a window.
    pub(super) fn is_window_only(&self) -> bool {
        self.span.is_some() && self.dimension.is_none() && !self.has_labels() && self.policy.is_none()
    }

    /// Whether it is one of the unprefixed names of the IETF draft.
    pub(super) fn is_unprefixed(&self) -> bool {
        self.mark == Mark::Joined && !self.x && !self.vendor
    }

    /// Whether a part of the quota's name narrows a dimension, rather than naming a policy.
    pub(super) fn has_labels(&self) -> bool {
        !self.labels[0].is_empty()
    }
}

/// What owners' hashes begin with.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a with a separator after each word; only tells owners within one response apart.
///
/// Source: <http://www.isthe.com/chongo/tech/comp/fnv/>
pub(super) fn hash(seed: u64, word: &[u8]) -> u64 {
    word.iter().chain(b"-").fold(seed, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}
