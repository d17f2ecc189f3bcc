//! The object as Rust is handed it: its storage, and what its JavaScript class remembers between two calls. The class is in
//! customer.js.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::common::{platform::Storage, trace::Spent};

#[wasm_bindgen]
extern "C" {
    /// What one object remembers. Nothing of it is kept in Rust: what is in Rust belongs to all objects of the isolate.
    #[derive(Clone)]
    pub(crate) type Memory;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn storage(this: &Memory) -> Storage;

    /// Whether the tables are known to be there.
    #[wasm_bindgen(method, getter, js_name = hasTables)]
    pub(crate) fn has_tables(this: &Memory) -> bool;
    #[wasm_bindgen(method, setter, js_name = hasTables)]
    pub(crate) fn set_has_tables(this: &Memory, there: bool);

    /// The alarm that was set last, in milliseconds since 1970, where it is not known to have come; infinite where nothing is due.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn alarm(this: &Memory) -> Option<f64>;
    #[wasm_bindgen(method, setter, js_name = alarm)]
    pub(crate) fn set_alarm(this: &Memory, at: Option<f64>);

    /// A call works on this attempt, until that call ends however it may.
    #[wasm_bindgen(method, js_name = begin)]
    pub(crate) fn begin(this: &Memory, call: &Call, attempt: &str);

    /// Whether a call works on this attempt.
    #[wasm_bindgen(method, js_name = isInFlight)]
    pub(crate) fn is_in_flight(this: &Memory, attempt: &str) -> bool;

    /// There is news: all who wait look again.
    #[wasm_bindgen(method)]
    pub(crate) fn wake(this: &Memory);

    /// The last reading of an account.
    #[wasm_bindgen(method)]
    pub(crate) fn reading(this: &Memory, id: &str) -> Option<LastReading>;

    /// Remembers a reading; `failure` is JSON where there is none.
    #[wasm_bindgen(method, js_name = remember)]
    pub(crate) fn remember(this: &Memory, id: &str, began_at: f64, ended_at: f64, failure: Option<String>);

    /// A reading of an account that has ended.
    pub(crate) type LastReading;

    #[wasm_bindgen(method, getter, js_name = beganAt)]
    pub(crate) fn began_at(this: &LastReading) -> f64;
    #[wasm_bindgen(method, getter, js_name = endedAt)]
    pub(crate) fn ended_at(this: &LastReading) -> f64;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn failure(this: &LastReading) -> Option<String>;

    /// A call into the object, from its first step to its answer.
    #[wasm_bindgen(extends = Spent)]
    pub(crate) type Call;

    /// The session's subject; `undefined` where the call is not a customer's.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn subject(this: &Call) -> Option<String>;
    /// The operator who calls, where one does.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn operator(this: &Call) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = requestId)]
    pub(crate) fn request_id(this: &Call) -> String;
    #[wasm_bindgen(method, getter, js_name = askedAt)]
    pub(crate) fn asked_at(this: &Call) -> f64;
    /// What is asked, in JSON.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn text(this: &Call) -> String;
}

#[wasm_bindgen(module = "/platform.js")]
extern "C" {
    /// The call is answered.
    pub(crate) fn answered(
        status: u16,
        headers: &str,
        body: Option<&str>,
        reason: Option<&str>,
        upstream_calls: u32,
        upstream_ms: u32,
    ) -> JsValue;

    /// An account is to be read, and the call made again, after `ms` milliseconds at the latest.
    #[wasm_bindgen(js_name = toRead)]
    pub(crate) fn to_read(id: &str, ms: u32) -> JsValue;

    /// The call is to be made again where there is news, and after `ms` milliseconds at the latest.
    #[wasm_bindgen(js_name = toWait)]
    pub(crate) fn to_wait(ms: u32) -> JsValue;
}
