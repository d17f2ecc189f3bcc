//! What Omise says when it refuses or fails.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::{error::Error, fmt};

use serde::Serialize;

use crate::attributes::{self, Attributes, Misread, Object};

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

#[derive(Serialize)]
struct Wire<'a> {
    object: &'static str,
    location: String,
    code: &'a str,
    message: &'a str,
}

impl Object for ErrorBody {
    /// Those of Omise's object, and those of Rails' own.
    const NAMES: &'static [&'static str] = &["object", "code", "message", "status", "error"];

    fn read(attributes: &Attributes) -> Result<Self, Misread> {
        let code: Option<String> = attributes.tolerant("code");
        if let (Ok(()), Some(code)) = (attributes.is("error"), code) {
            let message = attributes.tolerant("message").unwrap_or_default();
            return Ok(Self::Standard { code: ErrorCode::from(code.as_str()), message });
        }
        attributes.number::<u16>("status")?;
        attributes.required::<String>("error")?;
        Ok(Self::Rails)
    }
}

impl ApiError {
    /// An error with a proper error object.
    #[must_use]
    pub fn new(status: u16, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, body: ErrorBody::Standard { code, message: message.into() } }
    }

    /// The 500 that Omise documents: the bare body of its web framework.
    #[must_use]
    pub const fn rails() -> Self {
        Self { status: 500, body: ErrorBody::Rails }
    }

    /// The longest body that is read as an error object, in bytes: real ones have a few hundred, and a message may repeat a
    /// `return_uri` of 2 KB. Anything longer is [`ErrorBody::Other`].
    pub const MAX_LEN: usize = 64 * 1024;

    /// Reads an answer. Any bytes are an error of some grade, so this cannot fail.
    #[must_use]
    pub fn decode(status: u16, body: &[u8]) -> Self {
        if body.len() > Self::MAX_LEN {
            return Self { status, body: ErrorBody::Other };
        }
        Self { status, body: attributes::parse(body).unwrap_or(ErrorBody::Other) }
    }

    /// Writes the answer as Omise does: pretty-printed with a newline at the end. [`ErrorBody::Other`] is empty.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let json = match &self.body {
            ErrorBody::Standard { code, message } => serde_json::to_vec_pretty(&Wire {
                object: "error",
                location: code.location(),
                code: code.as_str(),
                message,
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

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident: $text:literal, $status:literal;)*) => {
        /// The `code` of Omise's error object. Codes that this version does not know are kept as they came.
        ///
        /// Source: Omise "Linked Account Object API" and "Errors"; `invalid_linked_account_type` and `not_enabled` appear in
        /// one secondary document.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// A code that this version does not know.
            Unknown(Box<str>),
        }

        impl ErrorCode {
            /// Every code that is known, in alphabetical order.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The text of each of [`Self::KNOWN`]: a search in two tables is a fraction of two matches of 45 arms.
            const TEXTS: &'static [&'static str] = &[$($text),*];

            /// The code as Omise writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                if let Self::Unknown(text) = self {
                    return text;
                }
                let at = Self::KNOWN.iter().position(|code| code == self);
                at.and_then(|at| Self::TEXTS.get(at)).copied().unwrap_or_default()
            }

            /// The HTTP status that Omise's pages list the code under; `None` for unknown ones.
            #[must_use]
            pub const fn http_status(&self) -> Option<u16> {
                match self {
                    $(Self::$variant => Some($status),)*
                    Self::Unknown(_) => None,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(text: &str) -> Self {
                let at = Self::TEXTS.iter().position(|known| *known == text);
                at.and_then(|at| Self::KNOWN.get(at)).cloned().unwrap_or_else(|| Self::Unknown(text.into()))
            }
        }
    };
}

