//! The Cloudflare Worker between a shop's pages and Omise: it holds the secret key, knows who owns which linked account, and
//! lets a customer see and unlink their own.
//!
//! A request goes through, in this order: `route`, `settings`, `limits`, `session`, then its handler (`create`, `retrieve`,
//! `list`, …), which asks the `ledger` and `upstream`. Whatever comes of it leaves through `answer`; `trace` tells the log.

mod answer;
mod audit;
mod banks;
mod confirm;
mod context;
mod create;
mod cron;
mod db;
mod delete;
#[cfg(test)]
mod facts;
#[cfg(feature = "fault")]
mod fault;
mod fetch;
mod jwks;
mod ledger;
mod limits;
mod list;
mod panic;
mod platform;
mod ready;
mod remote_jwks;
mod request;
mod retrieve;
mod route;
mod search;
mod session;
mod settings;
mod settle;
mod shared;
mod sql;
#[allow(dead_code)]
mod stamp;
mod trace;
mod upstream;
mod webhook;

use std::{rc::Rc, sync::OnceLock};

use omise_linked_accounts::{Issue, LinkedAccountId, Reason};
use worker::{Env, ScheduleContext, ScheduledEvent, console_error, event};

use crate::{
    common::answer::{Failure, Success},
    audit::Entry,
    common::context::{Context, now},
    ledger::Ledger,
    edge::limits::{Kind, Whose},
    edge::request::Request,
    edge::route::Route,
    edge::session::Caller,
    common::settings::Settings,
    common::trace::Trace,
};

/// Rather than the standard library's, which is larger, and no quicker.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// The contract, as `GET /openapi.json` shows it.
const OPENAPI: &str = include_str!("../openapi.json");

/// Answers one request.
///
/// # Errors
///
/// Only where not even an error can be built; rescue.js then answers 500.
#[event(fetch)]
pub async fn fetch(req: web_sys::Request, env: Env, ctx: worker::Context) -> worker::Result<web_sys::Response> {
    common::panic::hook();
    let trace = Rc::new(Trace::start(request_id()));
    let settings = settings(&env);
    let req = Request::new(req);
    let origin = req.header("Origin");
    let route = Route::find(&req.method(), req.path());
    let name = route.as_ref().map_or("none", Route::name);
    #[cfg(feature = "fault")]
    common::fault::before_handler(&req, &trace.request_id)?;

    let outcome = match route {
        Ok(route) => handle(route, &req, &env, &ctx, settings, &trace).await,
        Err(failure) => Err(failure),
    };

    let cors = match (settings, &origin) {
        (Ok(settings), Some(origin)) if settings.allowed_origins.contains(origin) => Some(origin.as_str()),
        _ => None,
    };
    let response = answer::respond(&outcome, &trace, cors)?;
    let (reason, detail) = match &outcome {
        Ok(_) => (None, None),
        Err(failure) => (Some(failure.reason.as_str()), failure.log()),
    };
    trace.log(name, response.status(), reason, detail);
    Ok(response)
}

/// Does what no customer came back for.
#[event(scheduled)]
pub async fn scheduled(#[allow(unused)] event: ScheduledEvent, env: Env, _ctx: ScheduleContext) {
    common::panic::hook();
    #[cfg(feature = "fault")]
    common::fault::in_cron(&event.cron());
    match settings(&env) {
        Ok(settings) => {
            // what failed is in the report
            let _ = cron::run(&env, settings, Rc::new(Trace::start(request_id()))).await;
        }
        Err(issues) => {
            let fields: Vec<&str> = issues.iter().map(|issue| issue.field.as_str()).collect();
            console_error!("misconfigured: {}", fields.join(", "));
        }
    }
}

