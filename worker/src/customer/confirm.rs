//! `POST /linked_accounts/confirm`.
//!
//! A link is confirmed only when its owner, signed in, presents the `link_state` that the bank's redirect brought back. An attacker who
//! sends his own registration page to a victim never gets there.

use omise_linked_accounts::{LinkState, Reason};

use super::{Next, Object, READING, Reading};
use crate::common::answer::{Failure, Success};

/// Confirms the account that a return belongs to, and reads it.
pub(super) fn handle(object: &Object<'_>, link_state: &str) -> Result<Next, Failure> {
    // ill-formed, unknown and somebody else's are one answer
    let state = LinkState::parse(link_state).map_err(|_| Reason::NotFound)?;
    let link = object.ledger.confirm(&state)?.ok_or(Reason::NotFound)?;
    if !link.is_deleted() {
        match object.reading(&link.account.id, object.asked_at) {
            Reading::Due => return Ok(Next::Read(link.account.id, READING)),
            // confirmed all the same: the stored reading serves until Omise answers again
            Reading::Failed(failure) if !failure.reason.is_retryable() => return Err(failure),
            Reading::Failed(_) | Reading::Fresh { .. } => {}
        }
    }
    Ok(Success::from(link.shown()?).into())
}
