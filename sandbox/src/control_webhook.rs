//! The part of the control API that is about webhooks.

use omise_linked_accounts::{ApiError, ErrorCode, Timestamp};
use serde::{Deserialize, Serialize};
use worker::Env;

use crate::{
    answer,
    api::Failure,
    clock::Now,
    delivery::{self, Delivery},
    settings::Settings,
    webhook::{Webhook, WebhookUrl},
};

/// Answers a call with the body of a 200. `segments` are those of the path after `/sandbox/`; who calls has shown the token.
pub(crate) async fn handle(
    method: &str,
    segments: &[&str],
    body: &[u8],
    env: &Env,
    settings: &Settings,
) -> Result<Vec<u8>, Failure> {
    let now = Now::read(env).await?.timestamp;
    match (method, segments) {
        ("GET", ["deliveries"]) => encode(&List { object: "list", data: Delivery::newest(env).await? }),
        ("POST", ["deliveries", id, "redeliver"]) => {
            nothing(body)?;
            let webhook = Webhook::load(env, settings, now).await?;
            let Some(url) = webhook.target() else {
                return Err(bad_request("there is no webhook: set its url with PUT /sandbox/webhook").into());
            };
            let unknown = || ApiError::new(404, ErrorCode::NotFound, format!("delivery {id} was not found"));
            encode(&Delivery::repeat(env, &webhook, url, id).await?.ok_or_else(unknown)?)
        }
        ("GET", ["webhook"]) => encode(&Shown::from(&Webhook::load(env, settings, now).await?)),
        ("PUT", ["webhook"]) => {
            let Wanted { url } = parse(body)?;
            let url = url.as_deref().map(WebhookUrl::parse).transpose();
            let url = url.map_err(|fault| bad_request(&format!("url: {fault}")))?;
            let webhook = Webhook::load(env, settings, now).await?;
            if url.is_some() && webhook.secrets.is_empty() {
                let fault =
                    "there is no webhook secret: set WEBHOOK_SECRET, or make one with POST /sandbox/webhook/secrets";
                return Err(bad_request(fault).into());
            }
            // what has happened before goes where it would have gone
            let db = env.d1("DB").map_err(Failure::from)?;
            db.batch(delivery::take_up(&db, &webhook, now)?).await?;
            Webhook::store(env, url.as_ref()).await?;
            encode(&Shown::from(&Webhook { url, ..webhook }))
        }
        ("POST", ["webhook", "secrets"]) => {
            nothing(body)?;
            let webhook = Webhook::load(env, settings, now).await?;
            let secret = webhook.rotate(env, now).await?.ok_or_else(|| {
                bad_request("ten webhook secrets sign already, and receivers read no more: each ends after 24 hours")
            })?;
            encode(&NewSecret { object: "webhook_secret", secret, created_at: now })
        }
        _ => Err(answer::not_found().into()),
    }
}

#[derive(Serialize)]
struct List {
    object: &'static str,
    data: Vec<Delivery>,
}

/// Where events go.
#[derive(Serialize)]
struct Shown<'a> {
    object: &'static str,
    url: Option<&'a str>,
}

impl<'a> From<&'a Webhook> for Shown<'a> {
    fn from(webhook: &'a Webhook) -> Self {
        Self { object: "webhook", url: webhook.url.as_ref().map(WebhookUrl::as_str) }
    }
}

/// Where events shall go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    // so that `null` has to be said
    #[serde(deserialize_with = "Option::deserialize")]
    url: Option<String>,
}

/// A secret, this once.
#[derive(Serialize)]
struct NewSecret {
    object: &'static str,
    secret: String,
    created_at: Timestamp,
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| bad_request(&error.to_string()))
}

/// No body, or an object of no fields.
fn nothing(body: &[u8]) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if body.is_empty() { Ok(()) } else { parse(body).map(|Nothing {}| ()) }
}

fn encode(object: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut json = serde_json::to_vec_pretty(object).map_err(|error| Failure::Broken(error.into()))?;
    json.push(b'\n');
    Ok(json)
}

fn bad_request(message: &str) -> ApiError {
    ApiError::new(400, ErrorCode::BadRequest, message)
}
