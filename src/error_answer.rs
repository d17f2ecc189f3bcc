//! The one shape of the Worker's errors.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use serde::Serialize;

use crate::{Issue, Reason};

/// The body of every answer of the Worker's that is not a success: Omise's error object, and what we add to it.
///
/// ```
/// use omise_linked_accounts::{ErrorAnswer, Reason};
///
/// let json = serde_json::to_value(ErrorAnswer::<()>::new(Reason::NotFound, "req-1"))?;
/// assert_eq!(json["object"], "error");
/// assert_eq!(json["code"], "not_found");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ErrorAnswer<A> {
    object: &'static str,
    /// The address of Omise's page on `code`.
    pub location: String,
    /// The nearest of Omise's codes.
    pub code: String,
    /// What happened, in English, for developers.
    pub message: &'static str,
    /// Why, for programs.
    pub reason: Reason,
    /// The request's id, as in `X-Request-Id`.
    pub request_id: String,
    /// Whether the very same request may succeed later.
    pub retryable: bool,
    /// What is wrong with the fields; empty unless they are the reason.
    pub issues: Vec<Issue>,
    /// With [`Reason::AlreadyPending`]: the pending account, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_account: Option<A>,
}

impl<A> ErrorAnswer<A> {
    /// The answer for a reason.
    #[must_use]
    pub fn new(reason: Reason, request_id: impl Into<String>) -> Self {
        let code = reason.code();
        Self {
            object: "error",
            location: code.location(),
            code: code.as_str().to_owned(),
            message: reason.message(),
            reason,
            request_id: request_id.into(),
            retryable: reason.is_retryable(),
            issues: Vec::new(),
            linked_account: None,
        }
    }
}
