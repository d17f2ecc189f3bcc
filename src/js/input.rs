//! Reading what a page passes in, property by property.

use js_sys::{Array, JSON, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::{Json, Number};

/// The parameters of `create`, with JavaScript's names turned into the wire's; `idempotencyKey` is not the wire's.
pub(super) fn create(params: &JsValue) -> Json {
    let Some(members) = members(params) else { return shallow(params) };
    let members = members.into_iter().filter(|(name, _)| name != "idempotencyKey").map(|(name, value)| {
        let name = match name.as_str() {
            "returnUri" => "return_uri".to_owned(),
            "citizenId" => "citizen_id".to_owned(),
            "replacePending" => "replace_pending".to_owned(),
            _ => name,
        };
        let entries = self::members(&value);
        let json = match entries {
            Some(entries) => Json::Object(entries.into_iter().map(|(name, value)| (name, shallow(&value))).collect()),
            None => shallow(&value),
        };
        (name, json)
    });
    Json::Object(members.collect())
}

/// The own enumerable properties of a plain object, without those that are `undefined`, as `JSON.stringify` would have
/// them; `None` for anything else.
fn members(value: &JsValue) -> Option<Vec<(String, JsValue)>> {
    let object = value.dyn_ref::<Object>().filter(|_| !Array::is_array(value))?;
    let names = Object::keys(object);
    let entries = names.iter().filter_map(|name| name.as_string()).filter_map(|name| {
        let value = Reflect::get(value, &name.as_str().into()).ok()?;
        (!value.is_undefined()).then_some((name, value))
    });
    Some(entries.collect())
}

/// A value without its inside: nothing of ours is nested deeper.
fn shallow(value: &JsValue) -> Json {
    if let Some(text) = value.as_string() {
        Json::String(text)
    } else if let Some(number) = value.as_f64() {
        Json::Number(Number::from_js(number, || {
            JSON::stringify(value).ok().and_then(|text| text.as_string()).unwrap_or_default()
        }))
    } else if let Some(value) = value.as_bool() {
        Json::Bool(value)
    } else if value.is_null() || value.is_undefined() {
        Json::Null
    } else if Array::is_array(value) {
        Json::Array
    } else if value.is_bigint() {
        Json::Number(None)
    } else {
        Json::Object(Vec::new())
    }
}
