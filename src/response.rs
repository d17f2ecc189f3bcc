//! Reads and writes the answers of every endpoint: status and body.
//!
//! Decoding needs no header of the answer: Omise answers with `Content-Type: application/json; charset=utf-8` and repeats
//! the request's `Omise-Version`.

use alloc::vec::Vec;
use core::{error::Error, fmt};

use serde::Serialize;

use crate::{
    ApiError, LinkedAccount, LinkedAccountId,
    attributes::{self, Object, ParseError},
};

/// The most bytes of one account's JSON that are read: 15,000 characters of metadata at 12 bytes each (a surrogate pair,
/// escaped) are 180 KB, two addresses of 2 KB and the rest add less than 10 KB.
pub const MAX_ACCOUNT: usize = 256 * 1024;

/// The most bytes of a list or a page of results that are read: 100 accounts with 40 KB each, far above what real ones
/// have; it is the reader's memory that is guarded here.
pub const MAX_PAGE: usize = 4 * 1024 * 1024;

/// An answer without the object that was asked for.
///
/// Decoding takes the status and the raw body. The body is in the form of [`API_VERSION`](crate::API_VERSION) if the request had the
/// header `Omise-Version`; `Content-Type` says how Omise reads the request's own body. [`Request`](crate::Request) lists both.
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
    Json(ParseError),
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
            Cause::Json(ParseError::Json(error)) => {
                write!(f, "expected another object or form at line {} column {}", error.line(), error.column())
            }
            Cause::Json(ParseError::Attribute(misread)) => misread.fmt(f),
            Cause::OtherId => f.write_str("expected the account that was asked for, found another"),
        }
    }
}

impl Error for Unreadable {}

/// Reads an answer of at most `most` bytes.
pub(crate) fn read<T: Object>(status: u16, body: &[u8], most: usize) -> Result<T, ResponseError> {
    match status {
        200 if body.len() > most => Err(Cause::TooLarge(most).into()),
        200 => attributes::parse(body).map_err(|error| Cause::Json(error).into()),
        400..=599 => Err(ResponseError::Api(ApiError::decode(status, body))),
        _ => Err(Cause::Status(status).into()),
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

/// A type for an attribute `object` that has one value.
macro_rules! object_name {
    ($type:ident, $name:literal) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        struct $type;

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($name)
            }
        }
    };
}
pub(crate) use object_name;
