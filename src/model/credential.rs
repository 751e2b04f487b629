//! Who calls, without keeping what proves it.

use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use super::caller::stable_part;

/// The key under which credentials are hashed: made at the first start, kept beside the store with mode 0600.
///
/// SipHash-2-4 is a keyed pseudo-random function: without the key a hash says nothing of the credential.
#[derive(Clone)]
pub struct HashKey([u8; 16]);

impl HashKey {
    /// From 16 secret octets.
    pub const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// The identity of a secret's owner, as `k:` and eight hexadecimal digits: the same for each signature that a key makes,
    /// and for each token that is issued to the same subject.
    pub fn identity(&self, secret: &[u8]) -> Arc<str> {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&stable_part(secret));
        format!("k:{:08x}", hasher.finish() >> 32).into()
    }

    /// A keyed hash of a secret as it stands, equal for equal octets. It is compared within one run and shown nowhere: what
    /// matters is that nobody without the key finds two secrets that have it in common.
    ///
    /// The secret is a polynomial whose value at a secret place of a prime field is taken: of two secrets of `n` octets at most
    /// `n / 7 + 2` places of 2⁶¹ have the same. Source: Carter and Wegman, "New hash functions and their use in authentication
    /// and set equality" (1981).
    #[inline]
    pub fn fingerprint(&self, secret: &[u8]) -> u64 {
        /// So many octets stay below the prime.
        const FEW: usize = 7;
        const FEW_OCTETS: u64 = (1 << 56) - 1;
        let [place @ .., _, _, _, _, _, _, _, _] = self.0;
        let place = u64::from_le_bytes(place) & PRIME;
        let mut value = secret.len() as u64;
        let mut rest = secret;
        while let Some(word) = rest.first_chunk() {
            value = product(value + (u64::from_le_bytes(*word) & FEW_OCTETS), place);
            rest = rest.get(FEW..).unwrap_or_default();
        }
        let last = match secret.last_chunk() {
            // From 1 to 7 of its octets are left.
            Some(word) => u64::from_le_bytes(*word) >> (u64::BITS - 8 * u32::try_from(rest.len()).unwrap_or(0)),
            None => rest.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet)),
        };
        let value = product(value + last, place);
        if value < PRIME { value } else { value - PRIME }
    }
}

/// A Mersenne prime, which makes remainders cheap.
const PRIME: u64 = (1 << 61) - 1;

/// A product in the field of the prime, of a factor below 2⁶² and one below 2⁶¹; the prime may be added to it.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "each part of the product is taken by itself")]
const fn product(value: u64, place: u64) -> u64 {
    let whole = value as u128 * place as u128;
    let folded = (whole as u64 & PRIME) + (whole >> 61) as u64;
    (folded & PRIME) + (folded >> 61)
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(redacted)")
    }
}

/// A credential that a request carried: where it stood, and its keyed hash. The credential itself is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The field name in lower case (`authorization`), or the query parameter's with a leading `?` (`?api_key`).
    pub carrier: Arc<str>,
    /// `k:` and eight hexadecimal digits, see [`HashKey::identity`].
    pub id: Arc<str>,
}

/// A value that never shows itself in a log or a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Wraps a secret.
    pub const fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret, for the one place that must use it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}
