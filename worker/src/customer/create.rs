//! `POST /linked_accounts`.
//!
//! 1. Begin an attempt in the ledger, with its intent in the audit; a known key is answered from it, a pending account of the type
//!    refused.
//! 2. Ask Omise, once. The attempt's stamp goes into the account's metadata, its id is sent as `Idempotency-Key`, and `link_state` is
//!    appended to `return_uri`.
//! 3. Refused: the key is free. Answered: the link is recorded. Anything else: the attempt is in doubt.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use omise_linked_accounts::{
    CreateRequest, Json, LinkState, MAX_ACCOUNT, Metadata, Reason, ResponseError, Scalar, create,
};

use super::{
    Next, Object, READING, Reading,
    attempt::State,
    ledger::{Attempt, Begun, NewAttempt},
    settle::{Settled, carries, settle},
};
use crate::common::{
    answer::{Failure, Success},
    context::{now, random},
    settings::LedgerKey,
    stamp::{Stamp, object_name},
    upstream,
};

/// How soon to ask again for an attempt that a call works on, and for one in doubt, in seconds.
const IN_FLIGHT_AGAIN: u32 = 2;
const IN_DOUBT_AGAIN: u32 = 10;

/// Creates an account for the customer.
pub(super) async fn handle(object: &Object<'_>, key: &str, body: &str) -> Result<Next, Failure> {
    let json = Json::parse(body.as_bytes()).map_err(|_| Reason::MalformedJson)?;
    let wanted = CreateRequest::validate(json, &object.context.settings.create_policy)
        .map_err(|error| Failure::new(Reason::InvalidRequest).with_issues(error.into_issues()))?;

    let attempt_id: [u8; 16] = random()?;
    let link_state = LinkState::from_random(random()?);
    let mut fingerprints = object.context.settings.ledger_keys.iter().map(|key| fingerprint(key, &wanted));
    let newest = fingerprints.next().ok_or(Reason::Internal)?;
    let new = NewAttempt {
        id: &URL_SAFE_NO_PAD.encode(attempt_id),
        idempotency_key: key,
        fingerprint: &newest,
        account_type: &wanted.params.account_type,
        replace_pending: wanted.replace_pending,
        link_state: &link_state,
    };
    let mut begun = object.ledger.begin(&new)?;
    if let Begun::Pending(attempt) = &begun {
        match settle(object, attempt).await {
            Ok(Settled::InFlight) => return Err(Failure::new(Reason::AlreadyPending).with_retry_after(IN_FLIGHT_AGAIN)),
            // whose bank has answered, or whose time is over, does not stand in the way
            Ok(Settled::Linked(id)) => match object.reading(&id, object.asked_at) {
                Reading::Due => return Ok(Next::Read(id, READING)),
                // what failed stays open: the refusal stands
                Reading::Fresh { .. } | Reading::Failed(_) => {}
            },
            Ok(Settled::Abandoned | Settled::InDoubt(_)) | Err(_) => {}
        }
        // nothing that was read before Omise was asked is trusted
        begun = object.ledger.begin(&new)?;
    }
    match begun {
        Begun::Started => ask(object, &new, attempt_id, &wanted).await,
        Begun::Known(attempt)
            if attempt.fingerprint != newest && !fingerprints.any(|old| old == attempt.fingerprint) =>
        {
            Err(Reason::IdempotencyKeyReused.into())
        }
        Begun::Known(attempt) => replay(object, &attempt).await,
        Begun::Pending(attempt) => Err(already_pending(object, &attempt)?),
        Begun::TooMany(until) => {
            let seconds = u32::try_from(until.saturating_sub(now()).div_ceil(1_000)).unwrap_or(u32::MAX);
            Err(Failure::new(Reason::TooManyCreates).with_retry_after(seconds.max(1)))
        }
    }
}

