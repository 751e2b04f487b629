//! Field lines as loggers write them in JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::json_scalar::{Scalar, ScalarVisitor};
use crate::model::{Fields, Interest};

/// Field lines kept of one response; servers answer 100 to 200 field lines with an error long before.
const FIELDS: usize = 512;

/// Field lines: an object whose values may be arrays, or an array of pairs.
#[derive(Default)]
pub(super) struct FieldLines<'a>(Vec<(Cow<'a, str>, Values<'a>)>);

impl FieldLines<'_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.0
            .iter()
            .flat_map(|(name, values)| values.0.iter().filter_map(move |value| Some((name.as_ref(), value.text()?))))
    }

    pub(super) fn first(&self, wanted: &str) -> Option<Cow<'_, str>> {
        self.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    }

    pub(super) fn wanted(&self, interest: &dyn Interest) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in self.iter().filter(|(name, _)| interest.response_field(name.as_bytes())).take(FIELDS) {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }
}

impl<'de> Deserialize<'de> for FieldLines<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldLinesVisitor)
    }
}

struct FieldLinesVisitor;

impl<'de> Visitor<'de> for FieldLinesVisitor {
    type Value = FieldLines<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("field lines: an object, or an array of pairs")
    }

    fn visit_unit<E>(self) -> Result<FieldLines<'de>, E> {
        Ok(FieldLines::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldLines<'de>, A::Error> {
        let mut lines = Vec::new();
        while let Some((name, values)) = map.next_entry::<Scalar<'_>, Values<'_>>()? {
            if let Scalar::Text(name) = name {
                lines.push((name, values));
            }
        }
        Ok(FieldLines(lines))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FieldLines<'de>, A::Error> {
        let mut lines = Vec::new();
        while let Some(Values(pair)) = seq.next_element::<Values<'_>>()? {
            let mut pair = pair.into_iter();
            if let (Some(Scalar::Text(name)), Some(value)) = (pair.next(), pair.next()) {
                lines.push((name, Values(vec![value])));
            }
        }
        Ok(FieldLines(lines))
    }
}

/// One value, or an array of them.
struct Values<'a>(Vec<Scalar<'a>>);

impl<'de> Deserialize<'de> for Values<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or an array of them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Values(values))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Values<'de>, E> {
        one(ScalarVisitor.visit_borrowed_str(text))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Values<'de>, E> {
        one(ScalarVisitor.visit_str(text))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Values<'de>, E> {
        one(ScalarVisitor.visit_u64(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Values<'de>, E> {
        one(ScalarVisitor.visit_i64(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Values<'de>, E> {
        one(ScalarVisitor.visit_f64(number))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Values<'de>, E> {
        one(ScalarVisitor.visit_bool(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Values<'de>, E> {
        one(ScalarVisitor.visit_unit())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Values<'de>, A::Error> {
        one(ScalarVisitor.visit_map(map))
    }
}

fn one<E>(value: Result<Scalar<'_>, E>) -> Result<Values<'_>, E> {
    value.map(|value| Values(vec![value]))
}
