//! Failures as JavaScript sees them.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use super::{object::object, validate::issues};
use crate::{Reason, ValidationError};

/// Why a call of the client failed.
#[derive(Debug)]
pub(super) enum ClientError {
    /// The parameters are wrong: nothing was sent.
    Invalid(ValidationError),
    /// It went wrong on this side of the network; the value is the cause.
    Local(Reason, JsValue),
    /// The Worker answered with an error: its status and its body, in our one shape.
    Answered { status: u16, body: JsValue, retry_after: Option<String> },
}

impl ClientError {
    /// The plain object of which the package makes an `Error`.
    pub(super) fn into_object(self) -> JsValue {
        match self {
            Self::Invalid(error) => {
                let issues = issues(error.issues());
                plain(Reason::InvalidRequest, &[("message", error.to_string().into()), ("issues", issues.into())])
            }
            Self::Local(reason, cause) => plain(reason, &[("cause", cause)]),
            Self::Answered { status, body, retry_after } => {
                let field = |name: &str| Reflect::get(&body, &name.into()).unwrap_or_default();
                object(&[
                    ("code", field("code")),
                    ("message", field("message")),
                    ("reason", field("reason")),
                    ("retryable", field("retryable")),
                    ("requestId", field("request_id")),
                    ("issues", field("issues")),
                    ("linkedAccount", field("linked_account")),
                    ("status", status.into()),
                    ("retryAfter", retry_after.map_or(JsValue::UNDEFINED, |s| JsValue::from_str(&s))),
                ])
            }
        }
    }

    /// Whether the same call may succeed later.
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_) => false,
            Self::Local(reason, _) => reason.is_retryable(),
            Self::Answered { body, .. } => Reflect::get(body, &"retryable".into()).is_ok_and(|value| value.is_truthy()),
        }
    }
}

fn plain(reason: Reason, more: &[(&str, JsValue)]) -> JsValue {
    let mut fields = vec![
        ("code", reason.code().as_str().into()),
        ("message", reason.message().into()),
        ("reason", reason.as_str().into()),
        ("retryable", reason.is_retryable().into()),
    ];
    fields.extend_from_slice(more);
    object(&fields)
}
