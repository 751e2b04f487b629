//! Hashes that need no hashing.

use std::hash::{BuildHasherDefault, Hasher};

/// Takes a number as its hash: one that the caller hashed with a key, or a serial number, which nobody can choose to collide.
pub(crate) type AsIs = BuildHasherDefault<Number>;

/// The number that was written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Number(u64);

impl Hasher for Number {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        self.0 = octets.iter().fold(self.0, |hash, octet| hash.rotate_left(8) ^ u64::from(*octet));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
