//! Reading no more than we agreed to read.

use js_sys::{ArrayBuffer, Promise, Reflect, Uint8Array, futures::JsFuture};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{Headers, ReadableStream, ReadableStreamDefaultReader};

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the cap.
    TooLarge,
    /// The connection failed.
    Broken,
}

impl From<JsValue> for BodyError {
    fn from(_: JsValue) -> Self {
        Self::Broken
    }
}

#[wasm_bindgen]
extern "C" {
    /// What a `Request` and a `Response` have in common: the Fetch Standard's mixin of this name, and headers.
    pub(crate) type Body;

    #[wasm_bindgen(method, getter)]
    fn headers(this: &Body) -> Headers;

    #[wasm_bindgen(method, getter)]
    fn body(this: &Body) -> Option<ReadableStream>;

    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    fn array_buffer(this: &Body) -> Result<Promise, JsValue>;
}

/// Reads a body of at most `cap` bytes.
///
/// HTTP ends a body where its length header says (RFC 9112 §6.3), so one that says so is taken in one piece. Others are counted
/// as they come: those without the header, and those whose length is that of something compressed.
pub(crate) async fn read(message: &Body, cap: usize) -> Result<Vec<u8>, BodyError> {
    let headers = message.headers();
    let header = |name| headers.get(name).ok().flatten();
    let length = header("Content-Length").and_then(|text| text.parse::<u64>().ok());
    if length.is_some_and(|length| length > cap as u64) {
        return Err(BodyError::TooLarge);
    }
    if length.is_some() && header("Content-Encoding").is_none() {
        let whole = JsFuture::from(message.array_buffer()?).await?;
        let whole = Uint8Array::new(whole.unchecked_ref::<ArrayBuffer>());
        return if whole.length() as usize > cap { Err(BodyError::TooLarge) } else { Ok(whole.to_vec()) };
    }
    match message.body() {
        Some(stream) => count(&stream, cap).await,
        None => Ok(Vec::new()),
    }
}

async fn count(stream: &ReadableStream, cap: usize) -> Result<Vec<u8>, BodyError> {
    let reader = stream.get_reader().unchecked_into::<ReadableStreamDefaultReader>();
    let mut body = Vec::new();
    loop {
        let part = JsFuture::from(reader.read()).await?;
        if Reflect::get(&part, &"done".into())?.is_truthy() {
            return Ok(body);
        }
        let part = Reflect::get(&part, &"value".into())?.dyn_into::<Uint8Array>()?;
        if body.len() + part.length() as usize > cap {
            // the rest is not wanted
            let _ = reader.cancel();
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&part.to_vec());
    }
}
