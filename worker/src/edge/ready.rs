//! `GET /ready`: whether everything is there that requests need.

use js_sys::{Reflect, futures::JsFuture};
use omise_linked_accounts::{Issue, IssueCode, Reason};
use worker::Env;

use super::{limits, objects::Edge};
use crate::common::{
    answer::{Failure, Success},
    context::{now, timestamp},
    platform,
};

/// The bindings of Durable Objects.
const OBJECTS: [&str; 2] = ["CUSTOMER", "AUDIT_LOG"];

/// Looks for every binding, and names all that are missing. Rate limits are not asked: that would use them up.
pub(super) fn bound(env: &Env) -> Result<(), Failure> {
    let mut issues = limits::missing(env);
    issues.extend(missing_objects(env));
    if issues.is_empty() { Ok(()) } else { Err(Failure::new(Reason::Misconfigured).with_issues(issues)) }
}

/// The bindings of Durable Objects that are missing.
pub(super) fn missing_objects(env: &Env) -> Vec<Issue> {
    let is_bound = |name: &str| {
        let binding = Reflect::get(env, &name.into());
        binding.is_ok_and(|binding| Reflect::has(&binding, &"idFromName".into()) == Ok(true))
    };
    let missing = OBJECTS.into_iter().filter(|name| !is_bound(name));
    missing.map(|name| Issue::new(name, IssueCode::Required, "the Durable Object binding is missing")).collect()
}

/// Asks today's audit log, which has the same kind of database as every customer. Settings and bindings were checked on the way here.
pub(super) async fn handle(edge: &Edge) -> Result<Success, Failure> {
    let today: String = timestamp(now())?.to_string().chars().take(10).collect();
    let page = JsFuture::from(platform::audit_page(&edge.env, &today, None, 1)).await;
    page.map_err(|_| Failure::new(Reason::LedgerUnavailable).with_retry_after(1).with_log("no database"))?;
    Ok(Success::Body(r#"{"object":"ready","status":"ok"}"#.into()))
}
