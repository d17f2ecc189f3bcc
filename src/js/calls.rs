//! What a page can ask the shop's Worker for.

use js_sys::Function;
use wasm_bindgen::prelude::*;

use super::{
    client::{self, Client},
    error::ClientError,
};

#[wasm_bindgen]
extern "C" {
    /// The options of `createClient`, read when they are needed.
    pub type ClientOptions;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn endpoint(this: &ClientOptions) -> String;

    #[wasm_bindgen(method, getter, structural, js_name = getToken)]
    pub(super) fn get_token(this: &ClientOptions) -> Function;
}

/// Creates an account; resolves to it.
///
/// # Errors
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub async fn create(options: ClientOptions, params: JsValue, idempotency_key: String) -> Result<JsValue, JsValue> {
    Ok(Client::new(&options).create(&params, &idempotency_key).await?)
}

/// Creates an account and makes sure that its registration page is one to send a customer to; resolves to the account.
///
/// # Errors
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub async fn start(options: ClientOptions, params: JsValue, idempotency_key: String) -> Result<JsValue, JsValue> {
    let account = Client::new(&options).create(&params, &idempotency_key).await?;
    client::check_registration_uri(&account)?;
    Ok(account)
}

/// Reads an account; resolves to it.
///
/// # Errors
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub async fn retrieve(options: ClientOptions, id: String) -> Result<JsValue, JsValue> {
    Ok(Client::new(&options).retrieve(&id).await?)
}

/// Unlinks an account; resolves to it.
///
/// # Errors
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen(js_name = deleteAccount)] // `delete` is a reserved word
pub async fn delete(options: ClientOptions, id: String) -> Result<JsValue, JsValue> {
    Ok(Client::new(&options).delete(&id).await?)
}

/// Confirms the account that a return belongs to and waits for the bank's answer; resolves to `{ result, account }`.
///
/// # Errors
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub async fn resume(options: ClientOptions, link_state: String) -> Result<JsValue, JsValue> {
    Ok(Client::new(&options).resume(&link_state).await?)
}

impl From<ClientError> for JsValue {
    fn from(error: ClientError) -> Self {
        error.into_object()
    }
}
