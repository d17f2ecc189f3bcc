//! JSON as a stranger sends it.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::{error::Error, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::Number;

/// A JSON value from outside, before any rule is applied: members keep their order and their duplicates, so that the rules
/// can name them.
///
/// An array's elements are dropped, since nothing that we read is an array. Texts are held as `S`: parsed JSON owns them.
///
/// Caps: [`Json::MAX_LEN`] bytes; 128 levels of nesting, by `serde_json`; and so at most 52,428 members, as each takes five
/// bytes (`"":0,`). Work is linear in the text.
///
/// ```
/// use omise_linked_accounts::Json;
///
/// let Json::Object(members) = Json::parse(br#"{"type":"a","type":"b"}"#)? else { unreachable!() };
/// assert_eq!(members.len(), 2);
/// # Ok::<(), omise_linked_accounts::JsonError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Json<S = String> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; `None` where JavaScript could not carry it without loss.
    Number(Option<Number>),
    /// A string.
    String(S),
    /// An array, its elements dropped.
    Array,
    /// An object.
    Object(Vec<(S, Json<S>)>),
}

impl Json {
    /// The longest text that is read, in bytes. The largest legal request is 15,000 characters of metadata at 12 bytes each
    /// (a surrogate pair, escaped), 180 KB, and some 15 KB of addresses and names beside it.
    pub const MAX_LEN: usize = 256 * 1024;

    /// Parses exactly one JSON text (RFC 8259) in UTF-8, without a byte order mark.
    ///
    /// # Errors
    ///
    /// [`JsonError`] with line and column, or where the text is too long.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(JsonError(Cause::TooLong));
        }
        serde_json::from_slice(bytes).map_err(|e| JsonError(Cause::Syntax { line: e.line(), column: e.column() }))
    }
}

impl<S> Json<S> {
    /// What this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Number(_) => Kind::Number,
            Self::String(_) => Kind::String,
            Self::Array => Kind::Array,
            Self::Object(_) => Kind::Object,
        }
    }
}

/// What a JSON value is. It displays as a sentence can name it: `a string`, `an object`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Number(Number::from_i64(value)))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Number(i64::try_from(value).ok().and_then(Number::from_i64)))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Number(Number::from_f64(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::String(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Json, E> {
                Ok(Json::String(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                while seq.next_element::<Json>()?.is_some() {}
                Ok(Json::Array)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The text is not JSON, or too long. It names the place and never repeats the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError(Cause);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    Syntax { line: usize, column: usize },
    TooLong,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::Syntax { line, column } => {
                write!(f, "expected JSON; reading stopped at line {line} column {column}")
            }
            Cause::TooLong => write!(f, "expected at most {} bytes", Json::MAX_LEN),
        }
    }
}

impl Error for JsonError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_not_json() {
        let deep = "[".repeat(10_000);
        for text in ["", " ", "{", "{}{}", "NaN", "\u{feff}{}", "{'a':1}", r#""\ud800""#, "1e400", "{\"a\":1,}", &deep]
        {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text:.20}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
        for text in ["[NaN]", "[1e400]", r#"["\ud800"]"#] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        let text = |len: usize| format!("\"{}\"", "a".repeat(len - 2));
        assert!(Json::parse(text(Json::MAX_LEN).as_bytes()).is_ok());
        assert!(Json::parse(text(Json::MAX_LEN + 1).as_bytes()).is_err());
    }

    #[test]
    fn numbers_that_javascript_would_change_are_marked() {
        for (text, kept) in [
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("-9007199254740991", true),
            ("18446744073709551616", false),
            ("0.5", true),
        ] {
            let Json::Number(number) = Json::parse(text.as_bytes()).unwrap() else { panic!("{text}") };
            assert_eq!(number.is_some(), kept, "{text}");
        }
    }

    /// Any bytes, which are seldom JSON, and as often what looks like it.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let json = r#"\[(-?[0-9]{1,4}(\.[0-9]{0,2})?|"[a-z\\]{0,3}"|tru?e|\{"a":[0-9]?\})(,null)?\]"#;
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), json.prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in bytes()) {
            let ours = Json::parse(&bytes).is_ok();
            prop_assert_eq!(ours, serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
