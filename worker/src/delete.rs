//! `DELETE /linked_accounts/:id`.
//!
//! Deleting twice gives the same answer. Whatever Omise answers but a plain success is settled by reading the account
//! again: `deleted`, or gone, is done.

use omise_linked_accounts::{
    ApiError, LinkedAccount, LinkedAccountId, MAX_ACCOUNT, Reason, ResponseError, Status, delete,
};

use crate::{
    answer::{Account, Failure, Success},
    context::Context,
    db::corrupt,
    retrieve,
    session::Caller,
    upstream,
};

/// Unlinks an account for its owner, or for an operator.
pub(crate) async fn handle(context: &Context, caller: &Caller, id: &str) -> Result<Success, Failure> {
    let (id, link) = retrieve::find(context, caller, id).await?;
    if link.as_ref().is_some_and(|link| link.status == Status::Deleted) {
        return Ok(retrieve::last(context, &id).await?.shown()?.into());
    }

    let read_at = context.now();
    let account = match ask(context, &id).await {
        Ok(account) => account,
        Err(failure) => match retrieve::ask(context, &id).await {
            Ok((_, account)) if account.status == Status::Deleted => account,
            Ok(_) => return Err(failure),
            Err(second) => match second.reason {
                Reason::NotFound if link.is_some() => deleted(&retrieve::last(context, &id).await?.account)?,
                // a second try is told this too of what the first has deleted
                _ if failure.reason == Reason::NotRegistered && second.reason.is_retryable() => return Err(second),
                _ => return Err(failure),
            },
        },
    };
    context.ledger.deleted(&account, read_at).await?;
    retrieve::forget(&account.id);
    Ok(account.shown(link.and_then(|link| link.confirmed_at))?.into())
}

async fn ask(context: &Context, id: &LinkedAccountId) -> Result<Account, Failure> {
    let request = delete::encode_request(id);
    let answer = upstream::ask(context, &request, MAX_ACCOUNT).await?;
    let account = delete::decode_response(id, answer.status, &answer.body).map_err(|error| match &error {
        // the only 400 that is documented here
        ResponseError::Api(ApiError { status: 400, .. }) => Failure::new(Reason::NotRegistered),
        _ => upstream::failure_of_one(&error, answer.retry_after),
    })?;
    upstream::check(context.settings, account).map(Account::of)
}

fn deleted(account: &Account) -> Result<Account, Failure> {
    let account = serde_json::from_slice::<LinkedAccount>(account.json.as_bytes());
    let mut account = account.map_err(|_| corrupt("links.account"))?;
    account.status = Status::Deleted;
    Ok(Account::of(account))
}
