//! `GET /ready`: whether everything is there that requests need.

use std::rc::Rc;

use omise_linked_accounts::Reason;
use worker::Env;

use crate::{
    common::answer::{Failure, Success},
    common::context::Context,
    ledger::Ledger,
    limits,
    common::trace::Trace,
};

/// Looks for every binding, and names all that are missing. Rate limits are not asked: that would use them up.
pub(crate) fn bound(env: &Env, trace: &Rc<Trace>) -> Result<(), Failure> {
    let mut issues = limits::missing(env);
    if let Err(failure) = Ledger::open(env, trace.clone(), None) {
        issues.extend(failure.into_issues());
    }
    if issues.is_empty() { Ok(()) } else { Err(Failure::new(Reason::Misconfigured).with_issues(issues)) }
}

/// Asks the database. Settings and bindings were checked on the way here.
pub(crate) async fn handle(context: &Context) -> Result<Success, Failure> {
    context.ledger.check().await?;
    Ok(Success::Body(r#"{"object":"ready","status":"ok"}"#.into()))
}
