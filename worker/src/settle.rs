//! What became of a create whose answer was lost.
//!
//! Omise is never asked to create twice. Its list is looked through for the account that carries the attempt's stamp:
//!
//! 1. Found: the attempt's owner gets it, as if the answer had come.
//! 2. Not found, and the quiet period is over: the attempt is abandoned. The cron goes on looking for a day, since an orphan
//!    that turns up late is still its owner's.
//! 3. Anything else: it stays in doubt.

use omise_linked_accounts::{LinkedAccount, LinkedAccountId, Metadata, Order, Timestamp, list::ListParams};

use crate::{
    answer::Failure,
    context::Context,
    ledger::{Attempt, AttemptState, Millis, timestamp},
    list, upstream,
};

/// What is known of an attempt now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It made this account.
    Linked(LinkedAccountId),
    /// It made nothing, as far as Omise says.
    Abandoned,
    /// Somebody may still be working on it.
    InFlight,
    /// It is not known.
    InDoubt,
}

/// How far Omise's clock may be behind ours, in seconds.
const SKEW: i64 = 300;
/// How far it usually is at most, in seconds, since both are set by the network.
const NEAR: i64 = 2;
/// How long after the deadline Omise may still be making the account: the quiet period, in milliseconds.
const QUIET: Millis = 600_000;
/// How many pages of a hundred are looked through at a time. An attempt amid more accounts than that stays in doubt until others
/// have looked on: not found is only what was looked at as a whole.
const MAX_PAGES: u32 = 5;

/// Finds out what became of an attempt, and writes it down.
///
/// # Errors
///
/// Where Omise or the ledger does not answer: nothing is known, and nothing changed.
pub(crate) async fn settle(context: &Context, attempt: &Attempt) -> Result<Settled, Failure> {
    if let Some(id) = &attempt.link {
        return Ok(Settled::Linked(id.clone()));
    }
    let age = age(context, attempt);
    if attempt.state == AttemptState::InFlight && age < millis(upstream::in_flight_limit(context.settings)) {
        return Ok(Settled::InFlight);
    }
    let read_at = context.now();
    match look_for(context, attempt).await? {
        Looked::Found(account) => {
            let account = upstream::check(context.settings, *account)?;
            Ok(Settled::Linked(context.ledger.link(&attempt.id, account, read_at, "adopt").await?.id))
        }
        Looked::Nowhere if attempt.state == AttemptState::Abandoned => Ok(Settled::Abandoned),
        Looked::Nowhere if age > quiet_period(context) => {
            context.ledger.abandon(&attempt.id, context.now()).await?;
            Ok(Settled::Abandoned)
        }
        Looked::Nowhere => Ok(Settled::InDoubt),
        Looked::More(from) => {
            context.ledger.looked_to(&attempt.id, from).await?;
            Ok(Settled::InDoubt)
        }
    }
}

enum Looked {
    Found(Box<LinkedAccount>),
    /// Everything was looked at.
    Nowhere,
    /// There is more, from then on.
    More(Timestamp),
}

/// Looks through what was created when the attempt may have been carried out: from its own seconds on, where the account is
/// among the first however many a shop makes, and then before, where it is only if Omise's clock is behind. It goes on from
/// where the last look came to.
async fn look_for(context: &Context, attempt: &Attempt) -> Result<Looked, Failure> {
    let began = timestamp(attempt.created_at)?;
    let end = timestamp(attempt.created_at + quiet_period(context))?.plus_seconds(SKEW);
    let (near, before) = (began.plus_seconds(-NEAR), began.plus_seconds(-SKEW));
    let mut from = attempt.looked_to.map(timestamp).transpose()?.unwrap_or(near);
    let mut offset = 0;
    for _ in 0..MAX_PAGES {
        let last_part = from < near;
        let to = if last_part { near.plus_seconds(-1) } else { end };
        // chronological: what is created meanwhile comes after what was looked at
        let (limit, order) = (ListParams::MAX_LIMIT, Order::Chronological);
        let params = ListParams { limit, offset, order, from: Some(from), to: Some(to) };
        let page = list::ask(context, &params).await?.data;
        if let Some(account) = page.iter().find(|account| carries(account, &attempt.id)) {
            return Ok(Looked::Found(Box::new(account.clone())));
        }
        match page.last().filter(|_| page.len() >= limit as usize).map(|last| last.created_at) {
            // by time rather than by number: what is deleted meanwhile may leave the list
            Some(last) if last > from => {
                from = last;
                offset = page.iter().rev().take_while(|account| account.created_at == last).map(|_| 1).sum();
            }
            Some(_) => offset += limit,
            None if last_part => return Ok(Looked::Nowhere),
            None => (from, offset) = (before, 0),
        }
    }
    let is_over = age(context, attempt) > quiet_period(context);
    Ok(Looked::More(match from < near {
        // a little again: an account may be listed later than one that was created after it
        false => from.plus_seconds(-NEAR).max(near),
        true if is_over => from.plus_seconds(-NEAR).max(before),
        // what comes after may still grow
        true => near,
    }))
}

/// How long ago the attempt began, in milliseconds.
fn age(context: &Context, attempt: &Attempt) -> Millis {
    context.now().saturating_sub(attempt.created_at)
}

/// Whether an account carries the attempt's stamp.
pub(crate) fn carries(account: &LinkedAccount, attempt: &str) -> bool {
    account.metadata.string(Metadata::ATTEMPT).is_some_and(|stamp| stamp == attempt)
}

/// When an attempt that is not to be found counts as abandoned, in milliseconds since it began.
fn quiet_period(context: &Context) -> Millis {
    millis(context.settings.upstream_deadline) + QUIET
}

fn millis(duration: std::time::Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
