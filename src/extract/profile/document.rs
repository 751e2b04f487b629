//! A TOML document that knows where each of its values stands, so that an error can name file, line and key.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ProfileError;

/// The text that a document was read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) text: &'a str,
}

impl Origin<'_> {
    /// An error at a place in the text.
    pub(super) fn error(
        &self,
        span: &Range<usize>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> ProfileError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let key = key.into();
        ProfileError {
            origin: Arc::clone(self.name),
            line: Some(before.split('\n').count()),
            key: (!key.is_empty()).then_some(key),
            message: message.into(),
        }
    }

    /// The document.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'_>>, ProfileError> {
        DeTable::parse(self.text).map_err(|e| self.error(&e.span().unwrap_or_default(), "", e.message()))
    }
}

/// A table of the document.
#[derive(Debug, Clone)]
pub(super) struct Table<'a> {
    origin: Origin<'a>,
    path: String,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
}

/// A value of the document.
#[derive(Debug, Clone)]
pub(super) struct Value<'a> {
    origin: Origin<'a>,
    path: String,
    content: &'a DeValue<'a>,
    span: Range<usize>,
}

impl<'a> Table<'a> {
    pub(super) fn root(origin: Origin<'a>, document: &'a Spanned<DeTable<'a>>) -> Self {
        Self { origin, path: String::new(), entries: document.get_ref(), span: 0..0 }
    }

    /// An error about the whole table.
    pub(super) fn error(&self, message: impl Into<String>) -> ProfileError {
        self.origin.error(&self.span, self.path.as_str(), message)
    }

    /// Refuses keys that nothing reads.
    pub(super) fn accept(&self, accepted: &[&str]) -> Result<(), ProfileError> {
        let unknown =
            self.entries.keys().filter(|key| !accepted.contains(&&**key.get_ref())).min_by_key(|k| k.span().start);
        let Some(key) = unknown else { return Ok(()) };
        let path = self.path_of(key.get_ref());
        Err(self.origin.error(&key.span(), path, format!("unknown key; accepted are {}", accepted.join(", "))))
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<Value<'a>> {
        let (_, value) = self.entries.iter().find(|(k, _)| k.get_ref() == key)?;
        Some(Value { origin: self.origin, path: self.path_of(key), content: value.get_ref(), span: value.span() })
    }

    /// All keys with their values, by key.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.entries.iter().map(|(key, value)| {
            let path = self.path_of(key.get_ref());
            (&**key.get_ref(), Value { origin: self.origin, path, content: value.get_ref(), span: value.span() })
        })
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A key's string.
    pub(super) fn string(&self, key: &str) -> Result<Option<&'a str>, ProfileError> {
        self.value(key).map(|v| v.string()).transpose()
    }

    /// A key's strings: an array, or a single one.
    pub(super) fn strings(&self, key: &str) -> Result<Vec<(&'a str, Value<'a>)>, ProfileError> {
        self.value(key).map_or_else(|| Ok(Vec::new()), |v| v.strings())
    }

    /// A key's truth value.
    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, ProfileError> {
        self.value(key).map(|v| v.content.as_bool().ok_or_else(|| v.error("must be true or false"))).transpose()
    }

    /// A key's tables.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Self>, ProfileError> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let wrong = || value.error(format!("must be tables; write [[{}]]", value.path));
        value.items().ok_or_else(wrong)?.into_iter().map(|item| item.table().ok_or_else(wrong)).collect()
    }

    /// A key's table.
    pub(super) fn table(&self, key: &str) -> Result<Option<Self>, ProfileError> {
        self.value(key)
            .map(|v| v.table().ok_or_else(|| v.error(format!("must be a table; write [{}]", v.path))))
            .transpose()
    }
}

impl<'a> Value<'a> {
    /// An error about it.
    pub(super) fn error(&self, message: impl Into<String>) -> ProfileError {
        self.origin.error(&self.span, self.path.as_str(), message)
    }

    pub(super) fn string(&self) -> Result<&'a str, ProfileError> {
        match self.content {
            DeValue::String(text) => Ok(text),
            other => Err(self.error(format!("must be a string, not {}", article(other.type_str())))),
        }
    }

    pub(super) fn strings(&self) -> Result<Vec<(&'a str, Self)>, ProfileError> {
        match self.items() {
            Some(items) => items.into_iter().map(|item| Ok((item.string()?, item))).collect(),
            None => Ok(vec![(self.string()?, self.clone())]),
        }
    }

    /// The text of a string or of an integer: error codes are either.
    pub(super) fn word(&self) -> Result<String, ProfileError> {
        match self.content {
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
            _ => self.string().map(str::to_owned),
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        let text = match self.content {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return None,
        };
        text.replace('_', "").parse().ok()
    }

    pub(super) fn table(&self) -> Option<Table<'a>> {
        let entries = self.content.as_table()?;
        Some(Table { origin: self.origin, path: self.path.clone(), entries, span: self.span.clone() })
    }

    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let items = self.content.as_array()?;
        let item = |(at, item): (usize, &'a Spanned<DeValue<'a>>)| Self {
            origin: self.origin,
            path: format!("{}[{at}]", self.path),
            content: item.get_ref(),
            span: item.span(),
        };
        Some(items.iter().enumerate().map(item).collect())
    }
}

fn article(noun: &str) -> String {
    if noun.starts_with(['a', 'i']) { format!("an {noun}") } else { format!("a {noun}") }
}
