//! What became of a create whose answer was lost.
//!
//! Omise is never asked to create twice. Its list is looked through for the account that carries the attempt's stamp:
//!
//! 1. Found: the attempt's owner gets it, as if the answer had come.
//! 2. Not found, and the quiet period is over: the attempt is abandoned. The cron goes on looking for a day, since an orphan
//!    that turns up late is still its owner's.
//! 3. Anything else: it stays in doubt.

use omise_linked_accounts::{LinkedAccount, LinkedAccountId, Metadata, Order, list::ListParams};

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
/// How many pages of a hundred are looked through. An attempt amid more accounts than that stays in doubt: not found is only
/// what was looked at as a whole.
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
    let age = context.now().saturating_sub(attempt.created_at);
    if attempt.state == AttemptState::InFlight && age < millis(upstream::in_flight_limit(context.settings)) {
        return Ok(Settled::InFlight);
    }
    let read_at = context.now();
    match look_for(context, attempt).await? {
        Looked::Found(account) => {
            let account = upstream::check(context.settings, *account)?;
            context.ledger.link(&attempt.id, &account, read_at, "adopt").await?;
            Ok(Settled::Linked(account.id))
        }
        Looked::Nowhere if attempt.state == AttemptState::Abandoned => Ok(Settled::Abandoned),
        Looked::Nowhere if age > quiet_period(context) => {
            context.ledger.abandon(&attempt.id, context.now()).await?;
            Ok(Settled::Abandoned)
        }
        Looked::Nowhere => Ok(Settled::InDoubt),
        Looked::TooMany => {
            context.trace.note("too many accounts to look through for a stamp");
            Ok(Settled::InDoubt)
        }
    }
}

enum Looked {
    Found(Box<LinkedAccount>),
    /// Everything was looked at.
    Nowhere,
    /// There was more than is looked at.
    TooMany,
}

/// Looks through what was created when the attempt may have been carried out: from its own seconds on, where the account is
/// among the first however many a shop makes, and then before, where it is only if Omise's clock is behind.
async fn look_for(context: &Context, attempt: &Attempt) -> Result<Looked, Failure> {
    let began = timestamp(attempt.created_at)?;
    let end = timestamp(attempt.created_at + quiet_period(context))?.plus_seconds(SKEW);
    let near = began.plus_seconds(-NEAR);
    let limit = ListParams::MAX_LIMIT;
    let mut pages = 0..MAX_PAGES;
    for (from, to) in [(near, end), (began.plus_seconds(-SKEW), near)] {
        let mut offset = 0;
        loop {
            if pages.next().is_none() {
                return Ok(Looked::TooMany);
            }
            // chronological: what is created meanwhile comes after what was looked at
            let params = ListParams { limit, offset, order: Order::Chronological, from: Some(from), to: Some(to) };
            let list = list::ask(context, &params).await?;
            let full = list.data.len() >= limit as usize;
            if let Some(account) = list.data.into_iter().find(|account| carries(account, &attempt.id)) {
                return Ok(Looked::Found(Box::new(account)));
            }
            if !full {
                break;
            }
            offset += limit;
        }
    }
    Ok(Looked::Nowhere)
}

/// Whether an account carries the attempt's stamp.
fn carries(account: &LinkedAccount, attempt: &str) -> bool {
    account.metadata.string(Metadata::ATTEMPT).is_some_and(|stamp| stamp == attempt)
}

/// When an attempt that is not to be found counts as abandoned, in milliseconds since it began.
fn quiet_period(context: &Context) -> Millis {
    millis(context.settings.upstream_deadline) + QUIET
}

fn millis(duration: std::time::Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
