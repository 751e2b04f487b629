//! Who calls, without keeping what proves it.

use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::{SipHasher13, SipHasher24};

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

    /// A keyed hash of a secret as it stands: equal for equal octets, and of no use without the key. It is compared within one
    /// run and shown nowhere, for which fewer rounds do.
    pub fn fingerprint(&self, secret: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(secret);
        hasher.finish()
    }
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
