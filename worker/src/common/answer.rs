//! What is answered: accounts and errors, each in its one shape.

use std::borrow::Cow;

use omise_linked_accounts::{
    ErrorAnswer, Issue, LinkedAccount, LinkedAccountId, Reason, ReturnUri, Status, Timestamp, ValidationError,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::platform::Lines;

/// An account as its owner sees it: Omise's object without what is the Worker's own.
///
/// It is kept as JSON, and shown as it is kept: nothing of it is looked at in between but this.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: LinkedAccountId,
    pub(crate) status: Status,
    pub(crate) json: String,
}

impl Account {
    /// Without reserved metadata, its `return_uri` as the customer's page asked for it.
    pub(crate) fn of(mut account: LinkedAccount) -> Self {
        account.metadata = account.metadata.without_reserved();
        account.return_uri = account.return_uri.map(|uri| ReturnUri::strip_link_state(&uri).into_owned());
        // a struct of texts, numbers and JSON always serialises
        let json = serde_json::to_string(&account).unwrap_or_default();
        Self { id: account.id, status: account.status, json }
    }

    /// With `confirmed_at`, as it is answered with.
    ///
    /// # Errors
    ///
    /// Where what was kept is no object.
    pub(crate) fn shown(&self, confirmed_at: Option<Timestamp>) -> Result<Shown, Failure> {
        let unreadable = || Failure::new(Reason::Internal).with_log("ledger: links.account cannot be read");
        let members = self.json.strip_suffix('}').ok_or_else(unreadable)?;
        let confirmed_at = serde_json::to_string(&confirmed_at).map_err(|_| unreadable())?;
        let json = format!("{members},\"confirmed_at\":{confirmed_at}}}");
        RawValue::from_string(json).map(Shown).map_err(|_| unreadable())
    }
}

/// An account as it is answered with: JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Shown(Box<RawValue>);

/// A request that is answered with an error.
///
/// Few failures say more than their reason, and every `?` moves one: the rest is in a box.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    issues: Vec<Issue>,
    retry_after: Option<u32>,
    linked_account: Option<Shown>,
    allow: Option<&'static str>,
    log: Option<String>,
}

impl Failure {
    pub(crate) const fn new(reason: Reason) -> Self {
        Self { reason, more: None }
    }

    fn with(mut self, set: impl FnOnce(&mut More)) -> Self {
        set(self.more.get_or_insert_default());
        self
    }

    /// Cut at what one answer tells: a hostile body could hold tens of thousands.
    pub(crate) fn with_issues(self, mut issues: Vec<Issue>) -> Self {
        issues.truncate(ValidationError::MAX_ISSUES);
        self.with(|more| more.issues = issues)
    }

    pub(crate) fn retry_after(&self) -> Option<u32> {
        self.more.as_ref()?.retry_after
    }

    pub(crate) fn with_retry_after(self, seconds: u32) -> Self {
        self.with(|more| more.retry_after = Some(seconds))
    }

    pub(crate) fn with_linked_account(self, account: Shown) -> Self {
        self.with(|more| more.linked_account = Some(account))
    }

    pub(crate) fn with_allow(self, methods: &'static str) -> Self {
        self.with(|more| more.allow = Some(methods))
    }

    /// For the log alone.
    pub(crate) fn with_log(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.with(|more| more.log = Some(text))
    }

    pub(crate) fn log(&self) -> Option<&str> {
        self.more.as_ref()?.log.as_deref()
    }

    /// The words for the log, to be said with another reason; empty where there are none.
    pub(crate) fn into_log(self) -> String {
        self.more.and_then(|more| more.log).unwrap_or_default()
    }

    /// Whether the caller was refused, rather than let down by us or Omise.
    pub(crate) fn is_refusal(&self) -> bool {
        self.reason.http_status().is_some_and(|status| status < 500)
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

/// A success.
#[derive(Debug)]
pub(crate) enum Success {
    /// An account; `replayed` where the same `Idempotency-Key` had made it before.
    Account { account: Shown, replayed: bool },
    /// JSON of another kind.
    Body(Cow<'static, str>),
    /// Nothing to say: the answer to a preflight.
    Preflight,
}

impl Success {
    pub(crate) fn json(body: &impl Serialize) -> Self {
        // our own structs always serialise
        Self::Body(serde_json::to_string(body).unwrap_or_default().into())
    }
}

impl From<Shown> for Success {
    fn from(account: Shown) -> Self {
        Self::Account { account, replayed: false }
    }
}

/// What came of a webhook's event.
#[derive(Serialize)]
pub(crate) struct WebhookOutcome {
    object: &'static str,
    outcome: &'static str,
}

impl WebhookOutcome {
    pub(crate) const fn new(outcome: &'static str) -> Self {
        Self { object: "webhook", outcome }
    }
}

/// A page of the audit.
#[derive(Serialize)]
pub(crate) struct AuditPage {
    object: &'static str,
    data: Vec<Box<RawValue>>,
    limit: u32,
    /// What to ask for next; `None` at the end.
    cursor: Option<String>,
    location: &'static str,
}

impl AuditPage {
    /// Of entries in JSON.
    pub(crate) fn of(entries: &[String], limit: u32, cursor: Option<String>) -> Result<Success, Failure> {
        let data: Result<_, _> = entries.iter().map(|entry| RawValue::from_string(entry.clone())).collect();
        let data = data.map_err(|_| Failure::new(Reason::Internal).with_log("ledger: the audit cannot be read"))?;
        Ok(Success::json(&Self { object: "list", data, limit, cursor, location: "/audit" }))
    }
}

/// An answer: what an object gives to the edge, and the edge to the caller.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The headers that are this answer's own.
    pub(crate) headers: Lines,
    pub(crate) body: Option<Cow<'static, str>>,
    /// Why it is an error.
    pub(crate) reason: Option<&'static str>,
}

impl Answer {
    /// Status, own headers and body of what came of a request.
    pub(crate) fn of(outcome: Result<Success, Failure>, request_id: &str) -> Self {
        let mut headers = Lines::default();
        let (status, body, reason) = match outcome {
            Ok(Success::Preflight) => return Self { status: 204, headers, body: None, reason: None },
            Ok(Success::Body(body)) => (200, body, None),
            Ok(Success::Account { account, replayed }) => {
                if replayed {
                    headers.add("Idempotent-Replayed", "true");
                }
                (200, String::from(Box::<str>::from(account.0)).into(), None)
            }
            Err(failure) => {
                let mut body = ErrorAnswer::new(failure.reason, request_id);
                if let Some(more) = failure.more {
                    if let Some(seconds) = more.retry_after {
                        headers.add("Retry-After", &seconds.to_string());
                    }
                    if let Some(methods) = more.allow {
                        headers.add("Allow", methods);
                    }
                    body.issues = more.issues;
                    body.linked_account = more.linked_account;
                }
                if failure.reason == Reason::Unauthenticated {
                    headers.add("WWW-Authenticate", "Bearer");
                }
                // a struct of texts always serialises
                let text = serde_json::to_string(&body).unwrap_or_default();
                // a reason of the browser's has no status, and never comes from here
                (failure.reason.http_status().unwrap_or(500), text.into(), Some(failure.reason.as_str()))
            }
        };
        headers.add("Content-Type", "application/json; charset=utf-8");
        Self { status, headers, body: Some(body), reason }
    }
}
