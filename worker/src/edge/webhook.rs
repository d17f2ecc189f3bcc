//! `POST /webhooks/omise`.
//!
//! 1. Verify the raw bytes.
//! 2. Read the event. One that was dealt with before, or that is about nothing of ours, is answered 200 and nothing more.
//! 3. Read the account again from Omise: the event is a hint, never the truth.
//! 4. Record the reading and the event's id in one transaction. Where any of it fails the answer is 5xx and the event is not
//!    remembered, so that it is sent again.

use omise_linked_accounts::{
    Reason,
    webhook::{Event, MAX_EVENT, SIGNATURE_HEADER, TIMESTAMP_HEADER, VerifyError, verify},
};
use serde::Serialize;

use crate::{
    common::answer::{Failure, Success},
    common::context::Context,
    ledger::timestamp,
    edge::request::Request,
    retrieve,
};

/// The longest id of an event that is remembered, in bytes; Omise's have 24.
const MAX_ID: usize = 64;

#[derive(Serialize)]
struct Webhook {
    object: &'static str,
    /// What came of it.
    outcome: &'static str,
}

/// Takes an event.
pub(crate) async fn handle(context: &Context, req: &Request) -> Result<Success, Failure> {
    // 1
    let header = |name| req.header(name).unwrap_or_default();
    let (signature, signed_at) = (header(SIGNATURE_HEADER), header(TIMESTAMP_HEADER));
    let body = req.bytes(MAX_EVENT).await?;
    let now = timestamp(context.now())?;
    verify(&context.settings.webhook_secrets, &signature, &signed_at, &body, now).map_err(|error| match error {
        VerifyError::TooLarge => Failure::new(Reason::BodyTooLarge),
        _ => Failure::new(Reason::Unauthenticated).with_log(error.to_string()),
    })?;

    // 2
    let event = Event::parse(&body).map_err(|error| Failure::new(Reason::MalformedJson).with_log(error.to_string()))?;
    if event.id.is_empty() || event.id.len() > MAX_ID {
        return Err(Failure::new(Reason::MalformedJson).with_log("the event's id"));
    }
    if context.ledger.has_seen(&event.id).await? {
        return Ok(outcome("seen"));
    }
    let id = event.linked_account_id().filter(|id| id.mode() == context.settings.secret_key.mode());
    let link = match &id {
        Some(id) => context.ledger.find(id).await?,
        None => None,
    };
    let (Some(id), Some(link)) = (id, link) else {
        context.trace.note(&format!("webhook {} is about nothing of ours", event.key.as_str()));
        context.ledger.remember(&event.id, None, "ignored", context.now()).await?;
        return Ok(outcome("ignored"));
    };

    // 3
    let (read_at, account) = match retrieve::ask(context, &id).await {
        Ok(reading) => reading,
        // the sender is to come again, whatever a customer would have been told
        Err(failure) if failure.reason.http_status() < Some(500) => {
            return Err(Failure::new(Reason::UpstreamUnreadable).with_log(failure.into_log()));
        }
        Err(failure) => return Err(failure),
    };

    // 4
    let changed = account.status != link.status;
    if changed && retrieve::take(context, &link, &account, read_at, "webhook", Some(&event.id)).await? {
        return Ok(outcome("updated"));
    }
    context.ledger.remember(&event.id, Some(id.as_str()), "unchanged", context.now()).await?;
    Ok(outcome("unchanged"))
}

fn outcome(outcome: &'static str) -> Success {
    Success::json(&Webhook { object: "webhook", outcome })
}
