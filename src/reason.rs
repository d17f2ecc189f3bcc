//! Our own words for what can go wrong.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::ErrorCode;

/// Why a request to the Worker was refused or failed: finer than Omise's `code`, and stable once published.
///
/// This is the one list. The Worker answers with [`Reason::http_status`], [`Reason::code`] and [`Reason::message`]; the
/// reasons at the end arise in the browser and have no HTTP status.
///
/// ```
/// use omise_linked_accounts::Reason;
///
/// assert_eq!(Reason::OutcomeUnknown.as_str(), "outcome_unknown");
/// assert_eq!(Reason::OutcomeUnknown.http_status(), Some(502));
/// assert!(Reason::OutcomeUnknown.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Fields are missing or wrong; see `issues`.
    InvalidRequest,
    /// `return_uri` is not on the operator's list.
    ReturnUriNotAllowed,
    /// The account type is not one that the operator enabled.
    TypeNotEnabled,
    /// The body is not JSON.
    MalformedJson,
    /// The body is larger than 256 KiB.
    BodyTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// `Idempotency-Key` is missing, or not 1 to 255 visible ASCII characters.
    IdempotencyKeyInvalid,
    /// The key was used with another request.
    IdempotencyKeyReused,
    /// The request with this key is still being worked on.
    AttemptInFlight,
    /// The attempt with this key came to nothing; use a new key.
    AttemptAbandoned,
    /// Whether Omise made the account is not known yet; the same key finds out.
    OutcomeUnknown,
    /// The customer already has a pending account of this type.
    AlreadyPending,
    /// The customer has begun as many creates as a day allows.
    TooManyCreates,
    /// The account is not registered, so it cannot be unlinked.
    NotRegistered,
    /// No such account, or not this customer's.
    NotFound,
    /// No such path.
    RouteNotFound,
    /// The path does not know this method.
    MethodNotAllowed,
    /// The session token is missing or not good.
    Unauthenticated,
    /// Only an operator may do this.
    OperatorOnly,
    /// No key could be fetched to judge the session token.
    KeysUnavailable,
    /// Too many requests.
    RateLimited,
    /// Omise refused the request.
    UpstreamRefused,
    /// Omise refused our key.
    UpstreamMisconfigured,
    /// Test and live mode are mixed up between key, id and answer.
    ModeMismatch,
    /// Omise did not answer in time.
    UpstreamTimeout,
    /// Omise could not be reached, or failed.
    UpstreamUnavailable,
    /// Omise's answer could not be read.
    UpstreamUnreadable,
    /// The Worker's own records could not be read or written.
    LedgerUnavailable,
    /// The Worker is not configured.
    Misconfigured,
    /// A defect of ours.
    Internal,
    /// In the browser: the Worker could not be reached.
    NetworkFailed,
    /// In the browser: there is no network.
    Offline,
    /// In the browser: the Worker did not answer in time.
    Timeout,
    /// In the browser: the Worker's answer could not be read.
    AnswerUnreadable,
    /// In the browser: `getToken` failed.
    TokenUnavailable,
    /// In the browser: the registration page's address is not one to send a customer to.
    RegistrationUriUnsafe,
    /// In the browser: the package's files could not be loaded.
    LoadFailed,
    /// In the browser or at an edge: WebAssembly may not be compiled there.
    WasmBlocked,
}

