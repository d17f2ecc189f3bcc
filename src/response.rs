//! Reading and writing answers, whatever the endpoint.

use std::{error::Error, fmt};

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{ApiError, LinkedAccount, LinkedAccountId};

/// The most bytes of one account's JSON that are read: 15,000 characters of metadata at 12 bytes each (a surrogate pair,
/// escaped) are 180 KB, two addresses of 2 KB and the rest add less than 10 KB.
pub const MAX_ACCOUNT: usize = 256 * 1024;

/// The most bytes of a list or a page of results that are read: 100 accounts with 40 KB each, far above what real ones
/// have; it is the reader's memory that is guarded here.
pub const MAX_PAGE: usize = 4 * 1024 * 1024;

/// Why an answer of Omise's brings nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResponseError {
    /// Omise refused or failed, and said so.
    Api(ApiError),
    /// A success that cannot be read: not JSON, another object, another account than the one asked for, or too large.
    Unreadable(Unreadable),
}

/// What made a success unreadable. It says where, never what.
#[derive(Debug)]
pub struct Unreadable(Cause);

#[derive(Debug)]
enum Cause {
    Status(u16),
    TooLarge(usize),
    Json(serde_json::Error),
    OtherId,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => error.fmt(f),
            Self::Unreadable(_) => f.write_str("omise's answer cannot be read"),
        }
    }
}

impl Error for ResponseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Api(_) => None,
            Self::Unreadable(cause) => Some(cause),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Status(status) => write!(f, "expected HTTP 200, 4xx or 5xx, found {status}"),
            Cause::TooLarge(most) => write!(f, "expected at most {most} bytes"),
            // serde's own text may quote the value
            Cause::Json(error) => {
                write!(f, "expected another object or form at line {} column {}", error.line(), error.column())
            }
            Cause::OtherId => f.write_str("expected the account that was asked for, found another"),
        }
    }
}

impl Error for Unreadable {}

/// Reads an answer of at most `most` bytes.
pub(crate) fn read<T: DeserializeOwned>(status: u16, body: &[u8], most: usize) -> Result<T, ResponseError> {
    match status {
        200 if body.len() > most => Err(Cause::TooLarge(most).into()),
        200 => read_object(body).map_err(|error| Cause::Json(error).into()),
        400..=599 => Err(ResponseError::Api(ApiError::decode(status, body))),
        _ => Err(Cause::Status(status).into()),
    }
}

/// Reads a JSON object; serde alone would also take an array of the attributes in their order.
pub(crate) fn read_object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, serde_json::Error> {
    if body.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice(body)
    } else {
        Err(serde::de::Error::custom("expected an object"))
    }
}

/// Reads the answer to a call about one account; `id` is the one asked for, where it is known already.
pub(crate) fn decode(id: Option<&LinkedAccountId>, status: u16, body: &[u8]) -> Result<LinkedAccount, ResponseError> {
    let account: LinkedAccount = read(status, body, MAX_ACCOUNT)?;
    if id.is_none_or(|id| *id == account.id) { Ok(account) } else { Err(Cause::OtherId.into()) }
}

impl From<Cause> for ResponseError {
    fn from(cause: Cause) -> Self {
        Self::Unreadable(Unreadable(cause))
    }
}

/// Writes an object as Omise does: pretty-printed with two spaces and a newline at the end.
pub(crate) fn encode(object: &impl Serialize) -> Vec<u8> {
    // strings, numbers and raw JSON always serialise
    let mut json = serde_json::to_vec_pretty(object).unwrap_or_default();
    json.push(b'\n');
    json
}

/// Reads an attribute that documents disagree about, or that nothing depends on: what is not of the expected kind is read as if
/// it were absent, so that it cannot make the rest unreadable.
pub(crate) fn tolerant<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// A type for an attribute `object` that has one value: any other is refused.
macro_rules! object_name {
    ($type:ident, $name:literal) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        struct $type;

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($name)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match <String as serde::Deserialize>::deserialize(deserializer)?.as_str() {
                    $name => Ok(Self),
                    _ => Err(serde::de::Error::custom(concat!("expected object ", $name))),
                }
            }
        }
    };
}
pub(crate) use object_name;