error_codes! {
    /// Wrong key, or a key of the wrong kind.
    AuthenticationFailure: "authentication_failure", 401;
    /// The bank or another system behind Omise failed.
    BackendError: "backend_error", 400;
    /// Missing or invalid parameters.
    BadRequest: "bad_request", 400;
    /// The card brand is not supported.
    BrandNotSupported: "brand_not_supported", 400;
    /// The list of documents cannot be changed.
    DocumentsLocked: "documents_locked", 400;
    /// The charge has expired.
    ExpiredCharge: "expired_charge", 400;
    /// The charge could not be captured.
    FailedCapture: "failed_capture", 400;
    /// The object could not be deleted.
    FailedDeletion: "failed_deletion", 422;
    /// The charge could not be expired.
    FailedExpire: "failed_expire", 400;
    /// The fraud check failed.
    FailedFraudCheck: "failed_fraud_check", 400;
    /// The currency could not be converted.
    FailedMultiCurrency: "failed_multi_currency", 400;
    /// The charge could not be refunded.
    FailedRefund: "failed_refund", 400;
    /// The charge could not be reversed.
    FailedReverse: "failed_reverse", 400;
    /// The charge could not be voided.
    FailedVoid: "failed_void", 400;
    /// The feature is not supported.
    FeatureNotSupported: "feature_not_supported", 400;
    /// Omise failed.
    InternalError: "internal_error", 500;
    /// The amount is not allowed.
    InvalidAmount: "invalid_amount", 400;
    /// The bank account is not valid.
    InvalidBankAccount: "invalid_bank_account", 400;
    /// The card is not valid.
    InvalidCard: "invalid_card", 400;
    /// The card token is not valid.
    InvalidCardToken: "invalid_card_token", 400;
    /// The charge is not valid.
    InvalidCharge: "invalid_charge", 400;
    /// The dispute is not valid.
    InvalidDispute: "invalid_dispute", 400;
    /// The domain is not valid.
    InvalidDomain: "invalid_domain", 400;
    /// The type of the file is not allowed.
    InvalidFileType: "invalid_file_type", 400;
    /// A search filter is not valid.
    InvalidFilter: "invalid_filter", 422;
    /// The link is not valid.
    InvalidLink: "invalid_link", 400;
    /// The account type is not supported (secondary document, which gives no status).
    InvalidLinkedAccountType: "invalid_linked_account_type", 400;
    /// The page is not valid.
    InvalidPage: "invalid_page", 422;
    /// The page size is not valid.
    InvalidPerPage: "invalid_per_page", 422;
    /// The recipient is not valid.
    InvalidRecipient: "invalid_recipient", 400;
    /// The search scope is not valid.
    InvalidScope: "invalid_scope", 422;
    /// The token is not valid.
    InvalidToken: "invalid_token", 400;
    /// The transfer is not valid.
    InvalidTransfer: "invalid_transfer", 400;
    /// The key has expired (401 or 403: the documents leave it open).
    KeyExpiredError: "key_expired_error", 401;
    /// The merchant's account is locked (401 or 403: the documents leave it open).
    LockedAccountError: "locked_account_error", 403;
    /// A card is missing.
    MissingCard: "missing_card", 400;
    /// A file is missing.
    MissingFile: "missing_file", 400;
    /// The key may not do this.
    NotAuthorized: "not_authorized", 403;
    /// The feature is off for the merchant (secondary document, which gives no status).
    NotEnabled: "not_enabled", 422;
    /// No such object.
    NotFound: "not_found", 404;
    /// Search is not available.
    SearchUnavailable: "search_unavailable", 503;
    /// The API version does not know this object.
    SerializerNotFound: "serializer_not_found", 404;
    /// The API version does not support this operation.
    ServiceNotFound: "service_not_found", 404;
    /// Too many requests.
    TooManyRequests: "too_many_requests", 429;
    /// The token has been used.
    UsedToken: "used_token", 400;
}

impl ErrorCode {
    /// The address of Omise's page on this code, as its errors carry it in `location`.
    #[must_use]
    pub fn location(&self) -> String {
        format!("https://www.omise.co/api-errors#{}", self.as_str().replace('_', "-"))
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
            (500, r#"{"status":500,"error":"Internal Server Error"}"#, ApiError::rails().body),
            (
                404,
                r#"{"object":"error","code":"not_found","location":null,"message":null}"#,
                ErrorBody::Standard { code: ErrorCode::NotFound, message: String::new() },
            ),
            (400, r#"["error","x","bad_request","m"]"#, ErrorBody::Other),
            (503, "<html><title>503</title></html>", ErrorBody::Other),
            (502, "", ErrorBody::Other),
            (500, r#"{"object":"list"}"#, ErrorBody::Other),
            (
                500,
                &format!(r#"{{"object":"error","code":"x","message":"{}"}}"#, "a".repeat(ApiError::MAX_LEN)),
                ErrorBody::Other,
            ),
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

    #[test]
    fn known_codes_are_found_by_name_in_order() {
        let names: Vec<&str> = ErrorCode::KNOWN.iter().map(ErrorCode::as_str).collect();
        assert!(names.is_sorted());
        for code in ErrorCode::KNOWN {
            assert_eq!(&ErrorCode::from(code.as_str()), code);
            assert!(code.http_status().is_some());
        }
        assert_eq!(ErrorCode::from("brand_new").http_status(), None);
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