impl Reason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 38] = [
        Self::InvalidRequest,
        Self::ReturnUriNotAllowed,
        Self::TypeNotEnabled,
        Self::MalformedJson,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyKeyInvalid,
        Self::IdempotencyKeyReused,
        Self::AttemptInFlight,
        Self::AttemptAbandoned,
        Self::OutcomeUnknown,
        Self::AlreadyPending,
        Self::TooManyCreates,
        Self::NotRegistered,
        Self::NotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::Unauthenticated,
        Self::OperatorOnly,
        Self::KeysUnavailable,
        Self::RateLimited,
        Self::UpstreamRefused,
        Self::UpstreamMisconfigured,
        Self::ModeMismatch,
        Self::UpstreamTimeout,
        Self::UpstreamUnavailable,
        Self::UpstreamUnreadable,
        Self::LedgerUnavailable,
        Self::Misconfigured,
        Self::Internal,
        Self::NetworkFailed,
        Self::Offline,
        Self::Timeout,
        Self::AnswerUnreadable,
        Self::TokenUnavailable,
        Self::RegistrationUriUnsafe,
        Self::LoadFailed,
        Self::WasmBlocked,
    ];

    /// One row of the table: name, HTTP status (0: none), retryable, message.
    const fn row(self) -> (&'static str, u16, bool, &'static str) {
        match self {
            Self::InvalidRequest => ("invalid_request", 400, false, "some fields are missing or wrong; see issues"),
            Self::ReturnUriNotAllowed => {
                ("return_uri_not_allowed", 400, false, "return_uri is not on this shop's list of return addresses")
            }
            Self::TypeNotEnabled => ("type_not_enabled", 400, false, "this type of account cannot be linked here"),
            Self::MalformedJson => ("malformed_json", 400, false, "the body is not JSON"),
            Self::BodyTooLarge => ("body_too_large", 413, false, "the body is larger than 256 KiB"),
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", 415, false, "expected Content-Type: application/json (charset utf-8)")
            }
            Self::IdempotencyKeyInvalid => (
                "idempotency_key_invalid",
                400,
                false,
                "expected one Idempotency-Key header of 1 to 255 visible ASCII characters",
            ),
            Self::IdempotencyKeyReused => {
                ("idempotency_key_reused", 422, false, "this Idempotency-Key was used with another request")
            }
            Self::AttemptInFlight => {
                ("attempt_in_flight", 409, true, "the request with this Idempotency-Key is still being worked on")
            }
            Self::AttemptAbandoned => {
                ("attempt_abandoned", 409, false, "this attempt came to nothing; use a new Idempotency-Key")
            }
            Self::OutcomeUnknown => (
                "outcome_unknown",
                502,
                true,
                "it is not known yet whether the account was created; repeat with the same Idempotency-Key",
            ),
            Self::AlreadyPending => {
                ("already_pending", 409, false, "an account of this type is already waiting for the bank")
            }
            Self::TooManyCreates => {
                ("too_many_creates", 429, false, "too many accounts were begun today; see Retry-After")
            }
            Self::NotRegistered => ("not_registered", 400, false, "the linked account is not registered"),
            Self::NotFound => ("not_found", 404, false, "the linked account was not found"),
            Self::RouteNotFound => ("route_not_found", 404, false, "there is nothing at this path"),
            Self::MethodNotAllowed => {
                ("method_not_allowed", 405, false, "this path does not know this method; see Allow")
            }
            Self::Unauthenticated => ("unauthenticated", 401, false, "expected a valid session token"),
            Self::OperatorOnly => {
                ("operator_only", 403, false, "expected a session token whose scope has linked_accounts:operate")
            }
            Self::KeysUnavailable => ("keys_unavailable", 503, true, "session tokens cannot be checked at the moment"),
            Self::RateLimited => ("rate_limited", 429, true, "too many requests; wait as Retry-After says"),
            Self::UpstreamRefused => ("upstream_refused", 400, false, "the payment provider refused the request"),
            Self::UpstreamMisconfigured => {
                ("upstream_misconfigured", 502, false, "the payment provider does not accept this shop's settings")
            }
            Self::ModeMismatch => ("mode_mismatch", 502, false, "test and live mode are mixed up"),
            Self::UpstreamTimeout => ("upstream_timeout", 504, true, "the payment provider did not answer in time"),
            Self::UpstreamUnavailable => ("upstream_unavailable", 503, true, "the payment provider is not available"),
            Self::UpstreamUnreadable => {
                ("upstream_unreadable", 502, true, "the payment provider's answer cannot be read")
            }
            Self::LedgerUnavailable => {
                ("ledger_unavailable", 503, true, "records cannot be read or written at the moment")
            }
            Self::Misconfigured => ("misconfigured", 503, false, "this service is not configured"),
            Self::Internal => ("internal", 500, true, "something went wrong here"),
            Self::NetworkFailed => {
                ("network_failed", 0, true, "the shop's service cannot be reached; check the connection")
            }
            Self::Offline => ("offline", 0, true, "no connection; check your internet, then try again"),
            Self::Timeout => ("timeout", 0, true, "the shop's service did not answer in time"),
            Self::AnswerUnreadable => ("answer_unreadable", 0, true, "the answer of the shop's service cannot be read"),
            Self::TokenUnavailable => ("token_unavailable", 0, true, "getToken did not give a session token"),
            Self::RegistrationUriUnsafe => {
                ("registration_uri_unsafe", 0, false, "the address of the bank's page is not one to send a customer to")
            }
            Self::LoadFailed => {
                ("load_failed", 0, true, "a part of the package could not be loaded: see cause; are all files there?")
            }
            Self::WasmBlocked => (
                "wasm_blocked",
                0,
                false,
                "may not compile WebAssembly: a page needs 'wasm-unsafe-eval' in script-src, the edge the condition workerd or the option wasm",
            ),
        }
    }

    /// The reason as answers carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The reason of this name; `None` where this version does not know it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// The HTTP status that the Worker answers with; `None` for reasons that arise in the browser.
    #[must_use]
    pub const fn http_status(self) -> Option<u16> {
        match self.row().1 {
            0 => None,
            status => Some(status),
        }
    }

    /// Whether the very same request may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        self.row().2
    }

    /// What happened, in English, for developers.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().3
    }

    /// The nearest of Omise's codes.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self.row().1 {
            401 => ErrorCode::AuthenticationFailure,
            403 => ErrorCode::NotAuthorized,
            404 => ErrorCode::NotFound,
            429 => ErrorCode::TooManyRequests,
            400..=499 => ErrorCode::BadRequest,
            _ => ErrorCode::InternalError,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published words and statuses: a row that changes here breaks somebody's program.
    #[test]
    fn table() {
        let rows: Vec<String> = Reason::ALL
            .into_iter()
            .map(|r| {
                let status = r.http_status().map_or_else(|| "-".to_owned(), |s| s.to_string());
                format!("{r} {status} {} {}", r.code().as_str(), if r.is_retryable() { "retry" } else { "stop" })
            })
            .collect();
        assert_eq!(
            rows.join("\n"),
            "\
invalid_request 400 bad_request stop
return_uri_not_allowed 400 bad_request stop
type_not_enabled 400 bad_request stop
malformed_json 400 bad_request stop
body_too_large 413 bad_request stop
unsupported_media_type 415 bad_request stop
idempotency_key_invalid 400 bad_request stop
idempotency_key_reused 422 bad_request stop
attempt_in_flight 409 bad_request retry
attempt_abandoned 409 bad_request stop
outcome_unknown 502 internal_error retry
already_pending 409 bad_request stop
too_many_creates 429 too_many_requests stop
not_registered 400 bad_request stop
not_found 404 not_found stop
route_not_found 404 not_found stop
method_not_allowed 405 bad_request stop
unauthenticated 401 authentication_failure stop
operator_only 403 not_authorized stop
keys_unavailable 503 internal_error retry
rate_limited 429 too_many_requests retry
upstream_refused 400 bad_request stop
upstream_misconfigured 502 internal_error stop
mode_mismatch 502 internal_error stop
upstream_timeout 504 internal_error retry
upstream_unavailable 503 internal_error retry
upstream_unreadable 502 internal_error retry
ledger_unavailable 503 internal_error retry
misconfigured 503 internal_error stop
internal 500 internal_error retry
network_failed - internal_error retry
offline - internal_error retry
timeout - internal_error retry
answer_unreadable - internal_error retry
token_unavailable - internal_error retry
registration_uri_unsafe - internal_error stop
load_failed - internal_error retry
wasm_blocked - internal_error stop"
        );
    }

    #[test]
    fn names_are_unique_and_found() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
            assert!(!reason.message().is_empty() && !reason.message().ends_with('.'), "{reason}");
        }
        assert_eq!(Reason::from_name("brand_new"), None);
    }
}
