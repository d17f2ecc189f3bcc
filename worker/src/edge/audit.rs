//! `GET /audit`: what was done and what was refused, for operators.
//!
//! | action | who | when |
//! |---|---|---|
//! | `create`, `confirm`, `delete` | the caller | it was done |
//! | `read` | whoever read it | a reading brought another status |
//! | `webhook` | nobody | a genuine event came for the first time |
//! | `adopt`, `abandon` | the caller, or the cron | a create whose answer was lost was found at Omise, or given up |
//! | a route's name | the caller | a request with a good token was refused; `outcome` is the reason |

use std::cell::Cell;

use omise_linked_accounts::{ListRequest, Reason, Timestamp, list::List};
use serde::Serialize;

use crate::{
    common::answer::{Failure, Success},
    common::context::{self, Context},
    db::{DbResult, Row},
    ledger::{Millis, timestamp},
    request,
    edge::session::Caller,
};

/// What is added to the audit; the ledger knows who it is for.
pub(crate) struct Entry<'a> {
    pub(crate) action: &'static str,
    pub(crate) link: Option<&'a str>,
    pub(crate) outcome: &'a str,
    pub(crate) at: Millis,
}

/// A row of the audit, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    object: &'static str,
    id: u64,
    at: Timestamp,
    request_id: String,
    actor: Option<String>,
    action: String,
    linked_account: Option<String>,
    outcome: String,
}

/// Shows a part of the audit, newest first unless asked otherwise.
pub(crate) async fn handle(context: &Context, caller: &Caller, query: &str) -> Result<Success, Failure> {
    if !caller.operator {
        return Err(Reason::OperatorOnly.into());
    }
    let params = ListRequest::decode_log(query).map_err(request::invalid)?;
    let (rows, total) = context.ledger.audited(&params).await?;
    let data: DbResult<_> = rows.iter().map(shown).collect();
    let mut list = List::new(data?, total, &params, timestamp(context.now())?);
    list.location = Some("/audit".to_owned());
    Ok(Success::json(&list))
}

fn shown(row: &Row) -> DbResult<Shown> {
    Ok(Shown {
        object: "audit_entry",
        id: row.number("id")?,
        at: timestamp(row.number("at")?)?,
        request_id: row.text("request_id")?,
        actor: row.optional_text("actor")?,
        action: row.text("action")?,
        linked_account: row.optional_text("link")?,
        outcome: row.text("outcome")?,
    })
}

/// How many refusals an isolate writes down in [`WINDOW`] milliseconds: a flood of them must not fill the database.
const MAX_REFUSALS: u32 = 60;
const WINDOW: Millis = 60_000;

/// Whether one more refusal is written down.
pub(crate) fn admits_refusal() -> bool {
    thread_local! {
        /// When the window began, and how many it has seen.
        static SEEN: Cell<(Millis, u32)> = const { Cell::new((0, 0)) };
    }

    let now = context::now();
    let (began, count) = SEEN.get();
    let (began, count) = if now.saturating_sub(began) < WINDOW { (began, count) } else { (now, 0) };
    SEEN.set((began, count + 1));
    count < MAX_REFUSALS
}
