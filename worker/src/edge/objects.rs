//! Asking a customer's object.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use js_sys::futures::JsFuture;
use omise_linked_accounts::Reason;
use wasm_bindgen::JsCast;
use web_sys::AbortSignal;
use worker::Env;

use super::ready::missing_objects;
use crate::common::{
    answer::{Answer, Failure},
    call::Ask,
    context::{Context, now},
    platform::{self, Answered, Lines},
    stamp::object_name,
};

/// How long an object may take, in milliseconds. What it has begun it ends by itself.
const LIMIT: u32 = 25_000;

/// What the edge works with, for the time of one request.
pub(super) struct Edge {
    pub(super) context: Context,
    pub(super) env: Env,
    /// Whether the client is still there.
    signal: AbortSignal,
}

/// Who calls an object.
enum Caller<'a> {
    /// The customer, by the session's subject.
    Subject(&'a str),
    /// An operator, by the token's subject; or Omise.
    System(Option<&'a str>),
}

impl Edge {
    pub(super) const fn new(context: Context, env: Env, signal: AbortSignal) -> Self {
        Self { context, env, signal }
    }

    /// Asks a customer's own object.
    pub(super) async fn ask(&self, subject: &str, ask: &Ask) -> Result<Answer, Failure> {
        self.call(object_name(subject), Caller::Subject(subject), ask).await
    }

    /// Asks the object that a stamp names, for an operator or for Omise.
    pub(super) async fn system(&self, object: [u8; 32], operator: Option<&str>, ask: &Ask) -> Result<Answer, Failure> {
        self.call(object, Caller::System(operator), ask).await
    }

    async fn call(&self, object: [u8; 32], caller: Caller<'_>, ask: &Ask) -> Result<Answer, Failure> {
        let Context { settings, trace } = &self.context;
        // texts and numbers always serialise
        let text = serde_json::to_string(ask).unwrap_or_default();
        let name = URL_SAFE_NO_PAD.encode(object);
        let (subject, operator) = match caller {
            Caller::Subject(subject) => (Some(subject), None),
            Caller::System(operator) => (None, operator),
        };
        let (hint, id) = (settings.location_hint, trace.request_id.as_str());
        let began = now();
        let answer = platform::call_customer(&self.env, &name, hint, subject, operator, id, &text, LIMIT, &self.signal);
        let outcome = JsFuture::from(answer).await;
        let took = now() - began;
        let answered = match outcome {
            Ok(answered) if answered.is_undefined() => return Err(unanswered(ask, "the object took too long")),
            Ok(answered) => answered.unchecked_into::<Answered>(),
            // its text may be anybody's: an object that was reset, is overloaded, or cannot write
            Err(error) => {
                let missing = missing_objects(&self.env);
                if !missing.is_empty() {
                    return Err(Failure::new(Reason::Misconfigured).with_issues(missing));
                }
                let text = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
                return Err(unanswered(ask, &format!("the object: {}", text.unwrap_or_default())));
            }
        };
        if answered.lost() {
            return Err(match ask {
                Ask::Create { .. } => unanswered(ask, "the object died"),
                _ => Failure::new(Reason::Internal).with_log("the object died"),
            });
        }
        trace.object_took(took, answered.upstream_calls(), answered.upstream_ms().into());
        let mut headers = Lines::default();
        headers.extend(&answered.headers());
        let reason = answered.reason();
        let reason = Reason::ALL.into_iter().map(Reason::as_str).find(|known| Some(*known) == reason.as_deref());
        Ok(Answer { status: answered.status(), headers, body: answered.body().map(Into::into), reason })
    }
}

/// The object did not answer: what it did is in its ledger, and the same request finds it.
fn unanswered(ask: &Ask, log: &str) -> Failure {
    match ask {
        Ask::Create { .. } => Failure::new(Reason::OutcomeUnknown).with_retry_after(10).with_log(log),
        _ => Failure::new(Reason::LedgerUnavailable).with_retry_after(1).with_log(log),
    }
}
