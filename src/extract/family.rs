//! Which family of the survey a response is of.

use super::dialect::{Headers, Quota};

/// The family of the response as a whole; absent where it says nothing.
pub(super) fn family(quotas: &[Quota], headers: &Headers<'_>, body_speaks: bool) -> Option<&'static str> {
    // The fields of one provider are one family: the one that says most of their shape.
    const RISING: [&str; 3] = ["vendor-triple", "per-dimension", "window-in-name"];
    let rank = |family: &str| RISING.iter().position(|other| *other == family).map_or(0, |place| place + 1);
    if let [only] = quotas
        && !only.body
        && only.limit.is_some()
        && only.remaining.is_some()
    {
        return Some(only.family);
    }
    let mut owners: Vec<(u64, &'static str)> = Vec::new();
    for quota in quotas.iter().filter(|quota| !quota.body) {
        match owners.iter_mut().find(|(owner, _)| *owner == quota.owner) {
            Some((_, family)) if (rank(quota.family), quota.family) > (rank(family), *family) => *family = quota.family,
            Some(_) => {}
            None => owners.push((quota.owner, quota.family)),
        }
    }
    let mut families: Vec<&'static str> = owners.into_iter().map(|(_, family)| family).collect();
    families.sort_unstable();
    families.dedup();
    let only = |wanted: fn(&Quota) -> bool| {
        quotas.iter().all(|q| wanted(q) && !q.body && q.utilization.is_none() && q.reset.is_none())
    };
    match families.as_slice() {
        [] => {}
        [one @ ("x-ratelimit" | "x-rate-limit" | "ietf-08+" | "parallel-list" | "ratio" | "per-dimension")] => {
            return Some(one);
        }
        _ if only(|q| q.limit.is_none() && q.used.is_none()) => return Some("remaining-only"),
        _ if only(|q| q.limit.is_none() && q.remaining.is_none()) => return Some("used-only"),
        ["vendor-triple"] if only(|q| q.remaining.is_none() && q.used.is_none()) => return Some("limit-only"),
        [one] => return Some(one),
        _ => return Some("mixed"),
    }
    if headers.spoke {
        return Some("malformed");
    }
    if headers.retry_after.is_some() || headers.refused {
        return Some("retry-after-only");
    }
    if headers.scope.is_some() {
        return Some("scope-only");
    }
    (body_speaks || headers.code.is_some() || headers.grpc_status == Some(b"8")).then_some("body-only")
}
