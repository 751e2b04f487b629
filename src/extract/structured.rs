//! Structured field values: lists and dictionaries with parameters, read as leniently as real servers need.
//!
//! A value that follows RFC 9651 is read by its rules. Servers also send tokens where strings belong, byte sequences
//! that are no base64, `;` followed by spaces: those are read by their shape. A value whose shape is broken (a quote
//! that never ends, a parameter without its value) is not read at all.

use std::borrow::Cow;
use std::convert::Infallible;

use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};

use super::plain;

/// More members than any policy list seen has; a longer list is not read.
pub(super) const MOST_MEMBERS: usize = 64;

/// More parameters than any standard has; a member with more is not read by its shape, and only those are kept of it.
const MOST_PARAMETERS: usize = 16;

/// One member of a list or a dictionary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member<'a> {
    /// The key, in a dictionary.
    pub(super) key: Option<Cow<'a, str>>,
    /// The value.
    pub(super) value: Bare<'a>,
    /// The parameters in their order.
    pub(super) parameters: Vec<(Cow<'a, str>, Bare<'a>)>,
}

/// A value without its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bare<'a> {
    /// An integer or a decimal; it may be negative.
    Number(f64),
    /// A quoted string.
    Text(Cow<'a, str>),
    /// A word without quotes.
    Token(&'a str),
    /// A byte sequence, as it was written.
    Bytes(Cow<'a, [u8]>),
    /// A flag.
    Flag(bool),
    /// A date or a text in a human language: no quota's part is one.
    Other,
    /// An inner list, which no quota has.
    List,
}

impl Bare<'_> {
    /// The number, where it is one and not negative.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number).filter(|n| *n >= 0.0),
            _ => None,
        }
    }
}

impl<'a> Member<'a> {
    const fn new(key: Option<Cow<'a, str>>) -> Self {
        Self { key, value: Bare::List, parameters: Vec::new() }
    }

    /// The value of the first parameter of one of those names.
    pub(super) fn parameter(&self, names: &[&str]) -> Option<&Bare<'a>> {
        self.parameters.iter().find(|(name, _)| names.contains(&&**name)).map(|(_, value)| value)
    }
}

/// The members of a list or dictionary; `None` where the shape is broken.
pub(super) fn members(value: &[u8]) -> Option<Vec<Member<'_>>> {
    if value.len() > MOST_MEMBERS && plain::split(value, b',').nth(MOST_MEMBERS).is_some() {
        return None;
    }
    strict(value).or_else(|| lenient(value))
}

/// By the rules of RFC 9651.
fn strict(value: &[u8]) -> Option<Vec<Member<'_>>> {
    let members = match Parser::new(value).parse_list_with_visitor(Members::default()) {
        Ok(list) => list,
        Err(_) => Parser::new(value).parse_dictionary_with_visitor(Members::default()).ok()?,
    };
    members.iter().all(|member| member.value != Bare::List).then_some(members)
}

/// The members that the parser has come to.
#[derive(Default)]
struct Members<'a>(Vec<Member<'a>>);

impl<'a> ListVisitor<'a> for Members<'a> {
    type Out = Vec<Member<'a>>;
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'a>, Infallible> {
        self.0.push(Member::new(None));
        Ok(self.0.last_mut())
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok(self.0)
    }
}

impl<'a> DictionaryVisitor<'a> for Members<'a> {
    type Out = Vec<Member<'a>>;
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        // Of members with one key the last counts (RFC 9651 section 4.2.2).
        let key = key.as_str();
        let place = self.0.iter().position(|member| member.key.as_deref() == Some(key)).unwrap_or(self.0.len());
        if place == self.0.len() {
            self.0.push(Member::new(Some(Cow::Borrowed(key))));
        }
        Ok(self.0.get_mut(place))
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok(self.0)
    }
}

impl<'a> EntryVisitor<'a> for &mut Member<'a> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        self.value = Bare::List;
        Ok(Ignored)
    }
}

impl<'a> ItemVisitor<'a> for &mut Member<'a> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, item: BareItemFromInput<'a>) -> Result<impl ParameterVisitor<'a, Out = ()>, Infallible> {
        self.value = Bare::of(item);
        self.parameters.clear();
        Ok(self)
    }
}