/// Steps 2 and 3.
async fn ask(
    object: &Object<'_>,
    new: &NewAttempt<'_>,
    attempt_id: [u8; 16],
    wanted: &CreateRequest,
) -> Result<Next, Failure> {
    object.memory.begin(object.call, new.id);
    let mut params = wanted.params.clone();
    params.return_uri = params.return_uri.with_link_state(new.link_state);
    let stamp = Stamp { object: object_name(&object.ledger.kept_subject()?), attempt: attempt_id };
    let key = object.context.settings.ledger_keys.first().ok_or(Reason::Internal)?;
    let text = key.stamps.seal(&stamp, random()?).ok_or(Reason::Internal)?;
    // validation has left room for it
    let stamped = params.metadata.insert(Metadata::STAMP, Scalar::from(text.as_str()));
    stamped.map_err(|error| Failure::new(Reason::Internal).with_log(error.to_string()))?;

    let read_at = now();
    let request = create::encode_request(&params);
    let answer = match upstream::call(&object.context, &request, Some(new.id), MAX_ACCOUNT).await {
        Ok(answer) => answer,
        Err(error) => return Err(in_doubt(object, format!("omise: {error:?}"))),
    };
    #[cfg(feature = "fault")]
    crate::common::fault::after_upstream(&object.context.trace.request_id);
    match create::decode_response(answer.status, &answer.body) {
        // somebody else's, whatever Omise says: it is nobody's to be shown
        Ok(account) if !carries(object, &account, new.id)? => {
            Err(in_doubt(object, "omise answered with another account".to_owned()))
        }
        Ok(account) => {
            let account = match upstream::check(object.context.settings, account) {
                Ok(account) => account,
                Err(failure) => {
                    object.ledger.doubted()?;
                    return Err(failure);
                }
            };
            let has_page = account.registration_uri.is_some();
            let account = match object.ledger.link(new.id, account, read_at, "create", None) {
                Ok(account) => account,
                Err(failure) => return Err(in_doubt(object, failure.into_log())),
            };
            if !has_page {
                let failure = Failure::new(Reason::UpstreamUnreadable);
                return Err(failure.with_log("no registration_uri on one of REGISTRATION_ORIGINS"));
            }
            Ok(Success::from(account.shown(None)?).into())
        }
        Err(error) if is_refusal(&error) => {
            let failure = upstream::failure(&error, answer.retry_after);
            object.ledger.refused(new.id, failure.reason)?;
            Err(failure)
        }
        Err(error) => Err(in_doubt(object, error.to_string())),
    }
}

/// Whether Omise says that it made nothing. Only its own error object does: what has none comes from something on the way, which may
/// have let the request through. A 408 or 409 may be about a request that is still at work.
fn is_refusal(error: &ResponseError) -> bool {
    match error {
        ResponseError::Api(error) => error.code().is_some() && error.status < 500 && !matches!(error.status, 408 | 409),
        _ => false,
    }
}

/// Whether Omise made the account is not known. It is never asked a second time.
fn in_doubt(object: &Object<'_>, log: String) -> Failure {
    // the attempt is in doubt whether or not that can be written down
    match object.ledger.doubted() {
        Ok(()) => unknown().with_log(log),
        Err(second) => unknown().with_log(format!("{log}; {}", second.into_log())),
    }
}

fn unknown() -> Failure {
    Failure::new(Reason::OutcomeUnknown).with_retry_after(IN_DOUBT_AGAIN)
}

/// The answer to a key that was used before with the same request.
async fn replay(object: &Object<'_>, attempt: &Attempt) -> Result<Next, Failure> {
    // a key whose attempt is over stays over for its owner; what the alarm finds later is linked by then
    if attempt.state == State::Abandoned {
        return Err(Reason::AttemptAbandoned.into());
    }
    let id = match settle(object, attempt).await {
        Ok(Settled::Linked(id)) => id,
        Ok(Settled::Abandoned) => return Err(Reason::AttemptAbandoned.into()),
        Ok(Settled::InFlight) => return Err(Failure::new(Reason::AttemptInFlight).with_retry_after(IN_FLIGHT_AGAIN)),
        Ok(Settled::InDoubt(why)) if why.is_empty() => return Err(unknown()),
        Ok(Settled::InDoubt(why)) => return Err(unknown().with_log(why)),
        // what was found could not be written down: nothing more is known than before
        Err(failure) => return Err(unknown().with_log(failure.into_log())),
    };
    let link = object.ledger.found(&id)?;
    if !link.is_deleted() {
        match object.reading(&id, object.asked_at) {
            Reading::Due => return Ok(Next::Read(id, READING)),
            Reading::Failed(failure) => return Err(failure),
            Reading::Fresh { .. } => {}
        }
    }
    Ok(Success::Account { account: link.shown()?, replayed: true }.into())
}

fn already_pending(object: &Object<'_>, attempt: &Attempt) -> Result<Failure, Failure> {
    let failure = Failure::new(Reason::AlreadyPending);
    match &attempt.link {
        Some(id) => Ok(failure.with_linked_account(object.ledger.found(id)?.shown()?)),
        None => Ok(failure.with_retry_after(IN_DOUBT_AGAIN)),
    }
}

/// A keyed digest of what is asked for, so that a key cannot be reused for something else. Keyed, since it covers the identity number,
/// which could be found by trial otherwise.
fn fingerprint(key: &LedgerKey, wanted: &CreateRequest) -> String {
    let request = create::encode_request(&wanted.params);
    let mut mac = key.fingerprints();
    mac.update(if wanted.replace_pending { b"1" } else { b"0" });
    mac.update(request.body.unwrap_or_default().as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
