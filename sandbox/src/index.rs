//! The front page, and the 404 of an endpoint that the sandbox lacks: both list the endpoints that it has.

use std::fmt::Write as _;

use maud::{Markup, html};
use omise_linked_accounts::{ApiError, ErrorCode};
use worker::{Request, Response};

use crate::{answer, control_page, settings::Settings};

/// The endpoints of Omise's API that the sandbox has, each with what it does.
const ENDPOINTS: [(&str, &str); 7] = [
    ("POST /linked_accounts", "creates an account"),
    ("GET /linked_accounts", "lists accounts"),
    ("GET /linked_accounts/search", "searches accounts"),
    ("GET /linked_accounts/:id", "retrieves an account"),
    ("DELETE /linked_accounts/:id", "deletes an account"),
    ("GET /search?scope=linked_account", "searches accounts, by Omise's path for all kinds"),
    ("GET /capability", "lists the banks that can be linked"),
];

const WHAT: &str = "An offline stand-in for Omise's linked-account API. Not made or endorsed by Omise.";
const ENDPOINTS_OF: &str = "It has these endpoints, for the secret key by Basic authentication:";
const NO_CONTROL: &str = "none; set CONTROL_TOKEN to have one";
const README: &str = "README.md in the npm package omise-linked-accounts-sandbox";

/// The error for an endpoint that the sandbox lacks, whether Omise has it or not.
pub(crate) fn not_found(method: &str, path: &str) -> ApiError {
    let endpoints = ENDPOINTS.map(|(endpoint, _)| endpoint).join(", ");
    ApiError::new(404, ErrorCode::NotFound, format!("the sandbox has no {method} {path}; it has {endpoints}"))
}

/// Answers `GET /`: a page for a browser, plain text for anything else.
pub(crate) fn handle(req: &Request, settings: &Settings) -> worker::Result<Response> {
    let control = settings.control_token.is_some();
    let accept = req.headers().get("Accept")?.unwrap_or_default();
    let response = if accept.contains("text/html") {
        answer::page(200, page(control), None, "no-referrer")?
    } else {
        answer::text(text(control.then(|| req.url().map(|url| url.origin().ascii_serialization())).transpose()?))?
    };
    response.headers().set("Vary", "Accept")?;
    Ok(response)
}

/// The plain text. `origin` is where the control page is, if there is one.
fn text(origin: Option<String>) -> String {
    let mut text = format!("{WHAT}\n\n{ENDPOINTS_OF}\n");
    let width = ENDPOINTS.iter().map(|(endpoint, _)| endpoint.len()).max().unwrap_or_default();
    for (endpoint, what) in ENDPOINTS {
        // writing to a string cannot fail
        let _ = writeln!(text, "  {endpoint:width$}  {what}");
    }
    let control = origin.map_or_else(|| NO_CONTROL.to_owned(), |origin| format!("{origin}/sandbox"));
    let _ = writeln!(text, "\nControl page: {control}\nMore: {README}");
    text
}

fn page(control: bool) -> Markup {
    let main = html! {
        h1 { "Sandbox" }
        p { (WHAT) }
        p { (ENDPOINTS_OF) }
        ul {
            @for (endpoint, what) in ENDPOINTS {
                li { code { (endpoint) } " " (what) }
            }
        }
        p {
            @if control { a href="/sandbox" { "Control page" } } @else { "Control page: " (NO_CONTROL) }
        }
        p { "More: " (README) }
    };
    control_page::layout("Omise linked accounts", &main)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{ApiCall, Route};

    #[test]
    fn every_endpoint_that_is_listed_has_a_route() {
        for (endpoint, _) in ENDPOINTS {
            let (method, path) = endpoint.split_once(' ').unwrap();
            let path = path.split('?').next().unwrap();
            let route = Route::find(method, path);
            assert!(matches!(route, Route::Api(call) if call != ApiCall::Unknown), "{endpoint}: {route:?}");
        }
    }
}
