//! What became of a create whose answer was lost.
//!
//! Omise is never asked to create twice. Its list is looked through for the account that carries the attempt's stamp, a page at a time:
//! by the customer's own requests, and by the alarm.
//!
//! 1. Found: the attempt's owner gets it, as if the answer had come.
//! 2. Not found: it stays in doubt, until the quiet period is over. Then the customer is free, whatever the look came to, and the alarm
//!    looks on for a day, since an orphan that turns up late is still the customer's.

use omise_linked_accounts::{LinkedAccount, LinkedAccountId, Metadata, Order, Reason, Timestamp, list::ListParams};
use serde::{Deserialize, Serialize};

use super::{Object, attempt::State, ledger::Attempt, over};
use crate::common::{
    answer::Failure,
    context::{now, random, timestamp},
    stamp::object_name,
    upstream,
};

/// What is known of an attempt now.
#[derive(Debug)]
pub(super) enum Settled {
    /// It made this account.
    Linked(LinkedAccountId),
    /// It made nothing, as far as anybody knows, and the customer is free.
    Abandoned,
    /// A call works on it.
    InFlight,
    /// It is not known; the words are for the log.
    InDoubt(String),
}

/// How far Omise's clock may be behind ours, in seconds.
const SKEW: i64 = 300;
/// How far it usually is at most, in seconds, since both are set by the network.
const NEAR: i64 = 2;

/// Finds out what became of an attempt, and writes it down.
///
/// # Errors
///
/// Where the ledger does not answer.
pub(super) async fn settle(object: &Object<'_>, attempt: &Attempt) -> Result<Settled, Failure> {
    if let Some(id) = &attempt.link {
        return Ok(Settled::Linked(id.clone()));
    }
    if attempt.state == State::Asked && object.memory.is_in_flight(&attempt.id) {
        return Ok(Settled::InFlight);
    }
    let mut look = Look::of(attempt)?;
    let read_at = now();
    let looked = look.go_on(object, attempt).await;
    // while Omise was asked another may have settled it
    let Some(attempt) = object.ledger.attempt(&attempt.id)? else { return Ok(Settled::Abandoned) };
    if let Some(id) = attempt.link {
        return Ok(Settled::Linked(id));
    }
    let (deadline, now) = (object.context.settings.upstream_deadline, now());
    let [random] = random()?;
    let (next, from, why) = match looked {
        Ok(Looked::Found(account)) => {
            let account = upstream::check(object.context.settings, *account);
            match account.and_then(|account| object.ledger.link(&attempt.id, account, read_at, "adopt", None)) {
                Ok(account) => return Ok(Settled::Linked(account.id)),
                Err(failure) if failure.reason == Reason::LedgerUnavailable => return Err(failure),
                Err(failure) => (over::next_look(attempt.created_at, now, deadline, random), None, failure.into_log()),
            }
        }
        // from the start again: an account may be listed later than one that was created after it
        Ok(Looked::Everywhere) => (over::next_look(attempt.created_at, now, deadline, random), None, String::new()),
        Ok(Looked::More) => (Some(over::look_on(now, random)), look.to_json(), String::new()),
        Err(failure) => {
            let next = over::next_look(attempt.created_at, now, deadline, random);
            (next, look.to_json(), failure.into_log())
        }
    };
    // looking ends with the time in which it may turn up, wherever the look is
    let next = next.filter(|_| over::next_look(attempt.created_at, now, deadline, random).is_some());
    if attempt.state == State::Asked && over::is_over(attempt.created_at, now, deadline) {
        object.ledger.abandon(&attempt.id, next)?;
        return Ok(Settled::Abandoned);
    }
    object.ledger.looked(&attempt.id, next, from.as_deref())?;
    Ok(if attempt.state == State::Asked { Settled::InDoubt(why) } else { Settled::Abandoned })
}

/// What a look at one page came to.
enum Looked {
    Found(Box<LinkedAccount>),
    /// All has been looked at.
    Everywhere,
    /// There is more.
    More,
}

/// Where a look through Omise's list is.
///
/// It begins with what was created since the attempt's own seconds, where the account is among the first however many a shop makes, and
/// goes on with what is before, where it is only if Omise's clock is behind.
#[derive(Serialize, Deserialize)]
struct Look {
    /// The time that the page begins with, in seconds since 1970.
    from: i64,
    /// How many of that time are passed over.
    offset: u32,
    /// How many accounts are asked for: fewer, down to one, where a page cannot be read.
    limit: u32,
}

impl Look {
    fn of(attempt: &Attempt) -> Result<Self, Failure> {
        let kept = attempt.look_from.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Ok(match kept {
            Some(look) => look,
            None => {
                Self { from: timestamp(attempt.created_at)?.as_unix() - NEAR, offset: 0, limit: ListParams::MAX_LIMIT }
            }
        })
    }

    fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// Looks at one page.
    async fn go_on(&mut self, object: &Object<'_>, attempt: &Attempt) -> Result<Looked, Failure> {
        let began = timestamp(attempt.created_at)?;
        let quiet = over::quiet_period(object.context.settings.upstream_deadline);
        let end = timestamp(attempt.created_at + quiet)?.plus_seconds(SKEW);
        let (near, before) = (began.plus_seconds(-NEAR), began.plus_seconds(-SKEW));
        let from = Timestamp::from_unix(self.from).unwrap_or(near);
        let is_last_part = from < near;
        let params = ListParams {
            limit: self.limit,
            offset: self.offset,
            // what is created meanwhile comes after what was looked at
            order: Order::Chronological,
            from: Some(from),
            to: Some(if is_last_part { near.plus_seconds(-1) } else { end }),
        };
        let page = match upstream::list(&object.context, &params).await {
            Ok(list) => list.data,
            Err(failure) if failure.reason == Reason::UpstreamUnreadable => {
                if self.limit > 1 {
                    self.limit /= 10;
                } else {
                    // one that nobody can read is stepped over
                    self.offset += 1;
                    self.limit = ListParams::MAX_LIMIT;
                }
                return Ok(Looked::More);
            }
            Err(failure) => return Err(failure),
        };
        for account in &page {
            if carries(object, account, &attempt.id)? {
                return Ok(Looked::Found(Box::new(account.clone())));
            }
        }
        let is_full = page.len() >= self.limit as usize;
        match page.last().filter(|_| is_full).map(|last| last.created_at) {
            // by time rather than by number: what is deleted meanwhile may leave the list
            Some(last) if last > from => {
                self.from = last.as_unix();
                let same = page.iter().rev().take_while(|account| account.created_at == last).count();
                self.offset = u32::try_from(same).unwrap_or(self.limit);
            }
            Some(_) => self.offset += self.limit,
            None if is_last_part => return Ok(Looked::Everywhere),
            None => (self.from, self.offset) = (before.as_unix(), 0),
        }
        Ok(Looked::More)
    }
}

/// Whether an account carries the stamp of an attempt of this object.
pub(super) fn carries(object: &Object<'_>, account: &LinkedAccount, attempt: &str) -> Result<bool, Failure> {
    let Some(text) = account.metadata.string(Metadata::STAMP) else { return Ok(false) };
    let Some(stamp) = object.context.settings.open_stamp(&text) else { return Ok(false) };
    Ok(stamp.attempt_id() == attempt && stamp.object == object_name(&object.ledger.kept_subject()?))
}
