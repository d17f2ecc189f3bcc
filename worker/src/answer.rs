//! What leaves: accounts and errors, each in its one shape, with the headers that every answer carries.

use omise_linked_accounts::{ErrorAnswer, Issue, LinkedAccount, Reason, ReturnUri, Status, Timestamp, ValidationError};
use js_sys::{Object, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::JsValue;
use web_sys::{Response, ResponseInit};

use crate::trace::Trace;

/// An account as its owner sees it: Omise's object and `confirmed_at`, without what is the Worker's own.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    account: LinkedAccount,
    confirmed_at: Option<Timestamp>,
}

impl Shown {
    pub(crate) fn new(account: LinkedAccount, confirmed_at: Option<Timestamp>) -> Self {
        Self { account: tidy(account), confirmed_at }
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.account.status == Status::Pending
    }
}

/// The account without reserved metadata, its `return_uri` as the customer's page asked for it.
pub(crate) fn tidy(mut account: LinkedAccount) -> LinkedAccount {
    account.metadata = account.metadata.without_reserved();
    account.return_uri = account.return_uri.map(|uri| ReturnUri::strip_link_state(&uri).into_owned());
    account
}

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
    Account { account: Box<Shown>, replayed: bool },
    /// JSON of another kind.
    Body(Vec<u8>),
    /// Nothing to say: the answer to a preflight.
    Preflight,
}

impl Success {
    pub(crate) fn json(body: &impl Serialize) -> Self {
        // our own structs always serialise
        Self::Body(serde_json::to_vec(body).unwrap_or_default())
    }
}

impl From<Shown> for Success {
    fn from(account: Shown) -> Self {
        Self::Account { account: Box::new(account), replayed: false }
    }
}

/// Builds the response; `cors` is the caller's origin, where it is one of ours.
pub(crate) fn respond(
    outcome: &Result<Success, Failure>,
    trace: &Trace,
    cors: Option<&str>,
) -> worker::Result<Response> {
    let mut answer = Answer::new();
    answer.header("Cache-Control", "no-store")?;
    answer.header("Referrer-Policy", "no-referrer")?;
    answer.header("Server-Timing", &trace.server_timing())?;
    answer.header("Vary", "Origin")?;
    answer.header("X-Content-Type-Options", "nosniff")?;
    answer.header("X-Request-Id", &trace.request_id)?;
    if let Some(origin) = cors {
        answer.header("Access-Control-Allow-Origin", origin)?;
        // Cloudflare adds the date: clients measure against it rather than by their own clock
        answer.header("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Idempotent-Replayed, Date")?;
    }
    match outcome {
        Ok(Success::Preflight) => {
            if cors.is_some() {
                answer.header("Access-Control-Allow-Methods", "GET, POST, DELETE")?;
                answer.header("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Prefer")?;
                // Chromium holds a preflight no longer than two hours
                answer.header("Access-Control-Max-Age", "7200")?;
            }
            answer.without_body()
        }
        Ok(Success::Body(body)) => answer.json(200, body),
        Ok(Success::Account { account, replayed }) => {
            if *replayed {
                answer.header("Idempotent-Replayed", "true")?;
            }
            answer.json(200, &serde_json::to_vec(account)?)
        }
        Err(failure) => {
            let mut body = ErrorAnswer::new(failure.reason, &trace.request_id);
            if let Some(more) = &failure.more {
                if let Some(seconds) = more.retry_after {
                    answer.header("Retry-After", &seconds.to_string())?;
                }
                if let Some(methods) = more.allow {
                    answer.header("Allow", methods)?;
                }
                body.issues.clone_from(&more.issues);
                body.linked_account = more.linked_account.as_ref();
            }
            if failure.reason == Reason::Unauthenticated {
                answer.header("WWW-Authenticate", "Bearer")?;
            }
            // a reason of the browser's has no status, and never comes from here
            answer.json(failure.reason.http_status().unwrap_or(500), &serde_json::to_vec(&body)?)
        }
    }
}

/// An answer that is being built: a plain object of its headers, which the engine takes over in one go.
struct Answer {
    headers: Object,
}

impl Answer {
    fn new() -> Self {
        Self { headers: Object::new() }
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(), JsValue> {
        Reflect::set(&self.headers, &name.into(), &value.into()).map(|_| ())
    }

    fn json(mut self, status: u16, body: &[u8]) -> worker::Result<Response> {
        self.header("Content-Type", "application/json; charset=utf-8")?;
        let body = Uint8Array::from(body);
        Ok(Response::new_with_opt_buffer_source_and_init(Some(&body), &self.init(status))?)
    }

    fn without_body(self) -> worker::Result<Response> {
        Ok(Response::new_with_opt_buffer_source_and_init(None, &self.init(204))?)
    }

    fn init(self, status: u16) -> ResponseInit {
        let init = ResponseInit::new();
        init.set_status(status);
        init.set_headers(&self.headers);
        init
    }
}
