//! `POST /linked_accounts`.
//!
//! 1. Validate the request as a whole.
//! 2. Begin an attempt in the ledger; a known key is answered from it, a pending account of the type refused.
//! 3. Ask Omise, once. The attempt's id is stamped into the account's metadata and sent as `Idempotency-Key`; `link_state`
//!    is appended to `return_uri`.
//! 4. Refused: the attempt is forgotten. Answered: the link is recorded. Anything else: the attempt is in doubt.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use omise_linked_accounts::{
    CreateRequest, IssueCode, LinkState, MAX_ACCOUNT, Metadata, Reason, ResponseError, Scalar, create,
};

use crate::{
    answer::{Failure, Success},
    context::Context,
    ledger::{Attempt, AttemptState, Begun, NewAttempt},
    request::Request,
    retrieve,
    session::Caller,
    settle::{self, Settled, settle},
    upstream,
};

/// Creates an account for the caller.
pub(crate) async fn handle(context: &Context, caller: &Caller, req: &Request) -> Result<Success, Failure> {
    // 1
    let idempotency_key = req.idempotency_key()?;
    let json = req.json().await?;
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
    let link_state = LinkState::from_random(context.random()?);
    let new = NewAttempt {
        id: &URL_SAFE_NO_PAD.encode(context.random()?),
        owner: &caller.subject,
        idempotency_key: &idempotency_key,
        fingerprint: &fingerprint(context, &wanted),
        account_type: &wanted.params.account_type,
        replace_pending: wanted.replace_pending,
        link_state: &link_state,
        now: context.now(),
    };
    let mut begun = context.ledger.begin(&new).await?;
    if matches!(begun, Begun::Pending(_) | Begun::TooMany) && settle_open(context, new.owner).await {
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
    let mut params = wanted.params.clone();
    params.return_uri = params.return_uri.with_link_state(new.link_state);
    let stamp = params.metadata.insert(Metadata::ATTEMPT, Scalar::from(new.id));
    // validation has left room for it
    stamp.map_err(|error| Failure::new(Reason::Internal).with_log(error.to_string()))?;

    let read_at = context.now();
    let request = create::encode_request(&params);
    let answer = match upstream::call(context, &request, Some(new.id), MAX_ACCOUNT).await {
        Ok(answer) => answer,
        Err(error) => return Err(in_doubt(context, new.id, format!("omise: {error:?}")).await),
    };
    #[cfg(feature = "fault")]
    crate::fault::after_upstream(&context.trace.request_id);
    match create::decode_response(answer.status, &answer.body) {
        // somebody else's, whatever Omise says: it is nobody's to be shown
        Ok(account) if !settle::carries(&account, new.id) => {
            Err(in_doubt(context, new.id, "omise answered with another account".to_owned()).await)
        }
        Ok(account) => {
            let account = match upstream::check(context.settings, account) {
                Ok(account) => account,
                Err(failure) => {
                    context.ledger.doubt(new.id).await?;
                    return Err(failure);
                }
            };
            let has_page = account.registration_uri.is_some();
            let account = match context.ledger.link(new.id, account, read_at, "create").await {
                Ok(account) => account,
                Err(failure) => return Err(in_doubt(context, new.id, failure.into_log()).await),
            };
            if !has_page {
                let failure = Failure::new(Reason::UpstreamUnreadable);
                return Err(failure.with_log("no registration_uri on one of REGISTRATION_ORIGINS"));
            }
            Ok(account.shown(None)?.into())
        }
        Err(error) if is_refusal(&error) => {
            context.ledger.forget(new.id).await?;
            Err(upstream::failure(&error, answer.retry_after))
        }
        Err(error) => Err(in_doubt(context, new.id, error.to_string()).await),
    }
}

/// Whether Omise says that it made nothing. Only its own error object does: what has none comes from something on the way, which
/// may have let the request through. A 408 or 409 may be about a request that is still at work.
fn is_refusal(error: &ResponseError) -> bool {
    match error {
        ResponseError::Api(error) => error.code().is_some() && error.status < 500 && !matches!(error.status, 408 | 409),
        _ => false,
    }
}

/// Whether Omise made the account is not known. It is never asked a second time.
async fn in_doubt(context: &Context, attempt: &str, log: String) -> Failure {
    let failure = unknown();
    // the row stays in flight if this fails too, and is read as in doubt once its time is over
    match context.ledger.doubt(attempt).await {
        Ok(()) => failure.with_log(log),
        Err(second) => failure.with_log(format!("{log}; {}", second.into_log())),
    }
}

fn unknown() -> Failure {
    Failure::new(Reason::OutcomeUnknown).with_retry_after(10)
}

/// The answer to a key that was used before with the same request.
async fn replay(context: &Context, attempt: &Attempt) -> Result<Success, Failure> {
    // a key whose attempt is over stays over for its owner; what the cron finds later is linked by then
    if attempt.state == AttemptState::Abandoned {
        return Err(Reason::AttemptAbandoned.into());
    }
    let id = match settle(context, attempt).await {
        Ok(Settled::Linked(id)) => id,
        Ok(Settled::Abandoned) => return Err(Reason::AttemptAbandoned.into()),
        Ok(Settled::InFlight) => return Err(Failure::new(Reason::AttemptInFlight).with_retry_after(2)),
        Ok(Settled::InDoubt) => return Err(unknown()),
        // looking failed: nothing more is known than before
        Err(failure) => return Err(unknown().with_log(failure.into_log())),
    };
    let account = retrieve::read(context, &id).await?.shown()?;
    Ok(Success::Account { account, replayed: true })
}

async fn already_pending(context: &Context, attempt: &Attempt) -> Result<Failure, Failure> {
    let failure = Failure::new(Reason::AlreadyPending);
    let Some(id) = &attempt.link else {
        let in_flight = attempt.state == AttemptState::InFlight;
        return Ok(failure.with_retry_after(if in_flight { 2 } else { 10 }));
    };
    Ok(match context.ledger.last(id).await? {
        Some(seen) => failure.with_linked_account(seen.shown()?),
        None => failure,
    })
}

/// Looks afresh at the owner's open attempts, so that none stands in the way whose bank has answered, whose time is over, or
/// that came to nothing; says whether any was settled.
async fn settle_open(context: &Context, owner: &str) -> bool {
    let Ok(attempts) = context.ledger.open_attempts(owner).await else { return false };
    let mut settled = false;
    for attempt in attempts {
        // what fails stays open: the refusal stands
        settled |= if let Some(id) = &attempt.link {
            retrieve::read(context, id).await.is_ok_and(|seen| !seen.is_pending())
        } else {
            let what = settle(context, &attempt).await;
            what.is_ok_and(|what| matches!(what, Settled::Linked(_) | Settled::Abandoned))
        };
    }
    settled
}

/// A keyed digest of what is asked for, so that a key cannot be reused for something else. Keyed, since it covers the
/// citizen id, which could be found by trial otherwise.
fn fingerprint(context: &Context, wanted: &CreateRequest) -> String {
    let request = create::encode_request(&wanted.params);
    let mut mac = context.settings.fingerprint_key.mac();
    mac.update(if wanted.replace_pending { b"1" } else { b"0" });
    mac.update(request.body.unwrap_or_default().as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
