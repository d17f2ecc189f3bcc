//! `DELETE /linked_accounts/:id`.
//!
//! 1. The intent is written down, with its actor, before Omise is asked.
//! 2. Omise is asked; whatever it answers but a plain success is settled by reading the account again.
//! 3. The outcome is written down. If nobody lives to do it, the alarm reads the account and does.
//!
//! Deleting twice gives the same answer.

use omise_linked_accounts::{LinkedAccount, LinkedAccountId, Reason, Status};

use super::{Next, Object, access::visible, ledger::Intent};
use crate::common::{
    answer::{Account, Failure, Success},
    context::{Millis, now},
    storage::corrupt,
    upstream::{self, Unlinked},
};

/// Unlinks an account.
pub(super) async fn handle(object: &Object<'_>, id: &str) -> Result<Next, Failure> {
    let link = visible(object, id)?;
    if link.is_deleted() {
        return Ok(Success::from(link.shown()?).into());
    }
    let id = link.account.id;
    let intent = object.ledger.intend_deletion(&id)?;
    let read_at = now();
    match upstream::unlink(&object.context, &id).await {
        Unlinked::Deleted(account) => object.ledger.deleted(&intent, &Account::of(*account), read_at)?,
        Unlinked::Gone => gone(object, &intent, &id, read_at)?,
        Unlinked::Failed { failure, in_doubt } => {
            if !in_doubt {
                object.ledger.not_deleted(&intent, &id, failure.reason.as_str())?;
            }
            return Err(failure);
        }
    }
    Ok(Success::from(object.ledger.found(&id)?.shown()?).into())
}

/// The account is no more: as it was last read, and deleted.
fn gone(object: &Object<'_>, intent: &Intent, id: &LinkedAccountId, read_at: Millis) -> Result<(), Failure> {
    let stored = object.ledger.found(id)?.account.json;
    let mut account = serde_json::from_str::<LinkedAccount>(&stored).map_err(|_| corrupt("links.account"))?;
    account.status = Status::Deleted;
    object.ledger.deleted(intent, &Account::of(account), read_at)
}

/// Finds out what became of a deletion whose outcome nobody has written down.
///
/// # Errors
///
/// Where Omise or the ledger does not answer: nothing is known, and nothing changed.
pub(super) async fn settle(object: &Object<'_>, intent: &Intent, id: &LinkedAccountId) -> Result<(), Failure> {
    let read_at = now();
    match upstream::read(&object.context, id).await {
        Ok((_, account)) if account.status == Status::Deleted => {
            object.ledger.deleted(intent, &Account::of(account), read_at)
        }
        Ok((_, account)) => {
            object.ledger.take(account, read_at, "read", None)?;
            object.ledger.not_deleted(intent, id, "not_deleted")
        }
        Err(failure) if failure.reason == Reason::NotFound => gone(object, intent, id, read_at),
        Err(failure) => Err(failure),
    }
}
