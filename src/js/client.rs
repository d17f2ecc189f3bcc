//! The client: a page's requests to the shop's Worker.

use std::time::Duration;

use gloo_net::http::{Method, RequestBuilder, Response};
use js_sys::{Array, JSON, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::RequestRedirect;

use super::{calls::ClientOptions, error::ClientError, input, object::object};
use crate::{
    CreatePolicy, CreateRequest, LinkState, LinkedAccountId, Reason, Scalar, Status,
    poll::{self, Next, Situation},
};

/// How long a page waits, after the customer came back, for the bank's answer to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, millis: u32) -> JsValue;
}

pub(super) type ClientResult<T = JsValue> = Result<T, ClientError>;

/// One client's settings, for the time of one call.
pub(super) struct Client<'a> {
    options: &'a ClientOptions,
}

impl<'a> Client<'a> {
    pub(super) const fn new(options: &'a ClientOptions) -> Self {
        Self { options }
    }

    pub(super) async fn create(&self, params: &JsValue, idempotency_key: &str) -> ClientResult {
        let request = CreateRequest::validate(input::create(params), &CreatePolicy::unrestricted())
            .map_err(ClientError::Invalid)?;
        self.send(Method::POST, "/linked_accounts", Some(&body(&request)), Some(idempotency_key)).await
    }

    pub(super) async fn retrieve(&self, id: &str) -> ClientResult {
        self.send(Method::GET, &path(id)?, None, None).await
    }

    pub(super) async fn delete(&self, id: &str) -> ClientResult {
        self.send(Method::DELETE, &path(id)?, None, None).await
    }

    pub(super) async fn resume(&self, link_state: &str) -> ClientResult {
        // the Worker would answer the same to any other text
        LinkState::parse(link_state).map_err(|_| not_found())?;
        let body = object(&[(LinkState::PARAMETER, link_state.into())]);
        let mut account = self.send(Method::POST, "/linked_accounts/confirm", Some(&body), None).await?;
        let mut elapsed = Duration::ZERO;
        while let Next::After(delay) = Self::next(&account, elapsed) {
            sleep(delay).await;
            elapsed += delay;
            match self.retrieve(&text(&account, "id")).await {
                Ok(reading) => account = reading,
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(error),
            }
        }
        let result = match status(&account) {
            Status::Successful => "linked",
            Status::Failed | Status::Rejected => "failed",
            Status::Expired => "expired",
            Status::Deleted => "deleted",
            _ => "pending",
        };
        Ok(object(&[("result", result.into()), ("account", account)]))
    }

    /// When to ask again for a customer who has just come back: the bank's answer is a matter of seconds, or else the page
    /// says that it is pending.
    fn next(account: &JsValue, elapsed: Duration) -> Next {
        let status = status(account);
        if elapsed >= PATIENCE {
            return Next::Stop;
        }
        poll::next(Situation { status: &status, elapsed, seconds_left: None, visible: true })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&JsValue>,
        idempotency_key: Option<&str>,
    ) -> ClientResult {
        let token = self.token().await?;
        let endpoint = self.options.endpoint();
        let url = format!("{}{path}", endpoint.trim_end_matches('/'));
        let mut request = RequestBuilder::new(&url)
            .method(method)
            // a redirect would carry the token elsewhere
            .redirect(RequestRedirect::Manual)
            .header("Authorization", &format!("Bearer {token}"));
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let request = match body {
            Some(body) => {
                let text = JSON::stringify(body).map_err(unreadable)?;
                request.header("Content-Type", "application/json").body(text)
            }
            None => request.build(),
        };
        let network = |error: gloo_net::Error| ClientError::Local(Reason::NetworkFailed, js_error(error));
        let response = request.map_err(network)?.send().await.map_err(network)?;
        let text = response.text().await.map_err(network)?;
        read(&response, &text)
    }

    async fn token(&self) -> ClientResult<String> {
        let missing = |cause| ClientError::Local(Reason::TokenUnavailable, cause);
        let value = self.options.get_token().call0(self.options.as_ref()).map_err(missing)?;
        let value = JsFuture::from(Promise::resolve(&value)).await.map_err(missing)?;
        value.as_string().filter(|token| !token.is_empty()).ok_or_else(|| missing(JsValue::UNDEFINED))
    }
}

/// An account, or what the Worker says went wrong.
fn read(response: &Response, text: &str) -> ClientResult {
    let value = JSON::parse(text).map_err(unreadable)?;
    match (response.status(), self::text(&value, "object").as_str()) {
        (200, "linked_account") => Ok(value),
        (status @ 400..=599, "error") => {
            let retry_after = response.headers().get("Retry-After");
            Err(ClientError::Answered { status, body: value, retry_after })
        }
        _ => Err(unreadable(JsValue::UNDEFINED)),
    }
}

/// The JSON body of a create: the validated values, not the page's own.
fn body(request: &CreateRequest) -> JsValue {
    let params = &request.params;
    let mut fields =
        vec![("type", params.account_type.as_str().into()), ("return_uri", params.return_uri.as_str().into())];
    if let Some(citizen_id) = &params.citizen_id {
        fields.push(("citizen_id", citizen_id.expose().into()));
    }
    if !params.metadata.is_empty() {
        let entries: Array = params
            .metadata
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Scalar::String(text) => JsValue::from_str(text),
                    Scalar::Bool(value) => JsValue::from_bool(*value),
                    Scalar::Number(number) => JSON::parse(number.as_str()).unwrap_or_default(),
                };
                Array::of2(&name.into(), &value)
            })
            .collect();
        // fromEntries defines properties: `__proto__` stays a name
        let metadata = Object::from_entries(&entries).map(JsValue::from).unwrap_or_default();
        fields.push(("metadata", metadata));
    }
    if request.replace_pending {
        fields.push(("replace_pending", true.into()));
    }
    object(&fields)
}

/// Refuses to send a customer to a registration page that is not https; http is for test mode.
pub(super) fn check_registration_uri(account: &JsValue) -> ClientResult<()> {
    let uri = text(account, "registration_uri");
    let livemode = Reflect::get(account, &"livemode".into()).is_ok_and(|value| !value.is_falsy());
    if uri.starts_with("https://") || (!livemode && uri.starts_with("http://")) {
        Ok(())
    } else {
        Err(ClientError::Local(Reason::RegistrationUriUnsafe, JsValue::UNDEFINED))
    }
}

/// An ill-formed id is answered here as the Worker would answer it.
fn path(id: &str) -> ClientResult<String> {
    let id = LinkedAccountId::parse(id).map_err(|_| not_found())?;
    Ok(format!("/linked_accounts/{id}"))
}

fn not_found() -> ClientError {
    ClientError::Local(Reason::NotFound, JsValue::UNDEFINED)
}

fn unreadable(cause: JsValue) -> ClientError {
    ClientError::Local(Reason::AnswerUnreadable, cause)
}

fn js_error(error: gloo_net::Error) -> JsValue {
    match error {
        gloo_net::Error::JsError(error) => JsError::new(&error.message).into(),
        gloo_net::Error::GlooError(_) => JsValue::UNDEFINED,
    }
}

fn status(account: &JsValue) -> Status {
    Status::from(text(account, "status").as_str())
}

/// A property that is text; empty where it is not.
fn text(value: &JsValue, name: &str) -> String {
    Reflect::get(value, &name.into()).ok().and_then(|value| value.as_string()).unwrap_or_default()
}

async fn sleep(delay: Duration) {
    let millis = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
    let timer = Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, millis);
    });
    // a promise of setTimeout is never rejected
    let _ = JsFuture::from(timer).await;
}
