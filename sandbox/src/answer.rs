//! What leaves: each kind of answer with the headers that belong to it. None has CORS headers: no page may call the API, and
//! the bank's page is for navigation.

use maud::Markup;
use omise_linked_accounts::ApiError;
use serde::Serialize;
use worker::{Headers, Response, ResponseBuilder, Result};

/// Omise's answer: a body of status 200, or an error. `version` is what the caller asks for.
pub(crate) fn api(
    outcome: std::result::Result<Vec<u8>, ApiError>,
    version: Option<&str>,
    request_id: [u8; 16],
) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Cache-Control", "no-cache, no-store")?;
    headers.set("Content-Type", "application/json; charset=utf-8")?;
    headers.set("Omise-Version", api_version(version))?;
    headers.set("X-Request-Id", &uuid(request_id))?;
    let (status, body) = match outcome {
        Ok(body) => (200, body),
        Err(error) => (error.status, error.encode()),
    };
    Ok(ResponseBuilder::new().with_status(status).with_headers(headers).fixed(body))
}

/// The version that the caller asks for, where it has the form of one, else the latest.
fn api_version(asked: Option<&str>) -> &str {
    let is_version = |text: &&str| {
        let fits = |(i, b): (usize, u8)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() };
        text.len() == 10 && text.bytes().enumerate().all(fits)
    };
    asked.filter(is_version).unwrap_or("2019-05-29")
}

/// A random UUID (RFC 9562 §5.4), as Omise names its requests.
fn uuid(random: [u8; 16]) -> String {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;

    let n = u128::from_be_bytes(random) & !VERSION & !VARIANT | 4 << 76 | 0b10 << 62;
    let part = |shift: u32| n >> shift & 0xffff;
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", n >> 96, part(80), part(64), part(48), n & 0xffff_ffff_ffff)
}

/// What the bank answers.
pub(crate) enum BankAnswer {
    /// A page.
    Page {
        status: u16,
        page: Markup,
        /// The site, as a source expression, to which the page's form may lead in the end.
        leads_to: Option<String>,
    },
    /// Back to the shop.
    SeeOther(String),
}

/// The bank's answer.
pub(crate) fn bank(answer: BankAnswer) -> Result<Response> {
    match answer {
        BankAnswer::Page { status, page: markup, leads_to } => {
            let response = page(status, markup, leads_to.as_deref(), "no-referrer")?;
            response.headers().set("Vary", "Accept-Language")?;
            Ok(response)
        }
        BankAnswer::SeeOther(location) => see_other(&location),
    }
}

/// A page, whose form may lead to a site in the end.
pub(crate) fn page(status: u16, page: Markup, leads_to: Option<&str>, referrer_policy: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Cache-Control", "no-store")?;
    headers.set("Content-Security-Policy", &content_security_policy(leads_to))?;
    headers.set("Content-Type", "text/html; charset=utf-8")?;
    headers.set("Cross-Origin-Opener-Policy", "same-origin")?;
    headers.set("Referrer-Policy", referrer_policy)?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    Ok(ResponseBuilder::new().with_status(status).with_headers(headers).fixed(page.into_string().into_bytes()))
}

/// To another page, which is to be read.
pub(crate) fn see_other(location: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Cache-Control", "no-store")?;
    headers.set("Cross-Origin-Opener-Policy", "same-origin")?;
    headers.set("Location", location)?;
    headers.set("Referrer-Policy", "no-referrer")?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    Ok(ResponseBuilder::new().with_status(303).with_headers(headers).empty())
}

/// Plain text.
pub(crate) fn text(text: String) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Cache-Control", "no-store")?;
    headers.set("Content-Type", "text/plain; charset=utf-8")?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    Ok(ResponseBuilder::new().with_headers(headers).fixed(text.into_bytes()))
}

/// JSON as Omise writes it: pretty, with a newline at the end.
pub(crate) fn json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    Ok(json)
}

/// Nothing but the style sheet, and a form that posts here. Chromium applies `form-action` to the redirects after the post as
/// well, so the shop that they lead to must be in it.
fn content_security_policy(leads_to: Option<&str>) -> String {
    let form_action = leads_to.map_or_else(|| "'self'".to_owned(), |source| format!("'self' {source}"));
    format!("default-src 'none'; style-src 'self'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'")
}

/// A style sheet.
pub(crate) fn stylesheet(text: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Cache-Control", "no-store")?;
    headers.set("Content-Type", "text/css; charset=utf-8")?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    Ok(ResponseBuilder::new().with_headers(headers).fixed(text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (asked, answered) in [
            (None, "2019-05-29"),
            (Some("2017-11-02"), "2017-11-02"),
            (Some("2099-99-99"), "2099-99-99"),
            (Some(""), "2019-05-29"),
            (Some("2017-11-2"), "2019-05-29"),
            (Some("2017/11/02"), "2019-05-29"),
            (Some("2017-11-02, 2015-11-17"), "2019-05-29"),
        ] {
            assert_eq!(api_version(asked), answered, "{asked:?}");
        }
    }

    #[test]
    fn uuids() {
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            uuid([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]),
            "01234567-89ab-4def-8123-456789abcdef"
        );
    }

    #[test]
    fn the_form_may_lead_to_the_shop() {
        assert!(content_security_policy(None).contains("form-action 'self';"));
        assert!(
            content_security_policy(Some("https://shop.example")).contains("form-action 'self' https://shop.example;")
        );
    }

    #[test]
    fn the_bare_body_of_a_500() {
        let error = ApiError::rails();
        assert_eq!(error.status, 500);
        assert_eq!(error.encode().trim_ascii(), br#"{"status":500,"error":"Internal Server Error"}"#);
    }
}
