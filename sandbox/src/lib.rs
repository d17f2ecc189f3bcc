//! An offline stand-in for Omise's linked-account API: its five endpoints, what the account can do, and the bank's page on which
//! the customer registers. It is itself a Cloudflare Worker with a D1 database, and it is for loopback: it is never deployed, and
//! a request whose `Host` is not loopback is answered 403 `not_authorized`.
//!
//! | request | answer |
//! |---|---|
//! | `POST` and `GET /linked_accounts`, `GET` and `DELETE /linked_accounts/:id` | as Omise documents it (`api`) |
//! | `GET /linked_accounts/search`, `GET /search?scope=linked_account` | the same |
//! | `GET /capability` | the same (`capability`) |
//! | `GET /register?ref=…`, `POST /register`, `GET /register.css` | the bank (`register`, `bank_page`, `bank_words`) |
//! | `/sandbox` and all below it, with a `CONTROL_TOKEN` | the sandbox itself: its control API (`control`), and a page that has its buttons |
//! | `GET /` | what this is, and which endpoints it has (`index`): a page, or plain text where the caller accepts no HTML |
//! | any other path, and any other method on these paths | 404 `not_found`, with the list of these endpoints (`index`) |
//!
//! One slash at the end of any path is ignored (`route`).
//!
//! Under `/linked_accounts`, `/search` and `/capability` the key is checked before anything else. `OMISE_SECRET_KEY` is the one key
//! that opens them; without a test key there, everything is answered with 503. `GET /capability` takes any public key of test mode
//! as well, since a web page may ask for it.
//!
//! The parameters of list and search may stand in the query string, in a form body or in a JSON body, as they do in Omise's
//! samples and clients; workerd passes the body of a GET on like any other.
//!
//! What happens to an account is told to a webhook, if there is one (`event`, `delivery`, `webhook`): `WEBHOOK_URL` is where, and
//! `WEBHOOK_SECRET` signs. The scheduled handler, which is to be run every second, sends what is due.
//!
//! Where Omise's documentation is silent, this is what we chose: a deleted account stays readable, and deleting it again is
//! answered like deleting any account that is not registered. A list has accounts of every status. A search
//! finds what has the words, as they stand but in any case, in its id, its last digits or a value of its metadata. Parameters
//! that are malformed, out of bounds, repeated or unknown are refused, and so is a page that is longer than the core reads.
//!
//! With a `SEED` the clock stands at 2026-01-01T00:00:00Z until it is moved, and the same requests in the same order have the same
//! answers (`chance`). `PROFILE` says which documents hold where they disagree: `official`, or `extended` (`profile`,
//! `idempotency`, `rate_limit`).

mod account;
mod answer;
mod api;
mod bank_account;
mod bank_page;
mod bank_words;
mod caller;
mod capability;
mod chance;
mod clock;
mod control;
mod control_form;
mod control_page;
mod control_webhook;
mod delivery;
mod dump;
mod event;
#[cfg(test)]
mod facts;
mod failure;
mod failure_code;
mod fault;
mod host;
mod id;
mod idempotency;
mod index;
mod journal;
mod language;
mod parameters;
mod profile;
mod rate_limit;
mod register;
mod return_uri;
mod route;
mod search_text;
mod selection;
mod settings;
mod store;
mod token;
mod webhook;

use omise_linked_accounts::{ApiError, ErrorCode};
use worker::{Env, Request, Response, ScheduleContext, ScheduledEvent, console_error, console_log, event};

use crate::{
    api::{Failure, Sent},
    chance::Thing,
    clock::Now,
    fault::Target,
    journal::Asked,
    profile::Profile,
    rate_limit::Usage,
    route::{ApiCall, Route},
    settings::Settings,
    store::Store,
    token::ControlToken,
};

/// Answers one request.
///
/// # Errors
///
/// Only where not even an error can be built; the runtime then answers 500.
#[event(fetch)]
pub async fn fetch(req: Request, env: Env, ctx: worker::Context) -> worker::Result<Response> {
    let (method, path) = (req.inner().method(), req.path());
    let response = respond(&method, &path, req, &env).await?;
    // without the query, which on the bank's page holds the id that opens it
    console_log!("{method} {path} {}", response.status_code());
    if Route::find(&method, &path).settles() {
        ctx.wait_until(async move { delivery::work(&env).await });
    }
    Ok(response)
}

/// Does what nobody asks for: lets accounts expire, and sends events. To be run every second.
#[event(scheduled)]
pub async fn scheduled(_event: ScheduledEvent, env: Env, _ctx: ScheduleContext) {
    delivery::work(&env).await;
}

