//! The Cloudflare Worker between a shop's pages and Omise: it holds the secret key, knows who owns which linked account, and
//! lets a customer see and unlink their own.
//!
//! A request goes through, in this order: `route`, `settings`, `session`, then its handler (`create`, `retrieve`,
//! `delete`, `confirm`), which asks the `ledger` and `upstream`. Whatever comes of it leaves through `answer`.

mod answer;
mod body;
mod confirm;
mod context;
mod create;
mod delete;
mod ledger;
mod request;
mod retrieve;
mod route;
mod session;
mod settings;
mod upstream;

use std::{fmt::Write, sync::OnceLock};

use omise_linked_accounts::{Issue, IssueCode, Reason};
use worker::{Date, Env, Request, Response, console_log, event};

use crate::{
    answer::{Failure, Success},
    context::Context,
    ledger::Ledger,
    route::Route,
    settings::Settings,
};

/// Answers one request.
///
/// # Errors
///
/// Only where not even an error can be built; the runtime then answers 500.
#[event(fetch)]
pub async fn fetch(req: Request, env: Env, _ctx: worker::Context) -> worker::Result<Response> {
    let started = Date::now().as_millis();
    let request_id = request_id();
    let settings = settings(&env);
    let origin = request::header(&req, "Origin");
    let method = req.inner().method();
    let route = Route::find(&method, &req.path());
    let name = route.as_ref().map_or("none", Route::name);

    let outcome = match route {
        Ok(route) => handle(route, req, &env, settings, &request_id).await,
        Err(failure) => Err(failure),
    };

    let cors = match (settings, &origin) {
        (Ok(settings), Some(origin)) if settings.allowed_origins.contains(origin) => Some(origin.as_str()),
        _ => None,
    };
    let response = answer::respond(&outcome, &request_id, cors)?;
    let (reason, detail) = match &outcome {
        Ok(_) => (None, None),
        Err(failure) => (Some(failure.reason), failure.log.as_deref()),
    };
    // one line a request; JSON escapes control characters
    let line = serde_json::json!({
        "request_id": request_id,
        "route": name,
        "status": response.status_code(),
        "reason": reason,
        "detail": detail,
        "ms": Date::now().as_millis() - started,
    });
    console_log!("{line}");
    Ok(response)
}

async fn handle(
    route: Route,
    req: Request,
    env: &Env,
    settings: &'static Result<Settings, Vec<Issue>>,
    request_id: &str,
) -> Result<Success, Failure> {
    match route {
        Route::Health => return Ok(Success::Health),
        Route::Preflight => return Ok(Success::Preflight),
        _ => {}
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(issues) => return Err(Failure::new(Reason::Misconfigured).with_issues(issues.clone())),
    };
    let authorization = request::header(&req, "Authorization");
    let now = Date::now().as_millis() / 1_000;
    let caller =
        session::authenticate(&settings.session, authorization.as_deref(), now).ok_or(Reason::Unauthenticated)?;
    let db = env.d1("DB").map_err(|error| {
        let issue = Issue::new("DB", IssueCode::Required, "the D1 binding is missing");
        Failure::new(Reason::Misconfigured).with_issues(vec![issue]).with_log(error.to_string())
    })?;
    let context = Context { settings, ledger: Ledger::new(db), request_id: request_id.to_owned() };
    match route {
        Route::Create => create::handle(&context, &caller, req).await,
        Route::Confirm => confirm::handle(&context, &caller, req).await,
        Route::Retrieve(id) => retrieve::handle(&context, &caller, &id).await,
        Route::Delete(id) => delete::handle(&context, &caller, &id).await,
        Route::Health | Route::Preflight => Err(Reason::Internal.into()),
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
    let mut text = String::with_capacity(32);
    for byte in context::random().unwrap_or_default() {
        // writing to a string cannot fail
        let _ = write!(text, "{byte:02x}");
    }
    text
}
