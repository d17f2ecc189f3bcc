//! Asking another server: by a deadline, without redirects and caches, and of the answer no more than was agreed.
//!
//! On the engine's own types: the `worker` crate's `Request` brings every option of Cloudflare's with it, eleven kilobytes.

use std::time::Duration;

use js_sys::{Object, Reflect, futures::JsFuture};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortSignal, RequestCache, RequestInit, RequestRedirect, Response, WorkerGlobalScope};

use crate::body::{self, BodyError};

/// Who asks.
pub(crate) const USER_AGENT: &str = concat!("omise-linked-accounts/", env!("CARGO_PKG_VERSION"));

/// A request to another server.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Option<&'a str>,
}

/// Its answer.
pub(crate) struct Incoming {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Why there is none. The request may have been carried out all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// The deadline passed.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The answer is larger than it may be.
    TooLarge,
}

/// When to give up, be it on one request or on several.
pub(crate) struct Deadline(AbortSignal);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Self {
        Self(AbortSignal::timeout_with_u32(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.aborted()
    }
}

/// Sends a request, once, and reads at most `cap` bytes of its answer.
pub(crate) async fn fetch(outgoing: &Outgoing<'_>, deadline: &Deadline, cap: usize) -> Result<Incoming, FetchError> {
    match exchange(outgoing, deadline, cap).await {
        Err(_) if deadline.is_over() => Err(FetchError::Timeout),
        Err(BodyError::Broken) => Err(FetchError::Unreachable),
        Err(BodyError::TooLarge) => Err(FetchError::TooLarge),
        Ok(incoming) => Ok(incoming),
    }
}

async fn exchange(outgoing: &Outgoing<'_>, deadline: &Deadline, cap: usize) -> Result<Incoming, BodyError> {
    let headers = Object::new();
    for (name, value) in outgoing.headers {
        Reflect::set(&headers, &JsValue::from_str(name), &JsValue::from_str(value))?;
    }
    let init = RequestInit::new();
    init.set_method(outgoing.method);
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_cache(RequestCache::NoStore);
    init.set_signal(Some(&deadline.0));
    if let Some(body) = outgoing.body {
        init.set_body(&JsValue::from_str(body));
    }
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_str_and_init(outgoing.url, &init)).await?;
    let response: Response = response.dyn_into()?;
    let (status, retry_after) = (response.status(), response.headers().get("Retry-After").ok().flatten());
    let body = body::read(response.unchecked_ref(), cap).await?;
    Ok(Incoming { status, retry_after, body })
}
