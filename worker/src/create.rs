//! `POST /linked_accounts`.
//!
//! 1. Validate the request as a whole.
//! 2. Begin an attempt in the ledger; a known key is answered from it, a pending account of the type refused.
//! 3. Ask Omise, once. The attempt's id is stamped into the account's metadata and sent as `Idempotency-Key`; `link_state`
//!    is appended to `return_uri`.
//! 4. Refused: the attempt is forgotten. Answered: the link is recorded. Anything else: the attempt is in doubt.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use omise_linked_accounts::{
    CreateRequest, IssueCode, LinkState, LinkedAccountId, Metadata, Reason, ResponseError, Scalar, Status, create,
};
use sha2::Sha256;

use crate::{
    answer::{Failure, Shown, Success},
    context::Context,
    ledger::{Attempt, AttemptState, Begun, Millis, NewAttempt},
    request, retrieve,
    session::Caller,
    upstream,
};

/// Creates an account for the caller.
pub(crate) async fn handle(context: &Context, caller: &Caller, req: worker::Request) -> Result<Success, Failure> {
    // 1
    let idempotency_key = request::idempotency_key(&req)?;
    let json = request::json(req).await?;
    let wanted = CreateRequest::validate(json, &context.settings.create_policy).map_err(|error| {
        let issues = error.into_issues();
        let only = |code| issues.iter().all(|issue| issue.code == code);
        let reason = match issues.first().map(|issue| issue.code) {
            Some(IssueCode::NotAllowed) if only(IssueCode::NotAllowed) => Reason::ReturnUriNotAllowed,
            Some(IssueCode::NotSupported) if only(IssueCode::NotSupported) => Reason::TypeNotEnabled,
            _ => Reason::InvalidRequest,
        };
        Failure::new(reason).with_issues(issues)
    })?;

    // 2
    let new = NewAttempt {
        id: &URL_SAFE_NO_PAD.encode(context.random()?),
        owner: &caller.subject,
        idempotency_key: &idempotency_key,
        fingerprint: &fingerprint(context, &wanted)?,
        account_type: &wanted.params.account_type,
        replace_pending: wanted.replace_pending,
        now: context.now(),
    };
    let mut begun = context.ledger.begin(&new).await?;
    if matches!(begun, Begun::Pending(_) | Begun::TooMany) && settle_open(context, &new).await {
        begun = context.ledger.begin(&new).await?;
    }
    match begun {
        Begun::Started => ask(context, &new, &wanted).await,
        Begun::Known(attempt) if attempt.fingerprint != new.fingerprint => Err(Reason::IdempotencyKeyReused.into()),
        Begun::Known(attempt) => replay(context, &attempt).await,
        Begun::Pending(attempt) => Err(already_pending(context, &attempt).await?),
        Begun::TooMany => Err(Reason::TooManyPending.into()),
    }
}

/// Steps 3 and 4.
async fn ask(context: &Context, new: &NewAttempt<'_>, wanted: &CreateRequest) -> Result<Success, Failure> {
    let link_state = LinkState::from_random(context.random()?);
    let mut params = wanted.params.clone();
    params.return_uri = params.return_uri.with_link_state(&link_state);
    let stamp = params.metadata.insert(Metadata::ATTEMPT, Scalar::from(new.id));
    // validation has left room for it
    stamp.map_err(|error| Failure::new(Reason::Internal).with_log(error.to_string()))?;

    let read_at = context.now();
    let request = create::encode_request(&params);
    let answer = match upstream::call(context.settings, &request, &context.request_id, Some(new.id)).await {
        Ok(answer) => answer,
        Err(error) => return Err(in_doubt(context, new.id, format!("create: {error:?}")).await),
    };
    match create::decode_response(answer.status, &answer.body) {
        Ok(account) => {
            let account = match upstream::check(context.settings, account) {
                Ok(account) => account,
                Err(failure) => {
                    context.ledger.doubt(new.id).await?;
                    return Err(failure);
                }
            };
            if let Err(failure) = context.ledger.link(new, &account, &link_state, read_at).await {
                let log = failure.log.unwrap_or_default();
                return Err(in_doubt(context, new.id, log).await);
            }
            if account.registration_uri.is_none() {
                let failure = Failure::new(Reason::UpstreamUnreadable);
                return Err(failure.with_log("no registration_uri on one of REGISTRATION_ORIGINS"));
            }
            Ok(Shown::new(account, None).into())
        }
        // a refusal: Omise says that it made nothing
        Err(error @ ResponseError::Api(_)) if answer.status < 500 => {
            context.ledger.forget(new.id).await?;
            Err(upstream::failure(&error, answer.retry_after))
        }
        Err(error) => Err(in_doubt(context, new.id, error.to_string()).await),
    }
}

