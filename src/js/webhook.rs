//! Whether Omise sent it, for a shop's backend.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use wasm_bindgen::prelude::*;

use crate::{
    Timestamp,
    webhook::{self, VerifyError, WebhookSecret},
};

/// Why a delivery is not believed; `undefined` where it is. `now` is in seconds since 1970.
#[must_use]
#[wasm_bindgen]
#[allow(clippy::needless_pass_by_value)] // as wasm-bindgen hands it over
pub fn verify(body: &[u8], signature: &str, timestamp: &str, secrets: Vec<String>, now: f64) -> Option<String> {
    let reason = match judge(body, signature, timestamp, &secrets, now) {
        Ok(()) => return None,
        Err(reason) => reason,
    };
    Some(reason.to_owned())
}

fn judge(body: &[u8], signature: &str, timestamp: &str, secrets: &[String], now: f64) -> Result<(), &'static str> {
    let secrets: Result<Vec<WebhookSecret>, _> = secrets.iter().map(|text| WebhookSecret::parse(text)).collect();
    let secrets = secrets.map_err(|_| "secret_invalid")?;
    #[allow(clippy::cast_possible_truncation)] // saturates
    let now = Timestamp::from_unix(now as i64).map_err(|_| "timestamp_outside_window")?;
    webhook::verify(&secrets, signature, timestamp, body, now).map_err(|error| match error {
        VerifyError::TooLarge => "too_large",
        VerifyError::Timestamp => "timestamp_invalid",
        VerifyError::Stale => "timestamp_outside_window",
        VerifyError::TooManySignatures | VerifyError::Signature => "signature_mismatch",
    })
}
