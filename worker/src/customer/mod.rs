//! A customer's Durable Object: the ledger of one customer, and what is done with it.
//!
//! The class `Customer` is JavaScript (customer.js), and calls what is exported here. Nothing of an object is kept in Rust between two
//! calls, and no Rust lives while a request waits: a call is answered in steps, each of which ends with an answer, with an account that
//! is to be read first, or with a time to wait for news. Then JavaScript makes the same call again.
//!
//! Failures are values: what is thrown out of here is the death of the instance (rescue.js).

mod access;
mod alarm;
mod attempt;
mod confirm;
mod create;
mod delete;
mod ledger;
mod list;
mod memory;
mod over;
mod retrieve;
mod settle;
pub(crate) mod sql;
mod webhook;

use std::rc::Rc;

use omise_linked_accounts::{Issue, LinkedAccountId, Reason};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::Env;

use crate::common::{
    answer::{Answer, Failure, Success},
    call::Ask,
    context::{Context, Millis, now, settings, whole},
    panic,
    settings::Settings,
    storage::as_number,
    trace::{Part, Trace},
    upstream,
};

use ledger::Ledger;
use memory::{Call, Memory};

/// What a step comes to.
enum Next {
    /// The call is answered.
    Answer(Success),
    /// Read this account, and make the call again, after so many milliseconds at the latest.
    Read(LinkedAccountId, Millis),
    /// Make the call again where there is news, and after so many milliseconds at the latest.
    Wait(Millis),
}

impl From<Success> for Next {
    fn from(success: Success) -> Self {
        Self::Answer(success)
    }
}

/// An object, for one step of a call.
struct Object<'a> {
    context: Context,
    ledger: Ledger,
    memory: &'a Memory,
    call: &'a Call,
    /// When the call came.
    asked_at: Millis,
}

/// Works on a call until it is answered, or something has to be awaited.
#[wasm_bindgen(js_name = customerStep)]
pub async fn step(memory: Memory, env: Env, call: Call) -> JsValue {
    panic::hook();
    let trace = Rc::new(trace_of(&call));
    #[cfg(feature = "fault")]
    crate::common::fault::in_object(&trace.request_id);
    let (name, outcome) = match serde_json::from_str::<Ask>(&call.text()) {
        Ok(ask) => (ask.name(), work(&memory, &env, &call, &trace, ask).await),
        // a newer edge's: asked again, it may meet a newer object
        Err(error) => ("unknown", Err(Failure::new(Reason::LedgerUnavailable).with_log(error.to_string()))),
    };
    let outcome = match outcome {
        Ok(Next::Read(id, ms)) => {
            trace.suspend(&call);
            return memory::to_read(id.as_str(), u32::try_from(ms).unwrap_or(u32::MAX));
        }
        Ok(Next::Wait(ms)) => {
            trace.suspend(&call);
            return memory::to_wait(u32::try_from(ms).unwrap_or(u32::MAX));
        }
        Ok(Next::Answer(success)) => Ok(success),
        Err(failure) => Err(failure),
    };
    let detail = outcome.as_ref().err().and_then(Failure::log).map(str::to_owned);
    let answer = Answer::of(outcome, &trace.request_id);
    trace.log(Part::Customer, name, answer.status, answer.reason, detail.as_deref());
    let upstream_ms = u32::try_from(trace.upstream_ms()).unwrap_or(u32::MAX);
    let (headers, body) = (answer.headers.as_str(), answer.body.as_deref());
    memory::answered(answer.status, headers, body, answer.reason, trace.upstream_calls(), upstream_ms)
}

/// Reads an account, for all calls that wait for it: writes it down where it is news, and remembers what came of it.
#[wasm_bindgen(js_name = customerRead)]
pub async fn read(memory: Memory, env: Env, call: Call, id: String) {
    panic::hook();
    let trace = Rc::new(trace_of(&call));
    let began_at = now();
    let outcome = read_account(&memory, &env, &call, &trace, &id).await;
    let failure = outcome.err().map(|failure| {
        trace.note(failure.log().unwrap_or_default());
        let failed = Failed { reason: failure.reason.as_str().to_owned(), retry_after: failure.retry_after() };
        // a struct of texts and numbers always serialises
        serde_json::to_string(&failed).unwrap_or_default()
    });
    memory.remember(&id, as_number(began_at), as_number(now()), failure);
    trace.suspend(&call);
}

async fn read_account(memory: &Memory, env: &Env, call: &Call, trace: &Rc<Trace>, id: &str) -> Result<(), Failure> {
    let object = Object::open(memory, env, call, trace, false)?;
    let id = LinkedAccountId::parse(id).map_err(|_| Reason::NotFound)?;
    let (read_at, account) = upstream::read(&object.context, &id).await?;
    object.ledger.take(account, read_at, "read", None).map(drop)
}

