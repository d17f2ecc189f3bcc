//! What Omise says when it refuses or fails.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};

/// An answer from Omise that is not a success.
///
/// A proper error has `code` and `message`; a 500 may instead carry the bare Rails body, HTML, or nothing
/// ([`ErrorBody`]). The text is for operators' logs: it may repeat what a customer typed.
///
/// ```
/// use omise_linked_accounts::{ApiError, ErrorCode};
///
/// let error = ApiError::decode(404, br#"{"object":"error","location":"https://www.omise.co/api-errors#not-found",
///     "code":"not_found","message":"linked account lnac_test_1 was not found"}"#);
/// assert_eq!(error.code(), Some(&ErrorCode::NotFound));
/// assert_eq!(ApiError::decode(502, b"<html>").code(), None);
/// ```
///
/// Source: Omise "Errors"; "Linked Account Object API", response codes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// What the body was.
    pub body: ErrorBody,
}

/// The body of an [`ApiError`]. `Debug` leaves the message out: it may repeat what a customer typed.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorBody {
    /// Omise's error object.
    Standard {
        /// The stable code.
        code: ErrorCode,
        /// The explanation, in English.
        message: String,
    },
    /// The bare `{"status":500,"error":"Internal Server Error"}` of a 500.
    Rails,
    /// Anything else: HTML, other JSON, nothing.
    Other,
}

impl fmt::Debug for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard { code, .. } => write!(f, "Standard({})", code.as_str()),
            Self::Rails => f.write_str("Rails"),
            Self::Other => f.write_str("Other"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    object: String,
    #[serde(default)]
    location: String,
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct RailsWire {
    #[serde(rename = "status")]
    _status: u16,
    #[serde(rename = "error")]
    _error: String,
}

impl ApiError {
    /// An error with a proper error object.
    #[must_use]
    pub fn new(status: u16, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, body: ErrorBody::Standard { code, message: message.into() } }
    }

    /// Reads an answer. Any bytes are an error of some grade, so this cannot fail.
    #[must_use]
    pub fn decode(status: u16, body: &[u8]) -> Self {
        let body = match serde_json::from_slice::<Wire>(body) {
            Ok(wire) if wire.object == "error" => {
                ErrorBody::Standard { code: ErrorCode::from(wire.code.as_str()), message: wire.message }
            }
            _ if serde_json::from_slice::<RailsWire>(body).is_ok() => ErrorBody::Rails,
            _ => ErrorBody::Other,
        };
        Self { status, body }
    }

    /// Writes the answer as Omise does: pretty-printed with a newline at the end. [`ErrorBody::Other`] is empty.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let json = match &self.body {
            ErrorBody::Standard { code, message } => serde_json::to_vec_pretty(&Wire {
                object: "error".to_owned(),
                location: code.location(),
                code: code.as_str().to_owned(),
                message: message.clone(),
            }),
            ErrorBody::Rails => Ok(br#"{"status":500,"error":"Internal Server Error"}"#.to_vec()),
            ErrorBody::Other => return Vec::new(),
        };
        // strings always serialise
        let mut json = json.unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// The code of a proper error object.
    #[must_use]
    pub const fn code(&self) -> Option<&ErrorCode> {
        match &self.body {
            ErrorBody::Standard { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// Status and code only: the message may repeat what a customer typed.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            ErrorBody::Standard { code, .. } => write!(f, "omise answered {} {}", self.status, code.as_str()),
            ErrorBody::Rails => write!(f, "omise answered {} without an error object", self.status),
            ErrorBody::Other => write!(f, "omise answered {} with something unreadable", self.status),
        }
    }
}

impl Error for ApiError {}

/// The `code` of Omise's error object: the ones that linked accounts are known to meet; others are kept as they came.
///
/// Source: Omise "Linked Account Object API" and "Errors"; `invalid_linked_account_type` and `not_enabled` appear in one
/// secondary document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// 401: wrong key, or a key of the wrong kind.
    AuthenticationFailure,
    /// 400: missing or invalid parameters.
    BadRequest,
    /// 500: Omise failed.
    InternalError,
    /// The type cannot be used.
    InvalidLinkedAccountType,
    /// 403: the key may not do this.
    NotAuthorized,
    /// The feature is off for the merchant.
    NotEnabled,
    /// 404: no such object.
    NotFound,
    /// 429: too many requests.
    TooManyRequests,
    /// A code that this version does not know.
    Unknown(Box<str>),
}

impl ErrorCode {
    /// The code as Omise writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AuthenticationFailure => "authentication_failure",
            Self::BadRequest => "bad_request",
            Self::InternalError => "internal_error",
            Self::InvalidLinkedAccountType => "invalid_linked_account_type",
            Self::NotAuthorized => "not_authorized",
            Self::NotEnabled => "not_enabled",
            Self::NotFound => "not_found",
            Self::TooManyRequests => "too_many_requests",
            Self::Unknown(text) => text,
        }
    }

    /// The address of Omise's page on this code, as its errors carry it in `location`.
    #[must_use]
    pub fn location(&self) -> String {
        format!("https://www.omise.co/api-errors#{}", self.as_str().replace('_', "-"))
    }
}

impl From<&str> for ErrorCode {
    fn from(text: &str) -> Self {
        match text {
            "authentication_failure" => Self::AuthenticationFailure,
            "bad_request" => Self::BadRequest,
            "internal_error" => Self::InternalError,
            "invalid_linked_account_type" => Self::InvalidLinkedAccountType,
            "not_authorized" => Self::NotAuthorized,
            "not_enabled" => Self::NotEnabled,
            "not_found" => Self::NotFound,
            "too_many_requests" => Self::TooManyRequests,
            other => Self::Unknown(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_four_grades_of_body() {
        for (status, body, expected) in [
            (
                400,
                r#"{"object":"error","location":"x","code":"bad_request","message":"Type is required","extra":[1]}"#,
                ErrorBody::Standard { code: ErrorCode::BadRequest, message: "Type is required".to_owned() },
            ),
            (500, r#"{"status":500,"error":"Internal Server Error"}"#, ErrorBody::Rails),
            (503, "<html><title>503</title></html>", ErrorBody::Other),
            (502, "", ErrorBody::Other),
            (500, r#"{"object":"list"}"#, ErrorBody::Other),
        ] {
            assert_eq!(ApiError::decode(status, body.as_bytes()), ApiError { status, body: expected }, "{body}");
        }
    }

    #[test]
    fn the_documented_form() {
        let error = ApiError::new(401, ErrorCode::AuthenticationFailure, "authentication failed");
        assert_eq!(
            String::from_utf8(error.encode()).unwrap(),
            r#"{
  "object": "error",
  "location": "https://www.omise.co/api-errors#authentication-failure",
  "code": "authentication_failure",
  "message": "authentication failed"
}
"#
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error(status in 400_u16..600, body in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(ApiError::decode(status, &body).status, status);
        }

        #[test]
        fn proper_errors_round_trip(status in 400_u16..600, code in "[a-z_]{1,20}", message in any::<String>()) {
            let error = ApiError::new(status, ErrorCode::from(code.as_str()), message);
            prop_assert_eq!(ApiError::decode(status, &error.encode()), error);
        }
    }
}
