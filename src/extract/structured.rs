//! Structured field values: lists and dictionaries with parameters, read as leniently as real servers need.
//!
//! A value that follows RFC 9651 is read by its rules. Servers also send tokens where strings belong, byte sequences
//! that are no base64, `;` followed by spaces: those are read by their shape. A value whose shape is broken (a quote
//! that never ends, a parameter without its value) is not read at all.

use super::plain;

/// More members than any policy list seen has; a longer list is not read.
pub(super) const MOST_MEMBERS: usize = 64;

/// More parameters than any standard has.
const MOST_PARAMETERS: usize = 16;

/// One member of a list or a dictionary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    /// The key, in a dictionary.
    pub(super) key: Option<String>,
    /// The value.
    pub(super) value: Bare,
    /// The parameters in their order.
    pub(super) parameters: Vec<(String, Bare)>,
}

/// A value without its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bare {
    /// An integer or a decimal; it may be negative.
    Number(f64),
    /// A quoted string.
    Text(String),
    /// A word without quotes.
    Token(String),
    /// A byte sequence, as it was written.
    Bytes(Vec<u8>),
    /// A flag.
    Flag(bool),
    /// A date or a text in a human language: no quota's part is one.
    Other,
}

impl Bare {
    /// The number, where it is one and not negative.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number).filter(|n| *n >= 0.0),
            _ => None,
        }
    }
}

impl Member {
    /// The value of the first parameter of one of those names.
    pub(super) fn parameter(&self, names: &[&str]) -> Option<&Bare> {
        self.parameters.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value)
    }
}

/// The members of a list or dictionary; `None` where the shape is broken.
pub(super) fn members(value: &[u8]) -> Option<Vec<Member>> {
    if plain::split(value, b',').nth(MOST_MEMBERS).is_some() {
        return None;
    }
    strict(value).or_else(|| lenient(value))
}

/// By the rules of RFC 9651.
fn strict(value: &[u8]) -> Option<Vec<Member>> {
    if let Ok(list) = sfv::Parser::new(value).parse::<sfv::List>() {
        return list.iter().map(|entry| strict_member(None, entry)).collect();
    }
    let dictionary = sfv::Parser::new(value).parse::<sfv::Dictionary>().ok()?;
    dictionary.iter().map(|(key, entry)| strict_member(Some(key.as_str().to_owned()), entry)).collect()
}

fn strict_member(key: Option<String>, entry: &sfv::ListEntry) -> Option<Member> {
    let sfv::ListEntry::Item(item) = entry else { return None };
    let parameters = item.params.iter().map(|(name, value)| Some((name.as_str().to_owned(), strict_bare(value)?)));
    Some(Member { key, value: strict_bare(&item.bare_item)?, parameters: parameters.collect::<Option<_>>()? })
}

fn strict_bare(item: &sfv::BareItem) -> Option<Bare> {
    Some(match item {
        sfv::GenericBareItem::Integer(number) => Bare::Number(number.to_string().parse().ok()?),
        sfv::GenericBareItem::Decimal(number) => Bare::Number(number.to_string().parse().ok()?),
        sfv::GenericBareItem::String(text) => Bare::Text(text.as_str().to_owned()),
        sfv::GenericBareItem::Token(text) => Bare::Token(text.as_str().to_owned()),
        sfv::GenericBareItem::ByteSequence(octets) => Bare::Bytes(octets.clone()),
        sfv::GenericBareItem::Boolean(flag) => Bare::Flag(*flag),
        sfv::GenericBareItem::Date(_) | sfv::GenericBareItem::DisplayString(_) => Bare::Other,
    })
}

/// By shape.
fn lenient(value: &[u8]) -> Option<Vec<Member>> {
    plain::split(value, b',').map(lenient_member).collect()
}

fn lenient_member(text: &[u8]) -> Option<Member> {
    let mut pieces = plain::split(text, b';');
    let first = pieces.next()?;
    let (key, value) = match pair(first) {
        Some((key, value)) => (Some(key), lenient_bare(value)?),
        None => (None, lenient_bare(first)?),
    };
    let mut parameters = Vec::new();
    for piece in pieces {
        if parameters.len() == MOST_PARAMETERS {
            return None;
        }
        parameters.push(match pair(piece) {
            Some((name, value)) => (name, lenient_bare(value)?),
            // A value without a name.
            None if piece.starts_with(b"\"") => (String::new(), lenient_bare(piece)?),
            None => (std::str::from_utf8(piece).ok()?.to_ascii_lowercase(), Bare::Flag(true)),
        });
    }
    Some(Member { key, value, parameters })
}

/// `name=value`, the name a word.
fn pair(text: &[u8]) -> Option<(String, &[u8])> {
    let place = text.iter().position(|octet| *octet == b'=')?;
    let (name, value) = text.split_at_checked(place)?;
    let name = name.trim_ascii();
    let is_word = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_-.*".contains(b));
    let name = std::str::from_utf8(name).ok().filter(|_| is_word)?.to_ascii_lowercase();
    Some((name, value.get(1..)?.trim_ascii()))
}

fn lenient_bare(text: &[u8]) -> Option<Bare> {
    match text {
        [] => None,
        [b'"', inner @ .., b'"'] => unescaped(inner).map(Bare::Text),
        [b':', inner @ .., b':'] => Some(Bare::Bytes(inner.to_vec())),
        [b'%', b'"', .., b'"'] | [b'@', ..] => Some(Bare::Other),
        _ if text.contains(&b'"') => None,
        _ => {
            if let Some(number) = plain::number(text) {
                return Some(Bare::Number(number));
            }
            if let Some(number) = text.strip_prefix(b"-").and_then(plain::number) {
                return Some(Bare::Number(-number));
            }
            let is_token = text.iter().all(|b| b.is_ascii_graphic() && !b"(),;=<>[]{}".contains(b));
            std::str::from_utf8(text).ok().filter(|_| is_token).map(|text| Bare::Token(text.to_owned()))
        }
    }
}

/// The text of a quoted string; `None` where a quote or a lone backslash stands inside.
fn unescaped(inner: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut octets = inner.iter();
    while let Some(octet) = octets.next() {
        text.push(match octet {
            b'"' => return None,
            b'\\' => char::from(*octets.next()?),
            b' '..=b'~' => char::from(*octet),
            _ => return None,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(value: &str) -> Option<Vec<(Option<String>, Bare, usize)>> {
        let members = members(value.as_bytes())?;
        Some(members.into_iter().map(|m| (m.key, m.value, m.parameters.len())).collect())
    }

    #[test]
    fn reads_what_the_standard_and_real_servers_write() {
        let text = |t: &str| Bare::Text(t.to_owned());
        let token = |t: &str| Bare::Token(t.to_owned());
        assert_eq!(shape("\"a\\\"b;c,d\";q=7;w=9").unwrap(), [(None, text("a\"b;c,d"), 2)]);
        assert_eq!(shape("\"x\"; r=1; pk=:not base64!:").unwrap(), [(None, text("x"), 2)]);
        assert_eq!(shape("default;l=1").unwrap(), [(None, token("default"), 1)]);
        assert_eq!(shape("100;w=60, 1000;w=3600").unwrap().len(), 2);
        assert_eq!(shape("Limit=4 , remaining=3").unwrap()[0], (Some("limit".to_owned()), Bare::Number(4.0), 0));
        for broken in ["\"a;r=1", "\"a\";r=50;t=", "limit=abc, remaining=, reset=5", "(1 2)", "a b"] {
            assert_eq!(shape(broken), None, "{broken}");
        }
        assert_eq!(members("1,".repeat(200).as_bytes()), None);
    }
}