async fn respond(method: &str, path: &str, mut req: Request, env: &Env) -> worker::Result<Response> {
    let version = req.headers().get("Omise-Version")?;
    let version = version.as_deref();
    let host = req.headers().get("Host")?.unwrap_or_default();
    let settings = match open(&host, env) {
        Ok(settings) => settings,
        Err(error) => {
            read_away(&mut req).await?;
            return answer::api(Err(error), version, random()?);
        }
    };
    match Route::find(method, path) {
        Route::Api(call) => {
            let asked = Asked::note(&req, env).await?;
            let request_id = chance::bytes(env, settings.seed, Thing::Request).await?;
            let fault = fault::strike(Target::of(call));
            let work = answer_call(call, &mut req, env, &settings, version, request_id);
            let response = fault::play(fault.as_ref(), version, request_id, work).await?;
            asked.answered(&response, fault.as_ref())?;
            Ok(response)
        }
        Route::Bank(call) => {
            let asked = Asked::note(&req, env).await?;
            let response = answer::bank(register::handle(call, req, env).await)?;
            asked.answered(&response, None)?;
            Ok(response)
        }
        Route::Stylesheet => answer::stylesheet(bank_page::STYLESHEET),
        Route::Control(call) => match &settings.control_token {
            Some(token) => control::handle(call, req, env, &settings, ControlToken::new(token)).await,
            None => nothing_here(&mut req, env, &settings, version).await,
        },
        Route::Index => {
            read_away(&mut req).await?;
            index::handle(&req, &settings)
        }
        Route::Unknown => nothing_here(&mut req, env, &settings, version).await,
    }
}

async fn nothing_here(
    req: &mut Request,
    env: &Env,
    settings: &Settings,
    version: Option<&str>,
) -> worker::Result<Response> {
    read_away(req).await?;
    let request_id = chance::bytes(env, settings.seed, Thing::Request).await?;
    answer::api(Err(index::not_found(&req.inner().method(), &req.path())), version, request_id)
}

/// What the sandbox goes by, for a request to this host.
fn open(host: &str, env: &Env) -> Result<Settings, ApiError> {
    if !host::is_loopback(host) {
        let message = "the sandbox is for this machine alone: Host: expected 127.0.0.1, localhost or [::1]";
        return Err(ApiError::new(403, ErrorCode::NotAuthorized, message));
    }
    Settings::of(env).map_err(|fault| {
        ApiError::new(503, ErrorCode::InternalError, format!("the sandbox is not configured: {fault}"))
    })
}

/// Reads a body that nobody wants: workerd may close the connection of one that is left unread before its sender has the answer.
async fn read_away(req: &mut Request) -> worker::Result<()> {
    req.bytes().await.map(drop)
}

/// Answers a call of the API.
async fn answer_call(
    call: ApiCall<'_>,
    req: &mut Request,
    env: &Env,
    settings: &Settings,
    version: Option<&str>,
    request_id: [u8; 16],
) -> worker::Result<Response> {
    let mut usage = None;
    let outcome = within_limit(call, req, env, settings, &mut usage).await.map_err(|failure| match failure {
        Failure::Refused(error) => error,
        Failure::Broken(error) => {
            console_error!("{error}");
            ApiError::rails()
        }
    });
    let response = answer::api(outcome, version, request_id)?;
    if let Some(usage) = usage {
        usage.write(response.headers())?;
    }
    Ok(response)
}

/// The body of a call's answer, within the rate limit where there is one; `usage` is then how much of it is used.
async fn within_limit(
    call: ApiCall<'_>,
    req: &mut Request,
    env: &Env,
    settings: &Settings,
    usage: &mut Option<Usage>,
) -> Result<Vec<u8>, Failure> {
    let sent = Sent::read(req, &settings.secret_key).await?;
    if settings.profile == Profile::Extended {
        let now = Now::read(env).await?;
        usage.insert(Usage::count(sent.caller, now.millis)).check()?;
    }
    api::handle(call, &sent, env, settings).await
}

/// The database, at this request's time.
async fn open_store(env: &Env) -> worker::Result<Store> {
    Ok(Store::new(env.d1("DB")?, Now::read(env).await?.timestamp))
}

/// Random bytes from WebCrypto.
fn random<const N: usize>() -> worker::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::getrandom(&mut bytes).map_err(|error| worker::Error::RustError(error.to_string()))?;
    Ok(bytes)
}
