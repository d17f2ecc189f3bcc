//! Receives Omise's webhooks: verifies the raw bytes, reads the event, and says which account to read again.

use std::{
    env,
    net::Ipv4Addr,
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use omise_linked_accounts::{
    Timestamp, retrieve,
    webhook::{self, Event, WebhookSecret},
};
use tokio::net::TcpListener;

const PATH: &str = "/webhooks/omise";

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<()> {
    let secrets: Arc<[WebhookSecret]> = secrets()?.into();
    let port = env::var("PORT").unwrap_or_else(|_| "8790".to_owned());
    let port: u16 = port.parse().context("PORT: expected a number up to 65535, 0 for any free port")?;

    let app = Router::new()
        .route(PATH, post(receive))
        // what is larger is no event, and is not worth the memory
        .layer(DefaultBodyLimit::max(webhook::MAX_EVENT))
        .with_state(secrets);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| format!("port {port}"))?;
    println!("listening on http://{}{PATH}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// The secrets of the one setting: two while they are rotated, else one.
fn secrets() -> Result<Vec<WebhookSecret>> {
    const NAME: &str = "OMISE_WEBHOOK_SECRETS";

    let text = env::var(NAME).context(NAME)?;
    // an empty setting is no secret, and without secrets nothing could be verified
    ensure!(!text.trim().is_empty(), "{NAME}: expected one or more secrets with commas between");
    let parse = |(i, secret)| WebhookSecret::parse(secret).with_context(|| format!("{NAME}, number {}", i + 1));
    text.split(',').enumerate().map(parse).collect()
}

/// Answers a delivery. `Bytes` gives the body as it came: what is parsed and written again has another signature.
async fn receive(State(secrets): State<Arc<[WebhookSecret]>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (signature, time) = (header(webhook::SIGNATURE_HEADER), header(webhook::TIMESTAMP_HEADER));
    let Some(now) = now() else { return StatusCode::INTERNAL_SERVER_ERROR };
    if let Err(error) = webhook::verify(&secrets, signature, time, &body, now) {
        // why is for the log alone: a forger learns nothing
        eprintln!("refused: {error}");
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = Event::parse(&body) else {
        eprintln!("refused: signed, but not an event");
        return StatusCode::BAD_REQUEST;
    };
    // Events come late, twice and out of order. So a real backend records `event.id`, acts on each id once, and takes nothing
    // from the event but which account to read again; only then it answers 200, and 5xx where it could not record it.
    match event.linked_account_id() {
        Some(id) => {
            let request = retrieve::encode_request(&id);
            println!("{} {}: read {} {}", event.id, event.key.as_str(), request.method.as_str(), request.path);
        }
        None => println!("{} {}: not about a linked account", event.id, event.key.as_str()),
    }
    StatusCode::OK
}

/// The time, which the core takes as an argument.
#[allow(clippy::disallowed_methods, reason = "this runs natively, where the clock works")]
fn now() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_unix(since.as_secs().try_into().ok()?).ok()
}
