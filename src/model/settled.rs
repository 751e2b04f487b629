//! Names that are known together.

/// Stands for all that an exchange names: exchanges of one number name the same host, endpoint and provider, the same party, what
/// their only reading counts, if they have one, and the same error code or none; none of them names a bucket, a policy, another
/// party or a declared quota.
///
/// [`Bounds`](crate::extract::Bounds) gives each number once, so that what else was found by these names is found again by the
/// number alone. A number of other bounds says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledNames(pub u64);