/// Whether Omise made the account is not known. It is never asked a second time.
async fn in_doubt(context: &Context, attempt: &str, log: String) -> Failure {
    let failure = Failure::new(Reason::OutcomeUnknown).with_retry_after(10);
    // the row stays in flight if this fails too, and is read as in doubt once its time is over
    match context.ledger.doubt(attempt).await {
        Ok(()) => failure.with_log(log),
        Err(second) => failure.with_log(format!("{log}; {}", second.log.unwrap_or_default())),
    }
}

/// The answer to a key that was used before with the same request.
async fn replay(context: &Context, attempt: &Attempt) -> Result<Success, Failure> {
    let Some(id) = attempt.link.as_deref().and_then(|id| LinkedAccountId::parse(id).ok()) else {
        return Err(if is_in_flight(context, attempt) {
            Failure::new(Reason::AttemptInFlight).with_retry_after(2)
        } else {
            Failure::new(Reason::OutcomeUnknown).with_retry_after(10)
        });
    };
    let account = retrieve::read(context, &id).await?;
    Ok(Success::Account { account: Box::new(account), replayed: true })
}

async fn already_pending(context: &Context, attempt: &Attempt) -> Result<Failure, Failure> {
    let failure = Failure::new(Reason::AlreadyPending);
    let Some(id) = attempt.link.as_deref().and_then(|id| LinkedAccountId::parse(id).ok()) else {
        return Ok(failure.with_retry_after(if is_in_flight(context, attempt) { 2 } else { 10 }));
    };
    Ok(match context.ledger.find(&id).await? {
        Some(link) => failure.with_linked_account(link.shown()),
        None => failure,
    })
}

/// Whether somebody may still be working on the attempt.
#[allow(clippy::cast_precision_loss)] // milliseconds
fn is_in_flight(context: &Context, attempt: &Attempt) -> bool {
    let limit = upstream::in_flight_limit(context.settings).as_millis() as f64;
    attempt.state == AttemptState::InFlight && context.now() as f64 - attempt.created_at < limit
}

/// Reads the owner's open accounts afresh, so that none stands in the way whose bank has answered or whose time is over;
/// says whether any was settled.
async fn settle_open(context: &Context, new: &NewAttempt<'_>) -> bool {
    let Ok(ids) = context.ledger.open_links(new.owner).await else { return false };
    let mut settled = false;
    for id in ids {
        let read_at: Millis = context.now();
        // a reading that fails leaves the account open: the refusal stands
        if let Ok(account) = retrieve::ask(context, &id).await
            && account.status != Status::Pending
        {
            settled |= context.ledger.record(&account, read_at).await.is_ok();
        }
    }
    settled
}

/// A keyed digest of what is asked for, so that a key cannot be reused for something else. Keyed, since it covers the
/// citizen id, which could be found by trial otherwise.
fn fingerprint(context: &Context, wanted: &CreateRequest) -> Result<String, Failure> {
    let request = create::encode_request(&wanted.params);
    let mut mac = Hmac::<Sha256>::new_from_slice(context.settings.fingerprint_key.expose())
        .map_err(|_| Failure::new(Reason::Internal))?;
    mac.update(if wanted.replace_pending { b"1" } else { b"0" });
    mac.update(request.body.unwrap_or_default().as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
