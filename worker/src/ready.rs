//! `GET /ready`: whether everything is there that requests need.

use omise_linked_accounts::Reason;
use worker::Env;

use crate::{
    answer::{Failure, Success},
    context::Context,
    limits,
};

/// Touches every binding. The settings were checked on the way here.
pub(crate) async fn handle(context: &Context, env: &Env) -> Result<Success, Failure> {
    let mut issues = Vec::new();
    for binding in limits::BINDINGS {
        if let Err(failure) = limits::admits(env, binding, "ready").await {
            issues.extend(failure.into_issues());
        }
    }
    if !issues.is_empty() {
        return Err(Failure::new(Reason::Misconfigured).with_issues(issues));
    }
    context.ledger.check().await?;
    Ok(Success::Body(br#"{"object":"ready","status":"ok"}"#.to_vec()))
}
