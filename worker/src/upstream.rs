//! Calling Omise.

use std::{cell::Cell, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use omise_linked_accounts::{
    API_VERSION, ApiError, BODY_TYPE, LinkedAccount, Mode, Reason, Request, ResponseError,
    retry::{Decision, Outcome, decide},
};
use wasm_bindgen::JsValue;
use worker::{AbortController, AbortSignal, Delay, Fetch, Headers, RequestInit, RequestRedirect};

use crate::{
    answer::Failure,
    body::{BodyError, read_capped},
    context::{Context, random},
    ledger::Millis,
    settings::Settings,
};

/// What came back: the bytes, for the core to judge.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// `Retry-After` in seconds, where Omise sent one.
    pub(crate) retry_after: Option<u32>,
}

/// Why nothing came back. The request may have been carried out all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The deadline passed.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The answer is larger than it may be.
    TooLarge,
}

impl From<CallError> for Reason {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Timeout => Self::UpstreamTimeout,
            CallError::Unreachable => Self::UpstreamUnavailable,
            CallError::TooLarge => Self::UpstreamUnreadable,
        }
    }
}

/// Asks Omise for something that may be asked for twice: [`call`], whose failures are the caller's answer.
pub(crate) async fn ask(context: &Context, request: &Request, cap: usize) -> Result<Answer, Failure> {
    let answer = call(context, request, None, cap).await;
    answer.map_err(|error| Failure::new(error.into()).with_log(format!("omise: {error:?}")))
}

/// Sends one request, and again where the core's `retry` says so; all of it within the deadline.
///
/// The headers are [`build`]'s list and nothing of the customer's; redirects are not followed; of the answer, at most `cap`
/// bytes are read.
pub(crate) async fn call(
    context: &Context,
    request: &Request,
    idempotency_key: Option<&str>,
    cap: usize,
) -> Result<Answer, CallError> {
    let started = context.now();
    let abort = AbortController::default();
    let signal = abort.signal();
    let tries = Cell::new(0);
    let exchange = async {
        loop {
            tries.set(tries.get() + 1);
            let outcome = send(context, request, idempotency_key, cap, &signal).await;
            let (seen, retry_after) = match &outcome {
                Ok(answer) => (Outcome::Answered(answer.status), answer.retry_after),
                Err(CallError::TooLarge) => return outcome,
                // `fetch` does not tell whether bytes have left
                Err(_) => (Outcome::Lost, None),
            };
            let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
            let random = u16::from_le_bytes(random().unwrap_or_default());
            match decide(request.method, seen, tries.get(), retry_after, random) {
                Decision::Stop => return outcome,
                Decision::After(delay) => Delay::from(delay).await,
            }
        }
    };
    let deadline = Delay::from(context.settings.upstream_deadline);
    let outcome = match select(pin!(exchange), pin!(deadline)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(CallError::Timeout),
    };
    if outcome.is_err() {
        // whatever still arrives is not waited for
        abort.abort();
    }
    context.trace.upstream_took(tries.get(), context.now() - started);
    outcome
}

async fn send(
    context: &Context,
    request: &Request,
    idempotency_key: Option<&str>,
    cap: usize,
    signal: &AbortSignal,
) -> Result<Answer, CallError> {
    let unreachable = |_| CallError::Unreachable;
    let request = build(context, request, idempotency_key).map_err(unreachable)?;
    let mut response = Fetch::Request(request).send_with_signal(signal).await.map_err(unreachable)?;
    let status = response.status_code();
    let retry_after = response.headers().get("Retry-After").ok().flatten();
    let retry_after = retry_after.and_then(|text| seconds(&text, context.now()));
    let body = match response.stream() {
        Ok(stream) => read_capped(stream, cap).await.map_err(|error| match error {
            BodyError::TooLarge => CallError::TooLarge,
            BodyError::Broken => CallError::Unreachable,
        })?,
        // no body at all
        Err(_) => Vec::new(),
    };
    Ok(Answer { status, body, retry_after })
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which the engine reads.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturating is right
fn seconds(text: &str, now: Millis) -> Option<u32> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let at = js_sys::Date::parse(text);
    at.is_finite().then(|| ((at - now as f64) / 1_000.0).ceil().max(0.0) as u32)
}

fn build(context: &Context, request: &Request, idempotency_key: Option<&str>) -> worker::Result<worker::Request> {
    let settings = context.settings;
    let headers = Headers::new();
    headers.set("Accept", "application/json")?;
    headers.set("Authorization", &settings.secret_key.authorization())?;
    headers.set("Omise-Version", API_VERSION)?;
    headers.set("User-Agent", concat!("omise-linked-accounts/", env!("CARGO_PKG_VERSION")))?;
    headers.set("X-Request-Id", &context.trace.request_id)?;
    if let Some(key) = idempotency_key {
        headers.set("Idempotency-Key", key)?;
    }
    if request.body.is_some() {
        headers.set("Content-Type", BODY_TYPE)?;
    }
    let mut init = RequestInit::new();
    init.with_method(request.method.as_str().to_owned().into())
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(request.body.as_deref().map(JsValue::from_str));
    let query = request.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    worker::Request::new_with_init(&format!("{}{}{query}", settings.api_origin, request.path), &init)
}

/// The failure that a customer sees when Omise did not bring the account that was asked for. The raw text goes to the log.
pub(crate) fn failure(error: &ResponseError, retry_after: Option<u32>) -> Failure {
    let reason = match error {
        ResponseError::Api(ApiError { status, .. }) => match status {
            401 | 403 => Reason::UpstreamMisconfigured,
            404 => Reason::NotFound,
            429 | 500..=599 => Reason::UpstreamUnavailable,
            _ => Reason::UpstreamRefused,
        },
        _ => Reason::UpstreamUnreadable,
    };
    let failure = Failure::new(reason).with_log(error.to_string());
    match reason {
        // an hour is the longest that a customer is asked to wait
        Reason::UpstreamUnavailable => failure.with_retry_after(retry_after.unwrap_or(1).min(3_600)),
        _ => failure,
    }
}

/// An account that Omise answered with, if it may be shown: of the key's own mode. A registration page that is not on one of
/// the configured origins is taken away: no customer is ever sent there.
pub(crate) fn check(settings: &Settings, mut account: LinkedAccount) -> Result<LinkedAccount, Failure> {
    let mode = settings.secret_key.mode();
    if account.livemode != mode.is_live() || account.id.mode() != mode {
        return Err(Failure::new(Reason::ModeMismatch).with_log("omise answered with an account of the other mode"));
    }
    account.registration_uri = account.registration_uri.filter(|uri| is_registration_uri(settings, uri));
    Ok(account)
}

/// Whether a customer may be sent to `uri` to register: one of the configured origins, over https unless in test mode.
fn is_registration_uri(settings: &Settings, uri: &str) -> bool {
    let plain = uri.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let within = |origin: &String| {
        uri.strip_prefix(origin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    };
    let secure = uri.starts_with("https://") || settings.secret_key.mode() == Mode::Test;
    plain && secure && settings.registration_origins.iter().any(within)
}

/// How long an attempt may be in flight before it counts as lost: the deadline, and a margin for the ledger's writes.
pub(crate) fn in_flight_limit(settings: &Settings) -> Duration {
    settings.upstream_deadline + Duration::from_secs(15)
}
