//! Unsigned integers in groups of seven bits, the least significant first, as in LEB128 of the DWARF standard.

use super::damage::Damage;

/// Appends a number in one to ten octets.
pub(super) fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

/// Folds the sign into the lowest bit, so that small differences stay small.
pub(super) const fn fold(difference: i64) -> u64 {
    (difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned()
}

/// Undoes [`fold`].
pub(super) const fn unfold(folded: u64) -> i64 {
    (folded >> 1).cast_signed() ^ (folded & 1).cast_signed().wrapping_neg()
}

/// Octets that are read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn number(&mut self) -> Result<u64, Damage> {
        let mut number = 0u64;
        for (index, &octet) in self.0.iter().take(10).enumerate() {
            let bits = u64::from(octet & 0x7f);
            if index == 9 && bits > 1 {
                return Err(Damage::Malformed("a number of more than 64 bits"));
            }
            number |= bits << (7 * index);
            if octet & 0x80 == 0 {
                self.0 = self.0.get(index + 1..).unwrap_or_default();
                return Ok(number);
            }
        }
        Err(Damage::Malformed("a number that does not end"))
    }

    pub(super) fn octets(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damage::Malformed("octets are missing"))?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(number: u64, signed: i64) {
            let mut octets = Vec::new();
            write(&mut octets, number);
            write(&mut octets, fold(signed));
            let mut reader = Reader::new(&octets);
            prop_assert_eq!(reader.number(), Ok(number));
            prop_assert_eq!(reader.number().map(unfold), Ok(signed));
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn endless_and_oversized_numbers_are_damage() {
        assert!(Reader::new(&[0x80; 12]).number().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).number().is_err());
        assert!(Reader::new(&[]).number().is_err());
    }
}
