//! Asking another server: by a deadline, without redirects and caches, and of the answer no more than was agreed. The steps are in
//! platform.js.

use std::time::Duration;

use js_sys::futures::JsFuture;
use wasm_bindgen::JsCast;

use super::{
    context::{Millis, millis, now},
    platform::{self, Exchanged, Lines},
};

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
pub(crate) struct Deadline(Millis);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Self {
        Self(now() + millis(duration))
    }

    /// What is left until then.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(now()))
    }
}

/// Sends a request, once, and reads at most `cap` bytes of its answer.
pub(crate) async fn fetch(outgoing: &Outgoing<'_>, deadline: &Deadline, cap: usize) -> Result<Incoming, FetchError> {
    let mut headers = Lines::default();
    for (name, value) in outgoing.headers {
        headers.add(name, value);
    }
    let ms = u32::try_from(deadline.left().as_millis()).unwrap_or(u32::MAX);
    let asked = platform::exchange(outgoing.method, outgoing.url, headers.as_str(), outgoing.body, ms, cap);
    let answer = JsFuture::from(asked).await.map_err(|_| FetchError::Unreachable)?;
    // `undefined` where the time was over
    if answer.is_undefined() {
        return Err(FetchError::Timeout);
    }
    let answer = answer.unchecked_ref::<Exchanged>();
    let body = answer.body().ok_or(FetchError::TooLarge)?;
    Ok(Incoming { status: answer.status(), retry_after: answer.retry_after(), body: body.to_vec() })
}
