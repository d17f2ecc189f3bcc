//! `GET /linked_accounts`: a customer's own accounts from the ledger, as last read; all of the key's from Omise for an
//! operator.

use omise_linked_accounts::{
    Issue, IssueCode, LinkedAccount, ListRequest, MAX_PAGE, Reason,
    list::{self, List},
};

use crate::{
    answer::{Account, Failure, Shown, Success},
    context::Context,
    ledger::timestamp,
    request,
    session::Caller,
    upstream,
};

/// Lists accounts.
pub(crate) async fn handle(context: &Context, caller: &Caller, query: &str) -> Result<Success, Failure> {
    let wanted = ListRequest::decode(query).map_err(request::invalid)?;
    if caller.operator {
        return from_omise(context, &wanted).await;
    }
    let (data, total) = context.ledger.list(&caller.subject, &wanted).await?;
    Ok(Success::json(&List::new(data, total, &wanted.params, timestamp(context.now())?)))
}

async fn from_omise(context: &Context, wanted: &ListRequest) -> Result<Success, Failure> {
    let filters = [("filters[status]", wanted.status.is_some()), ("filters[type]", wanted.account_type.is_some())];
    let given = filters.into_iter().filter(|(_, given)| *given);
    let message = "an operator's list is Omise's, which has no filters; search instead";
    let issues: Vec<Issue> = given.map(|(name, _)| Issue::new(name, IssueCode::NotSupported, message)).collect();
    if !issues.is_empty() {
        return Err(Failure::new(Reason::InvalidRequest).with_issues(issues));
    }
    let list = ask(context, &wanted.params).await?;
    let (total, from, to) = (list.total, list.from, list.to);
    let data = shown(context, list.data).await?;
    let mut answer = List::new(data, total, &wanted.params, timestamp(context.now())?);
    // as Omise understood it
    (answer.from, answer.to) = (from.or(answer.from), to.or(answer.to));
    Ok(Success::json(&answer))
}

/// Asks Omise for a part of its list.
pub(crate) async fn ask(context: &Context, params: &list::ListParams) -> Result<List, Failure> {
    let answer = upstream::ask(context, &list::encode_request(params), MAX_PAGE).await?;
    list::decode_response(answer.status, &answer.body).map_err(|error| upstream::failure(&error, answer.retry_after))
}

/// Omise's accounts as an operator sees them, with what the ledger knows of them.
pub(crate) async fn shown(context: &Context, accounts: Vec<LinkedAccount>) -> Result<Vec<Shown>, Failure> {
    let confirmations = context.ledger.confirmations(&accounts).await?;
    let show = |account: LinkedAccount| {
        let account = upstream::check(context.settings, account)?;
        let confirmed = confirmations.iter().find(|(id, _)| id == account.id.as_str());
        Account::of(account).shown(confirmed.map(|(_, at)| *at))
    };
    accounts.into_iter().map(show).collect()
}
