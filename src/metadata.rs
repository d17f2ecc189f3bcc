//! What a shop may attach to a linked account.

use alloc::{boxed::Box, string::ToString, vec::Vec};
use core::{error::Error, fmt};

use serde::{Serialize, Serializer, ser::SerializeMap};

/// The metadata of a create request: names with strings, numbers or booleans, in the order given.
///
/// Omise documents form encoding, `metadata[name]=value`, which carries nothing else; so null and nesting are refused by
/// name, and numbers travel as text. The compact JSON serialisation is at most [`Metadata::MAX_CHARS`] characters.
///
/// Metadata cannot be changed after creation: Omise has no endpoint for it.
///
/// ```
/// use omise_linked_accounts::{Metadata, Scalar};
///
/// let mut metadata = Metadata::new();
/// metadata.insert("order", Scalar::from("A-17"))?;
/// assert_eq!(metadata.json_chars(), r#"{"order":"A-17"}"#.chars().count());
/// # Ok::<(), omise_linked_accounts::MetadataError>(())
/// ```
///
/// Source: Omise "Metadata" (top level is a hash); 15,000 characters from a secondary document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(Box<str>, Scalar)>);

impl Metadata {
    /// The most characters (Unicode scalar values) that the compact JSON form may have.
    pub const MAX_CHARS: usize = 15_000;

    /// Names that begin with this are the Worker's: a customer's request may not use them, and answers do not show them.
    pub const RESERVED_PREFIX: &'static str = "linked_accounts_";

    /// The name of the Worker's stamp, which tells whose account it is.
    pub const STAMP: &'static str = "linked_accounts_stamp";

    /// How many characters the stamp has.
    pub const STAMP_CHARS: usize = 102;

    /// No metadata.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one entry.
    ///
    /// # Errors
    ///
    /// [`MetadataError`] where the name is empty, has square brackets or is already there, or the whole would exceed
    /// [`Self::MAX_CHARS`]; the metadata is then as it was.
    pub fn insert(&mut self, name: &str, value: Scalar) -> Result<(), MetadataError> {
        if !Self::is_name(name) {
            return Err(MetadataError::Name);
        }
        if self.get(name).is_some() {
            return Err(MetadataError::Duplicate);
        }
        self.0.push((name.into(), value));
        if self.json_chars() > Self::MAX_CHARS {
            self.0.pop();
            return Err(MetadataError::TooLong);
        }
        Ok(())
    }

    /// The value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        self.0.iter().find(|(n, _)| &**n == name).map(|(_, value)| value)
    }

    /// The entries in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Scalar)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many characters (Unicode scalar values) the compact JSON form has.
    #[must_use]
    pub fn json_chars(&self) -> usize {
        let entries: usize = self.iter().map(|(name, value)| entry_chars(name, value)).sum();
        // the braces, and a comma between entries
        2 + entries + self.0.len().saturating_sub(1)
    }

    /// Whether form encoding, which writes `metadata[name]`, can carry the name.
    pub(crate) fn is_name(name: &str) -> bool {
        !name.is_empty() && !name.bytes().any(|b| matches!(b, b'[' | b']'))
    }

    /// Builds metadata from entries whose names are known to differ and whose size the caller checks.
    pub(crate) fn from_checked(entries: Vec<(Box<str>, Scalar)>) -> Self {
        Self(entries)
    }
}

/// The characters that one entry takes in compact JSON: `"name":value`.
fn entry_chars(name: &str, value: &Scalar) -> usize {
    let value = match value {
        Scalar::String(text) => string_chars(text),
        other => other.as_text().len(),
    };
    string_chars(name) + 1 + value
}

