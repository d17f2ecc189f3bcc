//! The wasm-bindgen surface: what the npm package's JavaScript calls.
//!
//! Results leave as plain objects, arguments come in as strings or are read property by property, and JSON text is parsed
//! by the engine: no deserialiser is linked. Failures are rejected with a plain object that the package turns into a
//! `LinkedAccountsError`.

mod client;
mod error;
mod input;

use js_sys::Function;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use self::{client::Client, error::ClientError};
use crate::{CreatePolicy, CreateRequest, Issue};

#[wasm_bindgen]
extern "C" {
    /// The options of `createClient`, read when they are needed.
    pub type ClientOptions;

    #[wasm_bindgen(method, getter, structural)]
    fn endpoint(this: &ClientOptions) -> String;

    #[wasm_bindgen(method, getter, structural, js_name = getToken)]
    fn get_token(this: &ClientOptions) -> Function;
}

/// Everything that is wrong with the parameters of `create`: an array of `{ field, code, message }`, empty where nothing is.
///
/// # Errors
///
/// None in practice: issues are plain data.
#[wasm_bindgen(js_name = validateCreate)]
pub fn validate_create(params: &JsValue) -> Result<JsValue, JsValue> {
    let checked = CreateRequest::validate(input::create(params), &CreatePolicy::unrestricted());
    issues(checked.err().map(crate::ValidationError::into_issues).unwrap_or_default().as_slice())
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

/// Issues as an array of plain objects.
fn issues(issues: &[Issue]) -> Result<JsValue, JsValue> {
    Ok(issues.serialize(&Serializer::json_compatible())?)
}

impl From<ClientError> for JsValue {
    fn from(error: ClientError) -> Self {
        error.into_object()
    }
}
