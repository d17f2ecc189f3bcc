//! `GET /audit`: what was done and what was refused, for operators.
//!
//! | action | who | when |
//! |---|---|---|
//! | `create`, `delete` | the caller | `begun` before Omise is asked; the outcome after |
//! | `confirm` | the caller | it was done |
//! | `read` | whoever read it | a reading brought another status |
//! | `webhook` | nobody | a genuine event came for the first time |
//! | `adopt`, `abandon` | the caller, or nobody | a create whose answer was lost was found at Omise, or given up |
//! | `retrieve`, `list`, `search` | an operator | they looked |
//! | a route's name | the caller | a request with a good token was refused; `outcome` is the reason |
//!
//! Entries of all customers are up to a minute late, those of one customer (`subject`, `account`) are not.

use std::cell::Cell;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use js_sys::{Array, futures::JsFuture};
use omise_linked_accounts::{AuditRequest, Issue, IssueCode, LinkedAccountId, Reason, Timestamp};
use serde_json::json;
use wasm_bindgen::JsCast;

use super::{
    invalid,
    objects::Edge,
    operator::{parse, stamp},
    session::Caller,
};
use crate::common::{
    answer::{Answer, AuditPage, Failure},
    call::Ask,
    context::{Millis, now, random, timestamp},
    platform,
    stamp::object_name,
    storage::{Row, as_number},
    upstream,
};

/// How many days one page looks into at most: then the cursor says where to go on, be the page empty.
const MAX_DAYS: u32 = 7;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Shows a part of the audit, newest first.
pub(super) async fn handle(edge: &Edge, caller: &Caller, query: &str) -> Result<Answer, Failure> {
    let wanted = AuditRequest::decode(query).map_err(invalid)?;
    let object = match (&wanted.subject, &wanted.account) {
        (Some(subject), _) => object_name(subject),
        (None, Some(account)) => {
            let id = parse(edge, account)?;
            let (_, account) = upstream::read(&edge.context, &id).await?;
            stamp(edge, &account).ok_or(Reason::NotFound)?.object
        }
        (None, None) => return all(edge, &wanted).await,
    };
    let before = wanted.cursor.as_deref().map(str::parse).transpose().map_err(|_| bad_cursor())?;
    let ask = Ask::Audit { before, limit: wanted.limit };
    edge.system(object, Some(&caller.subject), &ask).await
}

/// Entries of all customers: of today, then of the days before.
async fn all(edge: &Edge, wanted: &AuditRequest) -> Result<Answer, Failure> {
    let today = timestamp(now())?.as_unix() / DAY;
    let (mut day, mut before) = match wanted.cursor.as_deref() {
        None => (today, None),
        Some(cursor) => read_cursor(cursor).ok_or_else(bad_cursor)?,
    };
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut entries = Vec::new();
    for _ in 0..MAX_DAYS {
        let left = u32::try_from(limit - entries.len()).unwrap_or(u32::MAX);
        let page = platform::audit_page(&edge.env, &name_of(day)?, before.map(as_number), left);
        let rows = JsFuture::from(page).await.map_err(|_| unavailable())?.unchecked_into::<Array>();
        for row in rows.iter().map(Row) {
            before = Some(row.number("id")?);
            entries.push(row.text("entry")?);
        }
        if entries.len() >= limit {
            break;
        }
        (day, before) = (day - 1, None);
    }
    let cursor = match before {
        Some(before) => format!("{}.{before}", name_of(day)?),
        None => name_of(day)?,
    };
    // the first day of the calendar has none before it
    let cursor = (day > 0).then_some(cursor);
    Ok(Answer::of(AuditPage::of(&entries, wanted.limit, cursor), &edge.context.trace.request_id))
}

/// The name of a day, `2026-11-30`.
fn name_of(day: i64) -> Result<String, Failure> {
    let first = Timestamp::from_unix(day * DAY).map_err(|_| Failure::from(Reason::Internal))?;
    Ok(first.to_string().chars().take(10).collect())
}

/// A day, and the number of the entry before which to go on.
fn read_cursor(text: &str) -> Option<(i64, Option<u64>)> {
    let (day, number) = match text.split_once('.') {
        Some((day, number)) => (day, Some(number.parse().ok()?)),
        None => (text, None),
    };
    let first = Timestamp::parse(&format!("{day}T00:00:00Z")).ok()?;
    (first.as_unix() >= 0).then_some((first.as_unix() / DAY, number))
}

fn bad_cursor() -> Failure {
    let message = "expected what an earlier page gave, or a day such as 2026-11-30";
    Failure::new(Reason::InvalidRequest).with_issues(vec![Issue::new("cursor", IssueCode::Invalid, message)])
}

fn unavailable() -> Failure {
    Failure::new(Reason::LedgerUnavailable).with_retry_after(1).with_log("the audit log cannot be reached")
}

/// Adds an entry of an operator's to the audit log.
pub(super) async fn note(
    edge: &Edge,
    caller: &Caller,
    action: &str,
    link: Option<&LinkedAccountId>,
    outcome: &str,
) -> Result<(), Failure> {
    let (at, request_id) = (now(), &edge.context.trace.request_id);
    let row = json!([{
        "seq": 1, "at": at, "request_id": request_id, "actor": caller.subject, "action": action,
        "link": link.map(LinkedAccountId::as_str), "outcome": outcome,
    }]);
    let day = name_of(timestamp(at)?.as_unix() / DAY)?;
    // each is an entry by itself
    let incarnation = URL_SAFE_NO_PAD.encode(random::<16>()?);
    let appended = platform::append(&edge.env, &day, "", None, &incarnation, &row.to_string());
    JsFuture::from(appended).await.map(drop).map_err(|_| unavailable())
}

/// How many refusals an isolate writes down in [`WINDOW`] milliseconds: a flood of them must not fill a database.
const MAX_REFUSALS: u32 = 60;
const WINDOW: Millis = 60_000;

/// Whether one more refusal is written down.
pub(super) fn admits_refusal() -> bool {
    thread_local! {
        /// When the window began, and how many it has seen.
        static SEEN: Cell<(Millis, u32)> = const { Cell::new((0, 0)) };
    }

    let now = now();
    let (began, count) = SEEN.get();
    let (began, count) = if now.saturating_sub(began) < WINDOW { (began, count) } else { (now, 0) };
    SEEN.set((began, count + 1));
    count < MAX_REFUSALS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors() {
        for (text, expected) in [
            ("2026-11-30", Some((20_787, None))),
            ("2026-11-30.17", Some((20_787, Some(17)))),
            ("1970-01-01", Some((0, None))),
            ("1969-12-31", None),
            ("2026-11-31", None),
            ("2026-11-30.", None),
            ("2026-11-30.x", None),
            ("17", None),
            ("", None),
        ] {
            assert_eq!(read_cursor(text), expected, "{text}");
        }
        assert_eq!(name_of(20_787).unwrap(), "2026-11-30");
    }
}