/// The characters of a JSON string with its quotes: `\"`, `\\` and the five short escapes take two, other controls six.
pub(crate) fn string_chars(text: &str) -> usize {
    let escaped = |b: u8| match b {
        b'"' | b'\\' | 0x8 | b'\t' | b'\n' | 0xc | b'\r' => 2,
        0..=0x1f => 6,
        // not the first byte of a character
        0x80..=0xbf => 0,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// One value of [`Metadata`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Text.
    String(Box<str>),
    /// A number, kept as the text that JSON writes for it.
    Number(Number),
    /// True or false.
    Bool(bool),
}

impl Scalar {
    /// The text that form encoding carries.
    #[must_use]
    pub fn as_text(&self) -> &str {
        match self {
            Self::String(text) => text,
            Self::Number(number) => number.as_str(),
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => serializer.serialize_str(text),
            Self::Number(number) => number.serialize(serializer),
            Self::Bool(value) => serializer.serialize_bool(*value),
        }
    }
}

/// A number that JSON and JavaScript both carry without loss: finite, and if whole, within ±(2⁵³ − 1).
///
/// A longer number (an order number, say) belongs in a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(Box<str>);

impl Number {
    /// 2⁵³ − 1, JavaScript's `Number.MAX_SAFE_INTEGER`.
    const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

    /// A whole number; `None` beyond ±(2⁵³ − 1).
    #[must_use]
    pub fn from_i64(value: i64) -> Option<Self> {
        (value.unsigned_abs() <= Self::MAX_SAFE_INTEGER).then(|| Self(value.to_string().into()))
    }

    /// A number; `None` where it is not finite, or whole and beyond ±(2⁵³ − 1).
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        // adding 0.0 makes a plain zero of −0.0, whose sign JSON would not bring back
        Self::is_exact(value).then(|| Self((value + 0.0).to_string().into()))
    }

    /// A number of JavaScript's that is exact, as its engine writes it: formatting a double here as well would cost the browser
    /// 8 KB.
    #[cfg(feature = "validate")]
    pub(crate) fn from_js(text: &str) -> Self {
        Self(text.into())
    }

    fn is_exact(value: f64) -> bool {
        #[allow(clippy::cast_precision_loss)] // 2⁵³ − 1 is exact in an f64
        let safe = value % 1.0 != 0.0 || value.abs() <= Self::MAX_SAFE_INTEGER as f64;
        value.is_finite() && safe
    }

    /// The number as JSON writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;

        // raw, so that what is written is what was counted
        let raw = serde_json::value::RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Why an entry cannot be added to [`Metadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// The name is empty, or has square brackets.
    Name,
    /// The name is there already.
    Duplicate,
    /// The whole would exceed [`Metadata::MAX_CHARS`].
    TooLong,
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("expected a name without square brackets, and not empty"),
            Self::Duplicate => f.write_str("the name appears twice"),
            Self::TooLong => {
                write!(f, "expected at most {} characters of JSON in all", Metadata::MAX_CHARS)
            }
        }
    }
}

impl Error for MetadataError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            any::<String>().prop_map(|s| Scalar::String(s.into())),
            any::<bool>().prop_map(Scalar::Bool),
            (-9_007_199_254_740_991..=9_007_199_254_740_991_i64)
                .prop_filter_map("unsafe", |n| Number::from_i64(n).map(Scalar::Number)),
            (-1e6..1e6_f64).prop_filter_map("unsafe", |n| Number::from_f64(n).map(Scalar::Number)),
        ]
    }

    #[test]
    fn the_limit_counts_characters_of_the_whole() {
        let mut metadata = Metadata::new();
        // {"k":"…"} is 8 characters around the text
        metadata.insert("k", Scalar::from("ก".repeat(Metadata::MAX_CHARS - 8).as_str())).unwrap();
        assert_eq!(metadata.json_chars(), Metadata::MAX_CHARS);
        assert_eq!(metadata.insert("a", Scalar::from("")), Err(MetadataError::TooLong));
        for name in ["", "a[b]", "a[", "]"] {
            assert_eq!(metadata.insert(name, Scalar::from("")), Err(MetadataError::Name), "{name}");
        }
        assert_eq!(metadata.iter().count(), 1);
        assert_eq!(metadata.insert("k", Scalar::from("")), Err(MetadataError::Duplicate));
    }

    #[test]
    fn prototype_names_are_plain_data() {
        let mut metadata = Metadata::new();
        for name in ["__proto__", "constructor", "toString"] {
            metadata.insert(name, Scalar::from("x")).unwrap();
        }
        assert_eq!(serde_json::to_string(&metadata).unwrap(), r#"{"__proto__":"x","constructor":"x","toString":"x"}"#);
    }

    proptest! {
        #[test]
        fn counted_without_writing(entries in proptest::collection::btree_map("[^\\[\\]]{1,20}", scalar(), 0..6)) {
            let mut metadata = Metadata::new();
            for (name, value) in &entries {
                metadata.insert(name, value.clone()).unwrap();
            }
            let json = serde_json::to_string(&metadata).unwrap();
            prop_assert_eq!(metadata.json_chars(), json.chars().count());
            let back: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.len(), entries.len());
        }
    }
}
