//! The edge: what runs where a request arrives. It judges the request, asks the customer's object, and answers.
//!
//! A request goes through, in this order: `route`, `settings`, `limits`, `session`, then its handler, which asks an object (`objects`) or,
//! for an operator, Omise. Whatever comes of it leaves through `respond`; `trace` tells the log.

mod audit;
mod banks;
mod confirm;
mod create;
mod limits;
mod objects;
mod operator;
mod ready;
mod remote_jwks;
mod request;
pub(crate) mod respond;
mod route;
mod session;
mod shared;
mod webhook;

#[cfg(test)]
pub(crate) use request::is_idempotency_key;
pub(crate) use route::Route;
#[cfg(test)]
pub(crate) use route::templates;

use std::rc::Rc;

use omise_linked_accounts::{Issue, LinkedAccountId, ListRequest, Reason, ValidationError, search};
use worker::{Env, event};

use crate::common::{
    answer::{Answer, Failure, Success},
    call::Ask,
    context::{Context, millis, now, random, settings},
    panic,
    settings::Settings,
    trace::{Part, Trace},
};
use limits::{Kind, Whose};
use objects::Edge;
use request::Request;
use route::Who;
use session::Caller;

/// The contract, as `GET /openapi.json` shows it.
const OPENAPI: &str = include_str!("../../openapi.json");

/// Answers one request.
///
/// # Errors
///
/// Only where not even an error can be built; edge.js then answers 500.
#[event(fetch)]
pub async fn fetch(req: web_sys::Request, env: Env, ctx: worker::Context) -> worker::Result<web_sys::Response> {
    panic::hook();
    let trace = Rc::new(Trace::start(request_id()));
    let settings = settings(&env);
    let req = Request::new(req);
    let origin = req.header("Origin");
    let route = Route::find(&req.method(), req.path());
    let name = route.as_ref().map_or("none", Route::name);
    #[cfg(feature = "fault")]
    crate::common::fault::before_handler(req.header("X-Fault"), &trace.request_id)?;

    let is_preflight = matches!(route, Ok(Route::Preflight));
    let outcome = match route {
        Ok(route) => handle(route, &req, env, &ctx, settings, &trace).await,
        Err(failure) => Err(failure),
    };

    let cors = match (settings, &origin) {
        (Ok(settings), Some(origin)) if settings.allowed_origins.contains(origin) => Some(origin.as_str()),
        _ => None,
    };
    let detail = outcome.as_ref().err().and_then(Failure::log).map(str::to_owned);
    let answer = outcome.unwrap_or_else(|failure| Answer::of(Err(failure), &trace.request_id));
    let response = respond::respond(&answer, &trace, cors, is_preflight)?;
    trace.log(Part::Edge, name, answer.status, answer.reason, detail.as_deref());
    Ok(response)
}

async fn handle(
    route: Route,
    req: &Request,
    env: Env,
    ctx: &worker::Context,
    settings: &'static Result<Settings, Vec<Issue>>,
    trace: &Rc<Trace>,
) -> Result<Answer, Failure> {
    let answer = |success| Answer::of(Ok(success), &trace.request_id);
    match route {
        Route::Health => return Ok(answer(Success::Body(r#"{"object":"health","status":"ok"}"#.into()))),
        Route::OpenApi => return Ok(answer(Success::Body(OPENAPI.into()))),
        Route::Preflight => return Ok(answer(Success::Preflight)),
        _ => {}
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(issues) => return Err(Failure::new(Reason::Misconfigured).with_issues(issues.clone())),
    };
    let edge = Edge::new(Context { settings, trace: trace.clone() }, env, req.signal());
    // Omise's own traffic is signed, and comes from few addresses: it is not counted
    if route.who() == Who::Omise {
        return webhook::handle(&edge, req).await;
    }
    if route == Route::Ready {
        // before counting, which would name the first that is missing alone
        ready::bound(&edge.env)?;
    }
    let kind = if route == Route::Create { Kind::Create } else { Kind::Read };
    let ip = req.header("CF-Connecting-IP");
    limits::count(&edge.env, kind, Whose::Network(ip.as_deref())).await?;
    match route {
        Route::Banks => return Ok(answer(banks::handle(settings))),
        Route::Ready => return ready::handle(&edge).await.map(answer),
        _ => {}
    }
    let authorization = req.header("Authorization");
    let caller = session::authenticate(&settings.session, authorization.as_deref(), now() / 1_000).await?;
    let counted = limits::count(&edge.env, kind, Whose::Subject(&caller.subject)).await;
    let asked = match counted {
        Ok(()) => ask(&route, &caller, &edge, req).await,
        Err(failure) => Err(failure),
    };
    let outcome = match asked {
        Ok(Asked::Object(ask)) => return edge.ask(&caller.subject, &ask).await,
        Ok(Asked::Answer(answer)) => return Ok(answer),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = &outcome
        && failure.is_refusal()
        && audit::admits_refusal()
    {
        let link = match &route {
            Route::Retrieve(id) | Route::Delete(id) => LinkedAccountId::parse(id).ok().map(|id| id.to_string()),
            _ => None,
        };
        let refused =
            Ask::Refused { action: route.name().to_owned(), link, reason: failure.reason.as_str().to_owned() };
        // off the request's path, so that neither its time nor a failure of the object tells the caller anything
        ctx.wait_until(async move { drop(edge.ask(&caller.subject, &refused).await) });
    }
    outcome
}

/// What is left to do for a request of a caller whose token was good.
enum Asked {
    /// The caller's own object answers.
    Object(Ask),
    /// It is answered.
    Answer(Answer),
}

async fn ask(route: &Route, caller: &Caller, edge: &Edge, req: &Request) -> Result<Asked, Failure> {
    if route.who() == Who::Operator && !caller.operator {
        return Err(Reason::OperatorOnly.into());
    }
    let is_operator = caller.operator && matches!(route.who(), Who::Operator | Who::Either);
    let operator = |answer| Ok(Asked::Answer(answer));
    Ok(Asked::Object(match route {
        Route::Create => create::ask(edge, req).await?,
        Route::Confirm => confirm::ask(req).await?,
        Route::List if is_operator => return operator(operator::list(edge, caller, req.query()).await?),
        Route::Search if is_operator => return operator(operator::search(edge, caller, req.query()).await?),
        Route::Retrieve(id) if is_operator => {
            return operator(operator::retrieve(edge, caller, id, millis(req.wait())).await?);
        }
        Route::Delete(id) if is_operator => return operator(operator::delete(edge, caller, id).await?),
        Route::Audit => return operator(audit::handle(edge, caller, req.query()).await?),
        Route::List => {
            ListRequest::decode(req.query()).map_err(invalid)?;
            Ask::List { query: req.query().to_owned() }
        }
        Route::Search => {
            search::decode_request(req.query()).map_err(invalid)?;
            Ask::Search { query: req.query().to_owned() }
        }
        Route::Retrieve(id) => Ask::Retrieve { id: id.clone(), wait: millis(req.wait()) },
        Route::Delete(id) => Ask::Delete { id: id.clone() },
        // answered before anybody was asked who they are
        Route::Banks | Route::Webhook | Route::Health | Route::Ready | Route::OpenApi | Route::Preflight => {
            return Err(Reason::Internal.into());
        }
    }))
}

/// A query that is not as it should be.
fn invalid(error: ValidationError) -> Failure {
    Failure::new(Reason::InvalidRequest).with_issues(error.into_issues())
}

/// 32 hexadecimal digits that name this request in logs; not a secret.
fn request_id() -> String {
    let bytes = random::<16>().unwrap_or_default();
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
