//! An offline stand-in for Omise's linked-account API: its five endpoints, and the bank's page on which the customer
//! registers. It is itself a Cloudflare Worker with a D1 database, and it is for loopback: it is never deployed.
//!
//! | request | answer |
//! |---|---|
//! | `POST` and `GET /linked_accounts`, `GET` and `DELETE /linked_accounts/:id` | as Omise documents it (`api`) |
//! | `GET /linked_accounts/search`, `GET /search?scope=linked_account` | the same |
//! | `GET /register?ref=…`, `POST /register`, `GET /register.css` | the bank (`register`, `bank_page`) |
//! | `/sandbox/webhook`, `/sandbox/deliveries`, … | the control API (`control_webhook`) |
//! | any other path, and any other method on these paths | 404 `not_found`, "not found" |
//!
//! Under `/linked_accounts` and `/search` the key is checked before anything else. `OMISE_SECRET_KEY` is the one key that
//! opens them; without a test key there, everything is answered with 503.
//!
//! What happens to an account is told to a webhook, if there is one (`event`, `delivery`, `webhook`): `WEBHOOK_URL` is where, and
//! `WEBHOOK_SECRET` signs. The scheduled handler, which is to be run every second, sends what is due.
//!
//! Where Omise's documentation is silent, this is what we chose: a deleted account stays readable, and deleting it again is
//! answered like deleting any account that is not registered. A list has accounts of every status. A search
//! finds what has the words, as they stand but in any case, in its id, its last digits or a value of its metadata. Parameters
//! that are malformed, out of bounds, repeated or unknown are refused, and so is a page that is longer than the core reads.

mod account;
mod answer;
mod api;
mod bank_account;
mod bank_page;
mod clock;
mod control_webhook;
mod delivery;
mod event;
mod id;
mod register;
mod return_uri;
mod route;
mod search_text;
mod selection;
mod settings;
mod store;
mod webhook;

use omise_linked_accounts::{ApiError, ErrorCode};
use subtle::ConstantTimeEq;
use worker::{Env, Request, Response, ScheduleContext, ScheduledEvent, console_error, console_log, event};

use crate::{clock::Now, route::Route, settings::Settings, store::Store};

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

async fn respond(method: &str, path: &str, req: Request, env: &Env) -> worker::Result<Response> {
    let version = req.headers().get("Omise-Version")?;
    let version = version.as_deref();
    let settings = match Settings::of(env) {
        Ok(settings) => settings,
        Err(fault) => {
            let error = ApiError::new(503, ErrorCode::InternalError, format!("the sandbox is not configured: {fault}"));
            return answer::api(Err(error), version);
        }
    };
    match Route::find(method, path) {
        Route::Api(call) => {
            let outcome = match api::handle(call, req, env, &settings).await {
                Ok(body) => Ok(body),
                Err(api::Failure::Refused(error)) => Err(error),
                Err(api::Failure::Broken(error)) => {
                    console_error!("{error}");
                    Err(ApiError::rails())
                }
            };
            answer::api(outcome, version)
        }
        Route::Bank(call) => match register::handle(call, req, env).await {
            Ok(outcome) => answer::bank(outcome),
            Err(error) => {
                console_error!("{error}");
                answer::bank(register::broken())
            }
        },
        Route::Stylesheet => answer::stylesheet(bank_page::STYLESHEET),
        Route::Control => control(method, path, req, env, &settings).await,
        Route::Unknown => answer::api(Err(answer::not_found()), version),
    }
}

/// The control API, so far.
async fn control(
    method: &str,
    path: &str,
    mut req: Request,
    env: &Env,
    settings: &Settings,
) -> worker::Result<Response> {
    let Some(token) = &settings.control_token else { return answer::api(Err(answer::not_found()), None) };
    let authorization = req.headers().get("Authorization")?.unwrap_or_default();
    let shown = authorization.strip_prefix("Bearer ").unwrap_or_default();
    if !bool::from(shown.as_bytes().ct_eq(token.as_bytes())) {
        let error = ApiError::new(401, ErrorCode::AuthenticationFailure, "authentication failed");
        return answer::api(Err(error), None);
    }
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let body = req.bytes().await?;
    let outcome = match control_webhook::handle(method, &segments, &body, env, settings).await {
        Ok(body) => Ok(body),
        Err(api::Failure::Refused(error)) => Err(error),
        Err(api::Failure::Broken(error)) => {
            console_error!("{error}");
            Err(ApiError::rails())
        }
    };
    answer::api(outcome, None)
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
