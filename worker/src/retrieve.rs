//! `GET /linked_accounts/:id`.

use std::{convert::Infallible, time::Duration};

use omise_linked_accounts::{
    LinkedAccountId, MAX_ACCOUNT, Reason, Status,
    merge::{Merge, Reading, merge},
    retrieve,
};
use worker::Delay;

use crate::{
    answer::{Account, Failure, Success},
    context::Context,
    ledger::{Link, Millis, Seen},
    session::Caller,
    shared::Shared,
    upstream,
};

/// How long a held answer waits between two readings.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a reading serves others who ask for the same account, in milliseconds: however many tabs poll it, Omise is asked
/// once in that time.
const SHARED_FOR: Millis = 3_000;

/// The last readings of this isolate. An account is a few kilobytes, with the most metadata that Omise takes about sixty.
static READINGS: Shared<Result<Seen, Failed>> = Shared::new(256);

/// A reading that failed.
#[derive(Clone)]
struct Failed {
    reason: Reason,
    retry_after: Option<u32>,
    /// When that was known.
    at: Millis,
}

impl Failed {
    /// The same for another request.
    fn again(self) -> Failure {
        let failure = Failure::new(self.reason).with_log("as another was told a moment ago");
        match self.retry_after {
            Some(seconds) => failure.with_retry_after(seconds),
            None => failure,
        }
    }
}

/// Reads an account for its owner, or for an operator. While it is pending the answer is held for as long as `wait` says.
pub(crate) async fn handle(context: &Context, caller: &Caller, id: &str, wait: Duration) -> Result<Success, Failure> {
    let until = context.now() + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let mut seen = if let Some(seen) = pending(context, caller, id) {
        seen
    } else {
        let (id, link) = find(context, caller, id).await?;
        reading(context, &id, link, SHARED_FOR).await?
    };
    while seen.is_pending() && context.now() < until {
        let left = Duration::from_millis(until - context.now());
        Delay::from(PAUSE.min(left)).await;
        // what the ledger knows by now: another reading, or a confirmation
        let link = context.ledger.find(&seen.account.id).await?;
        match reading(context, &seen.account.id, link, SHARED_FOR).await {
            Ok(newer) => seen = newer,
            // the last reading is an answer too
            Err(failure) if failure.reason.is_retryable() => break,
            Err(failure) => return Err(failure),
        }
    }
    Ok(seen.shown()?.into())
}

/// What another request was shown a moment ago of an account that is pending: whoever polls it is spared the ledger too.
///
/// Another isolate may have learned more meanwhile, so this is for what is asked for again soon, and says at worst what was
/// true `SHARED_FOR` ago. What this isolate learns, it forgets the reading for.
fn pending(context: &Context, caller: &Caller, id: &str) -> Option<Seen> {
    let now = context.now();
    let fresh = |began_at: Millis, reading: &Result<Seen, Failed>| {
        let may_see = |seen: &Seen| caller.operator || seen.owner.as_ref() == Some(&caller.subject);
        began_at + SHARED_FOR >= now && reading.as_ref().is_ok_and(|seen| seen.is_pending() && may_see(seen))
    };
    READINGS.last(id, fresh)?.ok()
}

/// More is known of an account than that it is pending. What says so stays: those who have waited for it are to share it.
pub(crate) fn forget(id: &LinkedAccountId) {
    READINGS.forget(id.as_str(), |reading| reading.as_ref().is_ok_and(|seen| !seen.is_pending()));
}

/// Reads an account that the caller is known to own, afresh: the customer has just come back, or something depends on it.
pub(crate) async fn read(context: &Context, id: &LinkedAccountId) -> Result<Seen, Failure> {
    let link = context.ledger.find(id).await?;
    reading(context, id, link, 0).await
}

