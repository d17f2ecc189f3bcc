//! `GET /linked_accounts/:id`.
//!
//! However many ask for an account, Omise is asked once in a while: rarer for one that has been pending for long.

use omise_linked_accounts::Status;

use super::{Next, Object, READING, Reading, access::visible, ledger::Link};
use crate::common::{
    answer::{Failure, Success},
    context::{Millis, now},
};

const MINUTE: Millis = 60_000;
/// How long a reading serves those who ask for the same account.
const SHARED_FOR: Millis = 3_000;
/// How long it does at most where somebody waits for news.
const WAITED_FOR: Millis = 10_000;

/// Answers with an account. While it is pending the answer is held for as long as `wait` says.
pub(super) fn handle(object: &Object<'_>, id: &str, wait: Millis) -> Result<Next, Failure> {
    let link = visible(object, id)?;
    // deleted is final: Omise has nothing to add
    if link.is_deleted() {
        if object.call.operator().is_some() {
            object.ledger.note("retrieve", Some(id), link.account.status.as_str())?;
        }
        return Ok(Success::from(link.shown()?).into());
    }
    let (now, until) = (now(), object.asked_at + wait);
    let pause = pause(&link, now, wait > 0);
    // one that began before this call came is new enough for it, where it is no older than that
    let since = if wait > 0 { now } else { object.asked_at };
    match object.reading(&link.account.id, since.saturating_sub(pause)) {
        Reading::Due if wait == 0 => return Ok(Next::Read(link.account.id, READING)),
        Reading::Due if now < until => return Ok(Next::Read(link.account.id, until - now)),
        // the last reading is an answer too, for who waits
        Reading::Failed(failure) if wait == 0 || !failure.reason.is_retryable() => return Err(failure),
        Reading::Fresh { began_at } if link.is_pending() && now < until => {
            return Ok(Next::Wait((began_at + pause).min(until).saturating_sub(now).max(1)));
        }
        Reading::Due | Reading::Failed(_) | Reading::Fresh { .. } => {}
    }
    if object.call.operator().is_some() {
        object.ledger.note("retrieve", Some(id), link.account.status.as_str())?;
    }
    Ok(Success::from(link.shown()?).into())
}

/// How long a reading of an account serves, by how long the account has been there.
fn pause(link: &Link, now: Millis, waited_for: bool) -> Millis {
    let age = now.saturating_sub(link.created_at);
    let rare = match (&link.account.status, age) {
        (Status::Pending, age) if age >= 60 * MINUTE => MINUTE,
        (Status::Pending, age) if age >= 5 * MINUTE => WAITED_FOR,
        _ => SHARED_FOR,
    };
    if waited_for { rare.min(WAITED_FOR) } else { rare }
}