async fn handle(
    route: Route,
    req: &Request,
    env: &Env,
    ctx: &worker::Context,
    settings: &'static Result<Settings, Vec<Issue>>,
    trace: &Rc<Trace>,
) -> Result<Success, Failure> {
    match route {
        Route::Health => return Ok(Success::Body(r#"{"object":"health","status":"ok"}"#.into())),
        Route::OpenApi => return Ok(Success::Body(OPENAPI.into())),
        Route::Preflight => return Ok(Success::Preflight),
        _ => {}
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(issues) => return Err(Failure::new(Reason::Misconfigured).with_issues(issues.clone())),
    };
    let open = |actor| {
        let ledger = Ledger::open(env, trace.clone(), actor)?;
        Ok::<_, Failure>(Context { settings, ledger, trace: trace.clone() })
    };
    // Omise's own traffic is signed, and comes from few addresses: it is not counted
    if route == Route::Webhook {
        return webhook::handle(&open(None)?, req).await;
    }
    if route == Route::Ready {
        // before counting, which would name the first that is missing alone
        ready::bound(env, trace)?;
    }
    let kind = if route == Route::Create { Kind::Create } else { Kind::Read };
    let ip = req.header("CF-Connecting-IP");
    edge::limits::count(env, kind, Whose::Network(ip.as_deref())).await?;
    match route {
        Route::Banks => return Ok(banks::handle(settings)),
        Route::Ready => return ready::handle(&open(None)?).await,
        _ => {}
    }
    let authorization = req.header("Authorization");
    let now = now() / 1_000;
    let caller = session::authenticate(&settings.session, authorization.as_deref(), now).await?;
    let context = open(Some(caller.subject.clone()))?;
    let refused = Refused::of(&route);
    let outcome = match limits::count(env, kind, Whose::Subject(&caller.subject)).await {
        Ok(()) => authenticated(route, &context, &caller, req).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = &outcome
        && failure.is_refusal()
        && audit::admits_refusal()
    {
        let reason = failure.reason;
        ctx.wait_until(async move { refused.audit(&context, reason).await });
    }
    outcome
}

async fn authenticated(route: Route, context: &Context, caller: &Caller, req: &Request) -> Result<Success, Failure> {
    match route {
        Route::Create => create::handle(context, caller, req).await,
        Route::List => list::handle(context, caller, req.query()).await,
        Route::Search => search::handle(context, caller, req.query()).await,
        Route::Confirm => confirm::handle(context, caller, req).await,
        Route::Retrieve(id) => retrieve::handle(context, caller, &id, req.wait()).await,
        Route::Delete(id) => delete::handle(context, caller, &id).await,
        Route::Audit => audit::handle(context, caller, req.query()).await,
        // answered before anybody was asked who they are
        Route::Banks | Route::Webhook | Route::Health | Route::Ready | Route::OpenApi | Route::Preflight => {
            Err(Reason::Internal.into())
        }
    }
}

/// A refusal of a caller whose token was good, for the audit: off the request's path, so that neither its time nor a failure
/// of the database tells the caller anything.
struct Refused {
    action: &'static str,
    id: Option<LinkedAccountId>,
}

impl Refused {
    fn of(route: &Route) -> Self {
        let id = match route {
            Route::Retrieve(id) | Route::Delete(id) => LinkedAccountId::parse(id).ok(),
            _ => None,
        };
        Self { action: route.name(), id }
    }

    async fn audit(self, context: &Context, reason: Reason) {
        let link = self.id.as_ref().map(LinkedAccountId::as_str);
        let entry = Entry { action: self.action, link, outcome: reason.as_str(), at: context.now() };
        // nobody is left to be told
        let _ = context.ledger.audit(&entry).await;
    }
}

/// The settings, read once an isolate: they cannot change within one.
fn settings(env: &Env) -> &'static Result<Settings, Vec<Issue>> {
    static SETTINGS: OnceLock<Result<Settings, Vec<Issue>>> = OnceLock::new();

    SETTINGS.get_or_init(|| {
        // a secret and a variable are read alike: both are text
        Settings::read(|name| env.var(name).ok().map(|value| value.to_string()))
    })
}

/// 32 hexadecimal digits that name this request in logs; not a secret.
fn request_id() -> String {
    let bytes = context::random::<16>().unwrap_or_default();
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
