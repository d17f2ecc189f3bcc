//! What a page can ask the shop's Worker for.

use std::pin::Pin;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::{
    client::{self, Client, ClientResult},
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
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub fn create(options: ClientOptions, params: JsValue, idempotency_key: String) -> Promise {
    promise(Box::pin(async move { Client::new(&options).create(&params, &idempotency_key).await }))
}

/// Creates an account and makes sure that its registration page is one to send a customer to; resolves to the account.
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub fn start(options: ClientOptions, params: JsValue, idempotency_key: String) -> Promise {
    promise(Box::pin(async move {
        let account = Client::new(&options).create(&params, &idempotency_key).await?;
        client::check_registration_uri(&account)?;
        Ok(account)
    }))
}

/// Reads an account; resolves to it.
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub fn retrieve(options: ClientOptions, id: String) -> Promise {
    promise(Box::pin(async move { Client::new(&options).retrieve(&id).await }))
}

/// Unlinks an account; resolves to it.
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen(js_name = deleteAccount)] // `delete` is a reserved word
pub fn delete(options: ClientOptions, id: String) -> Promise {
    promise(Box::pin(async move { Client::new(&options).delete(&id).await }))
}

/// Confirms the account that a return belongs to and waits for the bank's answer; resolves to `{ result, account }`.
///
/// Rejects with a plain object: `reason`, `code`, `message`, `retryable`, and what else is known.
#[wasm_bindgen]
pub fn resume(options: ClientOptions, link_state: String) -> Promise {
    promise(Box::pin(async move { Client::new(&options).resume(&link_state).await }))
}

/// A call as JavaScript sees it. Boxed, since each kind of future would bring a copy of what makes it a promise.
fn promise(call: Pin<Box<dyn Future<Output = ClientResult>>>) -> Promise {
    future_to_promise(async move { call.await.map_err(ClientError::into_object) })
}
