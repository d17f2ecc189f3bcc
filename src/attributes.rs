//! The attributes of Omise's objects, taken by name.
//!
//! A derived reader is compiled for each type and each source of JSON, some 15 KB for an account. This one is compiled once
//! for each source, and what it kept is read value by value.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::Timestamp;

/// An object that is read attribute by attribute.
pub(crate) trait Object: Sized {
    /// The names of its attributes. Others are skipped, whatever they hold.
    const NAMES: &'static [&'static str];

    /// Takes the attributes.
    fn read(attributes: &Attributes) -> Result<Self, Misread>;
}

/// The attribute that is missing or not of the expected form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misread(pub(crate) &'static str);

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected another form of {}", self.0)
    }
}

/// Reads an object from JSON.
pub(crate) fn parse<T: Object>(json: &[u8]) -> Result<T, ParseError> {
    T::read(&Attributes::parse(T::NAMES, json).map_err(ParseError::Json)?).map_err(ParseError::Attribute)
}

/// Why bytes are not the JSON of an [`Object`].
#[derive(Debug)]
pub(crate) enum ParseError {
    /// No JSON object, or an attribute appears twice.
    Json(serde_json::Error),
    /// An attribute is not what it should be.
    Attribute(Misread),
}

/// For `Deserialize` of an [`Object`].
pub(crate) fn deserialize<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read(&deserializer.deserialize_map(Names(T::NAMES))?).map_err(D::Error::custom)
}

/// The attributes that were asked for, each value as it was written. None of them appeared twice.
pub(crate) struct Attributes(Vec<(&'static str, Box<RawValue>)>);

impl Attributes {
    /// Reads a JSON object.
    pub(crate) fn parse(names: &'static [&'static str], json: &[u8]) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let attributes = deserializer.deserialize_map(Names(names))?;
        deserializer.end()?;
        Ok(attributes)
    }

    /// The JSON of an attribute; `None` where it is absent or null.
    fn get(&self, name: &str) -> Option<&RawValue> {
        let (_, raw) = self.0.iter().find(|(found, _)| *found == name)?;
        (raw.get() != "null").then_some(raw)
    }

    /// An attribute; `None` where it is absent or null.
    pub(crate) fn optional<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, Misread> {
        let read = |raw: &RawValue| serde_json::from_slice(raw.get().as_bytes()).map_err(|_| Misread(name));
        self.get(name).map(read).transpose()
    }

    /// An attribute that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, Misread> {
        self.optional(name)?.ok_or(Misread(name))
    }

    /// An attribute that documents disagree about, or that nothing depends on: what is not of the expected kind is read as if
    /// it were absent, so that it cannot make the rest unreadable.
    pub(crate) fn tolerant<T: DeserializeOwned>(&self, name: &'static str) -> Option<T> {
        self.optional(name).ok().flatten()
    }

    /// An attribute that is a text of some form; `None` where it is absent or null.
    pub(crate) fn parsed<T, E>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Misread> {
        let text: Option<String> = self.optional(name)?;
        text.map(|text| parse(&text).map_err(|_| Misread(name))).transpose()
    }

    /// A time; `None` where it is absent or null.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Misread> {
        self.parsed(name, Timestamp::parse)
    }

    /// When the object was created: `created` in API versions before 2019-05-29.
    pub(crate) fn created_at(&self) -> Result<Timestamp, Misread> {
        const NAME: &str = "created_at";
        match (self.time(NAME)?, self.time("created")?) {
            (Some(time), None) | (None, Some(time)) => Ok(time),
            _ => Err(Misread(NAME)),
        }
    }

    /// A whole number that must be there.
    pub(crate) fn number<T: TryFrom<u64>>(&self, name: &'static str) -> Result<T, Misread> {
        T::try_from(self.required(name)?).map_err(|_| Misread(name))
    }

    /// Makes sure of the attribute `object`.
    pub(crate) fn is(&self, object: &str) -> Result<(), Misread> {
        let found: String = self.required("object")?;
        if found == object { Ok(()) } else { Err(Misread("object")) }
    }

    /// An attribute as it was written, null included.
    pub(crate) fn raw(&self, name: &'static str) -> Result<Box<RawValue>, Misread> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, raw)| raw.clone()).ok_or(Misread(name))
    }
}

/// Reads an object, or the name of an attribute: which of these it is, if any.
#[derive(Clone, Copy)]
struct Names(&'static [&'static str]);

impl<'de> Visitor<'de> for Names {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut found: Vec<(&'static str, Box<RawValue>)> = Vec::new();
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            match name {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(name) if found.iter().any(|(other, _)| *other == name) => {
                    return Err(A::Error::custom("an attribute appears twice"));
                }
                Some(name) => found.push((name, map.next_value()?)),
            }
        }
        Ok(Attributes(found))
    }
}

struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|name| **name == text).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Attributes, serde_json::Error> {
        Attributes::parse(&["a", "b"], json.as_bytes())
    }

    #[test]
    fn one_object_is_read_and_nothing_else() {
        for json in
            ["", "[]", "[1,2]", "null", "1", "\"a\"", "{", "{\"a\":}", "{\"a\":1}{}", "{\"a\":1,\"a\":2}", "{1:2}"]
        {
            assert!(parse(json).is_err(), "{json}");
        }
        for json in ["{}", " {\"c\":[{}],\"c\":1} ", "{\"\\u0061\":1}"] {
            assert!(parse(json).is_ok(), "{json}");
        }
        assert!(Attributes::parse(&["a"], b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn null_is_as_good_as_absent() {
        for json in ["{}", "{\"a\":null}", "{ \"a\" : null }"] {
            let attributes = parse(json).unwrap();
            assert_eq!(attributes.optional::<String>("a"), Ok(None), "{json}");
            assert_eq!(attributes.required::<String>("a"), Err(Misread("a")), "{json}");
            assert_eq!(attributes.tolerant::<String>("a"), None, "{json}");
        }
    }

    #[test]
    fn another_kind_is_told_by_name_unless_tolerated() {
        let attributes = parse("{\"a\":\"x\",\"b\":4294967296}").unwrap();
        assert_eq!(attributes.required::<String>("a").as_deref(), Ok("x"));
        assert_eq!(attributes.required::<bool>("a"), Err(Misread("a")));
        assert_eq!(attributes.tolerant::<bool>("a"), None);
        assert_eq!(attributes.parsed("a", |_| Err::<(), ()>(())), Err(Misread("a")));
        assert_eq!(attributes.number::<u64>("a"), Err(Misread("a")));
        assert_eq!(attributes.number::<u64>("b"), Ok(4_294_967_296));
        assert_eq!(attributes.number::<u32>("b"), Err(Misread("b")));
        assert_eq!(attributes.is("x"), Err(Misread("object")));
        assert_eq!(attributes.raw("b").unwrap().get(), "4294967296");
        assert_eq!(Misread("b").to_string(), "expected another form of b");
    }
}
