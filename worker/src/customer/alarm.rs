//! The alarm: what is due with nobody calling.
//!
//! 1. Attempts in doubt are looked for, a page each.
//! 2. Links are read whose registration is over, or whose deletion has no outcome yet.
//! 3. Keys and webhook events are dropped after 30 days.
//! 4. Entries of the audit go to the audit log.
//!
//! Whatever fails sets its own next time, and the others go on: an alarm whose handler throws is gone after six retries. It may come
//! twice, or late: what is due is what the ledger says.

use js_sys::futures::JsFuture;
use worker::Env;

use super::{
    Object, delete, over,
    settle::{Settled, settle},
};
use crate::common::{
    answer::Failure,
    context::{Millis, now, random},
    platform, upstream,
};

/// How soon the next alarm may come, in milliseconds.
const SOONEST: Millis = 500;

/// Does what is due.
pub(super) async fn run(object: &Object<'_>, env: &Env) -> Result<(), Failure> {
    let ledger = &object.ledger;
    if ledger.is_empty() {
        return Ok(());
    }
    for attempt in ledger.looks_due(now())? {
        if let Settled::InFlight = settle(object, &attempt).await? {
            let [random] = random()?;
            let next = over::first_look(now(), object.context.settings.upstream_deadline, random);
            ledger.looked(&attempt.id, Some(next), None)?;
        }
    }
    for (id, since) in ledger.links_due(now())? {
        let outcome = match ledger.intent(&id)? {
            Some(intent) => delete::settle(object, &intent, &id).await,
            None => match upstream::read(&object.context, &id).await {
                // once: whoever asks for it later reads it again
                Ok((read_at, account)) => {
                    ledger.read_again(&id, None)?;
                    ledger.take(account, read_at, "read", None).map(drop)
                }
                Err(failure) => Err(failure),
            },
        };
        if let Err(failure) = outcome {
            object.context.trace.note(failure.log().unwrap_or_default());
            let [random] = random()?;
            ledger.read_again(&id, over::next_reading(since, now(), random))?;
        }
    }
    ledger.prune(now())?;
    let delivered = deliver(object, env).await;
    ledger.schedule(now() + if delivered { SOONEST } else { over::DELIVERY })
}

/// Gives the audit log what it has not got yet; whether it took it. What it does not take now a later alarm gives again.
async fn deliver(object: &Object<'_>, env: &Env) -> bool {
    // rows that come meanwhile go with the next batch
    loop {
        let Ok(Some(batch)) = object.ledger.undelivered() else { return true };
        let (pseudonym, subject) = (batch.pseudonym.as_str(), Some(batch.subject.as_str()));
        let appended = platform::append(env, &batch.day, pseudonym, subject, &batch.incarnation, &batch.rows);
        if JsFuture::from(appended).await.is_err() || object.ledger.delivered(batch.last).is_err() {
            return false;
        }
    }
}
