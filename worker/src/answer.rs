//! What leaves: accounts and errors, each in its one shape, with the headers that every answer carries.

use std::borrow::Cow;

use omise_linked_accounts::{
    ErrorAnswer, Issue, LinkedAccount, LinkedAccountId, Reason, ReturnUri, Status, Timestamp, ValidationError,
};
use serde::Serialize;
use serde_json::value::RawValue;
use web_sys::Response;

use crate::{
    db::corrupt,
    platform::{self, Lines},
    trace::Trace,
};

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
        let unreadable = || corrupt("links.account");
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

    pub(crate) fn into_issues(self) -> Vec<Issue> {
        self.more.map(|more| more.issues).unwrap_or_default()
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

/// Builds the response; `cors` is the caller's origin, where it is one of ours.
pub(crate) fn respond(
    outcome: &Result<Success, Failure>,
    trace: &Trace,
    cors: Option<&str>,
) -> worker::Result<Response> {
    let (status, headers, body) = parts(outcome, &trace.request_id, &trace.server_timing(), cors)?;
    Ok(platform::respond(status, headers.as_str(), body.as_deref())?)
}

/// Status, headers and body of the response.
pub(crate) fn parts<'a>(
    outcome: &'a Result<Success, Failure>,
    request_id: &str,
    server_timing: &str,
    cors: Option<&str>,
) -> serde_json::Result<(u16, Lines, Option<Cow<'a, str>>)> {
    let mut headers = Lines::default();
    headers.add("Cache-Control", "no-store");
    headers.add("Referrer-Policy", "no-referrer");
    headers.add("Server-Timing", server_timing);
    headers.add("Vary", "Origin");
    headers.add("X-Content-Type-Options", "nosniff");
    headers.add("X-Request-Id", request_id);
    if let Some(origin) = cors {
        headers.add("Access-Control-Allow-Origin", origin);
        // Cloudflare adds the date: clients measure against it rather than by their own clock
        headers.add("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Idempotent-Replayed, Date");
    }
    let (status, body) = match outcome {
        Ok(Success::Preflight) => {
            if cors.is_some() {
                headers.add("Access-Control-Allow-Methods", "GET, POST, DELETE");
                headers.add("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Prefer");
                // Chromium holds a preflight no longer than two hours
                headers.add("Access-Control-Max-Age", "7200");
            }
            return Ok((204, headers, None));
        }
        Ok(Success::Body(body)) => (200, Cow::Borrowed(body.as_ref())),
        Ok(Success::Account { account, replayed }) => {
            if *replayed {
                headers.add("Idempotent-Replayed", "true");
            }
            (200, Cow::Borrowed(account.0.get()))
        }
        Err(failure) => {
            let mut body = ErrorAnswer::new(failure.reason, request_id);
            if let Some(more) = &failure.more {
                if let Some(seconds) = more.retry_after {
                    headers.add("Retry-After", &seconds.to_string());
                }
                if let Some(methods) = more.allow {
                    headers.add("Allow", methods);
                }
                body.issues.clone_from(&more.issues);
                body.linked_account = more.linked_account.as_ref();
            }
            if failure.reason == Reason::Unauthenticated {
                headers.add("WWW-Authenticate", "Bearer");
            }
            // a reason of the browser's has no status, and never comes from here
            (failure.reason.http_status().unwrap_or(500), serde_json::to_string(&body)?.into())
        }
    };
    headers.add("Content-Type", "application/json; charset=utf-8");
    Ok((status, headers, Some(body)))
}
