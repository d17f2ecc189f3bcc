//! `POST /webhooks/omise`.
//!
//! 1. Verify the raw bytes.
//! 2. Read the event, and find the customer by the stamp of the account that it is about. Where the event shows none, the account is read.
//!    One that is about nothing of ours is answered 200 and nothing more.
//! 3. The customer's object takes it.

use omise_linked_accounts::{
    LinkedAccount, LinkedAccountId, Reason,
    webhook::{Event, MAX_EVENT, SIGNATURE_HEADER, TIMESTAMP_HEADER, VerifyError, verify},
};

use super::{objects::Edge, operator::stamp, request::Request};
use crate::common::{
    answer::{Answer, Failure, Success, WebhookOutcome},
    call::Ask,
    context::{now, timestamp},
    stamp::Stamp,
    upstream,
};

/// The longest id of an event that is remembered, in bytes; Omise's have 24.
const MAX_ID: usize = 64;

/// Takes an event.
pub(super) async fn handle(edge: &Edge, req: &Request) -> Result<Answer, Failure> {
    // 1
    let header = |name| req.header(name).unwrap_or_default();
    let (signature, signed_at) = (header(SIGNATURE_HEADER), header(TIMESTAMP_HEADER));
    let body = req.bytes(MAX_EVENT).await?;
    let now = timestamp(now())?;
    verify(&edge.context.settings.webhook_secrets, &signature, &signed_at, &body, now).map_err(
        |error| match error {
            VerifyError::TooLarge => Failure::new(Reason::BodyTooLarge),
            _ => Failure::new(Reason::Unauthenticated).with_log(error.to_string()),
        },
    )?;

    // 2
    let event = Event::parse(&body).map_err(|error| Failure::new(Reason::MalformedJson).with_log(error.to_string()))?;
    if event.id.is_empty() || event.id.len() > MAX_ID {
        return Err(Failure::new(Reason::MalformedJson).with_log("the event's id"));
    }
    let id = event.linked_account_id().filter(|id| id.mode() == edge.context.settings.secret_key.mode());
    let stamp = match &id {
        Some(id) => customer(edge, &event, id).await?,
        None => None,
    };
    let (Some(id), Some(stamp)) = (id, stamp) else {
        edge.context.trace.note(&format!("webhook {} is about nothing of ours", event.key.as_str()));
        let ignored = Success::json(&WebhookOutcome::new("ignored"));
        return Ok(Answer::of(Ok(ignored), &edge.context.trace.request_id));
    };

    // 3
    let ask = Ask::Webhook { event: event.id, id: id.to_string(), attempt: stamp.attempt_id() };
    edge.system(stamp.object, None, &ask).await
}

/// Whose account it is: by the event's own object, else by the account as Omise has it.
async fn customer(edge: &Edge, event: &Event, id: &LinkedAccountId) -> Result<Option<Stamp>, Failure> {
    let shown = serde_json::from_str::<LinkedAccount>(event.data()).ok();
    if let Some(stamp) = shown.and_then(|account| stamp(edge, &account)) {
        return Ok(Some(stamp));
    }
    match upstream::read(&edge.context, id).await {
        Ok((_, account)) => Ok(stamp(edge, &account)),
        Err(failure) if failure.reason == Reason::NotFound => Ok(None),
        // the sender is to come again
        Err(failure) if failure.is_refusal() => {
            Err(Failure::new(Reason::UpstreamUnreadable).with_log(failure.into_log()))
        }
        Err(failure) => Err(failure),
    }
}
