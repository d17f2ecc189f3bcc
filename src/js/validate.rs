//! The rules of a form, before any network.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::{input, object::object};
use crate::{CreatePolicy, CreateRequest, Issue};

/// Everything that is wrong with the parameters of `create`: an array of `{ field, code, message }`, empty where nothing is.
#[must_use]
#[wasm_bindgen(js_name = validateCreate)]
pub fn validate_create(params: &JsValue) -> Array {
    match CreateRequest::validate(input::create(params), &CreatePolicy::unrestricted()) {
        Ok(_) => Array::new(),
        Err(error) => issues(error.issues()),
    }
}

/// Issues as an array of plain objects.
pub(super) fn issues(issues: &[Issue]) -> Array {
    let array = Array::new();
    for Issue { field, code, message } in issues {
        array.push(&object(&[
            ("field", field.as_str().into()),
            ("code", code.as_str().into()),
            ("message", message.as_str().into()),
        ]));
    }
    array
}
