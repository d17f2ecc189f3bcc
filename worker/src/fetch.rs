//! Asking another server: by a deadline, without redirects and caches, and of the answer no more than was agreed. The steps are in
//! platform.js.

use std::time::Duration;

use js_sys::futures::JsFuture;
use wasm_bindgen::JsCast;
use web_sys::AbortSignal;

use crate::platform::{self, Exchanged, Lines};

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
        outcome => outcome,
    }
}

async fn exchange(outgoing: &Outgoing<'_>, deadline: &Deadline, cap: usize) -> Result<Incoming, FetchError> {
    let mut headers = Lines::default();
    for (name, value) in outgoing.headers {
        headers.add(name, value);
    }
    let asked = platform::exchange(outgoing.method, outgoing.url, headers.as_str(), outgoing.body, &deadline.0, cap);
    let answer = JsFuture::from(asked).await.map_err(|_| FetchError::Unreachable)?;
    let answer = answer.unchecked_ref::<Exchanged>();
    let body = answer.body().ok_or(FetchError::TooLarge)?;
    Ok(Incoming { status: answer.status(), retry_after: answer.retry_after(), body: body.to_vec() })
}
