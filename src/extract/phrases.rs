//! Words and phrases that are looked for in a text, all of them in one pass.

/// Phrases in lower case, each with the groups that it belongs to, a bit for each.
pub(super) struct Phrases {
    all: &'static [(&'static str, u32)],
    /// Where in each phrase its rarest octet stands.
    rarest: [usize; Self::MOST],
    /// For each octet, in both cases, the phrases that have it as their rarest, a bit for each: most octets of most texts are
    /// of none.
    with: [u64; 256],
}

impl Phrases {
    /// More phrases do not fit the bits.
    const MOST: usize = 64;

    /// Prepares to look for phrases; at most 64 of them, none empty.
    pub(super) const fn new(phrases: &'static [(&'static str, u32)]) -> Self {
        let mut this = Self { all: phrases, rarest: [0; Self::MOST], with: [0; 256] };
        let mut index = 0;
        while index < phrases.len() {
            let octets = phrases[index].0.as_bytes();
            let mut at = 1;
            while at < octets.len() {
                if rarity(octets[at]) > rarity(octets[this.rarest[index]]) {
                    this.rarest[index] = at;
                }
                at += 1;
            }
            let octet = octets[this.rarest[index]];
            this.with[octet as usize] |= 1 << index;
            this.with[octet.to_ascii_uppercase() as usize] |= 1 << index;
            index += 1;
        }
        this
    }

    /// The groups of the phrases that a text holds, in any case.
    pub(super) fn groups_in(&self, text: &[u8]) -> u32 {
        let mut groups = 0;
        self.each(text, |of| {
            groups |= of;
            false
        });
        groups
    }

    /// Whether a text holds one of them, in any case.
    pub(super) fn are_in(&self, text: &[u8]) -> bool {
        self.each(text, |_| true)
    }

    /// Calls `found` with the groups of each phrase that the text holds, until it says that this is enough.
    fn each(&self, text: &[u8], mut found: impl FnMut(u32) -> bool) -> bool {
        for (place, octet) in text.iter().enumerate() {
            let mut candidates = self.with.get(usize::from(*octet)).copied().unwrap_or(0);
            while candidates != 0 {
                let index = candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                if let (Some((phrase, groups)), Some(at)) = (self.all.get(index), self.rarest.get(index))
                    && let Some(start) = place.checked_sub(*at)
                    && let Some(part) = text.get(start..start + phrase.len())
                    && part.eq_ignore_ascii_case(phrase.as_bytes())
                    && found(*groups)
                {
                    return true;
                }
            }
        }
        false
    }
}

/// How rare an octet is in field names and sentences, roughly.
const fn rarity(octet: u8) -> usize {
    const RARER: &[u8] = b"- _etaoinsrhldcumfpgwybvkxjqz";
    let mut place = 0;
    while place < RARER.len() && RARER[place] != octet {
        place += 1;
    }
    place
}

/// What follows the first place where a text holds a phrase, in any case.
pub(super) fn after<'t>(text: &'t str, phrase: &str) -> Option<&'t str> {
    let mut starts = 0..=text.len().checked_sub(phrase.len())?;
    let is_there = |start: &usize| {
        text.as_bytes()
            .get(*start..start + phrase.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(phrase.as_bytes()))
    };
    text.get(starts.find(is_there)? + phrase.len()..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static PHRASES: Phrases = Phrases::new(&[("per day", 1), ("day", 2), ("a-a", 4), ("too many", 1), ("zz", 8)]);

    #[test]
    fn finds_phrases_in_any_case() {
        for (text, groups) in [
            ("5000 PER DAY", 3),
            ("per", 0),
            ("day", 2),
            ("Too many requests a-A-a", 5),
            ("zzz", 8),
            ("", 0),
            ("\u{e9}day", 2),
        ] {
            assert_eq!(PHRASES.groups_in(text.as_bytes()), groups, "{text}");
            assert_eq!(PHRASES.are_in(text.as_bytes()), groups != 0, "{text}");
        }
        assert_eq!(after("Please Try Again In 5s", "try again in "), Some("5s"));
        assert_eq!(after("try again", "try again in "), None);
        assert_eq!((after("5s", ""), after("5s", "5S")), (Some("5s"), Some("")));
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(text in "[aAdDeEpPyYzZ -]{0,20}") {
            let lower = text.to_ascii_lowercase();
            let wanted =
                PHRASES.all.iter().filter(|(phrase, _)| lower.contains(phrase)).fold(0, |all, (_, of)| all | of);
            prop_assert_eq!(PHRASES.groups_in(text.as_bytes()), wanted);
        }
    }
}
