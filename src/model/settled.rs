//! Names that are known together.

/// Stands for all that an exchange names: exchanges of one number name the same host, endpoint and provider, the same party, and
/// what their only reading counts, if they have one; none of them names a bucket, a policy, another party, an error code or a
/// declared quota.
///
/// [`Bounds`](crate::extract::Bounds) gives each number once, so that what else was found by these names is found again by the
/// number alone. A number of other bounds says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledNames(pub u64);