impl<'a> ParameterVisitor<'a> for &mut Member<'a> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'a KeyRef, item: BareItemFromInput<'a>) -> Result<(), Infallible> {
        // Of parameters with one name the last counts (RFC 9651 section 4.2.3.2).
        let (key, item) = (key.as_str(), Bare::of(item));
        let has_room = self.parameters.len() < MOST_PARAMETERS;
        match self.parameters.iter_mut().find(|(known, _)| known == key) {
            Some((_, value)) => *value = item,
            None if has_room => self.parameters.push((Cow::Borrowed(key), item)),
            None => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<'a> Bare<'a> {
    #[expect(clippy::cast_precision_loss, reason = "both have at most 15 digits, which a double holds exactly")]
    fn of(item: BareItemFromInput<'a>) -> Self {
        match item {
            BareItemFromInput::Integer(number) => Self::Number(i64::from(number) as f64),
            BareItemFromInput::Decimal(number) => {
                Self::Number(i64::from(number.as_integer_scaled_1000()) as f64 / 1000.0)
            }
            BareItemFromInput::String(Cow::Borrowed(text)) => Self::Text(Cow::Borrowed(text.as_str())),
            BareItemFromInput::String(Cow::Owned(text)) => Self::Text(Cow::Owned(text.into())),
            BareItemFromInput::Token(text) => Self::Token(text.as_str()),
            BareItemFromInput::ByteSequence(octets) => Self::Bytes(Cow::Owned(octets)),
            BareItemFromInput::Boolean(flag) => Self::Flag(flag),
            BareItemFromInput::Date(_) | BareItemFromInput::DisplayString(_) => Self::Other,
        }
    }
}

/// By shape.
fn lenient(value: &[u8]) -> Option<Vec<Member<'_>>> {
    plain::split(value, b',').map(lenient_member).collect()
}

fn lenient_member(text: &[u8]) -> Option<Member<'_>> {
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
            None if piece.starts_with(b"\"") => (Cow::Borrowed(""), lenient_bare(piece)?),
            None => (lower(std::str::from_utf8(piece).ok()?), Bare::Flag(true)),
        });
    }
    Some(Member { key, value, parameters })
}

/// `name=value`, the name a word.
fn pair(text: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let place = text.iter().position(|octet| *octet == b'=')?;
    let (name, value) = text.split_at_checked(place)?;
    let name = name.trim_ascii();
    let is_word = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_-.*".contains(b));
    let name = std::str::from_utf8(name).ok().filter(|_| is_word).map(lower)?;
    Some((name, value.get(1..)?.trim_ascii()))
}

/// A name in lower case, as almost all are written.
fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn lenient_bare(text: &[u8]) -> Option<Bare<'_>> {
    match text {
        [] => None,
        [b'"', inner @ .., b'"'] => unescaped(inner).map(|text| Bare::Text(Cow::Owned(text))),
        [b':', inner @ .., b':'] => Some(Bare::Bytes(Cow::Borrowed(inner))),
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
            std::str::from_utf8(text).ok().filter(|_| is_token).map(Bare::Token)
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

    /// Key, value, and how many parameters.
    type Shape<'a> = (Option<Cow<'a, str>>, Bare<'a>, usize);

    fn shape(value: &str) -> Option<Vec<Shape<'_>>> {
        let members = members(value.as_bytes())?;
        Some(members.into_iter().map(|m| (m.key, m.value, m.parameters.len())).collect())
    }

    #[test]
    fn reads_what_the_standard_and_real_servers_write() {
        let text = |t: &'static str| Bare::Text(t.into());
        let token = Bare::Token;
        assert_eq!(shape("\"a\\\"b;c,d\";q=7;w=9").unwrap(), [(None, text("a\"b;c,d"), 2)]);
        assert_eq!(shape("\"x\"; r=1; pk=:not base64!:").unwrap(), [(None, text("x"), 2)]);
        assert_eq!(shape("default;l=1").unwrap(), [(None, token("default"), 1)]);
        assert_eq!(shape("100;w=60, 1000;w=3600").unwrap().len(), 2);
        assert_eq!(shape("Limit=4 , remaining=3").unwrap()[0], (Some("limit".into()), Bare::Number(4.0), 0));
        for broken in ["\"a;r=1", "\"a\";r=50;t=", "limit=abc, remaining=, reset=5", "(1 2)", "a b"] {
            assert_eq!(shape(broken), None, "{broken}");
        }
        assert_eq!(members("1,".repeat(200).as_bytes()), None);
        // The last of one name counts.
        assert_eq!(
            shape("a=(1), b=2.5, a=3").unwrap(),
            [(Some("a".into()), Bare::Number(3.0), 0), (Some("b".into()), Bare::Number(2.5), 0)]
        );
        assert_eq!(members(b"\"x\";r=1;r=2").unwrap()[0].parameters, [("r".into(), Bare::Number(2.0))]);
    }
}
