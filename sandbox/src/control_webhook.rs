//! The part of the control API that is about webhooks.

use omise_linked_accounts::Timestamp;
use serde::{Deserialize, Serialize};
use worker::Env;

use crate::{
    clock::Now,
    control::{Failure, Refusal},
    delivery::{self, Delivery},
    settings::Settings,
    webhook::{Webhook, WebhookUrl},
};

/// `GET /sandbox/deliveries`
#[derive(Serialize)]
pub(crate) struct Deliveries {
    object: &'static str,
    data: Vec<Delivery>,
}

pub(crate) async fn deliveries(env: &Env) -> Result<Deliveries, Failure> {
    Ok(Deliveries { object: "list", data: Delivery::newest(env).await? })
}

/// Sends the event of a delivery once more.
pub(crate) async fn redeliver(id: &str, env: &Env, settings: &Settings) -> Result<Delivery, Failure> {
    let webhook = Webhook::load(env, settings, Now::read(env).await?.timestamp).await?;
    let Some(url) = webhook.target() else {
        let message = "there is no webhook: set its url with PUT /sandbox/webhook";
        return Err(Refusal::bad_request(message.to_owned()).into());
    };
    let unknown = || Refusal::not_found(format!("delivery {id} was not found"));
    Ok(Delivery::repeat(env, &webhook, url, id).await?.ok_or_else(unknown)?)
}

/// `GET /sandbox/webhook`: where events go.
#[derive(Serialize)]
pub(crate) struct Shown {
    object: &'static str,
    url: Option<String>,
}

impl From<Webhook> for Shown {
    fn from(webhook: Webhook) -> Self {
        Self { object: "webhook", url: webhook.url.as_ref().map(|url| url.as_str().to_owned()) }
    }
}

pub(crate) async fn webhook(env: &Env, settings: &Settings) -> Result<Shown, Failure> {
    Ok(Webhook::load(env, settings, Now::read(env).await?.timestamp).await?.into())
}

/// `PUT /sandbox/webhook`: where events shall go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    // so that `null` has to be said
    #[serde(deserialize_with = "Option::deserialize")]
    url: Option<String>,
}

/// Sends events elsewhere from now on.
pub(crate) async fn set(wanted: Wanted, env: &Env, settings: &Settings) -> Result<Shown, Failure> {
    let url = wanted.url.as_deref().map(WebhookUrl::parse).transpose();
    let url = url.map_err(|fault| Refusal::bad_request(format!("url: {fault}")))?;
    let now = Now::read(env).await?;
    let webhook = Webhook::load(env, settings, now.timestamp).await?;
    if url.is_some() && webhook.secrets.is_empty() {
        let message = "there is no webhook secret: set WEBHOOK_SECRET, or make one with POST /sandbox/webhook/secrets";
        return Err(Refusal::bad_request(message.to_owned()).into());
    }
    // what has happened before goes where it would have gone
    delivery::take_up(env, settings, &webhook, now).await?;
    Webhook::store(env, url.as_ref()).await?;
    Ok(Webhook { url, ..webhook }.into())
}

/// `POST /sandbox/webhook/secrets`: a secret, this once.
#[derive(Serialize)]
pub(crate) struct NewSecret {
    object: &'static str,
    secret: String,
    created_at: Timestamp,
}

/// Lets another secret take over.
pub(crate) async fn rotate(env: &Env, settings: &Settings) -> Result<NewSecret, Failure> {
    let now = Now::read(env).await?.timestamp;
    let secret = Webhook::load(env, settings, now).await?.rotate(env, now).await?;
    let secret = secret.ok_or_else(|| {
        let message = "ten webhook secrets sign already, and receivers read no more: each ends after 24 hours";
        Refusal::bad_request(message.to_owned())
    })?;
    Ok(NewSecret { object: "webhook_secret", secret, created_at: now })
}
