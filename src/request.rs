//! Requests to Omise, without the socket, and the values of the headers that go with them.

use alloc::{borrow::ToOwned, string::String};
use core::{error::Error, fmt};

/// Where Omise's API is.
///
/// Source: Omise "Authentication".
pub const API_ORIGIN: &str = "https://api.omise.co";

/// The API version that these types speak: the value of the `Omise-Version` header of every request.
///
/// Without the header, the default version of the merchant's account decides the form of the answer.
///
/// Source: Omise "API versioning".
pub const API_VERSION: &str = "2019-05-29";

/// The media type of a [`Request`]'s body: the value of its `Content-Type` header.
pub const BODY_TYPE: &str = "application/x-www-form-urlencoded";

/// The HTTP method of a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET: safe and idempotent (RFC 9110 §9.2).
    Get,
    /// POST: neither; never sent twice once bytes may have left.
    Post,
    /// DELETE: idempotent.
    Delete,
}

impl Method {
    /// The method as HTTP writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to Omise, without host and headers. The caller sends it to [`API_ORIGIN`] with these headers:
///
/// | header | value | when |
/// |---|---|---|
/// | `Authorization` | [`SecretKey::authorization`](crate::SecretKey::authorization) | always |
/// | `Omise-Version` | [`API_VERSION`], `2019-05-29` | always |
/// | `Content-Type` | [`BODY_TYPE`], `application/x-www-form-urlencoded` | with a body |
/// | `Idempotency-Key` | the caller's id of the attempt, such as a UUID | POST, optional |
///
/// An unofficial reference alone describes `Idempotency-Key`: it is harmless, and no protection against a second account.
/// The [example](crate#example) sends all of them.
///
/// Sources: Omise "Authentication", "API versioning"; the unofficial "Idempotency" (michael-doc-testing.org).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, beginning with `/`; nothing in it needs encoding.
    pub path: String,
    /// The query without its `?`, encoded.
    pub query: Option<String>,
    /// The body, `application/x-www-form-urlencoded` as documented; `None` where the endpoint has none.
    pub body: Option<String>,
}

impl Request {
    pub(crate) const fn new(method: Method, path: String, body: Option<String>) -> Self {
        Self { method, path, query: None, body }
    }

    /// A GET of `path` with a query, encoded.
    pub(crate) fn get(path: &str, query: String) -> Self {
        Self { query: Some(query), ..Self::new(Method::Get, path.to_owned(), None) }
    }
}

/// Prints no body: it may carry a citizen id.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)
    }
}

/// A request that an emulator of Omise cannot read. It never repeats the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeRequestError(pub(crate) &'static str);

impl fmt::Display for DecodeRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for DecodeRequestError {}
