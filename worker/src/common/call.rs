//! The call from the edge to a customer's object: the request in JSON, and the answer.
//!
//! An active object may run older code than the edge for minutes after a deploy, so calls change by additions alone; one that an
//! object does not know is answered 503, and asked again.

use serde::{Deserialize, Serialize};

use super::context::Millis;

/// What a customer's object is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// `POST /linked_accounts`: the `Idempotency-Key`, and the body, which the edge has validated. The object validates it again, which
    /// costs less than a second format for what is valid.
    Create { key: String, body: String },
    /// `GET /linked_accounts/:id`: the answer is held for so many milliseconds while the account is pending.
    Retrieve { id: String, wait: Millis },
    /// `DELETE /linked_accounts/:id`
    Delete { id: String },
    /// `POST /linked_accounts/confirm`
    Confirm { link_state: String },
    /// `GET /linked_accounts`, with its query
    List { query: String },
    /// `GET /linked_accounts/search`, with its query
    Search { query: String },
    /// The edge refused a request by itself: for the audit.
    Refused { action: String, link: Option<String>, reason: String },
    /// A genuine webhook about an account, whose stamp names the attempt.
    Webhook { event: String, id: String, attempt: String },
    /// `GET /audit` of this customer alone: entries before `before`, at most `limit`.
    Audit { before: Option<u64>, limit: u32 },
}

impl Ask {
    /// The name of the request in the log, and of what was refused in the audit.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Retrieve { .. } => "retrieve",
            Self::Delete { .. } => "delete",
            Self::Confirm { .. } => "confirm",
            Self::List { .. } => "list",
            Self::Search { .. } => "search",
            Self::Refused { .. } => "refused",
            Self::Webhook { .. } => "webhook",
            Self::Audit { .. } => "audit",
        }
    }
}
