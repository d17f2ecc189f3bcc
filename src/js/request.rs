//! What is sent to the Worker, and when it is asked again.

use alloc::{borrow::ToOwned, string::String};
use core::time::Duration;

use gloo_net::http::{Method, RequestBuilder};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Request, RequestRedirect};

use crate::{
    LinkState, Status, create_request,
    poll::{self, Next, Situation},
};

/// A request that is ready to be sent; `undefined` where the engine takes it for none. Without a token it has no `Authorization`.
///
/// The caller has made sure that token and key can be headers: the engine throws otherwise.
#[must_use]
#[wasm_bindgen]
pub fn request(
    url: &str,
    method: &str,
    token: &str,
    idempotency_key: Option<String>,
    prefer: Option<String>,
    body: Option<String>,
    signal: &AbortSignal,
) -> Option<Request> {
    let method = match method {
        "POST" => Method::POST,
        "DELETE" => Method::DELETE,
        _ => Method::GET,
    };
    let mut builder = RequestBuilder::new(url)
        .method(method)
        // a redirect would carry the token elsewhere
        .redirect(RequestRedirect::Manual)
        .abort_signal(Some(signal));
    if !token.is_empty() {
        builder = builder.header("Authorization", &["Bearer ", token].concat());
    }
    for (name, value) in [("Idempotency-Key", idempotency_key), ("Prefer", prefer)] {
        if let Some(value) = value {
            builder = builder.header(name, &value);
        }
    }
    let request = match body {
        Some(body) => builder.header("Content-Type", "application/json").body(body),
        None => builder.build(),
    };
    request.ok().map(Request::from)
}

/// In how many milliseconds to ask again for an account; -1 for never, -2 for once somebody looks.
///
/// `seconds_left` is the time until the account expires, where it is known.
#[must_use]
#[wasm_bindgen(js_name = nextPoll)]
pub fn next_poll(status: &str, elapsed: u32, seconds_left: Option<i32>, visible: bool) -> i32 {
    let (status, elapsed) = (Status::from(status), Duration::from_millis(elapsed.into()));
    let seconds_left = seconds_left.map(i64::from);
    match poll::next(Situation { status: &status, elapsed, seconds_left, visible }) {
        Next::Stop => -1,
        Next::WhenVisible => -2,
        Next::After(delay) => i32::try_from(delay.as_millis()).unwrap_or(i32::MAX),
    }
}

/// Whether a text can be the secret of a return.
#[must_use]
#[wasm_bindgen(js_name = isLinkState)]
pub fn is_link_state(text: &str) -> bool {
    LinkState::parse(text).is_ok()
}

/// An address to come back to, in the form in which it is sent; `undefined` where it is none.
#[must_use]
#[wasm_bindgen(js_name = returnUri)]
pub fn return_uri(text: &str) -> Option<String> {
    let uri = create_request::well_formed(text).ok()?;
    Some(uri.as_str().to_owned())
}
