//! A genuine webhook about an account whose stamp names this object and one of its attempts.
//!
//! The account is read again from Omise: the event is a hint, never the truth. The reading and the event's id are written down in one
//! transaction. Where any of it fails the answer is 5xx and the event is not remembered, so that it is sent again.

use omise_linked_accounts::{LinkedAccountId, Reason};

use super::{Next, Object, settle::carries};
use crate::common::{
    answer::{Failure, Success, WebhookOutcome},
    context::now,
    storage::as_number,
    upstream,
};

/// Takes an event.
pub(super) async fn handle(object: &Object<'_>, event: &str, id: &str, attempt: &str) -> Result<Next, Failure> {
    let ledger = &object.ledger;
    if ledger.has_seen(event)? {
        return Ok(outcome("seen"));
    }
    let id = LinkedAccountId::parse(id).map_err(|_| Reason::NotFound)?;
    if ledger.find(&id)?.is_none() && ledger.attempt(attempt)?.is_none() {
        object.context.trace.note("the stamp's attempt is not known here");
        return Ok(outcome("ignored"));
    }
    let (read_at, account) = match upstream::read(&object.context, &id).await {
        Ok(reading) => reading,
        // the sender is to come again, whatever a customer would have been told
        Err(failure) if failure.is_refusal() => {
            return Err(Failure::new(Reason::UpstreamUnreadable).with_log(failure.into_log()));
        }
        Err(failure) => return Err(failure),
    };
    // meanwhile the same event may have come again
    if ledger.has_seen(event)? {
        return Ok(outcome("seen"));
    }
    if ledger.find(&id)?.is_none() {
        if !carries(object, &account, attempt)? {
            return Err(Failure::new(Reason::UpstreamUnreadable).with_log("the account carries another stamp"));
        }
        ledger.link(attempt, account, read_at, "adopt", Some(event))?;
        return Ok(outcome("updated"));
    }
    let is_news = ledger.take(account, read_at, "webhook", Some(event))?;
    // those who wait need not read it again
    object.memory.remember(id.as_str(), as_number(read_at), as_number(now()), None);
    Ok(outcome(if is_news { "updated" } else { "unchanged" }))
}

fn outcome(outcome: &'static str) -> Next {
    Success::json(&WebhookOutcome::new(outcome)).into()
}
