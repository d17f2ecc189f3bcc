//! An operator's requests: any account of the key's. Each leaves a trace: in the customer's own audit where the account's stamp names an
//! object that knows it, else in the audit log, before anything is asked and after.

use omise_linked_accounts::{
    Issue, IssueCode, LinkedAccount, LinkedAccountId, ListRequest, MAX_PAGE, Metadata, Reason,
    list::List,
    search::{self, Search},
};

use super::{audit, invalid, objects::Edge, session::Caller};
use crate::common::{
    answer::{Account, Answer, Failure, Shown, Success},
    call::Ask,
    context::{Millis, now, timestamp},
    stamp::Stamp,
    upstream::{self, Unlinked},
};

/// Reads an account. While it is pending the answer is held for as long as `wait` says, where it is a customer's.
pub(super) async fn retrieve(edge: &Edge, caller: &Caller, id: &str, wait: Millis) -> Result<Answer, Failure> {
    let id = parse(edge, id)?;
    let (_, account) = upstream::read(&edge.context, &id).await?;
    let ask = Ask::Retrieve { id: id.to_string(), wait };
    if let Some(answer) = known(edge, caller, &account, &ask).await? {
        return Ok(answer);
    }
    audit::note(edge, caller, "retrieve", Some(&id), account.status.as_str()).await?;
    Ok(answer(edge, Account::of(account).shown(None)?.into()))
}

/// Unlinks an account.
pub(super) async fn delete(edge: &Edge, caller: &Caller, id: &str) -> Result<Answer, Failure> {
    let id = parse(edge, id)?;
    let (_, account) = upstream::read(&edge.context, &id).await?;
    let ask = Ask::Delete { id: id.to_string() };
    if let Some(answer) = known(edge, caller, &account, &ask).await? {
        return Ok(answer);
    }
    audit::note(edge, caller, "delete", Some(&id), "begun").await?;
    match upstream::unlink(&edge.context, &id).await {
        Unlinked::Deleted(account) => {
            audit::note(edge, caller, "delete", Some(&id), account.status.as_str()).await?;
            Ok(answer(edge, Account::of(*account).shown(None)?.into()))
        }
        Unlinked::Gone => {
            audit::note(edge, caller, "delete", Some(&id), Reason::NotFound.as_str()).await?;
            Err(Reason::NotFound.into())
        }
        Unlinked::Failed { failure, .. } => {
            audit::note(edge, caller, "delete", Some(&id), failure.reason.as_str()).await?;
            Err(failure)
        }
    }
}

/// Lists accounts, as Omise does.
pub(super) async fn list(edge: &Edge, caller: &Caller, query: &str) -> Result<Answer, Failure> {
    let wanted = ListRequest::decode(query).map_err(invalid)?;
    let filters = [("filters[status]", wanted.status.is_some()), ("filters[type]", wanted.account_type.is_some())];
    let given = filters.into_iter().filter(|(_, given)| *given);
    let message = "an operator's list is Omise's, which has no filters; search instead";
    let issues: Vec<Issue> = given.map(|(name, _)| Issue::new(name, IssueCode::NotSupported, message)).collect();
    if !issues.is_empty() {
        return Err(Failure::new(Reason::InvalidRequest).with_issues(issues));
    }
    audit::note(edge, caller, "list", None, "begun").await?;
    let list = upstream::list(&edge.context, &wanted.params).await?;
    let (total, from, to) = (list.total, list.from, list.to);
    let data = shown(edge, list.data)?;
    let mut listed = List::new(data, total, &wanted.params, timestamp(now())?);
    // as Omise understood it
    (listed.from, listed.to) = (from.or(listed.from), to.or(listed.to));
    Ok(answer(edge, Success::json(&listed)))
}

/// Searches accounts, as Omise does.
pub(super) async fn search(edge: &Edge, caller: &Caller, query: &str) -> Result<Answer, Failure> {
    let params = search::decode_request(query).map_err(invalid)?;
    audit::note(edge, caller, "search", None, "begun").await?;
    let answered = upstream::ask(&edge.context, &search::encode_request(&params), MAX_PAGE).await?;
    let found = search::decode_response(answered.status, &answered.body)
        .map_err(|error| upstream::failure(&error, answered.retry_after))?;
    let data = shown(edge, found.data)?;
    Ok(answer(edge, Success::json(&Search::new(data, found.total, &params))))
}

/// Any well-formed id of the key's mode.
pub(super) fn parse(edge: &Edge, id: &str) -> Result<LinkedAccountId, Failure> {
    let id = LinkedAccountId::parse(id).map_err(|_| Reason::NotFound)?;
    if id.mode() == edge.context.settings.secret_key.mode() { Ok(id) } else { Err(Reason::ModeMismatch.into()) }
}

/// What a stamp says that one of our keys made.
pub(super) fn stamp(edge: &Edge, account: &LinkedAccount) -> Option<Stamp> {
    edge.context.settings.open_stamp(&account.metadata.string(Metadata::STAMP)?)
}

/// The answer of the object that the account's stamp names, where it knows the account.
async fn known(edge: &Edge, caller: &Caller, account: &LinkedAccount, ask: &Ask) -> Result<Option<Answer>, Failure> {
    let Some(stamp) = stamp(edge, account) else { return Ok(None) };
    let answer = edge.system(stamp.object, Some(&caller.subject), ask).await?;
    Ok(Some(answer).filter(|answer| answer.reason != Some(Reason::NotFound.as_str())))
}

/// Omise's accounts as an operator sees them. When they were confirmed is in as many objects as there are customers: it is not said.
fn shown(edge: &Edge, accounts: Vec<LinkedAccount>) -> Result<Vec<Shown>, Failure> {
    let show = |account| Account::of(upstream::check(edge.context.settings, account)?).shown(None);
    accounts.into_iter().map(show).collect()
}

fn answer(edge: &Edge, success: Success) -> Answer {
    Answer::of(Ok(success), &edge.context.trace.request_id)
}
