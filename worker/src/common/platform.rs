//! The platform's functions that are called through platform.js.

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::Env;

#[wasm_bindgen(module = "/platform.js")]
extern "C" {
    /// Sends a request; [`Exchanged`], or `undefined` where there is none after `ms` milliseconds.
    pub(crate) fn exchange(method: &str, url: &str, headers: &str, body: Option<&str>, ms: u32, cap: usize) -> Promise;

    /// Reads the body of a `Request`; a `Uint8Array`, or `undefined` where it is longer.
    pub(crate) fn read(message: &web_sys::Request, cap: usize) -> Promise;

    /// Builds a response.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(status: u16, headers: &str, body: Option<&str>) -> Result<web_sys::Response, JsValue>;

    /// Calls a customer's object, for at most `ms` milliseconds and as long as the client is there; an [`Answered`], or `undefined`.
    #[allow(clippy::too_many_arguments)] // a call is all of these
    #[wasm_bindgen(js_name = callCustomer)]
    pub(crate) fn call_customer(
        env: &Env,
        name: &str,
        location_hint: &str,
        subject: Option<&str>,
        operator: Option<&str>,
        request_id: &str,
        text: &str,
        ms: u32,
        signal: &web_sys::AbortSignal,
    ) -> Promise;

    /// Adds entries to the audit log of a day, of which those that are there already stay once.
    pub(crate) fn append(
        env: &Env,
        day: &str,
        customer: &str,
        subject: Option<&str>,
        incarnation: &str,
        rows: &str,
    ) -> Promise;

    /// Entries of the audit log of a day, newest first: `[number, entry]` each, the number below `before`.
    #[wasm_bindgen(js_name = auditPage)]
    pub(crate) fn audit_page(env: &Env, day: &str, before: Option<f64>, limit: u32) -> Promise;

    /// What an object answered.
    pub(crate) type Answered;

    /// Whether the instance died in which the object worked on the call.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn lost(this: &Answered) -> bool;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn status(this: &Answered) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn headers(this: &Answered) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn body(this: &Answered) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn reason(this: &Answered) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = upstreamCalls)]
    pub(crate) fn upstream_calls(this: &Answered) -> u32;
    #[wasm_bindgen(method, getter, js_name = upstreamMs)]
    pub(crate) fn upstream_ms(this: &Answered) -> u32;

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

// Storage of a Durable Object by hand: the `worker` crate reads rows through serde-wasm-bindgen, whose code for each shape of row would
// be a tenth of the bundle.
#[wasm_bindgen]
extern "C" {
    /// `ctx.storage` of a Durable Object.
    pub(crate) type Storage;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn sql(this: &Storage) -> SqlStorage;

    /// Runs `work` within a transaction, which is rolled back where it fails, or dies.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    pub(crate) fn transaction(
        this: &Storage,
        work: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    pub(crate) fn set_alarm(this: &Storage, at: f64) -> Result<Promise, JsValue>;

    /// `ctx.storage.sql`.
    pub(crate) type SqlStorage;

    #[wasm_bindgen(method, catch, variadic)]
    pub(crate) fn exec(this: &SqlStorage, statement: &str, values: Array) -> Result<SqlCursor, JsValue>;

    /// The rows of a statement.
    pub(crate) type SqlCursor;

    #[wasm_bindgen(method, catch, js_name = toArray)]
    pub(crate) fn to_array(this: &SqlCursor) -> Result<Array, JsValue>;
}

/// Headers as platform.js takes them. No value that the Worker sends has a line break: it makes them all itself, or has held them
/// against its settings.
#[derive(Debug, Default)]
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

    /// Those of an object's answer, which are lines already.
    pub(crate) fn extend(&mut self, lines: &str) {
        if !self.0.is_empty() && !lines.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(lines);
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
