//! Who may see an account.
//!
//! | who | sees |
//! |---|---|
//! | a customer | the accounts in the tables of their own object, which their session's subject names |
//! | an operator, for the account of a stamp | the same tables, of the object that the stamp names |
//! | an operator, where there is no such object | what Omise answers: the edge acts (`edge/operator.rs`) |
//!
//! All else is one 404: an account of somebody else's, an unknown id and one that is none. A stamp proves nothing: it finds the object,
//! and the object answers for its own tables alone.

use omise_linked_accounts::{LinkedAccountId, Reason};

use super::{Object, ledger::Link};
use crate::common::answer::Failure;

/// The account that a path names, if it is this customer's.
pub(super) fn visible(object: &Object<'_>, id: &str) -> Result<Link, Failure> {
    let id = LinkedAccountId::parse(id).map_err(|_| Reason::NotFound)?;
    if id.mode() != object.context.settings.secret_key.mode() {
        return Err(Reason::NotFound.into());
    }
    object.ledger.find(&id)?.ok_or_else(|| Reason::NotFound.into())
}
