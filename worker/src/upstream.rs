//! Calling Omise.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use omise_linked_accounts::{
    API_VERSION, ApiError, BODY_TYPE, LinkedAccount, MAX_ACCOUNT, Mode, Reason, Request, ResponseError,
};
use wasm_bindgen::JsValue;
use worker::{AbortController, Delay, Fetch, Headers, RequestInit, RequestRedirect};

use crate::{
    answer::Failure,
    body::{BodyError, read_capped},
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
    /// The answer is larger than [`MAX_ACCOUNT`].
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

/// Sends one request, once. The headers are this list and nothing of the customer's; redirects are not followed.
pub(crate) async fn call(
    settings: &Settings,
    request: &Request,
    request_id: &str,
    idempotency_key: Option<&str>,
) -> Result<Answer, CallError> {
    let abort = AbortController::default();
    let signal = abort.signal();
    let deadline = Delay::from(settings.upstream_deadline);
    let exchange = async {
        let request = build(settings, request, request_id, idempotency_key)?;
        let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
        let status = response.status_code();
        let retry_after = response.headers().get("Retry-After")?.and_then(|text| text.trim().parse().ok());
        let body = match response.stream() {
            Ok(stream) => read_capped(stream, MAX_ACCOUNT).await,
            // no body at all
            Err(_) => Ok(Vec::new()),
        };
        Ok::<_, worker::Error>((status, retry_after, body))
    };
    match select(pin!(exchange), pin!(deadline)).await {
        Either::Left((Ok((status, retry_after, Ok(body))), _)) => Ok(Answer { status, body, retry_after }),
        Either::Left((Ok((_, _, Err(BodyError::TooLarge))), _)) => {
            abort.abort();
            Err(CallError::TooLarge)
        }
        Either::Left((Ok((_, _, Err(BodyError::Broken))) | Err(_), _)) => Err(CallError::Unreachable),
        Either::Right(_) => {
            abort.abort();
            Err(CallError::Timeout)
        }
    }
}

fn build(
    settings: &Settings,
    request: &Request,
    request_id: &str,
    idempotency_key: Option<&str>,
) -> worker::Result<worker::Request> {
    let headers = Headers::new();
    headers.set("Accept", "application/json")?;
    headers.set("Authorization", &settings.secret_key.authorization())?;
    headers.set("Omise-Version", API_VERSION)?;
    headers.set("User-Agent", concat!("omise-linked-accounts/", env!("CARGO_PKG_VERSION")))?;
    headers.set("X-Request-Id", request_id)?;
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
