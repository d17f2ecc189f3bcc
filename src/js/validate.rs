//! The rules of a form, before any network. Words are the package's own, in the customer's language.

use alloc::{borrow::ToOwned, string::String};

use wasm_bindgen::prelude::*;

use super::fields;
use crate::{CitizenId, CreatePolicy, IssueCode, Json, LinkedAccountId, create_request};

/// Everything that is wrong with the parameters of `create`, a line for each issue: field, space, code; `undefined` where nothing is.
///
/// The texts among the parameters that most forms have come by themselves, the others as `fields` says, before them. `given` has
/// a bit for each argument that stands for something; without the lowest the parameters are no object.
#[must_use]
#[wasm_bindgen(js_name = validateCreate)]
pub fn validate_create(
    given: u8,
    others: &str,
    account_type: &str,
    return_uri: &str,
    citizen_id: &str,
) -> Option<String> {
    let texts = [("type", account_type), ("return_uri", return_uri), ("citizen_id", citizen_id)];
    let json = match fields::members(others) {
        Some(mut members) if given & 1 != 0 => {
            for (at, (name, text)) in texts.into_iter().enumerate() {
                if given >> at & 2 != 0 {
                    members.push((name, Json::String(text)));
                }
            }
            Json::Object(members)
        }
        _ => Json::Null,
    };
    let error = create_request::check(json, &POLICY).err()?;
    // as long as it will be: what is longer is copied on its way out
    let length: usize = error.issues().iter().map(|issue| issue.field.len() + issue.code.as_str().len() + 2).sum();
    let mut lines = String::with_capacity(length.saturating_sub(1));
    for issue in error.issues() {
        // a field's name has no control characters
        let separator = if lines.is_empty() { "" } else { "\n" };
        for word in [separator, issue.field.as_str(), " ", issue.code.as_str()] {
            lines.push_str(word);
        }
    }
    Some(lines)
}

/// A form does not know the operator's lists.
static POLICY: CreatePolicy = CreatePolicy::unrestricted();

/// The code of what is wrong with an address to come back to; `undefined` where nothing is.
#[must_use]
#[wasm_bindgen(js_name = checkReturnUri)]
pub fn check_return_uri(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(IssueCode::Required.as_str().to_owned());
    }
    let (code, _) = create_request::well_formed(text).err()?;
    Some(code.as_str().to_owned())
}

/// The code of what is wrong with an identity number; `undefined` where nothing is.
#[must_use]
#[wasm_bindgen(js_name = checkCitizenId)]
pub fn check_citizen_id(text: &str) -> Option<String> {
    CitizenId::parse(text).err().map(|_| IssueCode::Invalid.as_str().to_owned())
}

/// The mode of an account's id: 1 for test, 2 for live, 0 for what is no id.
#[must_use]
#[wasm_bindgen(js_name = idMode)]
pub fn id_mode(text: &str) -> u8 {
    LinkedAccountId::parse(text).map_or(0, |id| if id.mode().is_live() { 2 } else { 1 })
}
