//! JSON as error bodies hold it: read once, asked in a few places, thrown away.
//!
//! Names and texts stay where they are in the body, and the members of an object stay a list: to hash them would take longer
//! than all the questions that are asked.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A JSON value.
///
/// Source: RFC 8259.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Flag(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// In the order of the body; of members with one name the last counts.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Json<'a> {
    /// Reads a whole text; `None` where it is no JSON, or nested too deep.
    pub(super) fn read(octets: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(octets).ok()
    }

    /// The member of that name, where it is an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The element at an index of a list, or the member of that name of an object: a step of a JSON pointer.
    ///
    /// Source: RFC 6901 section 4.
    pub(super) fn step(&self, step: &str) -> Option<&Self> {
        match self {
            Self::List(list) => step.parse().ok().and_then(|index: usize| list.get(index)),
            _ => self.get(step),
        }
    }

    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(number).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::new();
        while let Some((Name(name), value)) = members.next_entry()? {
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

/// The name of a member.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The same, as the library reads it.
    fn value(json: &Json<'_>) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Flag(flag) => Value::Bool(*flag),
            Json::Number(number) => Value::Number(number.clone()),
            Json::Text(text) => Value::String(text.to_string()),
            Json::List(list) => list.iter().map(value).collect(),
            Json::Object(members) => members
                .iter()
                .map(|(name, member)| (name.to_string(), value(member)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    fn check(text: &[u8]) {
        let (own, wanted) = (Json::read(text), serde_json::from_slice::<Value>(text).ok());
        assert_eq!(own.as_ref().map(value), wanted);
        if let (Some(own), Some(Value::Object(wanted))) = (own, wanted) {
            for (name, member) in &wanted {
                assert_eq!(own.get(name).map(value).as_ref(), Some(member));
            }
        }
    }

    #[test]
    fn reads_what_the_library_reads() {
        for text in [
            r#"{"a":1,"b":[1.5,-2,1e400,18446744073709551615,null,true],"a":"\u00e9\n","":{}}"#,
            r" [ ] ",
            r#"{"a":1} x"#,
            r#"{"a":"#,
            "\"\\ud800\"",
            "",
        ] {
            check(text.as_bytes());
        }
        check(&b"[".repeat(200));
        assert_eq!(
            Json::read(br#"{"a":1,"a":[7]}"#).unwrap().step("a").and_then(|list| list.step("0")).and_then(
                |n| match n {
                    Json::Number(number) => number.as_i64(),
                    _ => None,
                }
            ),
            Some(7)
        );
    }

    proptest! {
        #[test]
        fn reads_the_same_from_any_octets(text in proptest::string::string_regex(r#"[\[\]{}",:0-9eE.a\\ \-]{0,24}"#).unwrap()) {
            check(text.as_bytes());
        }
    }
}
