//! What a caller sends: headers and body, each read by one rule.

use omise_linked_accounts::{Json, Reason};
use worker::Request;

use crate::{
    answer::Failure,
    body::{BodyError, read_capped},
};

/// The header, or `None`; a value that is not text counts as absent.
pub(crate) fn header(req: &Request, name: &str) -> Option<String> {
    req.headers().get(name).ok().flatten()
}

/// The one `Idempotency-Key`: 1 to 255 visible ASCII characters. Two headers arrive joined by a comma and a space, and a
/// space is not visible.
pub(crate) fn idempotency_key(req: &Request) -> Result<String, Failure> {
    header(req, "Idempotency-Key")
        .filter(|key| is_idempotency_key(key))
        .ok_or_else(|| Reason::IdempotencyKeyInvalid.into())
}

fn is_idempotency_key(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The JSON body.
pub(crate) async fn json(mut req: Request) -> Result<Json, Failure> {
    if !header(&req, "Content-Type").is_some_and(|text| is_json(&text)) {
        return Err(Reason::UnsupportedMediaType.into());
    }
    // an honest length spares reading; the count below holds for the others
    let declared = header(&req, "Content-Length").and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > Json::MAX_LEN) {
        return Err(Reason::BodyTooLarge.into());
    }
    let body = match req.stream() {
        Ok(stream) => read_capped(stream, Json::MAX_LEN).await.map_err(|error| match error {
            BodyError::TooLarge => Reason::BodyTooLarge,
            BodyError::Broken => Reason::MalformedJson,
        })?,
        // no body at all
        Err(_) => Vec::new(),
    };
    Json::parse(&body).map_err(|error| Failure::new(Reason::MalformedJson).with_log(error.to_string()))
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
