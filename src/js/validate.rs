//! The rules of a form, before any network.

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use super::input;
use crate::{CreatePolicy, CreateRequest, Issue, ValidationError};

/// Everything that is wrong with the parameters of `create`: an array of `{ field, code, message }`, empty where nothing is.
///
/// # Errors
///
/// None in practice: issues are plain data.
#[wasm_bindgen(js_name = validateCreate)]
pub fn validate_create(params: &JsValue) -> Result<JsValue, JsValue> {
    let checked = CreateRequest::validate(input::create(params), &CreatePolicy::unrestricted());
    issues(checked.err().map(ValidationError::into_issues).unwrap_or_default().as_slice())
}

/// Issues as an array of plain objects.
pub(super) fn issues(issues: &[Issue]) -> Result<JsValue, JsValue> {
    Ok(issues.serialize(&Serializer::json_compatible())?)
}
