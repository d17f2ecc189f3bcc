//! Metadata as it was read.

use alloc::{borrow::ToOwned, boxed::Box, collections::BTreeSet, string::String, vec::Vec};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use crate::{Metadata, metadata::Scalar};

/// The metadata of an account that was read: any JSON object, each value kept byte for byte, since other systems on the
/// same key may have written nesting, nulls or numbers that no double can hold.
///
/// `null` is read as no metadata.
#[derive(Clone, Debug, Default)]
pub struct RawMetadata(Vec<(String, Box<RawValue>)>);

impl RawMetadata {
    /// No metadata.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The string under `name`; `None` where there is none or it is not a string.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<String> {
        let (_, raw) = self.0.iter().find(|(n, _)| n == name)?;
        serde_json::from_slice(raw.get().as_bytes()).ok()
    }

    /// The entries: name and JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, raw)| (name.as_str(), raw.get()))
    }

    /// Whether a name appears twice.
    pub(crate) fn has_duplicates(&self) -> bool {
        let mut seen = BTreeSet::new();
        !self.iter().all(|(name, _)| seen.insert(name))
    }

    /// Adds a string under `name`, which must be new.
    pub(crate) fn push_string(&mut self, name: String, value: &str) -> Result<(), serde_json::Error> {
        self.0.push((name, serde_json::value::to_raw_value(value)?));
        Ok(())
    }

    /// This metadata without the names that are the Worker's own ([`Metadata::RESERVED_PREFIX`]).
    #[must_use]
    pub fn without_reserved(mut self) -> Self {
        self.0.retain(|(name, _)| !name.starts_with(Metadata::RESERVED_PREFIX));
        self
    }
}

/// What form encoding makes of metadata: every value is a string.
impl From<&Metadata> for RawMetadata {
    fn from(metadata: &Metadata) -> Self {
        let text = |value: &Scalar| serde_json::value::to_raw_value(value.as_text()).ok();
        Self(metadata.iter().filter_map(|(name, value)| Some((name.to_owned(), text(value)?))).collect())
    }
}

impl PartialEq for RawMetadata {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for RawMetadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, raw) in &self.0 {
            map.serialize_entry(name, raw)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for RawMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = RawMetadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<RawMetadata, E> {
                Ok(RawMetadata::new())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMetadata, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(RawMetadata(entries))
            }
        }

        deserializer.deserialize_any(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_byte_for_byte() {
        let text = r#"{"a":12345678901234567890123,"b":{"c":[null,1.50]},"__proto__":"x"}"#;
        let metadata: RawMetadata = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&metadata).unwrap(), text);
        assert_eq!(metadata.string("__proto__").as_deref(), Some("x"));
        assert_eq!(metadata.string("a"), None);
    }

    #[test]
    fn null_is_no_metadata_and_other_kinds_are_refused() {
        assert_eq!(serde_json::from_str::<RawMetadata>("null").unwrap(), RawMetadata::new());
        for text in ["[]", "1", "\"\""] {
            assert!(serde_json::from_str::<RawMetadata>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reserved_names_can_be_left_out() {
        let metadata: RawMetadata = serde_json::from_str(r#"{"linked_accounts_stamp":"1","order":"A"}"#).unwrap();
        assert_eq!(serde_json::to_string(&metadata.without_reserved()).unwrap(), r#"{"order":"A"}"#);
    }
}