/// The account that a path names, if the caller may see it: a customer only what the ledger says is theirs, an operator any
/// well-formed id of the key's mode. All else is the same 404, and reaches nobody.
pub(crate) async fn find(
    context: &Context,
    caller: &Caller,
    id: &str,
) -> Result<(LinkedAccountId, Option<Link>), Failure> {
    let id = LinkedAccountId::parse(id).map_err(|_| Reason::NotFound)?;
    if id.mode() != context.settings.secret_key.mode() {
        return Err(if caller.operator { Reason::ModeMismatch } else { Reason::NotFound }.into());
    }
    let link = context.ledger.find(&id).await?;
    let owned = link.as_ref().is_some_and(|link| link.owner == caller.subject);
    if owned || caller.operator { Ok((id, link)) } else { Err(Reason::NotFound.into()) }
}

/// A reading that began less than `shared_for` before now; the ledger is written only where the status changed.
async fn reading(
    context: &Context,
    id: &LinkedAccountId,
    link: Option<Link>,
    shared_for: Millis,
) -> Result<Seen, Failure> {
    let Some(link) = link else {
        let (_, account) = ask(context, id).await?;
        return Ok(Seen { account, owner: None, confirmed_at: None });
    };
    // deleted is final: Omise has nothing to add
    if link.status == Status::Deleted {
        return last(context, id).await;
    }
    let now = context.now();
    let fresh = |began_at: Millis, reading: &Result<Seen, Failed>| match reading {
        // never older than what the ledger has
        Ok(_) => began_at >= link.read_at && began_at + shared_for >= now,
        // who has waited for it has asked: a crowd must not make it harder for Omise to come back
        Err(failed) => failed.at >= now,
    };
    let mut failure = None;
    let ask = async |_| match ask(context, id).await {
        Ok((_, account)) => {
            let (owner, confirmed_at) = (Some(link.owner.clone()), link.confirmed_at);
            Ok::<_, Infallible>(Ok(Seen { account, owner, confirmed_at }))
        }
        Err(own) => {
            let failed = Failed { reason: own.reason, retry_after: own.retry_after(), at: context.now() };
            failure = Some(own);
            Ok(Err(failed))
        }
    };
    let Ok((read_at, reading)) = READINGS.get(id.as_str(), fresh, ask).await;
    let seen = reading.map_err(|failed| failure.unwrap_or_else(|| failed.again()))?;
    if !take(context, &link, &seen.account, read_at, "read", None).await? {
        return last(context, id).await;
    }
    // who read it may not have known yet that it is confirmed
    Ok(Seen { confirmed_at: link.confirmed_at, ..seen })
}

/// What the ledger has of an account that is in it.
pub(crate) async fn last(context: &Context, id: &LinkedAccountId) -> Result<Seen, Failure> {
    context.ledger.last(id).await?.ok_or_else(|| Failure::new(Reason::Internal).with_log("ledger: a link is gone"))
}

/// Records a reading if it is newer than what is there and says something else; `false` where what is there stays.
pub(crate) async fn take(
    context: &Context,
    link: &Link,
    account: &Account,
    read_at: Millis,
    action: &'static str,
    event: Option<&str>,
) -> Result<bool, Failure> {
    let stored = Reading { began_at: link.read_at, status: &link.status };
    match merge(stored, Reading { began_at: read_at, status: &account.status }) {
        Merge::Keep => return Ok(false),
        Merge::Take => {}
        Merge::TakeUnexpected => {
            context.trace.note(&format!("unexpected: {} became {}", link.status, account.status));
        }
    }
    if account.status != link.status {
        context.ledger.record(account, read_at, action, event).await?;
        forget(&account.id);
    }
    Ok(true)
}

/// Asks Omise; the account, and when the reading began.
pub(crate) async fn ask(context: &Context, id: &LinkedAccountId) -> Result<(Millis, Account), Failure> {
    let read_at = context.now();
    let answer = upstream::ask(context, &retrieve::encode_request(id), MAX_ACCOUNT).await?;
    let account = retrieve::decode_response(id, answer.status, &answer.body)
        .map_err(|error| upstream::failure_of_one(&error, answer.retry_after))?;
    Ok((read_at, Account::of(upstream::check(context.settings, account)?)))
}
