//! Where a message's body ends.
//!
//! Source: RFC 9112 section 6.3.

/// How a message's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// So many octets.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All up to the end of the stream.
    UntilClose,
    /// The head contradicts itself: nobody can tell.
    Contradictory,
}

/// What the field lines of a head say of where its body ends; the method and the status have their say as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    Unsaid,
    /// A length.
    Length(u64),
    /// A transfer coding, of which `chunked` is the last.
    Chunked,
    /// Another transfer coding.
    OtherCoding,
    /// Lengths that differ, or what is no length.
    Contradictory {
        /// The last one that is a length.
        last: Option<u64>,
    },
}

impl BodyEnd {
    /// By the values of `Transfer-Encoding` and of `Content-Length`, in their order.
    pub(crate) fn of<'a>(
        codings: impl IntoIterator<Item = &'a [u8]>,
        lengths: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Self {
        match codings.into_iter().last().and_then(is_chunked) {
            Some(true) => Self::Chunked,
            Some(false) => Self::OtherCoding,
            None => Self::of_lengths(lengths),
        }
    }

    /// By the one line that says something of it: a `Content-Length`, with the blanks around its value.
    #[inline]
    pub(crate) fn of_length(value: &[u8]) -> Self {
        match length(value) {
            Some(length) => Self::Length(length),
            None => Self::of_odd_length(value.trim_ascii()),
        }
    }

    #[cold]
    fn of_odd_length(value: &[u8]) -> Self {
        Self::of_lengths(std::iter::once(value))
    }

    fn of_lengths<'a>(mut values: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let all = values.clone();
        let Some(first) = values.next() else { return Self::Unsaid };
        if values.next().is_none()
            && let Some(length) = length(first)
        {
            return Self::Length(length);
        }
        let mut last = None;
        let mut contradiction = false;
        for part in all.flat_map(|value| value.split(|octet| *octet == b',')) {
            let length = length(part.trim_ascii());
            contradiction |= length.is_none() || last.is_some_and(|last| Some(last) != length);
            last = length.or(last);
        }
        match last {
            Some(length) if !contradiction => Self::Length(length),
            _ => Self::Contradictory { last },
        }
    }
}

/// How a request's body is delimited, and whether the head contradicts itself there.
///
/// A server refuses such a request or reads the last length that it understands; what follows shows which.
pub(crate) fn of_request(said: BodyEnd) -> (Framing, bool) {
    let of_length = |length| if length > 0 { Framing::Length(length) } else { Framing::Empty };
    match said {
        BodyEnd::Unsaid => (Framing::Empty, false),
        BodyEnd::Length(length) => (of_length(length), false),
        BodyEnd::Chunked => (Framing::Chunked, false),
        BodyEnd::OtherCoding => (Framing::Contradictory, true),
        BodyEnd::Contradictory { last } => (last.map_or(Framing::Empty, of_length), true),
    }
}

/// How a final response's body is delimited, where the method and the status allow one.
pub(crate) const fn of_response(said: BodyEnd) -> Framing {
    match said {
        BodyEnd::Length(0) => Framing::Empty,
        BodyEnd::Length(length) => Framing::Length(length),
        BodyEnd::Chunked => Framing::Chunked,
        BodyEnd::Unsaid | BodyEnd::OtherCoding => Framing::UntilClose,
        BodyEnd::Contradictory { .. } => Framing::Contradictory,
    }
}

/// Whether `chunked` is the last of transfer codings; `None` where none is applied.
fn is_chunked(codings: &[u8]) -> Option<bool> {
    let coding = codings.rsplit(|octet| *octet == b',').next().unwrap_or_default().trim_ascii();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return None;
    }
    Some(coding.eq_ignore_ascii_case(b"chunked"))
}

#[inline]
fn length(digits: &[u8]) -> Option<u64> {
    /// So many digits stay below the bound.
    const FEW: usize = 18;
    if digits.is_empty() {
        return None;
    }
    if digits.len() <= FEW {
        return digits.iter().try_fold(0u64, |number, digit| {
            let digit = digit.wrapping_sub(b'0');
            (digit < 10).then(|| number.wrapping_mul(10).wrapping_add(u64::from(digit)))
        });
    }
    long_length(digits)
}

#[cold]
fn long_length(digits: &[u8]) -> Option<u64> {
    let number = digits.iter().try_fold(0u64, |number, digit| {
        digit.is_ascii_digit().then_some(())?;
        number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    // An offset must stay representable behind the body.
    number.filter(|number| *number < 1 << 62)
}
