//! The platform's functions that are called through platform.js.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::AbortSignal;

#[wasm_bindgen(module = "/platform.js")]
extern "C" {
    /// Sends a request; [`Exchanged`].
    pub(crate) fn exchange(
        method: &str,
        url: &str,
        headers: &str,
        body: Option<&str>,
        signal: &AbortSignal,
        cap: usize,
    ) -> Promise;

    /// Reads the body of a `Request`; a `Uint8Array`, or `undefined` where it is longer.
    pub(crate) fn read(message: &web_sys::Request, cap: usize) -> Promise;

    /// Builds a response.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(status: u16, headers: &str, body: Option<&str>) -> Result<web_sys::Response, JsValue>;

    /// An answer of another server's.
    pub(crate) type Exchanged;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn status(this: &Exchanged) -> u16;

    #[wasm_bindgen(method, getter, js_name = retryAfter)]
    pub(crate) fn retry_after(this: &Exchanged) -> Option<String>;

    /// `None` where it is longer than was agreed.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn body(this: &Exchanged) -> Option<Uint8Array>;
}

/// Headers as platform.js takes them. No value that the Worker sends has a line break: it makes them all itself, or has held them
/// against its settings.
#[derive(Default)]
pub(crate) struct Lines(String);

impl Lines {
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(name);
        self.0.push_str(": ");
        self.0.push_str(value);
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
