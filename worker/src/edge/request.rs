//! What a caller sends: address, headers and body, each read by one rule.
//!
//! On the engine's own types: the `worker` crate's `Request` copies what Cloudflare tells of every request before it is asked.

use std::time::Duration;

use js_sys::{Uint8Array, futures::JsFuture};
use omise_linked_accounts::{Json, Reason};
use wasm_bindgen::JsCast;
use web_sys::AbortSignal;

use crate::common::{answer::Failure, platform};

/// A request as it came.
pub(crate) struct Request {
    raw: web_sys::Request,
    headers: web_sys::Headers,
    /// As the client sent it: `..` and `%2e%2e` are not resolved.
    url: String,
}

impl Request {
    pub(crate) fn new(raw: web_sys::Request) -> Self {
        Self { headers: raw.headers(), url: raw.url(), raw }
    }

    pub(crate) fn method(&self) -> String {
        self.raw.method()
    }

    /// From the first slash after the host on, up to the query.
    pub(crate) fn path(&self) -> &str {
        let address = self.url.split_once(['?', '#']).map_or(self.url.as_str(), |(address, _)| address);
        // scheme, nothing, host
        let begin = address.match_indices('/').nth(2).map_or(address.len(), |(at, _)| at);
        address.get(begin..).unwrap_or_default()
    }

    /// What follows `?` in the address; empty where nothing does.
    pub(crate) fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }

    /// The header, or `None`; a value that is not text counts as absent.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    /// The one `Idempotency-Key`: 1 to 255 visible ASCII characters. Two headers arrive joined by a comma and a space, and a
    /// space is not visible.
    pub(crate) fn idempotency_key(&self) -> Result<String, Failure> {
        self.header("Idempotency-Key")
            .filter(|key| is_idempotency_key(key))
            .ok_or_else(|| Reason::IdempotencyKeyInvalid.into())
    }

    /// How long `Prefer: wait=…` (RFC 7240 §4.3) asks the answer to be held, at most [`MAX_WAIT`]. A preference that makes no
    /// sense is no error: it is ignored, as RFC 7240 §2 says.
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_secs(self.header("Prefer").map_or(0, |text| wait_seconds(&text)))
    }

    /// The body, said to be JSON.
    pub(crate) async fn json_text(&self) -> Result<String, Failure> {
        if !self.header("Content-Type").is_some_and(|text| is_json(&text)) {
            return Err(Reason::UnsupportedMediaType.into());
        }
        let body = self.bytes(Json::MAX_LEN).await?;
        // JSON is UTF-8 (RFC 8259 §8.1)
        String::from_utf8(body).map_err(|_| Failure::new(Reason::MalformedJson).with_log("not UTF-8"))
    }

    /// Ends when the client hangs up.
    pub(crate) fn signal(&self) -> AbortSignal {
        self.raw.signal()
    }

    /// The body, of at most `cap` bytes.
    pub(crate) async fn bytes(&self, cap: usize) -> Result<Vec<u8>, Failure> {
        let body = JsFuture::from(platform::read(&self.raw, cap)).await.map_err(|_| Reason::MalformedJson)?;
        // `undefined` where it is longer
        let body = body.dyn_into::<Uint8Array>().map_err(|_| Reason::BodyTooLarge)?;
        Ok(body.to_vec())
    }
}

pub(crate) fn is_idempotency_key(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The longest that an answer is held, in seconds: browsers and proxies give up after thirty or more, and an object that is asked to
/// has answered before the edge gives it up.
const MAX_WAIT: u64 = 24;

fn wait_seconds(prefer: &str) -> u64 {
    let mut waits = prefer.split([',', ';']).filter_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    });
    // of several, the first counts; a number that does not fit is a long time
    let digits = waits.next().filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    digits.map_or(0, |text| text.parse().unwrap_or(MAX_WAIT).min(MAX_WAIT))
}

/// `application/json`, alone or with `charset=utf-8`, the only encoding that JSON has (RFC 8259 §8.1).
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    media_type.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| {
            parameter.eq_ignore_ascii_case("charset=utf-8") || parameter.eq_ignore_ascii_case("charset=\"utf-8\"")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for (text, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/json; charset=latin1", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/json, text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_json(text), expected, "{text}");
        }
    }

    #[test]
    fn waits() {
        for (text, expected) in [
            ("wait=25", 24),
            ("WAIT = 5", 5),
            ("wait=\"7\"", 7),
            ("respond-async, wait=10; x=y", 10),
            ("wait=10, wait=20", 10),
            ("wait=24", 24),
            ("wait=99999999999999999999999", 24),
            ("wait=0", 0),
            ("wait=-1", 0),
            ("wait=", 0),
            ("wait", 0),
            ("await=10", 0),
            ("", 0),
        ] {
            assert_eq!(wait_seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn idempotency_keys() {
        let longest = "k".repeat(255);
        for (text, expected) in [
            ("k", true),
            ("4f6c9e2a-1b7d-4c83-9a55-0d8e7f312b64", true),
            (longest.as_str(), true),
            ("", false),
            ("a b", false),
            ("a, b", false),
            ("ก", false),
            ("k\u{7f}", false),
        ] {
            assert_eq!(is_idempotency_key(text), expected, "{text}");
        }
        assert!(!is_idempotency_key(&"k".repeat(256)));
    }
}