/// Does what is due, with nobody calling.
#[wasm_bindgen(js_name = customerAlarm)]
pub async fn alarm(memory: Memory, env: Env, call: Call) {
    panic::hook();
    let trace = Rc::new(trace_of(&call));
    memory.set_alarm(None);
    let outcome = match Object::open(&memory, &env, &call, &trace, true) {
        Ok(object) => {
            #[cfg(feature = "fault")]
            crate::common::fault::in_alarm(&object.ledger.kept_subject().unwrap_or_default());
            let outcome = alarm::run(&object, &env).await;
            if outcome.is_err() {
                // if not even this can be set, the next request sets it
                let _ = object.ledger.try_later();
            }
            outcome
        }
        Err(failure) => Err(failure),
    };
    let (reason, detail) = match &outcome {
        Ok(()) => (None, None),
        Err(failure) => (Some(failure.reason.as_str()), failure.log()),
    };
    let status = outcome.as_ref().err().and_then(|failure| failure.reason.http_status()).unwrap_or(200);
    trace.log(Part::Customer, "alarm", status, reason, detail);
}

fn trace_of(call: &Call) -> Trace {
    Trace::resume(call.request_id(), whole(call.asked_at()), call)
}

async fn work(memory: &Memory, env: &Env, call: &Call, trace: &Rc<Trace>, ask: Ask) -> Result<Next, Failure> {
    let object = Object::open(memory, env, call, trace, false)?;
    let action = ask.name();
    let id = match &ask {
        // what is no id may be anything
        Ask::Retrieve { id, .. } | Ask::Delete { id } => LinkedAccountId::parse(id).ok(),
        _ => None,
    };
    let outcome = object.answer(ask).await;
    if let Err(failure) = &outcome
        && failure.is_refusal()
        && object.call.subject().is_some()
    {
        // a refusal that cannot be written down is one all the same
        let _ = object.ledger.note(action, id.as_ref().map(LinkedAccountId::as_str), failure.reason.as_str());
    }
    outcome
}

/// A reading that failed, as the object remembers it.
#[derive(Serialize, Deserialize)]
struct Failed {
    reason: String,
    retry_after: Option<u32>,
}

/// How long a call waits for a reading that it needs: longer than the deadline of any.
const READING: Millis = 30_000;

/// What is known of an account's last reading.
enum Reading {
    /// It is new enough: the ledger has it.
    Fresh { began_at: Millis },
    /// It failed while this call was there.
    Failed(Failure),
    /// There is none that is new enough.
    Due,
}

impl<'a> Object<'a> {
    fn open(memory: &'a Memory, env: &Env, call: &'a Call, trace: &Rc<Trace>, is_alarm: bool) -> Result<Self, Failure> {
        let settings = settings(env).as_ref();
        let settings: &'static Settings =
            settings.map_err(|issues: &Vec<Issue>| Failure::new(Reason::Misconfigured).with_issues(issues.clone()))?;
        let actor = call.operator().or_else(|| call.subject());
        let ledger = Ledger::open(memory, settings, trace.clone(), call.subject(), actor, is_alarm)?;
        let context = Context { settings, trace: trace.clone() };
        Ok(Self { context, ledger, memory, call, asked_at: whole(call.asked_at()) })
    }

    async fn answer(&self, ask: Ask) -> Result<Next, Failure> {
        match ask {
            Ask::Create { key, body } => create::handle(self, &key, &body).await,
            Ask::Retrieve { id, wait } => retrieve::handle(self, &id, wait),
            Ask::Delete { id } => delete::handle(self, &id).await,
            Ask::Confirm { link_state } => confirm::handle(self, &link_state),
            Ask::List { query } => list::list(self, &query),
            Ask::Search { query } => list::search(self, &query),
            Ask::Refused { action, link, reason } => {
                self.ledger.note(&action, link.as_deref(), &reason)?;
                Ok(Success::Body("{}".into()).into())
            }
            Ask::Webhook { event, id, attempt } => webhook::handle(self, &event, &id, &attempt).await,
            Ask::Audit { before, limit } => list::audit(self, before, limit),
        }
    }

    /// The last reading of an account, if it began at `since` or later.
    fn reading(&self, id: &LinkedAccountId, since: Millis) -> Reading {
        let Some(last) = self.memory.reading(id.as_str()) else { return Reading::Due };
        let began_at = whole(last.began_at());
        match last.failure() {
            None if began_at >= since => Reading::Fresh { began_at },
            // who has waited for it has asked: a crowd must not make it harder for Omise to come back
            Some(failure) if whole(last.ended_at()) >= self.asked_at => Reading::Failed(failed(&failure)),
            _ => Reading::Due,
        }
    }
}

fn failed(text: &str) -> Failure {
    let Ok(failed) = serde_json::from_str::<Failed>(text) else { return Reason::Internal.into() };
    let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == failed.reason).unwrap_or(Reason::Internal);
    match failed.retry_after {
        Some(seconds) => Failure::new(reason).with_retry_after(seconds),
        None => reason.into(),
    }
}
