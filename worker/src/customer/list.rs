//! `GET /linked_accounts`, `GET /linked_accounts/search` and one customer's part of `GET /audit`: from the ledger, as last read.

use omise_linked_accounts::{ListRequest, ValidationError, list::List, search, search::Search};

use super::{Next, Object};
use crate::common::{
    answer::{AuditPage, Failure, Success},
    context::{now, timestamp},
};

/// A part of the customer's accounts.
pub(super) fn list(object: &Object<'_>, query: &str) -> Result<Next, Failure> {
    let wanted = ListRequest::decode(query).map_err(invalid)?;
    let (data, total) = object.ledger.list(&wanted)?;
    Ok(Success::json(&List::new(data, total, &wanted.params, timestamp(now())?)).into())
}

/// A page of those of the customer's accounts that are looked for. Words are found within ids, last digits and metadata values.
pub(super) fn search(object: &Object<'_>, query: &str) -> Result<Next, Failure> {
    let params = search::decode_request(query).map_err(invalid)?;
    let (data, total) = object.ledger.search(&params)?;
    Ok(Success::json(&Search::new(data, total, &params)).into())
}

/// A part of the customer's audit, at once: the audit log has it within a minute.
pub(super) fn audit(object: &Object<'_>, before: Option<u64>, limit: u32) -> Result<Next, Failure> {
    let (entries, last) = object.ledger.audited(before, limit)?;
    let more = last.filter(|last| *last > 1).map(|last| last.to_string());
    Ok(AuditPage::of(&entries, limit, more)?.into())
}

/// The edge has looked at it before: a fault of ours.
fn invalid(error: ValidationError) -> Failure {
    Failure::new(omise_linked_accounts::Reason::InvalidRequest).with_issues(error.into_issues())
}
