//! Which series a selector means, and their points.

use super::Store;
use super::error::StoreError;
use super::point::{Point, Resolution};
use super::series::Series;
use crate::model::Timestamp;

/// A series with its points.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesPoints {
    /// The series.
    pub series: Series,
    /// How fine the points are.
    pub resolution: Resolution,
    /// In order of time.
    pub points: Vec<Point>,
}

/// The series that a selector means, with their points from `from` to before `to`; those without any are left out.
///
/// # Errors
/// The store cannot be read.
pub fn select(
    store: &dyn Store,
    selector: &str,
    from: Timestamp,
    to: Timestamp,
    resolution: Resolution,
) -> Result<Vec<SeriesPoints>, StoreError> {
    let mut selected = Vec::new();
    for series in store.series() {
        if !matches(selector, &series) {
            continue;
        }
        let points = store.points(series.id, from, to, resolution)?;
        if !points.is_empty() {
            selected.push(SeriesPoints { series, resolution, points });
        }
    }
    Ok(selected)
}

/// Whether a selector means a series. Each of its words, apart by white space, must be found in the provider, owner, host, endpoint, bucket,
/// policy, dimension or scope; the case of ASCII letters does not matter. A word with `*` or `?` must fit one of them whole,
/// any other be part of one. No word at all means every series.
pub fn matches(selector: &str, series: &Series) -> bool {
    let scope = series.key.scope.as_ref();
    let names = [
        series.provider.as_deref(),
        Some(&*series.key.owner),
        Some(&*series.host),
        Some(&*series.endpoint),
        Some(&*series.key.bucket),
        series.policy.as_deref(),
        Some(&*series.key.dimension.0),
        scope.map(|scope| &*scope.kind),
        scope.and_then(|scope| scope.id.as_deref()),
    ];
    let names: Vec<String> = names.into_iter().flatten().map(str::to_ascii_lowercase).collect();
    selector.split_whitespace().map(str::to_ascii_lowercase).all(|word| {
        let is_pattern = word.contains(['*', '?']);
        names.iter().any(|name| if is_pattern { fits(word.as_bytes(), name.as_bytes()) } else { name.contains(&word) })
    })
}

/// Whether a name fits a pattern whole: `*` stands for any octets, `?` for one. Goes back to the last star only, so it takes
/// at most the product of both lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star = None;
    while let Some(octet) = name.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == octet => {
                at += 1;
                read += 1;
            }
            _ => match &mut star {
                Some((star_at, star_read)) => {
                    *star_read += 1;
                    (at, read) = (*star_at + 1, *star_read);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|octet| *octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("api.*.com", "api.example.com", true),
            ("api.*.com", "api.example.com.evil", false),
            ("?ore", "core", true),
            ("?ore", "ore", false),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxbxxbd", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
