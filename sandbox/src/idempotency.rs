//! `Idempotency-Key`, in the profile `extended`: what was answered to a key is answered again for 24 hours, and nothing is done.
//!
//! What the unofficial reference leaves open is our choice: a key that comes with another body is answered 422, one whose first
//! request is in progress 409; refusals are kept like successes, a failure of the sandbox's own is not.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use omise_linked_accounts::{ApiError, ErrorCode};
use serde::Deserialize;
use sha2::Sha256;
use worker::{D1Result, Env, Result, wasm_bindgen::JsValue};

use crate::{api::Failure, clock::Now, settings::Settings};

/// How long an answer is kept.
const LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// Answers a request with this key and body: by `work`, or as before.
pub(crate) async fn once(
    env: &Env,
    settings: &Settings,
    key: &str,
    body: &[u8],
    work: impl Future<Output = Result<Vec<u8>, Failure>>,
) -> Result<Vec<u8>, Failure> {
    if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let message = "Idempotency-Key: expected 1 to 255 visible ASCII characters";
        return Err(ApiError::new(400, ErrorCode::BadRequest, message).into());
    }
    let fingerprint = fingerprint(settings, body)?;
    if let Some(kept) = claim(env, key, &fingerprint).await? {
        return Ok(kept.answer(&fingerprint)?);
    }
    let outcome = work.await;
    match &outcome {
        Ok(body) => keep(env, key, 200, body).await?,
        Err(Failure::Refused(error)) => keep(env, key, error.status, &error.encode()).await?,
        Err(Failure::Broken(_)) => {
            env.d1("DB")?.prepare("DELETE FROM idempotency_keys WHERE key = ?1").bind(&[key.into()])?.run().await?;
        }
    }
    outcome
}

/// What is known of a key.
#[derive(Deserialize)]
struct Kept {
    fingerprint: String,
    status: Option<u16>,
    body: Option<String>,
}

impl Kept {
    /// The answer to a request that has this key too.
    fn answer(self, fingerprint: &str) -> Result<Vec<u8>, ApiError> {
        if self.fingerprint != fingerprint {
            let message = "Idempotency-Key: it was used with another body";
            return Err(ApiError::new(422, ErrorCode::BadRequest, message));
        }
        match (self.status, self.body) {
            (Some(200), Some(body)) => Ok(body.into_bytes()),
            (Some(status), Some(body)) => Err(ApiError::decode(status, body.as_bytes())),
            _ => {
                let message = "Idempotency-Key: the first request with it is in progress";
                Err(ApiError::new(409, ErrorCode::BadRequest, message))
            }
        }
    }
}

/// Takes a key; `None` where it was free, else what is known of it.
async fn claim(env: &Env, key: &str, fingerprint: &str) -> Result<Option<Kept>> {
    let db = env.d1("DB")?;
    let now = Now::read(env).await?.timestamp;
    let expires_at = now.plus_seconds(LIFETIME_SECONDS).to_string();
    let forget = "DELETE FROM idempotency_keys WHERE expires_at <= ?1";
    let find = "SELECT fingerprint, status, body FROM idempotency_keys WHERE key = ?1";
    let take = "INSERT INTO idempotency_keys (key, fingerprint, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let statements = vec![
        db.prepare(forget).bind(&[now.to_string().into()])?,
        db.prepare(find).bind(&[key.into()])?,
        db.prepare(take).bind(&[key.into(), fingerprint.into(), expires_at.into()])?,
    ];
    // one transaction: of two at once only one finds nothing
    let results = db.batch(statements).await?;
    let found: Vec<Kept> = results.get(1).map(D1Result::results).transpose()?.unwrap_or_default();
    Ok(found.into_iter().next())
}

async fn keep(env: &Env, key: &str, status: u16, body: &[u8]) -> Result<()> {
    let sql = "UPDATE idempotency_keys SET status = ?2, body = ?3 WHERE key = ?1";
    let values: [JsValue; 3] = [key.into(), status.into(), String::from_utf8_lossy(body).into_owned().into()];
    env.d1("DB")?.prepare(sql).bind(&values)?.run().await?;
    Ok(())
}

/// What tells one body from another. It is keyed: a body may hold an identity number, of which there are few enough to try.
fn fingerprint(settings: &Settings, body: &[u8]) -> Result<String> {
    let key = settings.secret_key.authorization();
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mac = mac.map_err(|error| worker::Error::RustError(error.to_string()))?;
    Ok(STANDARD.encode(mac.chain_update(body).finalize().into_bytes()))
}
