//! The forms that values take: numbers, lists, ratios, pairs.

use crate::extract::{plain, span};

/// More elements than any list seen has; a longer one is not read.
pub(super) const MOST_ELEMENTS: usize = 32;

/// One element of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Element<'a> {
    /// The text before the parameters.
    pub(super) text: &'a [u8],
    /// The number, where it is one.
    pub(super) number: Option<f64>,
    /// The parameter `w` or `window`, in seconds.
    pub(super) window: Option<f64>,
    /// The parameter `name`.
    pub(super) name: Option<&'a [u8]>,
}

/// The elements of all lines of one field; `None` where there are too many.
pub(super) fn elements<'a>(lines: &[&'a [u8]]) -> Option<Vec<Element<'a>>> {
    let mut elements = Vec::new();
    for line in lines {
        // Almost every value is one number.
        if let Some(number) = plain::number(line) {
            elements.push(Element { text: line, number: Some(number), window: None, name: None });
        } else {
            for part in plain::split(line, b',') {
                if elements.len() == MOST_ELEMENTS {
                    return None;
                }
                elements.push(element(part));
            }
        }
    }
    if elements.len() > MOST_ELEMENTS {
        return None;
    }
    Some(elements)
}

/// Whether they all say the same: a proxy joined what two layers said, or both sent a line of their own.
pub(super) fn is_repetition(elements: &[Element<'_>]) -> bool {
    elements.windows(2).all(|pair| matches!(pair, [a, b] if a.text == b.text && a.window == b.window))
}

fn element(part: &[u8]) -> Element<'_> {
    let mut pieces = plain::split(part, b';');
    let text = pieces.next().unwrap_or_default();
    let mut element = Element { text, number: plain::number(text), window: None, name: None };
    if element.number.is_none()
        && let Some((count, window)) = count_per(text)
    {
        (element.number, element.window) = (Some(count), Some(window));
    }
    for piece in pieces {
        if let Some((name, value)) = pair(piece, b'=') {
            match name {
                b"w" | b"window" => element.window = plain::number(value).or_else(|| span::seconds(value)),
                b"name" => element.name = Some(plain::unquoted(value)),
                _ => {}
            }
        }
    }
    element
}

/// What stands before and after the first `separator`, trimmed; `None` where it is missing.
pub(super) fn pair(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|octet| *octet == separator)?;
    let (head, tail) = text.split_at_checked(place)?;
    Some((head.trim_ascii(), tail.get(1..)?.trim_ascii()))
}

/// `100/minute`, `60/1m`: a count per window.
fn count_per(text: &[u8]) -> Option<(f64, f64)> {
    let (count, window) = pair(plain::unquoted(text), b'/')?;
    Some((plain::number(count)?, span::seconds(window).filter(|seconds| *seconds > 0.0)?))
}

/// `32/40`: two numbers.
pub(super) fn ratio(text: &[u8]) -> Option<(f64, f64)> {
    let (first, second) = pair(plain::unquoted(text), b'/')?;
    Some((plain::number(first)?, plain::number(second)?))
}

/// `total=100; remaining=99; resets=41`: pairs, at least two of them with the name of a quota's part.
pub(super) fn is_state(value: &[u8]) -> bool {
    let separator = if value.contains(&b';') { b';' } else { b',' };
    let keys = plain::split(value, separator).take(MOST_ELEMENTS).filter_map(|part| pair(part, b'='));
    keys.filter(|(key, value)| plain::number(value).is_some() && is_part(key)).nth(1).is_some()
}

fn is_part(key: &[u8]) -> bool {
    use super::words::Word;
    let word = super::words::word(&key.to_ascii_lowercase());
    matches!(word, Word::Limit | Word::Total | Word::Remaining | Word::Used | Word::Tally | Word::Reset)
}

/// `20:1`, `4:6:60`: a count, a window in seconds, and perhaps a penalty in seconds.
pub(super) fn count_in_window(text: &[u8]) -> Option<(f64, f64)> {
    let (count, rest) = pair(text, b':')?;
    let window = match pair(rest, b':') {
        Some((window, penalty)) => {
            plain::number(penalty)?;
            window
        }
        None => rest,
    };
    Some((plain::number(count)?, plain::number(window)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms() {
        assert_eq!(ratio(b"32/40"), Some((32.0, 40.0)));
        assert_eq!(ratio(b"32/"), None);
        assert_eq!(count_per(b"60/1m"), Some((60.0, 60.0)));
        assert_eq!(count_in_window(b"20:1"), Some((20.0, 1.0)));
        assert_eq!(count_in_window(b"4:6:60"), Some((4.0, 6.0)));
        assert_eq!(count_in_window(b"4:6:x"), None);
        let list = elements(&[b"100, 100;w=60;comment=\"a, b\"", b"5;window=1m"]).unwrap();
        assert_eq!(
            list.iter().map(|e| (e.number.unwrap(), e.window)).collect::<Vec<_>>(),
            [(100.0, None), (100.0, Some(60.0)), (5.0, Some(60.0))]
        );
        assert!(is_repetition(&elements(&[b"9, 9", b"9"]).unwrap()) && !is_repetition(&list));
        assert_eq!(elements(&["1,".repeat(40).as_bytes()]), None);
    }
}
