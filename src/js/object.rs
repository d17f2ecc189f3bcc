//! Plain objects for JavaScript.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

pub(super) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // a fresh plain object takes every property
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}
