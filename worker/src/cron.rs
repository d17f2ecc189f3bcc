//! Every few minutes: what no customer came back for.
//!
//! 1. Attempts of the last 25 hours of which something may still become known are looked at, those first that were not for
//!    longest: an orphan is adopted, a lost create given up, a pending account read.
//! 2. Keys and webhook events are dropped after 30 days.
//! 3. One line of the log says what was done.

use std::rc::Rc;

use omise_linked_accounts::{Reason, Status};
use serde::Serialize;
use worker::{Env, console_log};

use crate::{
    answer::Failure,
    context::Context,
    ledger::{Attempt, Ledger, Millis},
    retrieve,
    settings::Settings,
    settle::{Settled, settle},
    trace::{Trace, printable},
};

/// How many attempts one run looks at. Cloudflare's free plan allows a run 50 queries and 50 requests: an attempt takes at most
/// three queries, and rarely more than one request.
const MAX_ATTEMPTS: u32 = 15;
/// After how many requests to Omise a run looks at no further attempt; one takes five at most, and each is tried three times.
const MAX_CALLS: u32 = 35;
/// How long something may still become known of an attempt, in milliseconds: registration is over after 24 hours.
const WINDOW: Millis = 25 * 3_600_000;
/// How long an `Idempotency-Key` is remembered, in milliseconds.
const KEPT: Millis = 30 * 24 * 3_600_000;

/// What one run did.
#[derive(Default, Serialize)]
struct Report {
    cron: &'static str,
    run_id: String,
    looked: u32,
    adopted: u32,
    abandoned: u32,
    /// Pending accounts that turned out to be over.
    settled: u32,
    /// Attempts of which nothing could be learned.
    failed: u32,
    /// Why, of the last of them.
    detail: Option<String>,
    /// What ended the run early.
    stopped: Option<String>,
    upstream_calls: u32,
    ms: u64,
}

/// One run.
pub(crate) async fn run(env: &Env, settings: &'static Settings, trace: Rc<Trace>) -> Result<(), Failure> {
    let ledger = Ledger::open(env, trace.clone(), None)?;
    let context = Context { settings, ledger, trace };
    let mut report = Report { cron: "settle", run_id: context.trace.request_id.clone(), ..Report::default() };
    let outcome = work(&context, &mut report).await;
    if let Err(failure) = &outcome {
        report.stopped = Some(printable(&format!("{}: {}", failure.reason, failure.log().unwrap_or_default())));
    }
    report.upstream_calls = context.trace.upstream_calls();
    report.ms = context.trace.ms();
    console_log!("{}", serde_json::to_string(&report).unwrap_or_default());
    outcome
}

async fn work(context: &Context, report: &mut Report) -> Result<(), Failure> {
    let now = context.now();
    context.ledger.prune(now.saturating_sub(KEPT)).await?;
    let mut looked = Vec::new();
    let mut outcome = Ok(());
    for attempt in context.ledger.unsettled(now.saturating_sub(WINDOW), MAX_ATTEMPTS).await? {
        if context.trace.upstream_calls() >= MAX_CALLS {
            break;
        }
        let found = look(context, &attempt, report).await;
        // whatever came of it: one that always fails must not keep the others from their turn
        looked.push(attempt.id);
        if let Err(failure) = found {
            report.failed += 1;
            if is_down(failure.reason) {
                outcome = Err(failure);
                break;
            }
            report.detail = Some(printable(&failure.into_log()));
        }
    }
    report.looked = u32::try_from(looked.len()).unwrap_or(u32::MAX);
    context.ledger.looked(&looked, now).await?;
    outcome
}

/// Whether the rest had better wait for the next run.
fn is_down(reason: Reason) -> bool {
    matches!(reason, Reason::UpstreamTimeout | Reason::UpstreamUnavailable | Reason::LedgerUnavailable)
}

async fn look(context: &Context, attempt: &Attempt, report: &mut Report) -> Result<(), Failure> {
    if let Some(id) = &attempt.link {
        let Some(link) = context.ledger.find(id).await? else { return Ok(()) };
        let (read_at, account) = retrieve::ask(context, id).await?;
        if account.status != Status::Pending && retrieve::take(context, &link, &account, read_at, "read", None).await? {
            report.settled += 1;
        }
        return Ok(());
    }
    match settle(context, attempt).await? {
        Settled::Linked(_) => report.adopted += 1,
        Settled::Abandoned => report.abandoned += 1,
        Settled::InFlight | Settled::InDoubt => {}
    }
    Ok(())
}
