//! Calling Omise.

use std::time::Duration;

use omise_linked_accounts::{
    API_VERSION, ApiError, BODY_TYPE, LinkedAccount, LinkedAccountId, MAX_ACCOUNT, MAX_PAGE, Mode, Reason, Request,
    ResponseError, Status, delete,
    list::{self, List, ListParams},
    retrieve,
    retry::{Decision, Outcome, decide},
};
use worker::Delay;

use super::{
    answer::Failure,
    context::{Context, Millis, now, random},
    fetch::{Deadline, FetchError, Incoming, Outgoing, USER_AGENT, fetch},
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

impl From<FetchError> for Reason {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Timeout => Self::UpstreamTimeout,
            FetchError::Unreachable => Self::UpstreamUnavailable,
            FetchError::TooLarge => Self::UpstreamUnreadable,
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
/// The headers are this list and nothing of the customer's; of the answer, at most `cap` bytes are read.
pub(crate) async fn call(
    context: &Context,
    request: &Request,
    idempotency_key: Option<&str>,
    cap: usize,
) -> Result<Answer, FetchError> {
    let settings = context.settings;
    let query = request.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    let authorization = settings.secret_key.authorization();
    let mut headers = vec![
        ("Accept", "application/json"),
        ("Authorization", authorization.as_str()),
        ("Omise-Version", API_VERSION),
        ("User-Agent", USER_AGENT),
        ("X-Request-Id", context.trace.request_id.as_str()),
    ];
    headers.extend(idempotency_key.map(|key| ("Idempotency-Key", key)));
    headers.extend(request.body.as_ref().map(|_| ("Content-Type", BODY_TYPE)));
    let outgoing = Outgoing {
        method: request.method.as_str(),
        url: &format!("{}{}{query}", settings.api_origin, request.path),
        headers: &headers,
        body: request.body.as_deref(),
    };

    let started = now();
    let deadline = Deadline::after(settings.upstream_deadline);
    let mut tries = 0;
    let outcome = loop {
        tries += 1;
        let outcome = fetch(&outgoing, &deadline, cap).await.map(|Incoming { status, retry_after, body }| {
            let retry_after = retry_after.and_then(|text| seconds(&text, now()));
            Answer { status, body, retry_after }
        });
        let (seen, retry_after) = match &outcome {
            Ok(answer) => (Outcome::Answered(answer.status), answer.retry_after),
            // `fetch` does not tell whether bytes have left
            Err(FetchError::Unreachable) => (Outcome::Lost, None),
            Err(FetchError::Timeout | FetchError::TooLarge) => break outcome,
        };
        let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
        let random = u16::from_le_bytes(random().unwrap_or_default());
        match decide(request.method, seen, tries, retry_after, random) {
            Decision::Stop => break outcome,
            // what Omise said is worth more than that there was no time to ask again
            Decision::After(delay) if delay >= deadline.left() => break outcome,
            Decision::After(delay) => Delay::from(delay).await,
        }
    };
    context.trace.upstream_took(tries, now() - started);
    outcome
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

/// Reads an account; when the reading began, and the account.
pub(crate) async fn read(context: &Context, id: &LinkedAccountId) -> Result<(Millis, LinkedAccount), Failure> {
    let read_at = now();
    let answer = ask(context, &retrieve::encode_request(id), MAX_ACCOUNT).await?;
    let account = retrieve::decode_response(id, answer.status, &answer.body)
        .map_err(|error| failure_of_one(&error, answer.retry_after))?;
    Ok((read_at, check(context.settings, account)?))
}

/// A part of the list of all accounts.
pub(crate) async fn list(context: &Context, params: &ListParams) -> Result<List, Failure> {
    let answer = ask(context, &list::encode_request(params), MAX_PAGE).await?;
    list::decode_response(answer.status, &answer.body).map_err(|error| failure(&error, answer.retry_after))
}

/// What came of asking for a deletion.
pub(crate) enum Unlinked {
    /// The account as it was deleted.
    Deleted(Box<LinkedAccount>),
    /// There is no such account any more.
    Gone,
    /// It was not deleted, or nobody can say.
    Failed {
        failure: Failure,
        /// Whether a later reading may show that it was deleted all the same.
        in_doubt: bool,
    },
}

/// Deletes an account. Whatever is answered but a plain success is settled by reading the account again: `deleted`, or gone, is done.
pub(crate) async fn unlink(context: &Context, id: &LinkedAccountId) -> Unlinked {
    let failure = match delete(context, id).await {
        Ok(account) => return Unlinked::Deleted(Box::new(account)),
        Err(failure) => failure,
    };
    #[cfg(feature = "fault")]
    super::fault::after_upstream(&context.trace.request_id);
    match read(context, id).await {
        Ok((_, account)) if account.status == Status::Deleted => Unlinked::Deleted(Box::new(account)),
        Ok(_) => Unlinked::Failed { in_doubt: !failure.is_refusal(), failure },
        Err(second) if second.reason == Reason::NotFound => {
            // told for an operator alone: a customer's link is in the ledger
            Unlinked::Gone
        }
        // a second try is told this too of what the first has deleted
        Err(second) if failure.reason == Reason::NotRegistered && second.reason.is_retryable() => {
            Unlinked::Failed { failure: second, in_doubt: true }
        }
        Err(_) => Unlinked::Failed { in_doubt: failure.reason != Reason::NotRegistered, failure },
    }
}

async fn delete(context: &Context, id: &LinkedAccountId) -> Result<LinkedAccount, Failure> {
    let answer = ask(context, &delete::encode_request(id), MAX_ACCOUNT).await?;
    let account = delete::decode_response(id, answer.status, &answer.body).map_err(|error| match &error {
        // the only 400 that is documented here
        ResponseError::Api(ApiError { status: 400, .. }) => Failure::new(Reason::NotRegistered),
        _ => failure_of_one(&error, answer.retry_after),
    })?;
    check(context.settings, account)
}

/// As [`failure`], for a call about one account: a 404 says that there is none.
fn failure_of_one(error: &ResponseError, retry_after: Option<u32>) -> Failure {
    match error {
        ResponseError::Api(ApiError { status: 404, .. }) => Failure::new(Reason::NotFound).with_log(error.to_string()),
        _ => failure(error, retry_after),
    }
}

/// The failure that a customer sees when Omise did not bring what was asked for. Omise's status and code go to the log, its text
/// nowhere.
pub(crate) fn failure(error: &ResponseError, retry_after: Option<u32>) -> Failure {
    let reason = match error {
        ResponseError::Api(ApiError { status, .. }) => match status {
            // 404: the key's account at Omise knows of no linked accounts
            401 | 403 | 404 => Reason::UpstreamMisconfigured,
            429 | 500..=599 => Reason::UpstreamUnavailable,
            _ => Reason::UpstreamRefused,
        },
        _ => Reason::UpstreamUnreadable,
    };
    let failure = Failure::new(reason).with_log(error.to_string());
    match reason {
        // an hour is the longest that a customer is asked to wait
        Reason::UpstreamUnavailable => failure.with_retry_after(retry_after.unwrap_or(1).clamp(1, 3_600)),
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
