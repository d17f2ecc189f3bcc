//! The response: an answer, with the headers that every answer carries.

use web_sys::Response;

use crate::common::{
    answer::Answer,
    platform::{self, Lines},
    trace::Trace,
};

/// Builds the response; `cors` is the caller's origin, where it is one of ours.
pub(crate) fn respond(
    answer: &Answer,
    trace: &Trace,
    cors: Option<&str>,
    is_preflight: bool,
) -> worker::Result<Response> {
    let headers = headers(answer, &trace.request_id, &trace.server_timing(), cors, is_preflight);
    Ok(platform::respond(answer.status, headers.as_str(), answer.body.as_deref())?)
}

/// The headers of the response.
pub(crate) fn headers(
    answer: &Answer,
    request_id: &str,
    server_timing: &str,
    cors: Option<&str>,
    is_preflight: bool,
) -> Lines {
    let mut headers = Lines::default();
    headers.add("Cache-Control", "no-store");
    headers.add("Referrer-Policy", "no-referrer");
    headers.add("Server-Timing", server_timing);
    headers.add("Vary", "Origin");
    headers.add("X-Content-Type-Options", "nosniff");
    headers.add("X-Request-Id", request_id);
    if let Some(origin) = cors {
        headers.add("Access-Control-Allow-Origin", origin);
        // Cloudflare adds the date: clients measure against it rather than by their own clock
        headers.add("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Idempotent-Replayed, Date");
        if is_preflight {
            headers.add("Access-Control-Allow-Methods", "GET, POST, DELETE");
            headers.add("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Prefer");
            // Chromium holds a preflight no longer than two hours
            headers.add("Access-Control-Max-Age", "7200");
        }
    }
    headers.extend(answer.headers.as_str());
    headers
}
