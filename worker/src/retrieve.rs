//! `GET /linked_accounts/:id`.

use omise_linked_accounts::{LinkedAccount, LinkedAccountId, Reason, Status, retrieve};

use crate::{
    answer::{Failure, Shown, Success},
    context::Context,
    ledger::Link,
    session::Caller,
    upstream,
};

/// Reads an account for its owner, or for an operator.
pub(crate) async fn handle(context: &Context, caller: &Caller, id: &str) -> Result<Success, Failure> {
    let (id, link) = find(context, caller, id).await?;
    Ok(reading(context, &id, link).await?.into())
}

/// Reads an account that the caller is known to own.
pub(crate) async fn read(context: &Context, id: &LinkedAccountId) -> Result<Shown, Failure> {
    let link = context.ledger.find(id).await?;
    reading(context, id, link).await
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

/// A fresh reading; the ledger is written only where the status changed.
async fn reading(context: &Context, id: &LinkedAccountId, link: Option<Link>) -> Result<Shown, Failure> {
    // deleted is final: Omise has nothing to add
    if let Some(link) = link {
        if link.account.status == Status::Deleted {
            return Ok(link.shown());
        }
        let read_at = context.now();
        let account = ask(context, id).await?;
        if account.status != link.account.status {
            context.ledger.record(&account, read_at).await?;
        }
        return Ok(Shown::new(account, link.confirmed_at));
    }
    Ok(Shown::new(ask(context, id).await?, None))
}

/// Asks Omise.
pub(crate) async fn ask(context: &Context, id: &LinkedAccountId) -> Result<LinkedAccount, Failure> {
    let request = retrieve::encode_request(id);
    let answer = upstream::call(context.settings, &request, &context.request_id, None)
        .await
        .map_err(|error| Failure::new(error.into()).with_log(format!("retrieve: {error:?}")))?;
    let account = retrieve::decode_response(id, answer.status, &answer.body)
        .map_err(|error| upstream::failure(&error, answer.retry_after))?;
    upstream::check(context.settings, account)
}
